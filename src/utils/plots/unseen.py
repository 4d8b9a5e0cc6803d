"""What training never met: how its sources are called, what one left out costs, which kinds are stopped."""

from __future__ import annotations

from collections.abc import Sequence

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
from src.utils.settings import CLASS_NAMES

_KINDS = {1: "Generators", 0: "Photo sources"}


def unseen_plot(
    table: pd.DataFrame,
    overall: tuple[float, float],
    model: str = "",
    note: str = "",
    title: str = "",
    most: int = 16,
) -> Figure | str:
    """Draw the share called AI of each generator and of each source of photographs.

    Args:
        table: `label`, `source`, `groups`, `pictures`, `called_ai`, `called_ai_low`, `called_ai_high`.
        overall: Share called AI of all human-made and of all AI-generated pictures.
        model: Which model answered.
        note: Which data.
        title: Title; both shares if not given.
        most: Sources of each class at most, those with most pictures; the note says how many are left out.

    Returns:
        Generators on the left, where far right is good; photographs on the right, where far left is good; a
        class without sources has no panel. Without any rows, a sentence.
    """
    if table.empty:
        return "This dataset has no unseen set."
    drawn = table.sort_values("pictures", ascending=False, kind="stable").groupby("label").head(most)
    shown = [(label, name) for label, name in _KINDS.items() if (drawn["label"] == label).any()]
    more = f"{len(table) - len(drawn)} smaller sources are not drawn." if len(drawn) < len(table) else ""
    figure = new_figure(title or _unseen_title(shown, overall, model), f"{note} {more}".strip())
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (label, name) in zip(panels, shown, strict=True):
        mine = drawn[drawn["label"] == label].sort_values(["called_ai", "source"], ignore_index=True)
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
    table = table[table[["met", "left_out"]].notna().all(axis=1)]
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


def gate_plot(missed: pd.DataFrame, alarms: pd.DataFrame, note: str = "", title: str = "") -> Figure | str:
    """Draw which kinds of pictures pass the content gate, and which of the dataset's own it stops.

    Args:
        missed: A row a kind: `origin`, `kind`, `pictures`, `missed` (how many), `share`; from above.
        alarms: A row a part and class: `part`, `label`, `pictures`, `stopped` (how many), `share`,
            `share_low`, `share_high`.
        note: Which data.
        title: Title; both counts if not given.

    Returns:
        Kinds that should be stopped on the left, the dataset's pictures on the right; far left is good. A
        table without rows has no panel; a sentence if neither has any.
    """
    panels = [(table, draw) for table, draw in ((missed, _draw_kinds), (alarms, _draw_own)) if len(table)]
    if not panels:
        return "There are no pictures that the content gate could stop."
    figure = new_figure(title or _gate_title(missed, alarms), note)
    for axes, (table, draw) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, table.iloc[::-1].reset_index(drop=True))
    return figure


def _draw_kinds(axes: Axes, kinds: pd.DataFrame) -> None:
    """Draw the share of each kind that passes although it should be stopped."""
    faces = dict(zip(kinds["origin"].iloc[::-1].unique(), ("white", INK), strict=False))
    for row in kinds.itertuples():
        counts = f"{row.missed} of {row.pictures}"
        _dot_with_count(axes, row.share, row.Index, INK, counts, faces[row.origin])
    for origin, face in faces.items():
        axes.plot([], [], "o", color=face, markeredgecolor=INK, markersize=13, label=origin)
    axes.legend(loc="upper right")
    axes.set_title("Kinds that should be stopped", fontweight="bold")
    _share_axes(axes, list(kinds["kind"]), "Share that passes")


def _draw_own(axes: Axes, own: pd.DataFrame) -> None:
    """Draw the share of the dataset's own pictures that is stopped."""
    for row in own.itertuples():
        colour = CLASS_COLOURS[row.label]
        ends = [row.share_low, row.share_high]
        axes.plot(ends, [row.Index] * 2, color=colour, linewidth=5, alpha=0.5, solid_capstyle="butt")
        axes.plot(row.share, row.Index, "o", color=colour, markersize=13)
    names = [
        f"{CLASS_NAMES[row.label]},\n{row.part}: {row.stopped} of {row.pictures}" for row in own.itertuples()
    ]
    axes.set_title("Pictures of the dataset", fontweight="bold")
    _share_axes(axes, names, "Share that is stopped")


def _dot_with_count(
    axes: Axes, share: float, place: int, colour: str, text: str, face: str | None = None
) -> None:
    """A dot, and beside it what it counts, on the side where there is room."""
    axes.plot(share, place, "o", color=face or colour, markeredgecolor=colour, markersize=13)
    inside = share > 0.6
    axes.annotate(
        text,
        (share, place),
        (-14 if inside else 14, 0),
        textcoords="offset points",
        va="center",
        ha="right" if inside else "left",
        fontsize=SMALL_SIZE,
        color=QUIET,
        **on_white(),
    )


def _share_axes(axes: Axes, names: list[str], xlabel: str) -> None:
    """Rows by name from bottom to top, shares from 0 to 1 across."""
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(-0.6, max(len(names), 3) - 0.4),
        xlim=(-0.03, 1.03),
        xlabel=xlabel,
    )
    axes.tick_params(axis="y", length=0, labelsize=SMALL_SIZE + 1)
    axes.spines["left"].set_visible(False)
    percent_axis(axes.xaxis)
    light_grid(axes, "x")


def _gate_title(missed: pd.DataFrame, alarms: pd.DataFrame) -> str:
    said = []
    if len(missed):
        said.append(f"{percent(1 - missed['missed'].sum() / missed['pictures'].sum())} of what it should")
    if len(alarms):
        own = percent(alarms["stopped"].sum() / alarms["pictures"].sum())
        said.append(f"{own} of the dataset's own pictures")
    return f"The content gate stops {', and '.join(said)}"


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
        originals = f"{row.groups} original{'' if row.groups == 1 else 's'}"
        _dot_with_count(axes, row.called_ai, row.Index, colour, f"{row.pictures} from {originals}")
    _share_axes(axes, [short_name(source) for source in table["source"]], "Share called AI")


def _unseen_title(shown: Sequence[tuple[int, str]], overall: tuple[float, float], model: str) -> str:
    who = f"{model_name(model)}: " if model else ""
    words = {1: "recall {} on unseen generators", 0: "false-positive rate {}"}
    return who + ", ".join(words[label].format(percent(overall[label])) for label, _ in shown)


def _holdout_title(table: pd.DataFrame) -> str:
    worst = table.loc[table["drop"].idxmax()]
    met, left_out = (f"{worst[name]:.2f}" for name in ("met", "left_out"))
    if worst["drop"] <= 0 or met == left_out:
        return "Never having met a source costs no ROC-AUC here"
    return f"Never having met {short_name(worst['source'])} costs most: ROC-AUC {met} falls to {left_out}"
