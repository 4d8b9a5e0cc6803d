"""How well the answers are: confusion matrix, ROC curve, models beside their baselines, distributions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from src.utils.estimate import Estimate
from src.utils.names import metric_name, model_name, percent
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    INK,
    MODEL_COLOURS,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    brief,
    footnoted,
    in_sentence,
    light_grid,
    model_colour,
    new_figure,
    on_white,
    percent_axis,
)
from src.utils.settings import CLASS_NAMES

OUTCOMES = ("rightly cleared", "false positives", "missed", "found")
"""What happened in each cell of a confusion matrix, row by row."""

LEAST_SPREAD = 0.05
"""Probabilities that differ by less make one bar, one dot, one step: there is nothing to draw."""

MATRIX_SHADES: dict[str, Any] = {"cmap": "Greys", "vmin": 0, "vmax": 2.4}
"""Shades of shares from 0 to 1: ink stays readable on the darkest of them."""

_KINDS = ("human-made", "AI-generated")
"""The classes within a sentence."""


def confusion_plot(
    matrix: Sequence[Sequence[int]], model: str = "", note: str = "", title: str = ""
) -> Figure | str:
    """Draw a confusion matrix twice: pictures, and shares of each true class.

    Args:
        matrix: `[[TN, FP], [FN, TP]]`, rows are the truth.
        model: Which model answered.
        note: Which data.
        title: Title; both shares of right answers if not given, or that all pictures get one answer.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    counts = np.asarray(matrix)
    if not counts.sum():
        return "There are no pictures to count."
    shares = _shares(counts)
    figure = new_figure(title or _confusion_title(counts, model), note)
    left, right = figure.subplots(1, 2)
    for axes, text, name in (
        (left, [[f"{count:,}" for count in row] for row in counts], "Pictures"),
        (right, _percents(shares), "Share of the true class"),
    ):
        _draw_shares(axes, shares, text, 34)
        for cell, word in enumerate(OUTCOMES if axes is left else ()):
            axes.text(cell % 2 + 0.5, cell // 2 + 0.72, word, ha="center", va="center", color=INK)
        axes.set_title(name)
    return figure


def roc_plot(
    bands: Mapping[str, pd.DataFrame],
    areas: Mapping[str, Estimate],
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw ROC curves with their pointwise intervals.

    Args:
        bands: By model: `fpr`, `tpr`, `low`, `high` on a grid of `fpr`; a model without rows is left out.
        areas: The AUC of each model.
        note: Which data.
        title: Title; the highest AUC if not given.

    Returns:
        The figure; a sentence if there is no curve.
    """
    bands = {model: band for model, band in bands.items() if len(band)}
    if not bands:
        return "There is no ROC curve: it takes pictures of both classes."
    areas = {model: areas[model] for model in bands}
    figure = new_figure(title or _roc_title(areas), footnoted(note, areas.values()))
    axes = figure.subplots()
    strangers = itertools.cycle(("-", "-.", ":"))  # they share one grey
    for model, band in bands.items():
        colour, line = model_colour(model), "-" if model in MODEL_COLOURS else next(strangers)
        axes.fill_between(band["fpr"], band["low"], band["high"], color=colour, alpha=0.15, linewidth=0)
        label = f"{model_name(model)}\n{brief(areas[model])}"
        axes.plot([0, *band["fpr"]], [0, *band["tpr"]], line, color=colour, label=label)
    axes.plot([0, 1], [0, 1], "--", color=QUIET, linewidth=2, label="chance")
    axes.set(
        xlim=(-0.005, 1.005),
        ylim=(-0.005, 1.005),
        aspect="equal",
        xlabel="False-positive rate: human-made pictures called AI",
        ylabel="Recall: AI-generated pictures called AI",
    )
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    light_grid(axes, "both")
    axes.legend(
        title="ROC-AUC with 95 % interval", loc="center left", bbox_to_anchor=(1.03, 0.5), alignment="left"
    )
    return figure


def metric_forest(
    tables: Mapping[str, pd.DataFrame],
    chance: Mapping[str, float] | None = None,
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw metrics of several models with their intervals, a panel a metric, the same models in each.

    Args:
        tables: By metric: `model`, `name`, `value`, `low`, `high` (NaN where unknown).
        chance: By metric, what guessing gives; 0.5 where not given.
        note: Which data.
        title: Title; the highest value of the first metric if not given.

    Returns:
        The figure, a panel a metric that is known of some model; a sentence where none is.
    """
    tables = {metric: table for metric, table in tables.items() if table["value"].notna().any()}
    if not tables:
        return "No model could be measured on these pictures."
    estimates = [_estimate(row) for table in tables.values() for row in table.itertuples()]
    figure = new_figure(title or _forest_title(tables, chance or {}), footnoted(note, estimates))
    panels = np.ravel(figure.subplots(1, len(tables), sharey=True, squeeze=False))
    for axes, (metric, table) in zip(panels, tables.items(), strict=True):
        _draw_forest(axes, table, (chance or {}).get(metric, 0.5))
        axes.set_title(metric_name(metric), fontweight="bold")
    first = next(iter(tables.values()))
    panels[0].set(yticks=range(len(first)), yticklabels=first["name"], ylim=(len(first) - 0.4, -0.7))
    return figure


def probability_plot(
    label: ArrayLike,
    probability: ArrayLike,
    weight: ArrayLike | None = None,
    threshold: float = 0.5,
    model: str = "",
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw how the probability of AI spreads over each class, the wrong side in full colour.

    Args:
        label: Classes, [n].
        probability: Probabilities of class 1, [n].
        weight: Weights, [n]; one each if not given.
        threshold: A picture is called AI from this probability on.
        model: Which model answered.
        note: Which data.
        title: Title; the shares on the wrong side if not given.

    Returns:
        The figure, a panel a class that occurs; a sentence if the probabilities hardly differ.
    """
    label, probability = np.asarray(label), np.asarray(probability, dtype=float)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    edges = _probability_edges(threshold)
    if not len(probability) or np.ptp(probability) < LEAST_SPREAD:
        return no_spread(probability)
    shown = [one for one in (0, 1) if (label == one).any()]
    wrong_share = {one: _wrong(label, probability, weight, threshold, one) for one in shown}
    figure = new_figure(title or _probability_title(wrong_share, model), note)
    panels = figure.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for one, axes in zip(shown, panels, strict=True):
        mine = label == one
        shares = np.histogram(probability[mine], edges, weights=weight[mine])[0]
        shares = shares / max(weight[mine].sum(), 1e-12)
        wrong = (edges[:-1] >= threshold - 1e-9) if one == 0 else (edges[1:] <= threshold + 1e-9)
        bars = axes.bar(
            edges[:-1], shares, np.diff(edges), align="edge", color=CLASS_COLOURS[one], linewidth=0
        )
        for bar, bad in zip(bars, wrong, strict=True):
            bar.set_alpha(1.0 if bad else 0.35)
        axes.axvline(threshold, color=QUIET, linestyle="--", linewidth=2)
        axes.set_title(CLASS_NAMES[one], color=CLASS_COLOURS[one], fontweight="bold")
        words = ("called AI", "called human-made")[one]
        axes.set_title(f"{percent(wrong_share[one])} {words}", loc="right")
        percent_axis(axes.yaxis)
        light_grid(axes)
    figure.supylabel("Share of the class", fontsize=TEXT_SIZE)
    panels[-1].set(xlabel="Probability of AI", xlim=(0, 1))
    return figure


def _probability_edges(threshold: float) -> np.ndarray:
    """Edges of bins of about 0.05 from 0 to 1, one of them the threshold."""
    below, above = (max(round(20 * side), int(side > 0)) for side in (threshold, 1 - threshold))
    return np.concatenate([np.linspace(0, threshold, below + 1), np.linspace(threshold, 1, above + 1)[1:]])


def no_spread(probability: np.ndarray) -> str:
    """Say between which two values all probabilities lie."""
    if not len(probability):
        return "There are no probabilities to draw."
    low, high = probability.min(), probability.max()
    return f"Every probability of AI lies between {low:.2f} and {high:.2f}: there is no spread to draw."


def _draw_forest(axes: Axes, table: pd.DataFrame, chance: float) -> None:
    axes.axvline(chance, color=QUIET, linestyle="--", linewidth=2)
    for row, one in enumerate(table.itertuples()):
        colour = model_colour(one.model)
        axes.plot([one.low, one.high], [row, row], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot(one.value, row, "o", color=colour, markersize=14)
        axes.annotate(
            brief(_estimate(one)),
            (chance if np.isnan(one.value) else one.value, row),
            (0, 15),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=SMALL_SIZE + 1,
            **on_white(),
        )
    lowest = np.nanmin([0.35, *table["low"], *table["value"]])
    axes.set_xlim(lowest - 0.1, 1.1)
    axes.set_xlabel("dashed: guessing", color=QUIET, fontsize=SMALL_SIZE)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")


def _wrong(
    label: np.ndarray, probability: np.ndarray, weight: np.ndarray, threshold: float, one: int
) -> float:
    mine = label == one
    if weight[mine].sum() == 0:
        return np.nan
    called_ai = probability[mine] >= threshold
    return float(np.average(called_ai if one == 0 else ~called_ai, weights=weight[mine]))


def matrices_plot(matrices: Mapping[str, Sequence[Sequence[int]]], note: str = "") -> Figure | str:
    """Draw the confusion matrices of several models side by side, as shares of each true class.

    Args:
        matrices: By model, `[[TN, FP], [FN, TP]]`, rows are the truth.
        note: Which data.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    matrices = {model: matrix for model, matrix in matrices.items() if np.sum(matrix)}
    if not matrices:
        return "There are no pictures to count."
    figure = new_figure(_matrices_title(matrices), note)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (model, matrix) in zip(panels, matrices.items(), strict=True):
        counts = np.asarray(matrix)
        shares = _shares(counts)
        _draw_shares(axes, shares, _percents(shares), 28)
        for cell, count in enumerate(counts.ravel()):
            words = f"{count:,} {'picture' if count == 1 else 'pictures'}"
            axes.text(cell % 2 + 0.5, cell // 2 + 0.74, words, ha="center", va="center", color=INK)
        axes.set_title(model_name(model))
        axes.set_ylabel("The truth is" if axes is panels[0] else "")
    return figure


def _shares(counts: np.ndarray) -> np.ndarray:
    """Each row's shares; NaN for a class without pictures."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full((2, 2), np.nan), where=totals > 0)


def _percents(shares: np.ndarray) -> list[list[str]]:
    return [[percent(share) for share in row] for row in shares]


def _draw_shares(axes: Axes, shares: np.ndarray, words: ArrayLike, size: float) -> None:
    """Draw one two-by-two table, shaded by the shares, with the classes in their colours."""
    seaborn.heatmap(
        np.nan_to_num(shares),
        annot=np.array(words),
        fmt="",
        **MATRIX_SHADES,
        square=True,
        cbar=False,
        linewidths=4,
        annot_kws={"fontsize": size, "fontweight": "bold", "color": INK},
        ax=axes,
    )
    axes.set_xticklabels(CLASS_NAMES, rotation=0)
    axes.set_yticklabels(CLASS_NAMES, rotation=90, va="center")
    axes.set(xlabel="The model says", ylabel="The truth is")
    axes.tick_params(length=0)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, colour in zip(labels, CLASS_COLOURS, strict=True):
            label.set(color=colour, fontweight="bold")


def _matrices_title(matrices: Mapping[str, Sequence[Sequence[int]]]) -> str:
    """Name the models that give everybody one answer, if there are any; else how often each is right."""
    counts = {name: np.asarray(matrix) for name, matrix in matrices.items()}
    silent = [model_name(name) for name, one in counts.items() if not one.sum(axis=0).all()]
    if silent:
        return f"One answer for every picture: {' and '.join(silent)}"
    right = [np.nanmean(np.diag(_shares(one))) for one in counts.values()]
    what = "Balanced accuracy" if all(one.sum(axis=1).all() for one in counts.values()) else "Right answers"
    return f"{what} from left to right: {', '.join(f'{share:.2f}' for share in right)}"


def _confusion_title(counts: np.ndarray, model: str) -> str:
    called, shares = counts.sum(axis=0), np.diag(_shares(counts))
    if not called.all():
        return f"{model_name(model) or 'The model'} calls every picture {_KINDS[int(called.argmax())]}"
    who = f"{model_name(model)} recognises" if model else "Recognised:"
    found = [
        f"{percent(share)} of the {kind}" for share, kind in zip(shares, _KINDS, strict=True) if share >= 0
    ]
    alone = "" if len(found) == 2 else "; no others are here"
    return f"{who} {' and '.join(found)} pictures{alone}"


def _roc_title(areas: Mapping[str, Estimate]) -> str:
    known = {model: area.value for model, area in areas.items() if area.value is not None}
    if not known:
        return "ROC curves"
    best = max(known, key=lambda model: known[model])
    said = f"{model_name(best)}, {brief(areas[best])}"
    lows = [area.low for area in areas.values() if area.low is not None]
    if lows and max(lows) <= 0.5:
        return f"No curve is measurably above guessing; the highest ROC-AUC: {said}"
    return f"The highest ROC-AUC: {said}" if len(known) > 1 else f"ROC-AUC: {said}"


def _forest_title(tables: Mapping[str, pd.DataFrame], chance: Mapping[str, float]) -> str:
    metric, table = next(iter(tables.items()))
    best = table.loc[table["value"].idxmax()]
    leading, name = Estimate.of(best["value"], best["low"], best["high"]), ", ".join(best["name"].split("\n"))
    if table["low"].max() <= chance.get(metric, 0.5):
        return f"{metric_name(metric)}: no model is measurably above guessing"
    return f"The highest {in_sentence(metric_name(metric))}: {name}, {brief(leading)}"


def _estimate(row: Any) -> Estimate:
    """The estimate of a table's row with `value`, `low` and `high`."""
    return Estimate.of(row.value, row.low, row.high)


def _probability_title(wrong: Mapping[int, float], model: str) -> str:
    who = f"{model_name(model)}: " if model else ""
    words = ("false-positive rate {}", "{} of the AI-generated pictures missed")
    return who + ", ".join(words[one].format(percent(share)) for one, share in wrong.items())
