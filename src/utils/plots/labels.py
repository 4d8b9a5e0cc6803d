"""Slides on what an ImageNet network sees: confidences, frequent labels, over-represented categories.

Every title names the network, called `labeller` here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from src.utils.plots.figure.style import (
    AI,
    CLASS_COLOURS,
    HEIGHT,
    HUMAN,
    INK,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    light_grid,
    new_figure,
)
from src.utils.settings import CLASS_NAMES

PICTURES_A_ROW = 3
PICTURES_A_SIDE = 2 * PICTURES_A_ROW

_TITLE, _TITLE_LINE, _HEADING, _NOTE = 0.65, 0.38, 0.5, 0.5
_LEFT, _RIGHT, _GAP, _CAPTION = 0.85, 0.2, 0.14, 0.24
_PICTURE = HEIGHT / 5
"""Room in inches on a category's slide: title, each further line of it, headings, note; axis, edge, between
pictures, captions; a picture, which has to be seen from the back row."""

_PLACES = ("first label", "second label", "third label")
_SIDES = (("human", HUMAN, -0.12), ("ai", AI, 0.12))


def confidence_plot(table: pd.DataFrame, labeller: str, note: str = "", title: str = "") -> Figure | str:
    """Draw the mean confidence of the first three labels, human against AI, with the deck's six numbers.

    Args:
        table: Rows for the first, second and third label: `human` and `ai`, each with `_low` and `_high`
            (NaN where unknown), `deck_human`, `deck_ai`.
        labeller: The network.
        note: Which data.
        title: Title; the first label's difference if not given.

    Returns:
        The figure; a sentence if nothing was labelled.
    """
    if table[["human", "ai"]].isna().all(axis=None):
        return "Nothing was labelled, so there is no confidence to draw."
    figure = new_figure(title or _confidence_title(table, labeller), note)
    axes = figure.subplots()
    places = np.arange(len(table))
    for (side, colour, shift), name in zip(_SIDES, CLASS_NAMES, strict=True):
        if table[side].isna().all():
            continue  # no pictures of that class
        x, mean = places + shift, table[side].to_numpy(dtype=float)
        axes.vlines(x, table[f"{side}_low"], table[f"{side}_high"], color=colour, linewidth=5)
        axes.plot(x, mean, "o", color=colour, markersize=14, label=name)
        axes.plot(
            x + np.sign(shift) * 0.11,
            table[f"deck_{side}"],
            "D",
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=2.5,
            markersize=11,
            label=f"{name} in the deck (VGG19, Kaggle)",
        )
        tops = np.where(np.isfinite(table[f"{side}_high"]), table[f"{side}_high"], mean)
        for at, top, value in zip(x, tops, mean, strict=True):
            if np.isfinite(value):
                style: dict[str, Any] = {"ha": "center", "color": colour, "fontweight": "bold"}
                axes.annotate(f"{value:.2f}", (at, top), (0, 12), textcoords="offset points", **style)
    axes.set_xticks(places, _PLACES[: len(table)])
    axes.set_xlim(-0.6, len(table) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Mean confidence")
    light_grid(axes)
    axes.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none")
    return figure


def frequent_labels_plot(table: pd.DataFrame, labeller: str, note: str = "", title: str = "") -> Figure | str:
    """Draw the most frequent first labels of each class side by side; one picture makes no frequent label.

    Args:
        table: Rows `class`, `category`, `pictures`, `groups`; the most frequent first in each class.
        labeller: The network.
        note: Which data.
        title: Title; that these are the most frequent if not given.

    Returns:
        The figure, a panel a class that has such labels; a sentence if none has.
    """
    table = table[table["pictures"] > 1]
    shown = [one for one in zip(CLASS_NAMES, CLASS_COLOURS, strict=True) if (table["class"] == one[0]).any()]
    if not shown:
        return "No label is given to two pictures of a class."
    figure = new_figure(title or f"What {labeller} sees most often", note)
    most = table["pictures"].max()
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (name, colour) in zip(panels, shown, strict=True):
        mine = table[table["class"] == name]
        axes.set_title(name, color=colour, fontweight="bold")
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        axes.barh(mine["category"], mine["pictures"], color=colour, height=0.65)
        for row, one in enumerate(mine.itertuples()):
            text = f"{one.pictures}" + (f"  ({one.groups} groups)" if one.groups < one.pictures else "")
            axes.text(one.pictures + most * 0.02, row, text, va="center", color=INK)
        axes.invert_yaxis()
        axes.set_xlim(0, most * 1.45)
        axes.tick_params(axis="y", length=0, labelsize=TEXT_SIZE + 1)
    return figure


class CategorySide(NamedTuple):
    """One class's pictures of one category.

    Attributes:
        confidence: The labeller's confidence in it, of all pictures, [n].
        groups: How many groups the pictures come from.
        shown: Positions in `confidence` of the pictures to show.
        pictures: Those pictures, uint8 [height, width, 3]; at most `PICTURES_A_SIDE`.
    """

    confidence: ArrayLike
    groups: int
    shown: Sequence[int]
    pictures: Sequence[NDArray[np.uint8]]


def category_plot(
    category: str, meaning: str, sides: Sequence[CategorySide | tuple], labeller: str, note: str = ""
) -> Figure | str:
    """Draw a category's confidence in human-made and in AI-generated pictures, the pictures under the points.

    Args:
        category: Such as `lab_coat`.
        meaning: What that is, in a line.
        sides: Human-made, AI-generated; each the four fields of a `CategorySide` in their order.
        labeller: The network.
        note: Which data.

    Returns:
        The figure, half of it for each class, or the whole for the only class that shows the category; a
        sentence if no picture does.

    Raises:
        ValueError: A side shows more pictures than fit, or not one for each position.
    """
    sides = [CategorySide(*side) for side in sides]  # pyright: ignore[reportArgumentType]
    for side in sides:
        if len(side.pictures) > PICTURES_A_SIDE or len(side.pictures) != len(side.shown):
            raise ValueError(
                f"{len(side.pictures)} pictures for {len(side.shown)} places, {PICTURES_A_SIDE} fit"
            )
    shown = [(label, side) for label, side in enumerate(sides) if len(np.asarray(side.confidence))]
    if not shown:
        return f"No picture is called {category}."
    figure = new_figure(f"{labeller} says “{category}”: {meaning}", note)
    figure.set_layout_engine("none")
    columns = PICTURES_A_ROW * (3 - len(shown))
    rows = max(-(-max(len(side.pictures) for _, side in shown) // columns), 1)
    for place, (label, side) in enumerate(shown):
        _draw_side(figure, label, side, place * WIDTH / 2, WIDTH / len(shown), rows, columns)
    return figure


def _draw_side(
    figure: Figure, label: int, side: CategorySide, start: float, wide: float, rows: int, columns: int
) -> None:
    """Draw one class, `wide` inches from `start` on: points by confidence above, numbered pictures below."""

    def add_axes(left: float, bottom: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))

    left, width = start + _LEFT, wide - _LEFT - _RIGHT
    cell = (width + _GAP) / columns
    bottom = _NOTE + rows * (_PICTURE + _CAPTION + _GAP)
    top = HEIGHT - _TITLE - _HEADING - figure.get_suptitle().count("\n") * _TITLE_LINE
    axes = add_axes(left, bottom + _GAP, width, top - bottom - _GAP)
    confidence = np.asarray(side.confidence, dtype=float)
    axes.set_title(CLASS_NAMES[label], color=CLASS_COLOURS[label], fontweight="bold")
    axes.set_title(_side_title(confidence, side.groups), loc="right", fontsize=SMALL_SIZE - 1)
    _draw_points(axes, confidence, side.shown, CLASS_COLOURS[label])
    for place, picture in enumerate(side.pictures):
        down, across = divmod(place, columns)
        at = bottom - (down + 1) * (_PICTURE + _CAPTION + _GAP) + _GAP
        frame = add_axes(left + across * cell, at, cell - _GAP, _PICTURE)
        frame.imshow(picture)
        frame.set_axis_off()
        text = f"{place + 1}: {confidence[side.shown[place]]:.2f}"
        frame.set_title(text, fontsize=SMALL_SIZE, loc="center", pad=3)


def _draw_points(axes: Axes, confidence: NDArray, shown: Sequence[int], colour: str) -> None:
    order = np.argsort(-confidence, kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(1, len(order) + 1)
    axes.axhline(confidence.mean(), color=QUIET, linewidth=2, linestyle="--")
    axes.plot(rank, confidence, "o", color=colour, alpha=0.55, markersize=10, markeredgewidth=0)
    for number, position in enumerate(shown, start=1):
        axes.annotate(
            str(number),
            (rank[position], confidence[position]),
            (0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL_SIZE,
            fontweight="bold",
        )
    axes.set_xlim(0, max(len(confidence), 5) + 1)
    axes.set_ylim(0, 1.15)
    axes.set_yticks([0, 0.5, 1])
    axes.set_xticks([])
    axes.set_ylabel("Confidence")
    light_grid(axes)


def association_plot(
    table: pd.DataFrame, labeller: str, note: str = "", title: str = "", most: int = 12, level: float = 0.05
) -> Figure | str:
    """Draw how much more often categories occur among AI-generated pictures, with exact intervals.

    Args:
        table: Tested categories, `category`, `groups_human`, `groups_ai`, `odds_ratio` (0 or infinite
            where one class never shows it), `low`, `high`, `p_adjusted`; the most certain first.
        labeller: The network.
        note: Which data.
        title: Title; how many categories differ if not given.
        most: Categories to draw at most.
        level: Corrected p-value below which a category is drawn in full colour.

    Returns:
        The figure; a sentence where no category was tested.
    """
    rows = table[np.isfinite(table["p_adjusted"])].head(most)
    if rows.empty:
        return "No category is shown by enough groups of both classes to be tested."
    figure = new_figure(title or _association_title(table, labeller, level), note)
    axes = figure.subplots()
    ends = rows[["odds_ratio", "low", "high"]].to_numpy(dtype=float).ravel()
    finite = ends[np.isfinite(ends) & (ends > 0)]
    left, right = min([*finite, 0.5]) / 2, max([*finite, 2]) * 2
    axes.axvline(1, color=QUIET, linestyle="--", linewidth=2)
    for row, one in enumerate(rows.itertuples()):
        colour = AI if one.odds_ratio > 1 else HUMAN
        certain = one.p_adjusted < level
        low, value, high = np.clip([one.low, one.odds_ratio, one.high], left, right)
        axes.plot([low, high], [row, row], color=colour, linewidth=4, alpha=1 if certain else 0.45)
        marker = {0: "<", np.inf: ">"}.get(one.odds_ratio, "o")
        face = colour if certain else "white"
        style = {"markerfacecolor": face, "markeredgewidth": 2.5, "markersize": 13}
        axes.plot(value, row, marker, color=colour, clip_on=False, zorder=4, **style)
        counts = f"{one.groups_human} human · {one.groups_ai} AI"
        axes.text(1.02, row, counts, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE)
    axes.set_yticks(range(len(rows)), rows["category"])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.xaxis.set_major_formatter(lambda odds, _: np.format_float_positional(odds, trim="-"))
    axes.set_xlabel("← more often human-made     Odds ratio (log scale)     more often AI-generated →")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=16)
    return figure


def _side_title(confidence: NDArray, groups: int) -> str:
    plural = "" if len(confidence) == 1 else "s"
    of = f" of {groups} group{'' if groups == 1 else 's'}" if groups < len(confidence) else ""
    return f"{len(confidence)} picture{plural}{of}, mean {confidence.mean():.2f}"


def _confidence_title(table: pd.DataFrame, labeller: str) -> str:
    first = table.iloc[0]
    if not np.isfinite(first["difference"]):
        side = "human" if np.isfinite(first["human"]) else "ai"
        kind = {"human": "human-made", "ai": "AI-generated"}[side]
        return f"{labeller}'s mean confidence: {first[side]:.2f} on {kind} pictures; there are no others"
    if not np.isfinite(first["difference_low"]):
        return f"{labeller}'s mean confidence: {first['ai']:.2f} on AI, {first['human']:.2f} on human-made"
    if first["difference_low"] <= 0 <= first["difference_high"]:
        return f"{labeller} is about as sure on AI-generated as on human-made pictures"
    return f"{labeller} is {'surer' if first['difference'] > 0 else 'less sure'} on AI-generated pictures"


def _association_title(table: pd.DataFrame, labeller: str, level: float) -> str:
    tested = int(np.isfinite(table["p_adjusted"]).sum())
    found = int((table["p_adjusted"] < level).sum())
    verb = "differs" if found <= 1 else "differ"
    return f"{found or 'None'} of {tested} tested categories {verb} between the classes ({labeller})"
