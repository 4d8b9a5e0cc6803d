"""Sources that training never met: what share of their pictures is called AI; what leaving one out costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.utils.names import model_name, percent, short_name
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    INK,
    QUIET,
    SMALL_SIZE,
    light_grid,
    new_figure,
    on_white,
    percent_axis,
)


def unseen_plot(
    table: pd.DataFrame, overall: tuple[float, float], model: str = "", note: str = "", title: str = ""
) -> Figure | str:
    """Draw the share called AI of each generator and of each source of photographs.

    Args:
        table: `label`, `source`, `groups`, `pictures`, `called_ai`, `called_ai_low`, `called_ai_high`.
        overall: Share called AI of all human-made and of all AI-generated pictures.
        model: Which model answered.
        note: Which data.
        title: Title; both shares if not given.

    Returns:
        Generators on the left, where far right is good; photographs on the right, where far left is good.
        Without any rows, a sentence.
    """
    if table.empty:
        return "This dataset has no unseen set."
    who = f"{model_name(model)}: " if model else ""
    recall, false_positives = percent(overall[1]), percent(overall[0])
    found = f"{who}recall {recall} on unseen generators, false-positive rate {false_positives}"
    figure = new_figure(title or found, note)
    panels = figure.subplots(1, 2)
    for axes, label, name in zip(panels, (1, 0), ("Generators", "Sources of photographs"), strict=True):
        mine = table[table["label"] == label].sort_values(["called_ai", "source"], ignore_index=True)
        _draw_sources(axes, mine, CLASS_COLOURS[label])
        axes.axvline(overall[label], color=CLASS_COLOURS[label], linewidth=1.5, linestyle=":")
        axes.set_title(name, color=CLASS_COLOURS[label], fontweight="bold")
    return figure


def holdout_plot(table: pd.DataFrame, note: str = "", title: str = "") -> Figure | str:
    """Draw the AUC of each source with others of its pictures in training, and with none.

    Args:
        table: `source`, `groups`, `met`, `left_out`, `left_out_low`, `left_out_high`, `drop`; from above.
        note: Which data.
        title: Title; the largest drop if not given.

    Returns:
        The figure; without any rows, a sentence.
    """
    if table.empty:
        return "Too few of them have enough originals to be left out."
    figure = new_figure(title or _holdout_title(table), note)
    axes = figure.subplots()
    table = table.iloc[::-1].reset_index(drop=True)
    for row in table.itertuples():
        place = row.Index
        axes.plot([row.left_out_low, row.left_out_high], [place] * 2, color=INK, alpha=0.25, linewidth=9)
        axes.plot([row.met, row.left_out], [place] * 2, color=QUIET, linewidth=3)
        axes.plot(row.met, place, "o", color="white", markeredgecolor=INK, markeredgewidth=2.5, markersize=13)
        axes.plot(row.left_out, place, "o", color=INK, markersize=13)
    axes.plot(
        [], [], "o", color="white", markeredgecolor=INK, markeredgewidth=2.5, label="others of it in training"
    )
    axes.plot([], [], "o", color=INK, label="none of it in training")
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=2)
    names = [f"{short_name(row.source)} ({row.groups} originals)" for row in table.itertuples()]
    lowest = np.nanmin([0.45, *table[["met", "left_out", "left_out_low"]].to_numpy(float).ravel()])
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(-0.6, max(len(names), 3) - 0.4),
        xlim=(lowest - 0.03, 1.03),
        xlabel="ROC-AUC against human-made pictures (0.5 = chance)",
    )
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return figure


def _draw_sources(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    for row in table.itertuples():
        axes.plot(
            [row.called_ai_low, row.called_ai_high],
            [row.Index] * 2,
            color=colour,
            linewidth=5,
            alpha=0.5,
            solid_capstyle="butt",
        )
        axes.plot(row.called_ai, row.Index, "o", color=colour, markersize=13)
        inside = row.called_ai > 0.6
        axes.annotate(
            f"{row.pictures} from {row.groups} original{'' if row.groups == 1 else 's'}",
            (row.called_ai, row.Index),
            (-14 if inside else 14, 0),
            textcoords="offset points",
            va="center",
            ha="right" if inside else "left",
            fontsize=SMALL_SIZE,
            color=QUIET,
            **on_white(),
        )
    axes.set(
        yticks=range(len(table)),
        yticklabels=[short_name(source) for source in table["source"]],
        ylim=(-0.6, max(len(table), 3) - 0.4),
        xlim=(-0.03, 1.03),
        xlabel="Share called AI",
    )
    axes.tick_params(axis="y", length=0, labelsize=SMALL_SIZE + 1)
    axes.spines["left"].set_visible(False)
    percent_axis(axes.xaxis)
    light_grid(axes, "x")


def _holdout_title(table: pd.DataFrame) -> str:
    worst = table.loc[table["drop"].idxmax()]
    return (
        f"Never having met {short_name(worst['source'])} costs most: "
        f"ROC-AUC {worst['met']:.2f} falls to {worst['left_out']:.2f}"
    )
