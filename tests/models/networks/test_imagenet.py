"""Naming what is in a picture: class list, pixels, choice of network, and answers beyond doubt."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

from src.utils.data.pictures.decode import ImageError
from src.utils.data.sources.sample import sample_package_file
from src.utils.models.networks import imagenet
from src.utils.models.networks.efficientnet_lite0 import WEIGHTS_FILE
from src.utils.models.networks.imagenet import (
    Labeller,
    imagenet_classes,
    label_pixels,
    load_labeller,
    load_lite0_labeller,
)
from src.utils.settings import Settings, UserError


def test_the_class_list_is_keras_own() -> None:
    """Keras publishes the MD5 of its list; written out in its way, ours has the same."""
    listed = {str(number): list(names) for number, names in enumerate(imagenet_classes())}
    digest = hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()
    assert digest == "c2c37ea517e94d9795004a39431a14cb"
    names = [name for _, name in imagenet_classes()]
    assert [names[n] for n in (617, 923, 984, 970)] == ["lab_coat", "plate", "rapeseed", "alp"]


def write_picture(path: Path, width: int, height: int) -> Path:
    """Red, but for a blue square in the middle that is as wide as the short side × 7 / 8."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 200
    side = min(width, height) * 7 // 8
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = (0, 0, 200)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(("width", "height"), [(512, 512), (1024, 512), (256, 1600)])
def test_a_labeller_looks_at_the_middle_in_its_own_shape(width: int, height: int, tmp_path: Path) -> None:
    pixels = label_pixels(write_picture(tmp_path / "a.png", width, height))
    assert pixels.shape == (224, 224, 3) and pixels.dtype == np.uint8
    assert (pixels[4:-4, 4:-4] == (0, 0, 200)).all()


def counting_labeller(calls: list[int]) -> Labeller:
    """Says the brightness of the first pixel, twice and thrice, and notes the size of its batches."""

    def classify(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        calls.append(len(pixels))
        first = pixels[:, 0, 0, 0].astype(int)
        return np.tile(np.float32([0.5, 0.25, 0.125]), (len(pixels), 1)), np.stack(
            [first, first + 1, first + 2], 1
        )

    return Labeller("fake", "Fake", "nowhere", "float32", classify)


def test_predictions_keep_their_order_in_batches(tmp_path: Path) -> None:
    calls: list[int] = []
    labeller = counting_labeller(calls)
    pixels = np.zeros((70, 224, 224, 3), np.uint8)
    pixels[:] = np.arange(70, dtype=np.uint8)[:, None, None, None]
    labels = labeller.predict(pixels)
    assert calls == [32, 32, 6]
    names = imagenet_classes()
    assert [one[0] for one in labels] == [(names[n][1], 0.5) for n in range(70)]
    assert labels[69][1:] == [(names[70][1], 0.25), (names[71][1], 0.125)]
    paths = []
    for number in range(40):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (20, 20), (number, 0, 0)).save(paths[-1])
    calls.clear()
    assert [one[0][0] for one in labeller.predict_files(paths)] == [names[n][1] for n in range(40)]
    assert calls == [32, 8]
    assert list(labeller.predict_files([])) == [] and labeller.predict(pixels[:0]) == []


