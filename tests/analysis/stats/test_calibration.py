"""Calibration against simulations with known truth, scikit-learn, and examples by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.calibration import (
    TEMPERATURES,
    Scored,
    calibration_scores,
    calibration_statistic,
    choose_calibration,
    ece_by_chance,
    fit_temperature,
    measure_calibration,
    operating_point,
    reliability_table,
)
from src.utils.analysis.stats.metrics import brier, calibration_bins, ece
from src.utils.estimate import Estimate


def simulate(pictures=20_000, too_sure=1.0, seed=0):
    """Log-odds of which `log-odds / too_sure` are the truth, and labels drawn from it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, pictures)
    label = (rng.random(pictures) < at_temperature(truth)).astype(int)
    return too_sure * truth, label


answers = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.55, 0.7, 0.999, 1.0])), min_size=1
)


@given(answers, st.integers(0, 9))
def test_scores_are_those_of_the_metrics_module(pairs, seed):
    label, probability = map(np.array, zip(*pairs, strict=True))
    weight = np.random.default_rng(seed).uniform(0.1, 2, len(label))
    found = calibration_statistic(label, probability)(weight)
    assert found["ece"] == pytest.approx(ece(label, probability, weight), abs=1e-12)
    assert found["brier"] == pytest.approx(brier(label, probability, weight), abs=1e-12)


def test_brier_score_is_scikit_learns():
    odds, label = simulate(500)
    weight = np.random.default_rng(1).uniform(0.1, 2, 500)
    expected = brier_score_loss(label, at_temperature(odds), sample_weight=weight)
    assert calibration_statistic(label, at_temperature(odds))(weight)["brier"] == pytest.approx(expected)


def test_a_calibrated_model_has_an_error_near_zero_and_needs_no_temperature():
    odds, label = simulate()
    scores = calibration_scores(label, at_temperature(odds), np.arange(len(label)), resamples=50)
    assert scores["ece"].value < 0.015
    assert fit_temperature(odds, label) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("too_sure", [0.5, 3.0])
def test_the_temperature_undoes_what_was_too_sure_or_not_sure_enough(too_sure):
    odds, label = simulate(too_sure=too_sure)
    temperature = fit_temperature(odds, label)
    assert temperature == pytest.approx(too_sure, rel=0.05)
    identity = np.ones(len(label))
    before = calibration_statistic(label, at_temperature(odds))(identity)
    after = calibration_statistic(label, at_temperature(odds, temperature))(identity)
    assert before["ece"] > 0.05 > 0.015 > after["ece"]
    assert before["brier"] > after["brier"]


def test_the_temperature_listens_to_the_weights():
    calm, calm_label = simulate(4000, 1.0, seed=1)
    loud, loud_label = simulate(4000, 4.0, seed=2)
    odds, label = np.append(calm, loud), np.append(calm_label, loud_label)
    only_calm = np.append(np.ones(4000), np.zeros(4000))
    assert fit_temperature(odds, label, only_calm) == pytest.approx(1, abs=0.1)
    assert fit_temperature(odds, label, 1 - only_calm) == pytest.approx(4, rel=0.1)


def test_a_model_that_knows_nothing_is_cooled_as_far_as_allowed():
    rng = np.random.default_rng(0)
    odds, label = rng.normal(0, 5, 3000), np.arange(3000) % 2
    assert fit_temperature(odds, label) > 10
    assert fit_temperature(-odds * 0 + np.where(label, -9.0, 9.0), label) == pytest.approx(
        TEMPERATURES[1], rel=0.01
    )


def test_chance_alone_makes_the_error_that_is_found_on_a_small_set():
    odds, label = simulate(60 * 5)
    group = np.repeat(np.arange(60), 5)
    expected = ece_by_chance(label, at_temperature(odds), np.arange(300))
    rng, found = np.random.default_rng(3), []
    for _ in range(200):
        drawn = (rng.random(300) < at_temperature(odds)).astype(int)
        found.append(ece(drawn, at_temperature(odds)))
    assert expected == pytest.approx(np.mean(found), rel=0.1)
    together = ece_by_chance(np.repeat(np.arange(60) % 2, 5), np.repeat(at_temperature(odds)[::5], 5), group)
    assert together > 1.3 * expected


