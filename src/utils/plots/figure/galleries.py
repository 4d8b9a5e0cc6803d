"""Pictures in rows: examples, pairs, mistakes.

Pictures are uint8 arrays [height, width, 3] of any size and shape; they are shown whole, never cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from src.utils.names import percent
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    HEIGHT,
    INK,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    new_figure,
)
from src.utils.settings import CLASS_NAMES

Picture = NDArray[np.uint8]

SURE = 0.6
"""Confidence below which no answer is called confident."""

_MARGIN, _GAP, _TITLE, _NAME, _CAPTION, _NOTE = 0.012 * WIDTH, 0.12, 0.75, 0.42, 0.34, 0.5
_TITLE_LINE = 0.4
"""Room in inches: around all, between pictures, for the title, a row's name, captions and the note; for each
further line of the title."""


@dataclass(frozen=True)
class PictureRow:
    """One row of a gallery.

    Attributes:
        name: What the row holds, written above it; nothing is written if it is empty.
        pictures: The pictures, left to right; at least one.
        captions: A line under each picture; none if empty.
        colour: Of the name.
        caption_colours: Of each caption; ink if empty.
    """

    name: str
    pictures: Sequence[Picture]
    captions: Sequence[str] = ()
    colour: str = INK
    caption_colours: Sequence[str] = ()


def picture_rows(
    rows: Sequence[PictureRow], title: str = "", note: str = "", title_colour: str = INK
) -> Figure:
    """Draw rows of pictures in square cells as large as fit.

    Args:
        rows: At least one row.
        title: What is to be seen.
        note: Which data.
        title_colour: Of the title.

    Raises:
        ValueError: A row has captions, but not one for each picture.
    """
    for row in rows:
        if len(row.captions) not in (0, len(row.pictures)):
            raise ValueError(f"row {row.name!r}: {len(row.captions)} captions, {len(row.pictures)} pictures")
    figure = new_figure(title, note, title_colour)
    figure.set_layout_engine("none")
    more_lines = figure.get_suptitle().count("\n")
    top = HEIGHT - (_TITLE + more_lines * _TITLE_LINE if title else _MARGIN)
    room = top - (_NOTE if note else _MARGIN)
    words = sum((_NAME if row.name else 0) + (_CAPTION if row.captions else 0) for row in rows)
    columns = max(len(row.pictures) for row in rows)
    high, wide = (room - words) / len(rows) - _GAP, (WIDTH - 2 * _MARGIN + _GAP) / columns - _GAP
    side, spare = min(high, wide), max(high - wide, 0)
    for row in rows:
        top = _draw_row(figure, row, top, side) - _GAP - spare
    return figure


def guessing_gallery(
    pictures: Sequence[Picture], label: Sequence[int], answered: bool, note: str = "", columns: int = 5
) -> Figure | str:
    """Draw numbered pictures of both classes to guess at; or the same ones, each with its class.

    Args:
        pictures: In the order to show them.
        label: Their classes, [n].
        answered: Whether each shows what it is.
        note: Which data.
        columns: Pictures a row.

    Returns:
        The figure; a sentence if there is one class only, so that there is nothing to guess.
    """
    if len(set(label)) < 2:
        return "There are pictures of one class only, so there is nothing to guess."
    captions = [f"{at}: {CLASS_NAMES[one]}" if answered else f"{at}" for at, one in enumerate(label, start=1)]
    colours = [CLASS_COLOURS[one] for one in label] if answered else []
    rows = [
        PictureRow(
            "", pictures[at : at + columns], captions[at : at + columns], INK, colours[at : at + columns]
        )
        for at in range(0, len(pictures), columns)
    ]
    title = f"{sum(label)} of these {len(pictures)} pictures were made by a generator"
    title += ": the answers" if answered else ". Which?"
    return picture_rows(rows, title, note)


def picture_wall(
    pictures: Sequence[Picture], label: int, columns: int = 6, title: str = "", note: str = ""
) -> Figure | str:
    """Draw many pictures of one class, row by row.

    Args:
        pictures: The pictures.
        label: Their class, 0 or 1.
        columns: Pictures a row.
        title: Title; the class and the number of pictures if not given.
        note: Which data.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    if not len(pictures):
        return f"There are no {('human-made', 'AI-generated')[label]} pictures."
    rows = [PictureRow("", pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    title = title or f"{CLASS_NAMES[label]}: {_count(len(pictures), 'example')}"
    return picture_rows(rows, title, note, CLASS_COLOURS[label])


def mistakes(
    pictures: Sequence[Picture],
    label: ArrayLike,
    probability: ArrayLike,
    totals: tuple[int, int],
    shown: int = 5,
    note: str = "",
) -> Figure | str:
    """Draw the most confident mistakes: photographs called AI above, missed AI-generated pictures below.

    Args:
        pictures: Wrongly answered pictures in the order to show them, [n].
        label: Their true classes, [n].
        probability: Their probabilities of class 1, [n].
        totals: How many false positives and false negatives there are in all.
        shown: Most to show of each.
        note: Which data and which model.

    Returns:
        The figure, a row a kind of mistake that occurs; a sentence if there is no mistake.
    """
    label, probability = np.asarray(label), np.asarray(probability, dtype=float)
    if not len(label):
        return "No picture is answered wrongly."
    rows = []
    names = ("Human-made, but called AI", "AI-generated, but called human-made")
    for one, name in enumerate(names):
        mine = np.flatnonzero(label == one)[:shown]
        if not len(mine):
            continue
        captions = [f"P(AI) = {100 * probability[row]:.0f} %" for row in mine]
        chosen = [pictures[row] for row in mine]
        rows.append(PictureRow(f"{name} ({totals[one]} in all)", chosen, captions, CLASS_COLOURS[one]))
    return picture_rows(rows, _mistakes_title(totals, np.max([probability, 1 - probability])), note)


def _mistakes_title(totals: tuple[int, int], surest: float) -> str:
    """Count the mistakes, and call them confident only where one is."""
    counts = f"{_count(totals[0], 'false positive')} and {_count(totals[1], 'false negative')}"
    if surest < SURE:
        return f"{counts}, none with more than {percent(surest)} confidence"
    return f"The most confident of {counts}"


def _draw_row(figure: Figure, row: PictureRow, top: float, side: float) -> float:
    """Draw one row below `top`, in square cells of `side`, and say where it ends (inches from below)."""

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / WIDTH, y / HEIGHT, text, va="top", **style)

    if row.name:
        write(_MARGIN, top, row.name, fontsize=TEXT_SIZE + 2, fontweight="bold", color=row.colour)
        top -= _NAME
    for number, picture in enumerate(row.pictures):
        left = _MARGIN + number * (side + _GAP)
        place = (left / WIDTH, (top - side) / HEIGHT, side / WIDTH, side / HEIGHT)
        axes = figure.add_axes(place, anchor="N")
        axes.imshow(picture)
        axes.set_axis_off()
        if row.captions:
            shown = side * min(1, picture.shape[0] / picture.shape[1])
            middle = left + side / 2
            colour = row.caption_colours[number] if row.caption_colours else INK
            style = {"ha": "center", "fontsize": SMALL_SIZE + 1, "color": colour}
            write(middle, top - shown - 0.06, row.captions[number], **style)
    return top - side - (_CAPTION if row.captions else 0)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
