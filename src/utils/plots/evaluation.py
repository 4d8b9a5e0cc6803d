"""How well the answers are: confusion matrix, ROC curve, models beside their baselines, distributions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

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
    light_grid,
    model_colour,
    new_figure,
    on_white,
    percent_axis,
)
from src.utils.settings import CLASS_NAMES

OUTCOMES = ("rightly cleared", "false positives", "missed", "found")
"""What happened in each cell of a confusion matrix, row by row."""


def confusion_plot(
    matrix: Sequence[Sequence[int]], model: str = "", note: str = "", title: str = ""
) -> Figure:
    """Draw a confusion matrix twice: pictures, and shares of each true class.

    Args:
        matrix: `[[TN, FP], [FN, TP]]`, rows are the truth.
        model: Which model answered.
        note: Which data.
        title: Title; both shares of right answers if not given.
    """
    counts = np.asarray(matrix)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros((2, 2)), where=totals > 0)
    figure = new_figure(title or _confusion_title(shares, model), note)
    left, right = figure.subplots(1, 2)
    words = np.array([[percent(share) for share in row] for row in shares])
    words[totals.ravel() == 0] = "–"
    for axes, text, name in (
        (left, [[f"{count:,}" for count in row] for row in counts], "Pictures"),
        (right, words, "Share of the true class"),
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
) -> Figure:
    """Draw ROC curves with their pointwise intervals.

    Args:
        bands: By model: `fpr`, `tpr`, `low`, `high` on a grid of `fpr`; a model without rows is left out.
        areas: The AUC of each model.
        note: Which data.
        title: Title; the best model's AUC if not given.
    """
    bands = {model: band for model, band in bands.items() if len(band)}
    figure = new_figure(title or _roc_title({model: areas[model] for model in bands}), note)
    axes = figure.subplots()
    strangers = itertools.cycle(("-", "-.", ":"))  # they share one grey
    for model, band in bands.items():
        colour, line = model_colour(model), "-" if model in MODEL_COLOURS else next(strangers)
        axes.fill_between(band["fpr"], band["low"], band["high"], color=colour, alpha=0.15, linewidth=0)
        label = f"{model_name(model)}\n{areas[model].text()}"
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
        title: Title; the best model on the first metric if not given.

    Returns:
        The figure; a sentence where the first metric is known of no model.
    """
    if next(iter(tables.values()))["value"].isna().all():
        return "No model could be measured on these pictures."
    figure = new_figure(title or _forest_title(tables, chance or {}), note)
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
) -> Figure:
    """Draw how the probability of AI spreads over each class, the wrong side in full colour.

    Args:
        label: Classes, [n].
        probability: Probabilities of class 1, [n].
        weight: Weights, [n]; one each if not given.
        threshold: A picture is called AI from this probability on.
        model: Which model answered.
        note: Which data.
        title: Title; the shares on the wrong side if not given.
    """
    label, probability = np.asarray(label), np.asarray(probability, dtype=float)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    below = np.linspace(0, threshold, round(20 * threshold) + 1)
    above = np.linspace(threshold, 1, round(20 * (1 - threshold)) + 1)
    edges = np.concatenate([below, above[1:]])
    wrong_share = [_wrong(label, probability, weight, threshold, one) for one in (0, 1)]
    figure = new_figure(title or _probability_title(wrong_share, model), note)
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for one, axes in enumerate(panels):
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
    panels[1].set(xlabel="Probability of AI", xlim=(0, 1))
    return figure


def _draw_forest(axes: Axes, table: pd.DataFrame, chance: float) -> None:
    axes.axvline(chance, color=QUIET, linestyle="--", linewidth=2)
    for row, one in enumerate(table.itertuples()):
        colour = model_colour(one.model)
        axes.plot([one.low, one.high], [row, row], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot(one.value, row, "o", color=colour, markersize=14)
        axes.annotate(
            Estimate.of(one.value, one.low, one.high).text().replace(" (", "\n("),
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


def matrices_plot(matrices: Mapping[str, Sequence[Sequence[int]]], note: str = "") -> Figure:
    """Draw the confusion matrices of several models side by side, as shares of each true class.

    Args:
        matrices: By model, `[[TN, FP], [FN, TP]]`, rows are the truth.
        note: Which data.
    """
    figure = new_figure(_matrices_title(matrices), note)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (model, matrix) in zip(panels, matrices.items(), strict=True):
        counts = np.asarray(matrix)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros((2, 2)), where=totals > 0)
        _draw_shares(axes, shares, [[percent(share) for share in row] for row in shares], 28)
        for cell, count in enumerate(counts.ravel()):
            words = f"{count:,} {'picture' if count == 1 else 'pictures'}"
            axes.text(cell % 2 + 0.5, cell // 2 + 0.74, words, ha="center", va="center", color=INK)
        axes.set_title(model_name(model))
        axes.set_ylabel("The truth is" if axes is panels[0] else "")
    return figure


def _draw_shares(axes: Axes, shares: np.ndarray, words: ArrayLike, size: float) -> None:
    """Draw one two-by-two table, shaded by the shares, with the classes in their colours."""
    seaborn.heatmap(
        shares,
        annot=np.array(words),
        fmt="",
        cmap="Greys",
        vmin=0,
        vmax=2.4,  # ink stays readable on the darkest cell
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
    columns = {name: np.asarray(matrix).sum(axis=0) for name, matrix in matrices.items()}
    silent = [model_name(name) for name, called in columns.items() if not called.all()]
    if silent:
        return f"One answer for every picture: {' and '.join(silent)}"
    right = [np.mean(np.diag(matrix) / np.sum(matrix, axis=1)) for matrix in matrices.values()]
    return f"Balanced accuracy from left to right: {', '.join(f'{share:.2f}' for share in right)}"


def _confusion_title(shares: np.ndarray, model: str) -> str:
    who = f"{model_name(model)} recognises" if model else "Recognised:"
    human, ai = percent(shares[0, 0]), percent(shares[1, 1])
    return f"{who} {human} of the human-made and {ai} of the AI-generated pictures"


def _roc_title(areas: Mapping[str, Estimate]) -> str:
    known = {model: area.value for model, area in areas.items() if area.value is not None}
    if not known:
        return "No curve: both classes are needed"
    best = max(known, key=lambda model: known[model])
    return f"{model_name(best)} ranks best: ROC-AUC {areas[best].text()}"


def _forest_title(tables: Mapping[str, pd.DataFrame], chance: Mapping[str, float]) -> str:
    metric, table = next(iter(tables.items()))
    best = table.loc[table["value"].idxmax()]
    leading = Estimate.of(best["value"], best["low"], best["high"])
    if leading.low is not None and leading.low <= chance.get(metric, 0.5):
        return f"{metric_name(metric)}: no model is measurably above guessing"
    return f"{metric_name(metric)}: {best['name']} leads with {leading.text()}"


def _probability_title(wrong: Sequence[float], model: str) -> str:
    who = f"{model_name(model)}: " if model else ""
    false_positives, missed = map(percent, wrong)
    return f"{who}false-positive rate {false_positives}, {missed} of the AI-generated pictures missed"
