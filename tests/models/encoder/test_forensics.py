from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from src.utils.models.encoder.forensics import (
    BANDS,
    PARTS,
    SIDE,
    cell_relations,
    cooccurrence,
    forensic_features,
    middle_view,
    residual,
    ring_spectrum,
)


def photo(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """A smooth scene with grain, uint8 [side, side, 3]."""
    rng = np.random.default_rng(seed)
    scene = gaussian_filter(rng.normal(size=(side, side, 3)), (12, 12, 0)) * 1500 + 128
    return np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)


def upsampled(seed: int = 0) -> np.ndarray:
    """The same scene through half its size."""
    small = Image.fromarray(photo(seed)).resize((SIDE // 2, SIDE // 2), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def test_every_part_has_its_numbers() -> None:
    features = forensic_features(np.stack([photo(), upsampled()]))
    assert (features.shape, features.dtype) == ((2, sum(PARTS.values())), np.float32)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_uniform_picture_is_no_trouble(value: int) -> None:
    assert np.isfinite(forensic_features(np.full((1, SIDE, SIDE, 3), value, np.uint8))).all()


def test_the_residual_sees_no_slope() -> None:
    rows, columns = np.mgrid[:20, :30]
    np.testing.assert_allclose(residual(3.0 * rows + 2.0 * columns + 7), 0, atol=1e-9)


def test_cooccurrences_are_shares_of_known_pairs() -> None:
    stripes = np.tile([2.0, -2.0], (4, 4))
    along_rows, along_columns = cooccurrence(stripes).reshape(2, 5, 5)
    assert along_rows[4, 0] + along_rows[0, 4] == pytest.approx(1)
    assert along_columns[4, 4] == along_columns[0, 0] == pytest.approx(0.5)


def test_the_spectrum_puts_a_wave_in_its_ring() -> None:
    columns = np.arange(128)
    for frequency in (0.1, 0.25, 0.45):
        wave = np.tile(np.sin(2 * np.pi * frequency * columns), (128, 1))
        assert abs(ring_spectrum(wave).argmax() - int(frequency / np.sqrt(0.5) * BANDS)) <= 1


def test_cells_of_doubled_pixels_are_told() -> None:
    small = np.random.default_rng(0).normal(128, 30, (32, 32))
    doubled = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    histograms = cell_relations(doubled).reshape(3, 9)
    np.testing.assert_allclose(histograms[:, 4], 1)
    assert cell_relations(small).reshape(3, 9)[:, 4].max() < 0.5


def test_strength_of_the_grain_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    grain = rng.normal(size=(SIDE, SIDE))
    soft, strong = (np.repeat((128 + scale * grain)[..., None], 3, axis=2) for scale in (8, 16))
    features = forensic_features(np.stack([soft, strong]).clip(0, 255).astype(np.uint8))
    np.testing.assert_allclose(features[0], features[1], atol=0.15)


def test_resampling_shows() -> None:
    real = forensic_features(np.stack([photo(seed) for seed in range(6)]))
    fake = forensic_features(np.stack([upsampled(seed) for seed in range(6)]))
    between = np.abs(real.mean(axis=0) - fake.mean(axis=0))
    within = real.std(axis=0) + fake.std(axis=0)
    assert (between > 3 * within).sum() > 20


def test_the_middle_is_cut_not_scaled() -> None:
    pixels = photo(side=300)
    view = middle_view(Image.fromarray(pixels))
    np.testing.assert_array_equal(view, pixels[22:278, 22:278])


def test_a_small_picture_goes_on_as_its_mirror_image() -> None:
    pixels = photo(side=100)
    view = middle_view(Image.fromarray(pixels))
    assert view.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(view[:100, 100:200], pixels[:, ::-1])
