"""Robustness slides draw what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.plots.figure.style import NO_INTERVAL
from src.utils.plots.robustness import delivery_plot, difference_plot, robustness_curves
from tests.plots.checks import lines, nothing_is_cut_off, title, words


def curve(level, auc):
    return pd.DataFrame({"level": level, "auc": auc, "auc_low": np.nan, "auc_high": np.nan})


def test_each_kind_has_its_panel_and_levels_from_mild_to_severe() -> None:
    tables = {
        "jpeg": {"best": curve([0, 95, 30], [0.9, 0.88, 0.6]), "cnn_deck": curve([0, 30], [0.6, 0.55])},
        "blur": {"best": curve([0, 1], [0.9, 0.85]), "cnn_deck": curve([0, 1], [0.6, 0.61])},
    }
    figure = robustness_curves(tables, {"jpeg": "JPEG quality", "blur": "Blur σ, pixels"}, "A note.")
    loss = "The largest loss of ROC-AUC is 0.30: Improved model, JPEG quality = 30"
    assert title(figure) == f"{loss} (too few originals for an interval)"
    for models in tables.values():
        models.update({name: one.assign(auc_low=0.5) for name, one in models.items()})
    assert title(robustness_curves(tables, {"jpeg": "JPEG quality", "blur": "Blur σ, pixels"})) == loss
    jpeg, blur, legend, *_ = figure.axes
    assert [text.get_text() for text in jpeg.get_xticklabels()] == ["as is", "95", "30"]
    assert [[0, 0.9], [1, 0.88], [2, 0.6]] in lines(jpeg)
    assert [[0, 0.6], [2, 0.55]] in lines(jpeg)  # a level that was left out stays empty
    assert blur.get_title(loc="left") == "Blur σ, pixels"
    assert words(legend) == ["Improved model", "Deck's CNN (faithful)", "95 % interval", "chance"]
    assert nothing_is_cut_off(figure)


def test_sets_stand_together_with_their_differences_beside() -> None:
    rows = pd.DataFrame(
        {
            "set": ["One", "One", "Two"],
            "name": ["as they are", "same square", "as they are"],
            "model": ["best", "best", ""],
            "value": [0.8, 0.7, 0.6],
            "low": [0.7, 0.6, np.nan],
            "high": [0.9, 0.8, np.nan],
            "difference": ["", "(-0.10 [-0.20, 0.00])", ""],
        }
    )
    figure = difference_plot(rows, "A note.", "A title")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == rows["name"].tolist()
    assert words(axes) == [
        "One",
        "0.80 [0.70, 0.90]",
        "0.70 [0.60, 0.80]   (-0.10 [-0.20, 0.00])",
        "Two",
        "0.60",
    ]
    assert figure.get_supxlabel().split() == f"A note. {NO_INTERVAL}".split()
    first, second, third = axes.get_yticks()
    assert third - second > second - first
    assert nothing_is_cut_off(figure)


def deliveries():
    """As they are, two deliveries and a transformation; the second delivery is the worst."""
    table = pd.DataFrame(
        {
            "title": ["As they are", "JPEG 60", "To 512 px, JPEG 40", "Grey"],
            "transformation": [False, False, False, True],
            "worst": [False, False, True, False],
            "recall": [0.9, 0.85, 0.6, 0.2],
            "false_positive_rate": [0.05, 0.04, 0.1, 0.0],
            "balanced_accuracy": [0.925, 0.905, 0.75, 0.6],
        }
    )
    for name in ("recall", "false_positive_rate", "balanced_accuracy"):
        table[f"{name}_low"] = (table[name] - 0.05).clip(0)
        table[f"{name}_high"] = table[name] + 0.05
    return table


def test_both_rates_of_every_delivery_are_drawn_and_the_worst_is_named() -> None:
    figure = delivery_plot(deliveries(), "best", "A note.")
    assert title(figure) == (
        "Improved model: worst delivery “To 512 px, JPEG 40”, recall 60 %, false-positive rate 10 %"
    )
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["As they are", "JPEG 60", "To 512 px, JPEG 40 – worst", "Grey"]
    recall, false = ([one for one in line if len(line) == 4] for line in (lines(axes)[0], lines(axes)[2]))
    assert [x for x, _ in recall] == [0.9, 0.85, 0.6, 0.2]
    assert [x for x, _ in false] == [0.05, 0.04, 0.1, 0.0]
    assert {"0.75 [0.70, 0.80]", "Transformations", "Recall (AI-generated)"} <= set(words(axes))
    first, *_, last, apart = axes.get_yticks()
    assert apart - last > 1 and first == 0
    assert nothing_is_cut_off(figure)


def test_without_intervals_and_transformations_the_rates_are_drawn_all_the_same() -> None:
    table = deliveries().iloc[:3]
    table = table.assign(**{name: np.nan for name in table if name.endswith(("_low", "_high"))})
    figure = delivery_plot(table)
    assert title(figure).startswith("worst delivery")
    (axes,) = figure.axes
    assert "0.75" in words(axes) and figure.get_supxlabel() == NO_INTERVAL
    assert "Transformations" not in words(axes)
    assert nothing_is_cut_off(figure)
