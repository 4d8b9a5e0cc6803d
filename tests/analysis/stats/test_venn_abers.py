"""Venn-Abers tables against isotonic regression fitted anew, and against what few groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from src.utils.analysis.stats.venn_abers import equal_groups, fit_venn_abers
from src.utils.models.bundle.calibration import comparable, point_value

rows = st.lists(
    st.tuples(st.integers(-40, 40).map(lambda tenth: tenth / 10), st.integers(0, 1), st.integers(0, 8)),
    min_size=1,
    max_size=30,
)
scores = st.one_of(st.integers(-45, 45).map(lambda tenth: tenth / 10), st.floats(-1e3, 1e3))


def refit(log_odds, label, group, score, joins_as):
    """What scikit-learn's regression says of one picture that joined the others."""
    x = np.append(comparable(log_odds), comparable(score))
    weight = np.append(equal_groups(group), 1.0)
    return IsotonicRegression().fit(x, np.append(label, joins_as), weight).predict(x)[-1]


@settings(max_examples=200, deadline=None)
@given(rows, st.lists(scores, min_size=1, max_size=8))
def test_intervals_are_those_of_a_refit_and_as_wide_as_the_groups_are_few(rows, asked):
    log_odds, label, group = map(np.array, zip(*rows, strict=True))
    table = fit_venn_abers(log_odds, label, group, "group")
    low, high = table.interval(asked)
    for score, *ends in zip(asked, low, high, strict=True):
        assert ends == pytest.approx([refit(log_odds, label, group, score, one) for one in (0, 1)], abs=1e-9)
    assert np.all((low >= 0) & (high <= 1))
    assert np.all(high - low >= 1 / (len(set(group.tolist())) + 1) - 1e-9)
    order = np.argsort(asked, kind="stable")
    assert np.all(np.diff(low[order]) >= 0) and np.all(np.diff(high[order]) >= 0)
    point = point_value(low, high)
    assert np.all((low <= point) & (point <= high))


def test_one_picture_of_each_class_leaves_everything_open():
    low, high = fit_venn_abers([-1, 1], [0, 1], ["a", "b"], "group").interval([-2, -1, 0, 1, 2])
    assert low.tolist() == [0, 0, 0, 0.5, 0.5] and high.tolist() == [0.5, 0.5, 1, 1, 1]


def test_copies_of_a_picture_make_nothing_surer_but_other_groups_do():
    log_odds, label = np.repeat([-1.0, 1.0], 10), np.repeat([0, 1], 10)
    one_group_each = fit_venn_abers(log_odds, label, label, "group")
    ten_groups_each = fit_venn_abers(log_odds, label, np.arange(20), "source")
    assert one_group_each.groups == {"human": 1, "ai": 1}
    assert ten_groups_each.groups == {"human": 10, "ai": 10} and ten_groups_each.left_out == "source"
    assert one_group_each.interval([1]) == (pytest.approx([0.5]), [1])
    assert ten_groups_each.interval([1]) == (pytest.approx([10 / 11]), [1])


def test_the_point_value_of_a_wide_interval_is_near_the_middle():
    assert point_value([0, 0.9, 0.25], [1, 1, 0.25]).tolist() == [0.5, pytest.approx(1 / 1.1), 0.25]


def test_many_pictures_give_a_short_table_that_tells_their_probabilities():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(0, 1.5, 20_000)
    label = (rng.random(20_000) < 1 / (1 + np.exp(-log_odds / 2))).astype(int)
    table = fit_venn_abers(log_odds, label, np.arange(20_000), "group")
    assert len(table.score) < 1500
    low, high = table.interval([-2, 0, 2])
    truth = 1 / (1 + np.exp([1, 0, -1]))
    assert point_value(low, high) == pytest.approx(truth, abs=0.03)
    assert np.all(high - low < 0.02)
