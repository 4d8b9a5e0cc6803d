"""Slides about unseen sources draw what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.plots.unseen import gate_plot, holdout_plot, unseen_plot
from tests.plots.checks import lines, nothing_is_cut_off, title, words


def test_generators_and_photographers_have_a_panel_each() -> None:
    table = pd.DataFrame(
        {
            "label": [1, 1, 0],
            "source": ["Kling 3", "Grok Imagine", "Pixel theme"],
            "groups": [1, 3, 7],
            "pictures": [5, 15, 35],
            "called_ai": [1.0, 0.4, 0.2],
            "called_ai_low": np.nan,
            "called_ai_high": np.nan,
        }
    )
    figure = unseen_plot(table, (0.2, 0.55), "best", "A note.")
    assert title(figure) == ("Improved model: recall 55 % on unseen generators, false-positive rate 20 %")
    generators, photographs = figure.axes
    assert [text.get_text() for text in generators.get_yticklabels()] == ["Grok Imagine", "Kling 3"]
    assert words(generators) == ["15 from 3 originals", "5 from 1 original"]
    assert [[0.2, 0.0]] in lines(photographs)
    assert nothing_is_cut_off(figure)


def test_the_maker_that_costs_most_is_named_and_drawn_on_top() -> None:
    table = pd.DataFrame(
        {
            "source": ["Qwen", "Flux", "each of these in turn"],
            "groups": [10, 15, 25],
            "met": [0.95, 0.9, 0.925],
            "left_out": [0.7, 0.9, 0.8],
            "left_out_low": [np.nan, np.nan, 0.7],
            "left_out_high": [np.nan, np.nan, 0.9],
            "drop": [0.25, 0.0, 0.125],
        }
    )
    figure = holdout_plot(table, "A note.")
    assert title(figure) == "Never having met Qwen costs most: ROC-AUC 0.95 falls to 0.70"
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["each of these in turn (25 originals)", "Flux (15 originals)", "Qwen (10 originals)"]
    assert [[0.95, 2.0]] in lines(axes) and [[0.7, 2.0]] in lines(axes)
    assert nothing_is_cut_off(figure)
    none = table.assign(left_out=table["met"] - 0.001, drop=0.001)
    assert title(holdout_plot(none)) == "Never having met a source costs no ROC-AUC here"


def test_nobody_to_leave_out_is_no_error() -> None:
    columns = ["source", "groups", "met", "left_out", "left_out_low", "left_out_high", "drop"]
    assert "enough originals" in holdout_plot(pd.DataFrame(columns=columns))
    assert unseen_plot(pd.DataFrame(columns=["label"]), (np.nan, np.nan)) == "This dataset has no unseen set."


def test_kinds_that_pass_and_own_pictures_that_are_stopped_have_a_panel_each() -> None:
    missed = pd.DataFrame(
        {
            "origin": ["drawn in code", "left out of the sample"],
            "kind": ["blank", "poster"],
            "pictures": [10, 30],
            "missed": [0, 24],
            "share": [0.0, 0.8],
        }
    )
    alarms = pd.DataFrame(
        {
            "part": ["test", "test"],
            "label": [0, 1],
            "pictures": [60, 40],
            "stopped": [3, 0],
            "share": [0.05, 0.0],
            "share_low": [0.0, np.nan],
            "share_high": [0.1, np.nan],
        }
    )
    figure = gate_plot(missed, alarms, "A note.")
    assert title(figure) == (
        "The content gate stops 40 % of what it should, and 3 % of the dataset's own pictures"
    )
    passing, own = figure.axes
    assert [text.get_text() for text in passing.get_yticklabels()] == ["poster", "blank"]
    assert {"0 of 10", "24 of 30", "drawn in code", "left out of the sample"} == set(words(passing))
    assert [[0.8, 0.0]] in lines(passing) and [[0.0, 1.0]] in lines(passing)
    labels = [text.get_text() for text in own.get_yticklabels()]
    assert labels == ["AI-generated,\ntest: 0 of 40", "Human-made,\ntest: 3 of 60"]
    assert [[0.0, 1.0], [0.1, 1.0]] in lines(own) and [[0.05, 1.0]] in lines(own)
    assert nothing_is_cut_off(figure)
