"""How training went: learning curves beside the deck's, and what another seed would have given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from src.utils.names import metric_name, model_name
from src.utils.plots.figure.style import (
    INK,
    QUIET,
    TEXT_SIZE,
    in_sentence,
    light_grid,
    model_colour,
    new_figure,
    on_white,
)

DECK_ACCURACY = (0.8221, 0.9176, 0.9293, 0.9389, 0.9418, 0.9454, 0.9495, 0.9557, 0.9576, 0.9619)
"""The accuracy that the deck's ten epochs printed, on the training part of 79,950 Kaggle pictures."""


def learning_curves(
    history: pd.DataFrame,
    metric: str = "accuracy",
    deck: Sequence[float] | None = DECK_ACCURACY,
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw training and validation per epoch, a panel a model, a thin line a seed.

    Args:
        history: Columns `model`, `seed`, `epoch` (from 1), the metric, `val_` + the metric, `kept` (whether
            that epoch's weights are the model's).
        metric: `accuracy` or `loss`.
        deck: What the deck printed for its training set, epoch by epoch; None leaves it out.
        note: Which data.
        title: Title; the finding if not given.

    Returns:
        Validation solid, training dotted, the deck's printed values as black crosses; a ring at the
        epoch whose weights were kept. Losses that differ much have a logarithmic axis. A sentence if there is
        no epoch.
    """
    if history.empty:
        return "No epoch was trained."
    models = list(dict.fromkeys(history["model"]))
    figure = new_figure(title or _curves_title(history, metric), note)
    grid = figure.add_gridspec(2, len(models), height_ratios=[1, 11])
    panels = np.ravel(grid[1, :].subgridspec(1, len(models)).subplots(sharey=True, squeeze=False))
    for axes, model in zip(panels, models, strict=True):
        colour = model_colour(model)
        for _, run in history[history["model"] == model].groupby("seed"):
            _draw_run(axes, run.sort_values("epoch"), metric, colour)
        if deck is not None:
            axes.plot(range(1, len(deck) + 1), deck, "x", color=INK, markersize=9, markeredgewidth=2.5)
        axes.set_title(model_name(model), color=colour, fontweight="bold")
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        light_grid(axes)
    panels[0].set_ylabel(metric_name(metric))
    if metric == "accuracy":
        lowest = np.nanmin([0.5, *history[metric], *history[f"val_{metric}"]])
        panels[0].set_ylim(lowest - 0.03, 1.02)
        for axes in panels:
            axes.axhline(0.5, color=QUIET, linestyle="--", linewidth=1.5)
    else:
        _spread_loss(panels[0], history[[metric, f"val_{metric}"]].to_numpy())
    _explain(figure.add_subplot(grid[0, :]), deck is not None)
    return figure


def seed_spread(table: pd.DataFrame, metric: str = "auc", note: str = "", title: str = "") -> Figure | str:
    """Draw one number of each model for every seed it was trained with.

    Args:
        table: Columns `model`, `seed`, `value` (NaN where not defined).
        metric: Which number it is.
        note: Which data.
        title: Title; the spread if not given.

    Returns:
        A dot a seed, the mean as a bar, and mean, lowest and highest in words; a sentence where no model
        was trained with several seeds.
    """
    table = table[table["value"].notna()]
    if not (table.groupby("model")["seed"].nunique() > 1).any():
        return "One seed was trained, so nothing can be said about luck: `SEEDS=3` trains three."
    models = list(dict.fromkeys(table["model"]))
    figure = new_figure(title or _spread_title(table, metric), note)
    axes = figure.subplots()
    for row, model in enumerate(models):
        mine = table[table["model"] == model].sort_values("seed")
        values, colour = mine["value"].to_numpy(), model_colour(model)
        axes.plot([values.min(), values.max()], [row, row], color=colour, linewidth=8, alpha=0.3)
        axes.plot(values, np.full(len(values), row), "o", color=colour, markersize=15, alpha=0.85)
        axes.plot([values.mean()] * 2, [row - 0.22, row + 0.22], color=colour, linewidth=4)
        spread = f"mean {values.mean():.2f}, from {values.min():.2f} to {values.max():.2f}"
        axes.annotate(
            f"{spread} ({len(values)} seeds)" if len(values) > 1 else f"{values[0]:.2f} (1 seed)",
            (values.mean(), row - 0.32),
            ha="center",
            color=colour,
            fontsize=TEXT_SIZE,
            **on_white(),
        )
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=2)
    axes.set(
        yticks=range(len(models)),
        yticklabels=[model_name(model) for model in models],
        ylim=(len(models) - 0.4, -0.6),
        xlim=(min(0.45, table["value"].min() - 0.05), 1.02),
        xlabel=f"{metric_name(metric)} (0.5 = chance)",
    )
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")
    return figure


def _draw_run(axes: Axes, run: pd.DataFrame, metric: str, colour: str) -> None:
    validation = run[f"val_{metric}"]
    dot = "o" if len(run) == 1 else ""  # a line needs two epochs
    axes.plot(run["epoch"], run[metric], f"{dot}:", color=colour, linewidth=2.5, markerfacecolor="white")
    axes.plot(run["epoch"], validation, f"{dot}-", color=colour, linewidth=3)
    if validation.notna().any():
        ring = {"markersize": 14, "markerfacecolor": "none", "markeredgecolor": colour}
        axes.plot(run["epoch"][run["kept"]], validation[run["kept"]], "o", markeredgewidth=2.5, **ring)


def _explain(axes: Axes, deck: bool) -> None:
    """One legend for all panels, in a strip of its own above them."""
    axes.set_axis_off()
    style = {"color": QUIET, "linewidth": 3}
    axes.plot([], [], "-", label="validation", **style)
    axes.plot([], [], ":", label="training", **style)
    axes.plot([], [], "o", color=QUIET, markersize=13, markerfacecolor="none", label="weights kept")
    if deck:
        axes.plot([], [], "x", color=INK, markeredgewidth=2.5, label="the deck's printed training values")
    axes.legend(loc="center left", ncols=4, borderaxespad=0, borderpad=0)


def _spread_loss(axes: Axes, losses: np.ndarray) -> None:
    """Keep a first epoch's explosion from flattening everything else: by a logarithmic axis."""
    if np.nanmax(losses) <= 3 * np.nanmedian(losses):
        axes.set_ylim(bottom=0)
        return
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda loss, _: f"{loss:,.10g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Loss (log scale)")


def _curves_title(history: pd.DataFrame, metric: str) -> str:
    last = history.sort_values("epoch").groupby(["model", "seed"]).tail(1)
    training, validation = last[metric].mean(), last[f"val_{metric}"].mean()
    ending = f"Training {metric} ends at {training:.2f}"
    return ending if np.isnan(validation) else f"{ending}, validation {metric} at {validation:.2f}"


def _spread_title(table: pd.DataFrame, metric: str) -> str:
    spread = table.groupby("model", sort=False)["value"].agg(lambda values: values.max() - values.min())
    widest = spread.idxmax()
    if spread[widest] < 0.005:
        return f"Another seed moves no {in_sentence(metric_name(metric))} by 0.01"
    what = f"{in_sentence(metric_name(metric))} of {model_name(widest)}"
    return f"Another seed moves the {what} by up to {spread[widest]:.2f}"