def test_reliability_table_adds_intervals_that_hold_the_truth():
    odds, label = simulate(4000)
    probability = at_temperature(odds)
    table = reliability_table(label, probability, np.arange(4000), bins=10, resamples=300)
    plain = calibration_bins(label, probability, bins=10)
    assert table[list(plain.columns)].equals(plain)
    held = (table["ai_low"] <= table["probability"]) & (table["probability"] <= table["ai_high"])
    assert held.mean() >= 0.8
    assert (table["ai_low"] <= table["ai"]).all()
    assert table["groups"].sum() == 4000


def test_reliability_of_few_groups_has_no_interval():
    table = reliability_table([0, 1, 1], [0.2, 0.8, 0.81], ["a", "b", "b"])
    assert table["ai"].tolist() == [0, 1]
    assert table["groups"].tolist() == [1, 1]
    assert table[["ai_low", "ai_high"]].isna().all(axis=None)


def test_operating_point_by_hand():
    label, probability = [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.6, 0.9, 0.3, 0.7, 0.8, 0.95]
    point = operating_point(label, probability, range(8), 0.7)
    assert point["false_positive_rate"] == Estimate(0.25)
    assert point["recall"].value == 0.75
    weighted = operating_point(label, probability, range(8), 0.7, weight=[1, 1, 1, 5, 1, 1, 1, 1])
    assert weighted["false_positive_rate"].value == pytest.approx(5 / 8)


def test_nobody_accused_among_few_is_no_proof_of_innocence():
    label = np.arange(60) % 2
    point = operating_point(label, np.where(label == 1, 0.9, 0.1), np.arange(60), 0.5, resamples=50)
    assert point["false_positive_rate"].value == point["false_positive_rate"].low == 0
    assert point["false_positive_rate"].high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert point["recall"].low == pytest.approx(0.025 ** (1 / 30))


def test_operating_point_of_many_groups_has_an_interval_around_the_truth():
    rng = np.random.default_rng(5)
    label = np.arange(400) % 2
    probability = rng.random(400)
    point = operating_point(label, probability, np.arange(400), 0.7, resamples=300)
    assert point["false_positive_rate"].low < 0.3 < point["false_positive_rate"].high
    assert point["recall"].low < 0.3 < point["recall"].high
    assert point["recall"].high - point["recall"].low < 0.2


def test_chosen_on_some_pictures_and_measured_on_others():
    odds, label = simulate(3000, 2.0, seed=1)
    scored = Scored(odds, label, np.arange(3000), np.where(label == 1, "generator", "camera"), "group")
    chosen = choose_calibration(scored, fit_temperature(odds, label))
    assert chosen.temperature == pytest.approx(2, rel=0.1)
    new_odds, new_label = simulate(6000, 2.0, seed=2)
    found = measure_calibration(chosen, new_odds, new_label, np.arange(6000), resamples=100)
    for way in ("_calibrated", "_venn_abers"):
        assert found[f"ece{way}"].value < 0.5 * found["ece"].value
        assert found[f"brier{way}"].value < found["brier"].value
    assert found["false_positive_rate_fpr5"].value == pytest.approx(0.05, abs=0.015)
    assert found["threshold_fpr5"] == Estimate(chosen.threshold_fpr5)
    assert 1 / 3001 <= found["interval_width"].value < 0.1
    assert found["answered"].value == 0 and found["right"].value is None
    assert found["ece_by_chance"].value < 0.03


def test_the_threshold_counts_every_photo_source_the_same_and_says_what_it_rests_on():
    odds = np.array([*np.linspace(-3, -1, 40), 2.0, *np.linspace(1, 3, 40)])
    label = np.repeat([0, 1], [41, 40])
    source = np.array(["large"] * 40 + ["small"] + ["generator"] * 40)
    chosen = choose_calibration(Scored(odds, label, np.arange(81), source, "source"), 1.0)
    called = chosen.probability(odds[:41]) >= chosen.threshold_fpr5
    assert not called.any()  # one picture in 41, but half of the two photo sources
    assert chosen.supported_by == {"called_ai": 0, "of": 41, "photo_sources": 2}
    lone = choose_calibration(Scored(odds[41:], label[41:], np.arange(40), source[41:], "source"), 1.0)
    assert lone.threshold_fpr5 == 1 and lone.supported_by["of"] == 0