def test_wrong_pixels_and_broken_files_are_refused(tmp_path: Path) -> None:
    labeller = counting_labeller([])
    for wrong in (np.zeros((1, 224, 224, 3), np.float32), np.zeros((1, 100, 100, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            labeller.predict(wrong)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(ImageError):
        list(labeller.predict_files([tmp_path / "broken.jpg"]))


def test_stored_labels_are_told_apart_by_all_that_matters() -> None:
    one = counting_labeller([])
    other = Labeller("fake", "Fake", "nowhere", "bfloat16", one.classify)
    assert one.key != other.key and one.key == "fake-float32"


@pytest.fixture
def no_vgg19(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine where VGG19 cannot be downloaded and Lite0 is a stand-in; what was loaded is listed."""
    loaded = []

    def vgg19(precision: str):
        loaded.append("vgg19")
        raise UserError("VGG19's weights could not be downloaded (no network).")

    def lite0(settings: Settings, note: str = "") -> Labeller:
        loaded.append("efficientnet_lite0")
        return Labeller("efficientnet_lite0", "EfficientNet-Lite0", "", "float32", lambda pixels: (), note)

    monkeypatch.setattr(imagenet, "load_vgg19", vgg19)
    monkeypatch.setattr(imagenet, "_load_lite0", lite0)
    monkeypatch.setattr(imagenet, "_vgg19_is_here", lambda: False)
    return loaded


def test_without_a_network_the_small_one_answers_and_says_why(no_vgg19: list[str]) -> None:
    labeller = load_labeller(Settings())
    assert labeller.title == "EfficientNet-Lite0" and "no network" in labeller.note
    assert no_vgg19 == ["vgg19", "efficientnet_lite0"]
    with pytest.raises(UserError, match="could not be downloaded"):
        load_labeller(Settings(), "vgg19")
    with pytest.raises(UserError, match="no labeller resnet"):
        load_labeller(Settings(), "resnet")


def test_a_smoke_run_downloads_nothing_it_can_do_without(no_vgg19: list[str], monkeypatch) -> None:
    assert "smoke" in load_labeller(Settings(profile="smoke")).note
    assert load_labeller(Settings(profile="smoke"), "efficientnet_lite0").note == ""
    assert no_vgg19 == ["efficientnet_lite0", "efficientnet_lite0"]
    monkeypatch.setattr(imagenet, "_vgg19_is_here", lambda: True)
    load_labeller(Settings(profile="smoke"))
    assert no_vgg19[2:] == ["vgg19", "efficientnet_lite0"]


def test_a_failed_download_is_one_sentence_and_leaves_the_process_as_it_was(monkeypatch) -> None:
    import keras
    from keras.applications import vgg19

    seen = {}

    def fail(**_):
        seen["timeout"], seen["policy"] = socket.getdefaulttimeout(), keras.config.dtype_policy().name
        raise Exception("URL fetch failure on https://a.b/c: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(vgg19, "VGG19", fail)
    with pytest.raises(UserError) as error:
        imagenet.load_vgg19(precision="mixed_bfloat16")
    assert str(error.value) == "VGG19's weights cannot be had (Name or service not known)."
    assert seen == {"timeout": 15.0, "policy": "bfloat16"}
    assert socket.getdefaulttimeout() is None and keras.config.dtype_policy().name == "float32"


def test_vgg19_is_looked_for_where_keras_keeps_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not imagenet._vgg19_is_here()
    (tmp_path / "models").mkdir()
    (tmp_path / "models/vgg19_weights_tf_dim_ordering_tf_kernels.h5").touch()
    assert imagenet._vgg19_is_here()


@pytest.fixture(scope="module")
def lite0() -> Labeller:
    path = sample_package_file(Settings(), WEIGHTS_FILE)
    return load_lite0_labeller(path)


BEYOND_DOUBT = {
    "chelsea": {"tabby", "tiger_cat", "Egyptian_cat"},
    "coffee": {"espresso", "cup", "coffee_mug"},
    "rocket": {"missile", "projectile", "space_shuttle"},
    "stereo_motorcycle": {"moped", "motor_scooter"},
    "flower": {"daisy"},
    "china": {"palace", "monastery", "bell_cote", "tile_roof"},
}


@pytest.mark.parametrize("name", list(BEYOND_DOUBT))
def test_pictures_beyond_doubt_are_named(name: str, lite0: Labeller, tmp_path: Path) -> None:
    if name in ("flower", "china"):
        pixels = load_sample_image(f"{name}.jpg")
    else:
        pixels = getattr(skimage.data, name)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    [labels] = lite0.predict_files([tmp_path / "picture.png"])
    assert labels[0][0] in BEYOND_DOUBT[name]
    confidences = [confidence for _, confidence in labels]
    assert confidences == sorted(confidences, reverse=True) and 0 < sum(confidences) <= 1


def test_a_sure_answer_is_sure(lite0: Labeller, tmp_path: Path) -> None:
    """The wrong scaling or padding still names the coffee, but no longer so surely."""
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    [labels] = lite0.predict_files([tmp_path / "coffee.png"])
    assert labels[0][0] == "espresso" and labels[0][1] == pytest.approx(0.95, abs=0.02)
