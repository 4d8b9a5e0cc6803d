import numpy as np
import pytest
from scipy.stats import norm

from src.utils.analysis.stats.bootstrap import (
    MIN_GROUPS,
    bootstrap,
    draw_weights,
    exact_bound,
    percentile_interval,
    sort_groups,
)
from src.utils.analysis.stats.metrics import evaluate
from src.utils.estimate import Estimate


def weighted_mean(values):
    return lambda weight: {"mean": float(np.sum(weight * values) / np.sum(weight))}


def simulate(rng, groups, paired):
    """Scores whose group shares most of its luck: true accuracy Φ(0.6) and AUC Φ(1.2 / √2), groups alike."""
    count = groups if paired else 2 * groups
    size = np.full(count, 2) if paired else rng.integers(1, 6, count)
    group = np.repeat(np.arange(count), size)
    label = np.tile([0, 1], groups) if paired else (group >= groups).astype(int)
    luck = rng.normal(0, 0.8, count)[group] + rng.normal(0, 0.6, len(group))
    return label, norm.cdf(luck + 1.2 * (label - 0.5)), group, 1 / size[group]


@pytest.mark.parametrize(("groups", "paired"), [(20, False), (25, True), (60, False)])
def test_95_percent_of_the_intervals_hold_the_truth(groups, paired):
    rng = np.random.default_rng(7)
    truth = {"accuracy": norm.cdf(0.6), "recall": norm.cdf(0.6), "auc": norm.cdf(1.2 / np.sqrt(2))}
    hits = dict.fromkeys(truth, 0)
    for trial in range(250):
        entry = evaluate(*simulate(rng, groups, paired), resamples=150, seed=trial)
        for name, value in truth.items():
            hits[name] += entry[name].low <= value <= entry[name].high
    for name, count in hits.items():
        assert 0.90 <= count / 250 <= 0.98, name


def test_resampling_pictures_instead_of_groups_would_be_too_sure():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 10)
    label = (group >= 30).astype(int)
    values = rng.normal(size=60)[group] + 0.1 * rng.normal(size=600)
    by_group = bootstrap(weighted_mean(values), group, label, resamples=300)["mean"]
    by_picture = bootstrap(weighted_mean(values), np.arange(600), label, resamples=300)["mean"]
    assert by_group.high - by_group.low > 2 * (by_picture.high - by_picture.low)


def test_standard_error_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(1).normal(size=400)
    draws = [
        weighted_mean(values)(weight)["mean"]
        for weight in draw_weights(sort_groups(np.arange(400), np.zeros(400)), 2000, seed=0)
    ]
    assert np.std(draws) == pytest.approx(values.std() / 20, rel=0.05)


def test_a_draw_keeps_groups_whole_and_the_number_of_groups_of_each_kind():
    group = np.array(["a", "a", "b", "c", "c", "d", "d", "e", "e", "e"])
    label = np.array([0, 0, 0, 1, 1, 0, 1, 0, 1, 1])
    groups = sort_groups(group, label)
    assert groups.per_class == [4, 3]
    first = np.array([0, 2, 3, 5, 7])
    for weight in draw_weights(groups, 50, seed=3):
        assert all(np.ptp(weight[group == name]) == 0 for name in "abcde")
        a, b, c, d, e = weight[first]
        assert (a + b, c, d + e) == (2, 1, 2)


def test_same_seed_same_draws_other_seed_other_draws():
    groups = sort_groups(np.arange(50), np.repeat([0, 1], 25))
    first, again, other = (np.stack(list(draw_weights(groups, 5, seed))) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("groups", [MIN_GROUPS - 1, MIN_GROUPS])
def test_not_estimable_below_20_groups_of_a_class(groups):
    group = np.repeat(np.arange(100 + groups), 3)
    label = (group >= 100).astype(int)
    entry = bootstrap(weighted_mean(group * 1.0), group, label, resamples=50)["mean"]
    assert entry.value == np.mean(group)
    assert (entry.low is None) == (entry.high is None) == (groups < MIN_GROUPS)


def test_a_single_class_needs_only_its_own_groups():
    entry = bootstrap(weighted_mean(np.arange(30.0)), np.arange(30), np.ones(30), resamples=50)["mean"]
    assert entry.low < 14.5 < entry.high


def test_pairs_count_for_both_classes():
    assert sort_groups(np.repeat(np.arange(20), 2), np.tile([0, 1], 20)).estimable
    assert not sort_groups(np.repeat(np.arange(19), 2), np.tile([0, 1], 19)).estimable


def test_no_rows_no_numbers():
    assert bootstrap(lambda weight: {"x": 1.0}, [], []) == {"x": Estimate()}


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 groups for 2 labels"):
        sort_groups(["a", "b", "c"], [0, 1])


def test_percentiles_on_many_groups_are_the_plain_ones():
    draws = np.random.default_rng(0).normal(size=5000)
    assert percentile_interval(draws, 10**6) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=1e-4)
    low, high = percentile_interval(draws, 20)
    # t(0.975; 19) = 2.093, times sqrt(20 / 19): the 1.59 % and 98.41 % points
    assert (low, high) == pytest.approx(np.quantile(draws, norm.cdf([-2.1474, 2.1474])), abs=1e-3)


def test_an_interval_needs_95_percent_of_its_draws_defined():
    draws = np.arange(100.0)
    draws[:5] = np.nan
    assert np.isfinite(percentile_interval(draws, 50)).all()
    draws[:6] = np.nan
    assert np.isnan(percentile_interval(draws, 50)).all()


def test_exact_bound_is_clopper_and_pearsons():
    from scipy.stats import binomtest

    for groups in (20, 45):
        assert exact_bound(groups) == pytest.approx(binomtest(groups, groups).proportion_ci(0.95).low)
