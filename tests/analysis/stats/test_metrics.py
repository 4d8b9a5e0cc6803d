import json
import time
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.metrics import roc_curve

from src.utils.analysis.stats.metrics import (
    METRICS,
    brier,
    calibration_bins,
    confusion_matrix,
    ece,
    evaluate,
    headline_statistic,
    paired_differences,
    pr_points,
    roc_band,
    threshold_for_fpr,
    threshold_sweep,
)
from src.utils.estimate import Estimate, read_estimates


def example(seed=0, rows=300, ties=False):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    probability = np.clip(0.3 * label + 0.7 * rng.random(rows), 0, 1)
    probability = probability.round(1) if ties else probability
    group = rng.integers(0, rows // 3, rows) * 2 + label
    return label, probability, group, rng.random(rows) + 0.1


def by_scikit_learn(label, probability, weight):
    called = (probability >= 0.5).astype(int)
    truth = {"y_true": label, "sample_weight": weight}
    return {
        "accuracy": reference.accuracy_score(y_pred=called, **truth),
        "balanced_accuracy": reference.balanced_accuracy_score(y_pred=called, **truth),
        "precision": reference.precision_score(y_pred=called, **truth),
        "recall": reference.recall_score(y_pred=called, **truth),
        "f1": reference.f1_score(y_pred=called, **truth),
        "f1_macro": reference.f1_score(y_pred=called, average="macro", **truth),
        "auc": reference.roc_auc_score(y_score=probability, **truth),
        "average_precision": reference.average_precision_score(y_score=probability, **truth),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_those_of_scikit_learn(ties, weighted):
    label, probability, group, weight = example(1, ties=ties)
    weight = weight if weighted else None
    entry = evaluate(label, probability, group, weight, resamples=20)
    for name, value in by_scikit_learn(label, probability, weight).items():
        assert entry[name].value == pytest.approx(value), name
        assert entry[name].low < value < entry[name].high, name


def test_an_interval_is_that_of_scikit_learn_on_copied_rows():
    label, probability, _, weight = example(2, rows=120, ties=True)
    statistic = headline_statistic(label, probability)
    drawn = np.random.default_rng(0).integers(0, 4, 120)
    copied = np.repeat(np.arange(120), drawn)
    expected = by_scikit_learn(label[copied], probability[copied], weight[copied])
    assert statistic(weight * drawn) == pytest.approx(expected)


def test_the_entry_has_the_contracts_keys_and_is_json():
    label, probability, group, weight = example(3)
    entry = evaluate(label, probability, group, weight, resamples=10, seconds=1.5)
    assert list(entry) == [*METRICS, "confusion_matrix", "seconds"]
    assert all(isinstance(entry[name], Estimate) for name in METRICS)
    assert json.loads(json.dumps(entry, allow_nan=False, default=asdict), object_hook=read_estimates) == entry


def test_confusion_matrix_counts_whole_pictures_and_half_is_ai():
    label = [0, 0, 0, 1, 1, 1, 1]
    probability = [0.1, 0.49999, 0.5, 0.5, 0.9, 0.4, 1.0]
    matrix = confusion_matrix(label, probability)
    assert matrix == [[2, 1], [1, 3]]
    assert all(type(count) is int for row in matrix for count in row)
    assert confusion_matrix(label, probability, threshold=0.95) == [[3, 0], [3, 1]]


def test_what_is_not_defined_is_none():
    nothing = Estimate()
    only_ai = evaluate([1] * 30, np.linspace(0, 1, 30), np.arange(30), resamples=50)
    assert only_ai["auc"] == only_ai["balanced_accuracy"] == nothing
    assert only_ai["recall"].value == 0.5 and only_ai["recall"].low < 0.5 < only_ai["recall"].high
    never_ai = evaluate([0, 1], [0.1, 0.2], ["a", "b"])
    assert never_ai["precision"] == nothing
    assert never_ai["f1"] == Estimate(0.0)
    empty = evaluate([], [], [])
    assert all(empty[name] == nothing for name in METRICS)
    assert empty["confusion_matrix"] == [[0, 0], [0, 0]]


def test_a_constant_answer_has_no_chance_in_it():
    label = np.repeat([0, 1], 40)
    entry = evaluate(label, np.ones(80), np.arange(80), resamples=50)
    assert entry["recall"] == Estimate(1.0, 1.0, 1.0)
    assert entry["auc"] == Estimate(0.5, 0.5, 0.5)
    assert entry["f1"].value == pytest.approx(2 / 3)


def test_a_perfect_score_is_not_certain():
    label = np.repeat([0, 1], [60, 25])
    entry = evaluate(label, 0.2 + 0.6 * label, np.arange(85), resamples=50)
    assert entry["auc"].value == entry["auc"].high == 1.0
    assert entry["auc"].low == pytest.approx(0.025 ** (1 / 25))


def test_a_random_score_has_half_inside_its_interval():
    rng = np.random.default_rng(11)
    label = np.tile([0, 1], 200)
    entry = evaluate(label, rng.random(400), np.repeat(np.arange(200), 2), resamples=200)
    assert entry["auc"].low < 0.5 < entry["auc"].high
    assert entry["auc"].high - entry["auc"].low < 0.15


def test_a_difference_is_paired():
    label, probability, group, weight = example(4)
    worse = np.clip(probability - 0.02 * label, 0, 1)
    own = evaluate(label, probability, group, weight, resamples=200)["auc"]
    gap = paired_differences(label, probability, worse, group, weight, resamples=200)["auc"]
    expected = (
        by_scikit_learn(label, probability, weight)["auc"] - by_scikit_learn(label, worse, weight)["auc"]
    )
    assert gap.value == pytest.approx(expected)
    assert 0 < gap.low < gap.value < gap.high
    assert gap.high - gap.low < (own.high - own.low) / 3
    same = paired_differences(label, probability, probability, group, metrics=("f1",), resamples=20)
    assert same == {"f1": Estimate(0.0, 0.0, 0.0)}
    with pytest.raises(ValueError, match="luck"):
        paired_differences(label, probability, worse, group, metrics=("auc", "luck"))


@pytest.mark.parametrize(
    ("label", "probability", "message"),
    [
        ([0, 1], [0.5], "labels for"),
        ([0, 2], [0.5, 0.5], "0 and 1 only"),
        ([0, 1], [0.5, 1.5], "within 0 and 1"),
        ([0, 1], [0.5, np.nan], "within 0 and 1"),
    ],
)
def test_nonsense_is_refused(label, probability, message):
    with pytest.raises(ValueError, match=message):
        evaluate(label, probability, label)


def test_brier_score_is_scikit_learns():
    label, probability, _, weight = example(5)
    assert brier(label, probability) == pytest.approx(reference.brier_score_loss(label, probability))
    expected = reference.brier_score_loss(label, probability, sample_weight=weight)
    assert brier(label, probability, weight) == pytest.approx(expected)
    assert brier([], []) is None


def test_calibration_bins_by_hand():
    table = calibration_bins([0, 1, 1, 0], [0.05, 0.15, 0.12, 1.0], [1, 1, 2, 4], bins=10)
    assert table["n"].tolist() == [1, 2, 1]
    assert table["low"].tolist() == pytest.approx([0.0, 0.1, 0.9])
    assert table["high"].tolist() == pytest.approx([0.1, 0.2, 1.0])
    assert table["weight"].tolist() == pytest.approx([1 / 8, 3 / 8, 4 / 8])
    assert table["probability"].tolist() == pytest.approx([0.05, 0.13, 1.0])
    assert table["ai"].tolist() == [0, 1, 0]
    expected = 1 / 8 * 0.05 + 3 / 8 * 0.87 + 4 / 8 * 1.0
    assert ece([0, 1, 1, 0], [0.05, 0.15, 0.12, 1.0], [1, 1, 2, 4]) == pytest.approx(expected)


def test_bins_of_equal_count_hold_equally_many():
    label, probability, *_ = example(6, rows=200)
    table = calibration_bins(label, probability, bins=4, equal="count")
    assert table["n"].tolist() == [50, 50, 50, 50]
    assert calibration_bins([0, 1], [0.3, 0.3], equal="count")["n"].tolist() == [2]
    with pytest.raises(ValueError, match="height"):
        calibration_bins(label, probability, equal="height")


def test_a_calibrated_model_has_no_calibration_error_and_an_overconfident_one_has():
    rng = np.random.default_rng(0)
    probability = rng.random(50_000)
    label = (rng.random(50_000) < probability).astype(int)
    assert ece(label, probability) < 0.01
    assert ece(label, (probability > 0.5).astype(float)) == pytest.approx(0.25, abs=0.01)
    assert ece([], []) is None and calibration_bins([], []).empty


def test_the_precision_recall_curve_encloses_the_average_precision():
    label, probability, group, weight = example(7)
    entry = evaluate(label, probability, group, weight, resamples=1)
    curve = pr_points(label, probability, weight)
    area = -np.sum(np.diff(curve["recall"]) * curve["precision"][:-1])
    assert area == pytest.approx(entry["average_precision"].value)
    assert pr_points([0, 0], [0.2, 0.3]).empty


def test_the_roc_band_surrounds_the_curve():
    label, probability, group, weight = example(8, ties=True)
    band = roc_band(label, probability, group, weight, points=51, resamples=200)
    fpr, tpr, _ = roc_curve(label, probability, sample_weight=weight)
    assert band["tpr"].to_numpy() == pytest.approx(np.interp(band["fpr"], fpr, tpr))
    assert (band["low"] <= band["tpr"] + 1e-9).mean() > 0.95
    assert (band["high"] >= band["tpr"] - 1e-9).mean() > 0.95
    inner = band[(band["fpr"] > 0.2) & (band["fpr"] < 0.6)]
    assert (inner["high"] - inner["low"]).between(0.01, 0.4).all()
    few = roc_band(label, probability, np.arange(300) % 7, points=5)
    assert few["tpr"].notna().all() and few["low"].isna().all()
    assert roc_band([0, 0], [0.1, 0.2], [1, 2]).empty


def test_the_sweep_agrees_with_evaluate_and_runs_from_all_ai_to_none():
    label, probability, group, weight = example(9)
    sweep = threshold_sweep(label, probability, weight).set_index("threshold")
    for threshold in (0.25, 0.5):
        entry = evaluate(label, probability, group, weight, threshold=threshold, resamples=1)
        for name in ("accuracy", "precision", "recall", "f1", "f1_macro"):
            assert sweep.loc[threshold, name] == pytest.approx(entry[name].value), name
    assert sweep.loc[0.0, "fpr"] == sweep.loc[0.0, "recall"] == 1
    assert sweep["fpr"].is_monotonic_decreasing


def test_the_threshold_accuses_no_more_than_asked_and_no_lower_one_does():
    label, probability, _, weight = example(10, rows=400, ties=True)
    for asked in (0.0, 0.05, 0.3, 1.0):
        threshold = threshold_for_fpr(label, probability, weight, asked)
        rates = [
            np.sum(weight[(label == 0) & (probability >= t)]) / np.sum(weight[label == 0])
            for t in [threshold, *np.unique(probability[probability < threshold])]
        ]
        assert rates[0] <= asked + 1e-9
        assert all(share > asked for share in rates[1:])
    assert threshold_for_fpr([1], [0.5]) is None
    assert threshold_for_fpr([0, 1], [1.0, 1.0]) > 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(0, 3)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_anything_goes_in_and_json_comes_out(rows):
    label = [int(row[0]) for row in rows]
    probability = [row[1] for row in rows]
    entry = evaluate(label, probability, [row[2] for row in rows], resamples=2)
    json.dumps(entry, allow_nan=False, default=asdict)
    assert np.sum(entry["confusion_matrix"]) == len(rows)
    for name in METRICS:
        assert entry[name].value is None or -1e-9 <= entry[name].value <= 1 + 1e-9
    for number in (brier(label, probability), ece(label, probability)):
        assert number is None or 0 <= number <= 1
    threshold_for_fpr(label, probability), threshold_sweep(label, probability, points=3)
    calibration_bins(label, probability, equal="count"), roc_band(label, probability, range(len(rows)))


def test_80_000_pictures_take_seconds_and_little_memory():
    import tracemalloc

    rng = np.random.default_rng(0)
    label, group = np.tile([1, 0], 40_000), np.repeat(np.arange(40_000), 2)
    probability = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1)
    began = time.process_time()
    tracemalloc.start()
    evaluate(label, probability, group, resamples=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 40e6
