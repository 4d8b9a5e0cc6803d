"""Residual spectra of pictures whose noise is known."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from src.utils.analysis.content.spectra import (
    Spectra,
    class_means,
    curves_by_treatment,
    decibels,
    family_gaps,
    frequent_families,
    measure_spectra,
    measure_treatments,
    power_spectrum,
    residual,
    residual_record,
    ring_curves,
    ring_means,
    rings_apart,
)
from src.utils.data.pictures.augment import add_noise
from src.utils.files import hash_file

SIDE = 64


def grey(noise):
    return Image.fromarray(np.clip(128 + noise, 0, 255).astype(np.uint8)).convert("RGB")


def test_white_noise_is_flat_and_its_power_is_its_variance():
    rng = np.random.default_rng(0)
    power = np.mean([power_spectrum(rng.normal(0, 3, (SIDE, SIDE))) for _ in range(200)], axis=0)
    assert power.mean() == pytest.approx(9, rel=0.03)
    rings = ring_means(power)
    assert rings.shape == (SIDE // 2,)
    np.testing.assert_allclose(rings[3:], 9, rtol=0.25)


def test_a_periodic_trace_is_a_peak_at_its_frequency():
    row = np.arange(SIDE)
    power = power_spectrum(np.tile(np.cos(2 * np.pi * row / 8), (SIDE, 1)))
    peak = np.unravel_index(power.argmax(), power.shape)
    assert abs(peak[1] - SIDE // 2) == SIDE // 8
    assert peak[0] == SIDE // 2


def test_the_residual_of_a_smooth_picture_is_nothing_and_of_noise_most_of_it():
    flat = residual(grey(np.zeros((SIDE, SIDE))), SIDE)
    assert np.abs(flat).max() == 0
    noisy = residual(grey(np.random.default_rng(0).normal(0, 10, (SIDE, SIDE))), SIDE)
    assert 7 < noisy.std() < 13


def test_large_pictures_give_their_middle_and_small_ones_are_mirrored():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 20, (100, 90))
    middle = residual(grey(noise), SIDE)
    inner = residual(grey(noise[18:82, 13:77]), SIDE)
    np.testing.assert_array_equal(middle, inner)
    assert residual(grey(noise[:20, :30]), SIDE).shape == (SIDE, SIDE)


def test_every_picture_counts_the_same_however_busy_it_is():
    rng = np.random.default_rng(0)
    spectra = Spectra(SIDE)
    calm, busy = rng.normal(0, 1, (SIDE, SIDE)), rng.normal(0, 50, (SIDE, SIDE))
    spectra.add(["both", "calm"], power_spectrum(calm), 1.0)
    spectra.add(["both", "busy"], power_spectrum(busy), 3.0)
    mean = (10 ** (spectra.mean("calm") / 10) + 3 * 10 ** (spectra.mean("busy") / 10)) / 4
    np.testing.assert_allclose(10 ** (spectra.mean("both") / 10), mean, rtol=1e-6)
    assert len(spectra.rings) == 2


def test_a_flat_picture_does_no_harm():
    spectra = Spectra(SIDE)
    spectra.add(["flat"], np.zeros((SIDE, SIDE)), 1.0)
    assert np.isfinite(spectra.mean("flat")).all()


@pytest.fixture
def traced(tmp_path):
    """Noise in both classes; a weak periodic trace in class 1."""
    rng, rows = np.random.default_rng(0), []
    trace = 3 * np.tile(np.cos(2 * np.pi * np.arange(SIDE) * 20 / SIDE), (SIDE, 1))
    for number in range(80):
        label = number % 2
        path = tmp_path / f"{number}.png"
        grey(rng.normal(0, 8, (SIDE, SIDE)) + label * trace).save(path)
        rows.append({"file_name": path.name, "label": label, "group": number, "content": hash_file(path)})
    return tmp_path, pd.DataFrame(rows)


def measure(folder, pictures, change=None):
    names = [[f"class {label}"] for label in pictures["label"]]
    return measure_spectra(pictures, folder, names, np.ones(len(pictures)), change, SIDE, progress=False)


def test_a_planted_trace_is_found_with_its_interval_and_only_there(traced):
    folder, pictures = traced
    spectra = measure(folder, pictures)
    curves = ring_curves(spectra.rings, pictures, resamples=200)
    at_trace = curves.iloc[20]
    assert at_trace["frequency"] == pytest.approx(20 / SIDE)
    assert at_trace["difference_low"] > 0.5
    elsewhere = curves.iloc[6:17]
    assert ((elsewhere["difference_low"] < 0.3) & (elsewhere["difference_high"] > -0.8)).all()
    np.testing.assert_allclose(curves["difference"], curves["ai"] - curves["human"])
    gap = spectra.mean("class 1") - spectra.mean("class 0")
    peak = np.unravel_index(gap.argmax(), gap.shape)
    assert abs(peak[1] - SIDE // 2) == 20


def test_a_change_comes_first_and_can_drown_the_trace(traced):
    folder, pictures = traced
    raw = ring_curves(measure(folder, pictures).rings, pictures, resamples=5)
    noisy = measure(folder, pictures, lambda image, seed: add_noise(image, 60, np.random.default_rng(seed)))
    drowned = ring_curves(noisy.rings, pictures, resamples=5)
    assert abs(drowned["difference"].iloc[20]) < 0.2 * raw["difference"].iloc[20]


def test_few_groups_have_no_interval(traced):
    folder, pictures = traced
    few = pictures.head(10)
    curves = ring_curves(measure(folder, few).rings, few)
    assert curves["difference"].notna().all()
    assert curves["difference_low"].isna().all()


def test_decibels_stay_finite():
    np.testing.assert_allclose(decibels([1, 10, 100]), [0, 10, 20])
    assert np.isfinite(decibels(0))


def test_rings_that_lie_apart_are_counted():
    low, high = [0.1, -1, np.nan, -2, 0], [1, 1, np.nan, -1, 1]
    assert rings_apart(pd.DataFrame({"difference_low": low, "difference_high": high})) == 2
    assert rings_apart(pd.DataFrame({"difference_low": [np.nan], "difference_high": [np.nan]})) is None


def test_the_families_with_most_originals_are_shown():
    family = ["Flux"] * 3 + ["Qwen"] * 2 + ["", "", ""] + ["Krea"]
    assert frequent_families(family, range(9), least_groups=2) == ["Flux", "Qwen"]
    assert frequent_families(family, range(9), least_groups=1, most=1) == ["Flux"]
    assert frequent_families(["", ""], [1, 2], least_groups=1) == []


def test_treatments_are_summed_up_by_class_and_family(traced):
    folder, pictures = traced
    pictures = pictures.assign(split="test", generator=np.where(pictures["label"] == 1, "Flux", ""))
    spectra = measure_treatments(pictures, folder, {"as they are": None}, progress=False)
    human, ai = class_means(spectra)["as they are"]
    np.testing.assert_allclose(family_gaps(spectra, pictures)["as they are"]["Flux"], ai - human)
    assert family_gaps(spectra, pictures.assign(generator="")) == {"as they are": {}}
    curves = curves_by_treatment(spectra, pictures, seed=0)
    record = residual_record(curves, len(pictures))
    assert record["pictures"] == 80 and record["rings"] == 128
    assert record["rings_apart"]["as they are"] == rings_apart(curves["as they are"]) >= 1
    assert record["largest_decibels"]["as they are"] == curves["as they are"]["difference"][1:].abs().max()
