"""What Keras says and what its exported file says: the same, on pictures of every kind."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from src.utils.data.pictures.decode import read_pixels
from src.utils.models.bundle import export as exporting
from src.utils.models.bundle.export import TOLERANCE, CannotExport, export_onnx, float32_copy, probe_pictures
from src.utils.models.bundle.onnx_session import onnx_runtime, onnx_session
from src.utils.models.bundle.predictor import probability_of_ai
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.networks.forward import trace_model
from src.utils.settings import IMAGE_SIZE, PROJECT_ROOT, UserError
from tests.models.tiny import SIZE, build_tiny, build_unexportable, random_pixels

SAMPLE = PROJECT_ROOT / "data" / "raw" / "sample"


def drawn_pictures(number: int = 24) -> np.ndarray:
    """Scenes of gradients, discs and noise, uint8 [number, 255, 255, 3]."""
    random = np.random.default_rng(5)
    pictures = []
    for _ in range(number):
        low, high = random.integers(0, 256, (2, 3))
        slope = np.linspace(low, high, IMAGE_SIZE)[:, None] + random.normal(
            0, 20, (IMAGE_SIZE, IMAGE_SIZE, 3)
        )
        picture = Image.fromarray(slope.clip(0, 255).astype(np.uint8))
        draw = ImageDraw.Draw(picture)
        for x, y, radius in random.integers(10, 200, (4, 3)).tolist():
            draw.ellipse((x, y, x + radius, y + radius), fill=tuple(random.integers(0, 256, 3).tolist()))
        pictures.append(np.asarray(picture))
    return np.stack(pictures)


def sample_pictures(number: int = 40) -> np.ndarray:
    """Real pictures from all over the sample, if it has been made here."""
    if not (SAMPLE / "train.csv").is_file():
        pytest.skip("the sample is not there yet: `make test` makes it first")
    names = pd.read_csv(SAMPLE / "train.csv")["file_name"]
    chosen = names.iloc[np.linspace(0, len(names) - 1, number).astype(int)]
    return np.stack([read_pixels(SAMPLE / name) for name in chosen])


def spread_answers(model, pixels: np.ndarray) -> None:
    """Scale and shift a random network's last layer until it calls half of some pictures AI, some surely."""
    odds = np.diff(trace_model(model)(pixels), axis=1)
    kernel, bias = model.layers[-1].get_weights()
    factor = 3 / odds.std()
    model.layers[-1].set_weights([kernel * factor, bias * factor - [0, factor * np.median(odds)]])


@pytest.mark.parametrize("pictures", [drawn_pictures, sample_pictures])
@pytest.mark.parametrize("scaled", [False, True], ids=["cnn_deck", "cnn_scaled"])
def test_the_decks_network_gives_the_same_answers(tmp_path: Path, scaled: bool, pictures) -> None:
    pixels = pictures()
    model = build_deck_cnn(scaled=scaled, seed=3)
    spread_answers(model, pixels)
    export_onnx(model, tmp_path / "model.onnx")
    kept = probability_of_ai(trace_model(model)(pixels))
    exported = probability_of_ai(onnx_runtime(tmp_path / "model.onnx", IMAGE_SIZE)(pixels))
    assert kept.min() < 0.1 and kept.max() > 0.9 and np.mean(kept >= 0.5) == 0.5
    assert np.abs(exported - kept).max() <= TOLERANCE
    np.testing.assert_array_equal(exported >= 0.5, kept >= 0.5)


def test_the_file_is_named_and_shaped_as_promised(tmp_path: Path) -> None:
    export_onnx(build_tiny(), tmp_path / "model.onnx")
    session = onnx_session(tmp_path / "model.onnx")
    (pixels,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape[1:]) == ("pixels", "tensor(float)", [SIZE, SIZE, 3])
    assert (logits.type, logits.shape[1:]) == ("tensor(float)", [2])
    together = session.run(None, {"pixels": random_pixels(7).astype(np.float32)})[0]
    np.testing.assert_allclose(
        together, onnx_runtime(tmp_path / "model.onnx", SIZE)(random_pixels(7)), atol=1e-6
    )
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_a_network_of_low_precision_is_exported_in_float32(tmp_path: Path, policy: str) -> None:
    import keras

    model, plain = build_tiny(policy), build_tiny()
    plain.set_weights(model.get_weights())
    export_onnx(model, tmp_path / "model.onnx")
    exported = onnx_runtime(tmp_path / "model.onnx", SIZE)(random_pixels())
    np.testing.assert_allclose(exported, plain(random_pixels()), atol=1e-5)
    assert model.layers[1].dtype_policy.name == policy
    assert keras.config.dtype_policy().name == "float32"


