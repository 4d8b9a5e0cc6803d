"""Cheap classifiers find what is planted and nothing else, on the pictures as they are and made alike."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from src.utils.judge import cheap
from src.utils.judge.cheap import (
    CODEC,
    SIZE,
    SPECTRUM,
    TEXTURE,
    THUMBNAIL,
    block_grid,
    choose_pictures,
    describe,
    explain,
    folds_of,
    measure_pixels,
    rank_cheaply,
)
from src.utils.judge.deliveries import make_alike
from tests.judge.folders import look_at, noise_pictures


def explained(folder, tmp_path, delivery=None, files=True, detector=None):
    pictures = look_at(folder, tmp_path / "memory")
    part = pictures.part
    folds = folds_of(part, 0)
    pixels = measure_pixels(part.images, folder, tmp_path / "memory", {"one": delivery}, progress=False)
    ranked = rank_cheaply(part, pixels["one"], files, folds)
    said = detector(part) if detector else np.random.default_rng(0).random(len(part.label))
    return explain(part, ranked, {"detector": said}, folds, resamples=100)


def test_a_size_that_tells_the_class_is_found_and_a_perfect_detector_shows_nothing_beyond_it(tmp_path):
    folder = noise_pictures(tmp_path / "sizes", 80, (32, 40))
    found = explained(folder, tmp_path, detector=lambda part: part.label.astype(float))
    assert found.best == SIZE and found.auc[SIZE].value == 1 and found.pictures == 80
    assert 0.8 < found.auc["detector"].low < 1  # perfect on 40 groups a class is not perfect
    assert found.above["detector"].value == found.above["detector"].low == 0
    assert found.auc[THUMBNAIL].value < 0.75


def test_where_nothing_cheap_helps_a_detector_stands_out(tmp_path):
    folder = noise_pictures(tmp_path / "equal", 80)
    found = explained(folder, tmp_path, detector=lambda part: part.label.astype(float))
    assert found.above["detector"].low > 0.1
    assert set(found.auc) == {SIZE, CODEC, TEXTURE, SPECTRUM, THUMBNAIL, "detector"}


def test_sharpness_survives_what_makes_all_alike(tmp_path):
    folder = noise_pictures(tmp_path / "sharp", 80)
    for path in folder.glob("*[02468].png"):  # the human-made ones came from larger originals
        noise = Image.open(path).resize((96, 96))
        noise.filter(ImageFilter.GaussianBlur(2)).save(path)
    found = explained(folder, tmp_path, lambda image: make_alike(image, 32), files=False)
    assert SIZE not in found.auc
    assert found.auc[TEXTURE].value > 0.95 and found.auc[SPECTRUM].value > 0.95
    assert found.above["detector"].high < 0


def test_too_few_groups_give_no_classifier(tmp_path):
    pictures = look_at(noise_pictures(tmp_path / "few", 8), tmp_path / "memory")
    assert folds_of(pictures.part, 0) == []
    found = explain(pictures.part, {}, {"detector": pictures.part.label.astype(float)}, [])
    assert (found.best, found.auc, found.above, found.pictures) == ("", {}, {}, 8)


def test_the_block_grid_of_a_jpeg_is_seen_and_that_of_noise_is_flat():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.float32)
    assert np.abs(block_grid(noise) - 1).max() < 0.2
    blocks = np.kron(noise[:8, :8], np.ones((8, 8), np.float32))
    grid = block_grid(blocks).reshape(2, 8)
    assert (grid.argmax(axis=1) == 7).all() and grid.max() == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (33, 31), (1500, 40)])
def test_pictures_of_any_shape_have_as_many_numbers(size):
    numbers = describe(Image.new("RGB", size, (90, 10, 200)))
    assert numbers.dtype == np.float32 and numbers.shape == (sum(cheap._WIDTHS.values()),)
    assert np.isfinite(numbers).all()


def test_of_very_many_pictures_whole_groups_are_drawn(tmp_path):
    part = look_at(noise_pictures(tmp_path / "many", 40), tmp_path / "memory").part
    part.images["group"] = [str(row // 4) for row in range(40)]
    part = part._replace(group=part.images["group"].to_numpy())
    assert choose_pictures(part, 0, most=40) is part
    chosen = choose_pictures(part, 0, most=21)
    assert len(chosen.images) == 20
    assert set(chosen.images.groupby("group").size()) == {4}
