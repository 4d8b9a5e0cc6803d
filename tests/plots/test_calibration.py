"""Calibration slides draw what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from src.utils.estimate import Estimate
from src.utils.plots.calibration import coverage_plot, reliability_plot, threshold_plot
from src.utils.plots.figure.style import NO_INTERVAL
from tests.plots.checks import lines, nothing_is_cut_off, title, words

ENTRY = Estimate(0.21, 0.1, 0.3)
SMALLER = Estimate(0.04)


def bins(probability, ai):
    table = pd.DataFrame({"probability": probability, "ai": ai})
    return table.assign(weight=1 / len(table), ai_low=np.nan, ai_high=np.nan)


def test_marks_lie_where_said_and_true_meet() -> None:
    tables = {
        name: {"before": bins([0.1, 0.9], [0.4, 0.6]), "after": bins([0.5], [0.5])}
        for name in ("cnn_deck", "best")
    }
    errors = {name: {"before": ENTRY, "after": SMALLER} for name in tables}
    figure = reliability_plot(tables, errors, "A note.")
    assert title(figure) == "Improved model: calibration error 0.21, after a temperature 0.04"
    left, right = figure.axes
    marks = [one for one in left.collections if isinstance(one, PathCollection)]
    before, after = (one.get_offsets().tolist() for one in marks)
    assert before == [[0.1, 0.4], [0.9, 0.6]]
    assert after == [[0.5, 0.5]]
    assert words(right) == ["before: error 0.21 [0.10, 0.30]", "after: error 0.04"]
    assert figure.get_supxlabel().split() == f"A note. {NO_INTERVAL}".split()
    assert nothing_is_cut_off(figure)


def test_shares_at_the_threshold_are_those_of_the_last_split() -> None:
    def sweep(rate):
        return pd.DataFrame(
            {
                "threshold": [0.2, 0.5, 0.8],
                "false_positive_rate": rate,
                "recall": [1.0, 0.8, 0.4],
            }
        )

    figure = threshold_plot(
        {"validation": sweep([1.0, 0.05, 0.0]), "test": sweep([1.0, 0.1, 0.0])}, 0.5, (0.3, 0.6), "best"
    )
    assert title(figure) == (
        "Improved model: set for a false-positive rate of 5 %, "
        "the threshold gives 10 % on the test split and a recall of 80 %"
    )
    between = threshold_plot({"validation": sweep([1.0, 0.05, 0.0])}, 0.6, (0.3, 0.6), "best")
    assert title(between).endswith("gives 0 % on the validation split and a recall of 40 %")
    beyond = threshold_plot({"validation": sweep([1.0, 0.05, 0.0])}, 0.9, (0.3, 0.6), "best")
    assert title(beyond).endswith("gives 0 % on the validation split and a recall of 0 %")
    (axes,) = figure.axes
    assert [[0.2, 1.0], [0.5, 0.1], [0.8, 0.0]] in lines(axes)
    curves = [one for one in axes.get_lines() if len(one.get_xdata()) == 3]
    assert {one.get_drawstyle() for one in curves} == {"steps-pre"}  # at 0.4 it is what it is at 0.5
    assert "threshold 0.500" in words(axes)
    low, high = axes.get_xlim()
    assert 0.1 < low < 0.2 < 0.8 < high < 0.9
    assert nothing_is_cut_off(figure)


def test_a_cooled_model_fills_the_slide_although_it_answers_in_a_narrow_range() -> None:
    narrow = pd.DataFrame(
        {"threshold": [0.4999, 0.5001], "false_positive_rate": [1.0, 0.0], "recall": [1.0, 0.0]}
    )
    figure = threshold_plot({"validation": narrow, "test": narrow}, 0.5001, (0.4999, 0.5001))
    low, high = figure.axes[0].get_xlim()
    assert high - low < 0.001
    assert nothing_is_cut_off(figure)


def test_coverage_is_drawn_for_each_part_and_the_title_tells_the_last_one() -> None:
    test = pd.DataFrame(
        {"cut_off": [0.5, 0.7, 1.0], "answered": [0.9, 0.5, 0.0], "right": [0.9, 1.0, np.nan]}
    )
    unseen = test.assign(answered=[0.8, 0.6, 0.0], right=[0.7, 0.75, np.nan])
    figure = coverage_plot({"test": test, "unseen": unseen}, "best")
    assert title(figure) == (
        "Improved model: 80 % of unseen intervals lie on one side of 50 %, 70 % of them on the right one"
    )
    (axes,) = figure.axes
    assert lines(axes)[0][:2] == [[0.9, 0.9], [0.5, 1.0]]
    assert "80 % right" in words(axes) and "unseen" in words(axes)
    assert nothing_is_cut_off(figure)
    assert "no answer on the unseen" in title(coverage_plot({"test": test, "unseen": test.iloc[2:]}))
    assert coverage_plot({"test": test.iloc[2:]}).startswith("The model answers on no picture")


def test_a_curve_below_half_stays_on_the_axes() -> None:
    worse = pd.DataFrame({"cut_off": [0.5, 0.7], "answered": [1.0, 0.5], "right": [0.3, 0.2]})
    assert coverage_plot({"test": worse}).axes[0].get_ylim()[0] < 0.2