def test_a_network_within_a_network_is_rebuilt_in_float32() -> None:
    import keras

    pixels = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(pixels, keras.layers.Dense(2, dtype="float32")(build_tiny("mixed_bfloat16")(pixels)))
    copy = float32_copy(model)
    assert [layer.dtype_policy.name for layer in copy.layers[1].layers] == ["float32"] * 5
    for one, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert float32_copy(copy) is copy


def test_what_only_training_does_is_left_out(tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.RandomFlip("horizontal", seed=1),
            layers.RandomRotation(0.3, seed=1),
            layers.Resizing(2 * SIZE + 1, 2 * SIZE + 1),
            layers.Rescaling(1 / 127.5, -1),
            layers.SeparableConv2D(4, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    export_onnx(model, tmp_path / "model.onnx")
    exported = onnx_runtime(tmp_path / "model.onnx", SIZE)(random_pixels())
    expected = model.predict(random_pixels().astype(np.float32), verbose=0)
    np.testing.assert_allclose(exported, expected, atol=1e-4)


def test_a_network_without_an_equivalent_says_which_part(tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match="Erfinv") as problem:
        export_onnx(build_unexportable(), tmp_path / "model.onnx")
    assert "\n" not in str(problem.value)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_does_not_give_two_logits_is_no_network_of_ours(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(CannotExport, match=r"\[3\]"):
        export_onnx(model, tmp_path / "model.onnx")


def test_without_the_converter_that_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args, **_options) -> None:
        raise ImportError("This requires the tf2onnx module.\nYou can install it.")

    import keras

    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(CannotExport, match=r"^ImportError: This requires the tf2onnx module\.$"):
        export_onnx(build_tiny(), tmp_path / "model.onnx")


@pytest.mark.parametrize(("shift", "accepted"), [(0.0, True), (0.003, True), (0.02, False), (np.nan, False)])
def test_answers_that_differ_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float, accepted: bool
) -> None:
    def shifted(path: Path, size: int):
        run = onnx_runtime(path, size)
        return lambda pixels: run(pixels) + np.array([0, shift], np.float32)

    monkeypatch.setattr(exporting, "onnx_runtime", shifted)
    if accepted:
        export_onnx(build_tiny(), tmp_path / "model.onnx")
    else:
        with pytest.raises(UserError, match="answers otherwise once exported to ONNX") as problem:
            export_onnx(build_tiny(), tmp_path / "model.onnx")
        assert "\n" not in str(problem.value)
    assert (tmp_path / "model.onnx").is_file() == accepted


def test_a_difference_shows_where_a_network_is_sure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sure(path: Path, size: int):
        return lambda pixels: np.tile(np.float32([0, 40]), (len(pixels), 1))

    model = build_tiny()
    model.layers[-1].bias.assign([0, 30])  # a probability of 1.0, as 40 is
    monkeypatch.setattr(exporting, "onnx_runtime", sure)
    with pytest.raises(UserError, match="answers otherwise"):
        export_onnx(model, tmp_path / "model.onnx")


def test_nothing_is_printed_and_nothing_stays_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    disabled, filters, out = logging.root.manager.disable, list(warnings.filters), sys.stdout
    original = exporting.float32_copy

    def talkative(model):
        os.write(2, b"a note of the native library\n")
        print("a stray print")
        warnings.warn("a stray warning", stacklevel=1)
        logging.getLogger("tf2onnx").error("a stray line of a log")
        return original(model)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(exporting, "float32_copy", talkative)
        export_onnx(build_tiny(), tmp_path / "model.onnx")
        with pytest.raises(CannotExport):
            export_onnx(build_unexportable(), tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert (logging.root.manager.disable, warnings.filters, sys.stdout) == (disabled, filters, out)


@pytest.mark.parametrize("size", [SIZE, 255])
def test_probe_pictures_go_from_one_colour_to_noise(size: int) -> None:
    pictures = probe_pictures(size)
    assert pictures.shape == (6, size, size, 3) and pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures, probe_pictures(size))
    roughness = np.abs(np.diff(pictures.astype(float), axis=2)).mean((1, 2, 3))
    assert roughness[0] == 0 and (roughness[1:3] > 0).all() and roughness[2] < roughness[-1]
