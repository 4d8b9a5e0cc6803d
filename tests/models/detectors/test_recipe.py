"""Views are those that Pillow and NumPy give, written out here once more; outputs mean what is published."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from src.utils.data.pictures.decode import open_image
from src.utils.models.detectors.recipe import Recipe
from src.utils.models.detectors.runtime import DetectorRuntime, load_network
from src.utils.models.detectors.table import read_table
from tests.models.detectors.stand_ins import SIZE, bright_network

RECIPES = {name: Recipe.of(entry.recipe) for name, entry in read_table().items()}
SIEVE, FORENSICS = RECIPES["sieve"], RECIPES["community_forensics"]
PLAIN = {"input_size": 8, "views": ["squash"], "mean": [0.5] * 3, "standard_deviation": [0.25] * 3}

CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
CLIP_SD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_SD = np.array([0.229, 0.224, 0.225], np.float32)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = len(mode)
    pixels = np.random.default_rng(width * 7 + height).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels, mode)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(noise(601, 433), exif=exif)


PICTURES = {
    "odd": saved(noise(501, 777)),
    "wide": saved(noise(1203, 385)),
    "small": saved(noise(300, 211)),
    "tiny": saved(noise(41, 29)),
    "one side small": saved(noise(900, 200)),
    "transparent": saved(noise(450, 520, "RGBA")),
    "turned by EXIF": turned(),
}


def upright(data: bytes) -> Image.Image:
    """What Pillow makes of a file: turned as EXIF says, over white."""
    image = Image.open(io.BytesIO(data))
    if image.getexif().get(0x0112) == 6:
        image = image.transpose(Image.Transpose.ROTATE_270)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image.convert("RGB"), mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def tensor(pixels: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.float32) / np.float32(255) - mean) / sd).transpose(2, 0, 1)[None]


def reflected(length: int) -> list[int]:
    """Which of `length` pixels lie in 384 places around their middle, going back and forth."""
    before, period = (SIZE - length) // 2, 2 * (length - 1)
    places = [(place - before) % period for place in range(SIZE)]
    return [min(place, period - place) for place in places]


def native_pixels(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    for axis, length in enumerate(pixels.shape[:2]):
        start = (length - SIZE) // 2
        rows = reflected(length) if length < SIZE else list(range(start, start + SIZE))
        pixels = np.take(pixels, rows, axis)
    return pixels


@pytest.mark.parametrize("name", PICTURES)
def test_community_forensics_reads_as_pillow_and_numpy_do(name):
    image = upright(PICTURES[name])
    views = FORENSICS.read(open_image(PICTURES[name]))
    squashed = np.asarray(image.resize((384, 384), Image.Resampling.BICUBIC))
    expected = [tensor(one, CLIP_MEAN, CLIP_SD) for one in (native_pixels(image), squashed)]
    for view, wanted in zip(views, expected, strict=True):
        found = FORENSICS.tensor(view)
        assert found.dtype == np.float32 and found.shape == (1, 3, 384, 384)
        np.testing.assert_array_equal(found, wanted, err_msg=name)


@pytest.mark.parametrize("name", PICTURES)
def test_sieve_reads_as_pillow_and_numpy_do(name):
    image = upright(PICTURES[name])
    first, second = SIEVE.read(open_image(PICTURES[name]))
    width, height = image.size
    scale = 440 / min(width, height)
    scaled = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (scaled.width - 384) // 2, (scaled.height - 384) // 2
    crop = np.asarray(scaled.crop((left, top, left + 384, top + 384)))
    np.testing.assert_array_equal(SIEVE.tensor(first), tensor(crop, IMAGENET_MEAN, IMAGENET_SD))
    again = native_pixels(image) if min(image.size) >= 384 else crop
    np.testing.assert_array_equal(SIEVE.tensor(second), tensor(again, IMAGENET_MEAN, IMAGENET_SD))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["native", "crop", "squash"]))
def test_any_picture_gives_a_square(width, height, view):
    image = Image.new("RGB", (width, height), (10, 200, 30))
    found = Recipe.of(PLAIN | {"views": [view], "shorter_side": 9}).read(image)
    assert found.shape == (1, 8, 8, 3) and (found == (10, 200, 30)).all()


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def asked(recipe, logits):
    """What a recipe makes of a network that gives these logits in turn, and how many it was asked for."""
    views = np.stack([np.full((8, 8, 3), value, np.uint8) for value in range(len(logits))])
    left = list(logits)
    return recipe.log_odds(views, lambda tensor: left.pop(0)), len(logits) - len(left)


def test_community_forensics_means_the_mean_of_both_probabilities():
    odds, times = asked(FORENSICS, [2.0, -5.0])
    p = (sigmoid(2.0) + sigmoid(-5.0)) / 2
    assert times == 2 and odds == pytest.approx(0.464414 * np.log(p / (1 - p)) + 3.2143)


@pytest.mark.parametrize(
    ("first", "mean"),
    [(-0.43, -0.43 / 2 + 2), (np.log(0.85 / 0.15) - 0.431, None), (np.log(1 / 3) - 0.429, None)],
)
def test_sieve_averages_logits_where_the_first_view_is_unsure(first, mean):
    odds, times = asked(SIEVE, [first, 4.0])
    assert times == 2 and odds == pytest.approx((first + 4.0) / 2 + 0.43)
    assert mean is None or odds == pytest.approx(mean + 0.43)


@pytest.mark.parametrize("first", [np.log(0.85 / 0.15) - 0.429, np.log(1 / 3) - 0.431, 9.0, -9.0])
def test_sieve_is_asked_once_where_the_first_view_is_sure(first):
    odds, times = asked(SIEVE, [first, 4.0])
    assert times == 1 and odds == pytest.approx(first + 0.43)


def test_sieve_is_asked_once_of_a_picture_that_is_too_small():
    views, times = SIEVE.read(Image.new("RGB", (383, 900), "grey")), []
    assert SIEVE.log_odds(views, lambda tensor: times.append(1) or 0.1) == pytest.approx(0.53)
    assert len(times) == 1


def test_a_probability_is_taken_as_one():
    recipe = Recipe.of(PLAIN | {"output": "probability"})
    assert asked(recipe, [0.8])[0] == pytest.approx(np.log(4))
    assert np.isfinite(asked(recipe, [1.0])[0])


@pytest.mark.parametrize("half", [False, True])
def test_a_file_is_asked_whatever_it_computes_in(tmp_path, half):
    path = bright_network(tmp_path / "net.onnx", half, gain=2.0)
    runtime = DetectorRuntime(path, SIEVE)
    levels = np.array([20, 128, 240], np.uint8)
    views = np.stack([SIEVE.read(Image.new("RGB", (500, 400), (int(one),) * 3)) for one in levels])
    logit = 2 * ((levels[:, None] / 255 - IMAGENET_MEAN) / IMAGENET_SD).mean(axis=1)
    said = np.diff(runtime(views), axis=1)[:, 0]
    assert said == pytest.approx(logit + 0.43, rel=1e-3, abs=3e-3)
    assert np.array_equal(np.concatenate([runtime(one[None]) for one in views]), runtime(views))
    assert runtime(views[:0]).shape == (0, 2)


def test_a_file_that_reads_something_else_is_one_sentence(tmp_path):
    path = bright_network(tmp_path / "net.onnx", size=16)
    with pytest.raises(ValueError, match=r"\[1, 3, 16, 16\].*not \[1, 3, 384, 384\]"):
        load_network(path, 384)
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x09 no network")
    with pytest.raises(ValueError):
        load_network(tmp_path / "bad.onnx", 384)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"filter": "nearest"}, "filter = 'nearest'"),
        ({"views": ["whole"]}, "views = 'whole'"),
        ({"views": []}, "views = ''"),
        ({"combine": "median"}, "combine"),
        ({"output": "logits"}, "output"),
        ({"mean": [0.5]}, "three numbers"),
        ({"standard_deviation": [0, 1, 1]}, "not above 0"),
        ({"calibration": {"scale": -1}}, "not above 0"),
        ({"second_view_between": [0.2, 0.8]}, "second_view_between"),
        ({"threshold": 2}, "threshold"),
        ({"shorter_side": 4}, "shorter_side"),
        ({"colour": "BGR"}, "unknown entry colour"),
    ],
)
def test_a_wrong_recipe_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        Recipe.of(PLAIN | change)
    with pytest.raises(ValueError, match="no input_size, mean"):
        Recipe.of({"views": ["squash"], "standard_deviation": [1, 1, 1]})
