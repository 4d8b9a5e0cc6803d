"""Properties: what each number means, on pictures where it is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image, ImageFilter
from scipy import signal

from src.utils.analysis.content import properties as module
from src.utils.analysis.content.properties import (
    PROPERTY_NAMES,
    colourfulness,
    face_check,
    measure_image,
    measure_pictures,
)
from src.utils.data.manifest import scan_images
from src.utils.data.pictures.decode import ImageError


def test_colourfulness_is_hasler_and_suesstrunks() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (40, 50, 1), dtype=np.uint8), 3, axis=2)
    assert colourfulness(grey) == 0
    halves = np.zeros((10, 20, 3), np.uint8)
    halves[:, :10], halves[:, 10:] = (255, 0, 0), (0, 0, 255)
    # red − green is 255 and 0, yellow − blue 127.5 and −255: these are their deviations and means
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75)
    assert colourfulness(halves) == pytest.approx(expected)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    luma = skimage.data.camera()[100:200, 100:250]
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    inside = signal.convolve2d(luma.astype(float), kernel, mode="valid")
    measured = measure_image(Image.fromarray(luma).convert("RGB"))["sharpness"]
    assert measured == pytest.approx(inside.var(), rel=0.03)  # the outermost pixels are reflected
    flat = measure_image(Image.new("RGB", (64, 64), (10, 200, 30)))
    assert flat["sharpness"] == 0 and flat["residual_noise"] == pytest.approx(0, abs=1e-9)


def test_blur_softens_and_noise_is_measured_in_grey_levels() -> None:
    image = Image.fromarray(skimage.data.astronaut())
    sharp, soft = measure_image(image), measure_image(image.filter(ImageFilter.GaussianBlur(2)))
    assert soft["sharpness"] < 0.1 * sharp["sharpness"]
    assert soft["residual_noise"] < sharp["residual_noise"]
    assert soft["colourfulness"] == pytest.approx(sharp["colourfulness"], rel=0.1)
    noise = np.random.default_rng(0).normal(0, 8, (300, 300, 1)).repeat(3, axis=2)
    noisy = Image.fromarray((128 + noise).round().astype(np.uint8))
    assert measure_image(noisy)["residual_noise"] == pytest.approx(8, rel=0.05)


def test_large_pictures_are_measured_in_the_middle_without_resampling() -> None:
    pixels = np.zeros((1400, 1300, 3), np.uint8)
    pixels[188:1212, 138:1162] = np.random.default_rng(0).integers(0, 256, (1024, 1024, 1), dtype=np.uint8)
    middle = Image.fromarray(pixels[188:1212, 138:1162])
    whole, part = measure_image(Image.fromarray(pixels)), measure_image(middle)
    assert whole["sharpness"] == part["sharpness"] and whole["residual_noise"] == part["residual_noise"]


def write_pictures(raw_dir: Path) -> pd.DataFrame:
    """The manifest of an astronaut, a cup of coffee and a flat square."""
    (raw_dir / "train_data").mkdir(parents=True)
    pictures = {"a.jpg": skimage.data.astronaut(), "b.jpg": skimage.data.coffee()}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(raw_dir / "train_data" / name, quality=80)
    Image.new("RGB", (60, 30), (255, 255, 255)).save(raw_dir / "train_data" / "c.png")
    names = [f"train_data/{name}" for name in ("a.jpg", "b.jpg", "c.png")]
    table = pd.DataFrame({"file_name": names, "label": [0, 1, 1], "subject": ["people", "food", ""]})
    table = table.assign(group=names, generator="", origin="", split="")
    return scan_images(raw_dir, table, raw_dir / "scan.sqlite", progress=False)


def test_pictures_are_measured_once_and_joined_with_the_manifest(tmp_path: Path, monkeypatch) -> None:
    rows = write_pictures(tmp_path / "raw")
    measured = measure_pictures(rows, tmp_path / "raw", tmp_path / "store", progress=False)
    assert list(measured.columns) == ["file_name", *PROPERTY_NAMES]
    assert {str(dtype) for dtype in measured.dtypes.iloc[1:]} == {"float64"}
    assert measured["faces"].tolist() == [1, 0, 0]
    assert measured["people"].tolist() == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert measured["aspect"].tolist() == [1, 1.5, 2]
    assert measured["megapixels"].tolist() == [0.262144, 0.24, 0.0018]
    assert measured["jpeg_quality"].tolist() == pytest.approx([80, 80, np.nan], nan_ok=True)
    assert measured["brightness"].tolist() == rows["brightness"].tolist()
    assert measured.loc[0, "bytes_per_pixel"] == (tmp_path / "raw/train_data/a.jpg").stat().st_size / 512**2
    assert measured.loc[2, "colourfulness"] == 0

    def never(_path):
        raise AssertionError("measured twice")

    monkeypatch.setattr(module, "_look_at", never)
    again = measure_pictures(rows.iloc[[2, 0]], tmp_path / "raw", tmp_path / "store", progress=False)
    pd.testing.assert_frame_equal(again, measured.iloc[[2, 0]].reset_index(drop=True), check_exact=True)
    none = measure_pictures(rows.head(0), tmp_path / "raw", tmp_path / "store", progress=False)
    assert none.empty and list(none.columns) == list(measured.columns)


def test_a_file_that_broke_since_is_named(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "raw")
    (tmp_path / "raw/train_data/b.jpg").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"b\.jpg"):
        measure_pictures(rows, tmp_path / "raw", tmp_path / "store", progress=False)


def test_the_detector_is_checked_against_what_is_known() -> None:
    known = pd.DataFrame(
        {"people": [1.0] * 4 + [0.0] * 5 + [np.nan], "faces": [1, 2, 0, 1, 0, 0, 0, 0, 1, 3]}
    )
    check = face_check(known).set_index("subject")
    assert check.loc["people"].tolist() == [4, 3, 0.75]
    assert check.loc["anything else"].tolist() == [5, 1, 0.2]
    assert face_check(known.tail(1)).empty and len(face_check(known.head(4))) == 1
