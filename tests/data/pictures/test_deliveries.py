"""Deliveries: the sizes and pixels that services leave, worked out by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from src.utils.data.pictures.deliveries import (
    ALL_DELIVERIES,
    AS_THEY_ARE,
    DELIVERIES,
    JPEG_LONGEST,
    TRANSFORMATIONS,
    WEBP_LONGEST,
    deliver_all,
    shrink,
)


def noise(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def flat(width: int, height: int, colour=(200, 40, 90)) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def deliver(name: str, image: Image.Image) -> Image.Image:
    return ALL_DELIVERIES[name].apply(image)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, int)


def through_file(image: Image.Image, **options) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, **options)
    return np.array(Image.open(file).convert("RGB"))


def test_eleven_deliveries_and_five_transformations_begin_with_the_picture_itself():
    assert (len(DELIVERIES), len(TRANSFORMATIONS)) == (11, 5)
    assert next(iter(ALL_DELIVERIES)) == AS_THEY_ARE
    assert len({one.title for one in ALL_DELIVERIES.values()}) == 16
    assert deliver(AS_THEY_ARE, noise()).tobytes() == noise().tobytes()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("jpeg_60", (2000, 500)),
        ("webp_80", (2000, 500)),
        ("scale_90", (1800, 450)),
        ("edge_1600", (1600, 400)),
        ("edge_1024", (1024, 256)),
        ("edge_768", (768, 192)),
        ("edge_640", (640, 160)),
        ("edge_512", (512, 128)),
        ("thumbnail", (2000, 500)),
        ("grey", (2000, 500)),
        ("corner", (1200, 300)),
        ("letterbox", (2000, 1125)),
        ("collage", (2000, 500)),
    ],
)
def test_sizes(name, size):
    assert deliver(name, flat(2000, 500)).size == size
    assert deliver(name, flat(500, 2000)).size == (size[::-1] if name != "letterbox" else (3556, 2000))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((f"jpeg_{quality}", {"format": "JPEG", "quality": quality}) for quality in (90, 75, 60)),
        ("edge_1600", {"format": "JPEG", "quality": 85}),
        ("edge_1024", {"format": "JPEG", "quality": 85}),
        ("edge_768", {"format": "JPEG", "quality": 60}),
        ("edge_640", {"format": "JPEG", "quality": 80}),
        ("edge_512", {"format": "JPEG", "quality": 40}),
        ("webp_80", {"format": "WEBP", "quality": 80}),
    ],
)
def test_a_small_picture_is_compressed_and_nothing_else(name, options):
    np.testing.assert_array_equal(pixels(deliver(name, noise())), through_file(noise(), **options))


def test_a_long_picture_is_made_smaller_before_it_is_compressed():
    image = noise(700, 300)
    smaller = image.resize((512, 219), Image.Resampling.LANCZOS)
    expected = through_file(smaller, format="JPEG", quality=40)
    np.testing.assert_array_equal(pixels(deliver("edge_512", image)), expected)


def test_the_lower_the_quality_the_further_from_the_picture():
    image = Image.fromarray(np.random.default_rng(0).integers(100, 156, (64, 64, 3), np.uint8))
    far = [
        np.abs(pixels(deliver(f"jpeg_{quality}", image)) - pixels(image)).mean() for quality in (90, 75, 60)
    ]
    assert 0 < far[0] < far[1] < far[2]


def test_shrinking_keeps_the_shape_and_never_enlarges():
    assert shrink(noise(1000, 10), 100).size == (100, 1)
    assert shrink(noise(3000, 2), 100).size == (100, 1)  # no side vanishes
    assert shrink(noise(40, 30), 100).tobytes() == noise(40, 30).tobytes()


def test_pictures_longer_than_a_format_holds_are_made_smaller():
    assert deliver("webp_80", flat(WEBP_LONGEST + 1, 2)).width == WEBP_LONGEST
    assert deliver("jpeg_90", flat(2, JPEG_LONGEST + 1)).height == JPEG_LONGEST


def test_a_thumbnail_loses_what_is_finer_than_it():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 200  # one pixel wide: half the size leaves their mean
    back = pixels(deliver("thumbnail", Image.fromarray(stripes)))[:, 8:-8]
    assert np.abs(back - 100).max() <= 3
    assert deliver("thumbnail", noise()).tobytes() == noise().tobytes()  # smaller than a thumbnail already


def test_grey_is_luma_in_all_channels():
    grey = pixels(deliver("grey", flat(3, 2)))
    assert (grey == round(0.299 * 200 + 0.587 * 40 + 0.114 * 90)).all()


def test_a_corner_is_the_upper_left():
    image = noise(50, 40)
    np.testing.assert_array_equal(pixels(deliver("corner", image)), pixels(image)[:24, :30])


def test_a_letterboxed_picture_stands_in_the_middle_of_black():
    image = noise(90, 90)
    boxed = pixels(deliver("letterbox", image))
    assert boxed.shape == (90, 160, 3)
    np.testing.assert_array_equal(boxed[:, 35:125], pixels(image))
    assert not boxed[:, :35].any() and not boxed[:, 125:].any()
    assert deliver("letterbox", noise(160, 90)).tobytes() == noise(160, 90).tobytes()


def test_a_collage_shows_the_picture_four_times():
    sheet = pixels(deliver("collage", noise(60, 41)))
    half = pixels(noise(60, 41).resize((30, 20), Image.Resampling.LANCZOS))
    assert sheet.shape == (40, 60, 3)
    for rows in (slice(0, 20), slice(20, 40)):
        for columns in (slice(0, 30), slice(30, 60)):
            np.testing.assert_array_equal(sheet[rows, columns], half)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 150), height=st.integers(1, 150), seed=st.integers(0, 9))
def test_any_picture_stays_a_picture_and_comes_out_the_same_again(width, height, seed):
    image = noise(width, height, seed)
    first, again = list(deliver_all(image)), list(deliver_all(image))
    assert image.tobytes() == noise(width, height, seed).tobytes()
    for name, one, other in zip(ALL_DELIVERIES, first, again, strict=True):
        assert one.mode == "RGB" and one.tobytes() == other.tobytes()
        if name in DELIVERIES:
            assert one.width <= width and one.height <= height
