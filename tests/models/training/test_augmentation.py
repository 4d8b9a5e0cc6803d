"""Mild changes to squares of pixels: the same for one seed, the same picture to a person."""

from __future__ import annotations

import numpy as np
import pytest

from src.utils.models.training import augmentation
from src.utils.models.training.augmentation import vary, vary_batch


def slope(side: int = 64) -> np.ndarray:
    """A picture that gets lighter from left to right, uint8 [side, side, 3]."""
    line = np.linspace(40, 200, side).astype(np.uint8)
    return np.broadcast_to(line[None, :, None], (side, side, 3)).copy()


def test_a_seed_gives_the_same_picture_and_another_seed_another() -> None:
    pixels = np.stack([slope(), slope()])
    first = vary_batch(pixels, [(1, 0, 0), (1, 0, 1)])
    np.testing.assert_array_equal(first, vary_batch(pixels, [(1, 0, 0), (1, 0, 1)]))
    assert first.shape == pixels.shape and first.dtype == np.uint8
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize("seed", range(5))
def test_changes_are_mild(seed: int) -> None:
    varied = vary(slope(), np.random.default_rng(seed))
    low, high = augmentation.BRIGHTNESS
    assert 0.8 * low < varied.mean() / slope().mean() < 1.2 * high
    columns = varied.mean((0, 2))
    assert abs(np.corrcoef(columns, slope().mean((0, 2)))[0, 1]) > 0.99  # upright or mirrored


def test_without_chances_and_ranges_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHANCE_MIRROR", "CHANCE_BLUR", "CHANCE_JPEG"):
        monkeypatch.setattr(augmentation, name, 0)
    for name in ("SIDES", "BRIGHTNESS"):
        monkeypatch.setattr(augmentation, name, (1.0, 1.0))
    np.testing.assert_array_equal(vary(slope(), np.random.default_rng(0)), slope())
    monkeypatch.setattr(augmentation, "CHANCE_MIRROR", 1)
    np.testing.assert_array_equal(vary(slope(), np.random.default_rng(0)), slope()[:, ::-1])
