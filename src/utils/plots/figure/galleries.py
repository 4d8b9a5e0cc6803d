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

from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    HEIGHT,
    INK,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    new_figure,
)
from src.utils.settings import CLASS_NAMES

Picture = NDArray[np.uint8]


_MARGIN, _GAP, _TITLE, _NAME, _CAPTION, _NOTE = 0.012 * WIDTH, 0.12, 0.75, 0.42, 0.34, 0.5
_NONE, _TITLE_LINE = 0.5, 0.4
"""Room in inches: around all, between pictures, for the title and each further line of it, a row's name,
captions and the note."""


@dataclass(frozen=True)
class PictureRow:
    """One row of a gallery.

    Attributes:
        name: What the row holds, written above it; nothing is written if it is empty.
        pictures: The pictures, left to right; a row without any says "none".
        captions: A line under each picture; none if empty.
        colour: Of the name.
    """

    name: str
    pictures: Sequence[Picture]
    captions: Sequence[str] = ()
    colour: str = INK


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
    words += sum(_NONE for row in rows if not row.pictures)
    filled = max(sum(1 for row in rows if row.pictures), 1)
    columns = max([len(row.pictures) for row in rows] + [1])
    high, wide = (room - words) / filled - _GAP, (WIDTH - 2 * _MARGIN + _GAP) / columns - _GAP
    side, spare = min(high, wide), max(high - wide, 0)
    for row in rows:
        top = _draw_row(figure, row, top, side) - _GAP - spare
    return figure


def class_examples(
    human: Sequence[Picture],
    ai: Sequence[Picture],
    captions: tuple[Sequence[str], Sequence[str]] = ((), ()),
    title: str = "Can you tell which is which?",
    note: str = "",
) -> Figure:
    """Draw a row of human-made pictures above a row of AI-generated ones, as the deck did with five each."""
    named = zip(CLASS_NAMES, (human, ai), captions, CLASS_COLOURS, strict=True)
    return picture_rows([PictureRow(*row) for row in named], title, note)


def picture_wall(
    pictures: Sequence[Picture], label: int, columns: int = 8, title: str = "", note: str = ""
) -> Figure:
    """Draw many pictures of one class, row by row.

    Args:
        pictures: The pictures.
        label: Their class, 0 or 1.
        columns: Pictures a row.
        title: Title; the class and the number of pictures if not given.
        note: Which data.
    """
    rows = [PictureRow("", pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    title = title or f"{CLASS_NAMES[label]}: {len(pictures)} examples"
    return picture_rows(rows or [PictureRow("", ())], title, note, CLASS_COLOURS[label])


def mistakes(
    pictures: Sequence[Picture],
    label: ArrayLike,
    probability: ArrayLike,
    totals: tuple[int, int],
    shown: int = 5,
    note: str = "",
) -> Figure:
    """Draw the most confident mistakes: photographs called AI above, missed AI-generated pictures below.

    Args:
        pictures: Wrongly answered pictures in the order to show them, [n].
        label: Their true classes, [n].
        probability: Their probabilities of class 1, [n].
        totals: How many false positives and false negatives there are in all.
        shown: Most to show of each.
        note: Which data and which model.
    """
    label, probability = np.asarray(label), np.asarray(probability, dtype=float)
    rows = []
    names = ("Human-made, but called AI", "AI-generated, but called human-made")
    for one, name in enumerate(names):
        mine = np.flatnonzero(label == one)[:shown]
        captions = [f"P(AI) = {100 * probability[row]:.0f} %" for row in mine]
        chosen = [pictures[row] for row in mine]
        rows.append(PictureRow(f"{name} ({totals[one]} in all)", chosen, captions, CLASS_COLOURS[one]))
    title = f"The most confident of {_count(totals[0], 'false alarm')} and {_count(totals[1], 'miss', 'es')}"
    return picture_rows(rows, title, note)


def _draw_row(figure: Figure, row: PictureRow, top: float, side: float) -> float:
    """Draw one row below `top`, in square cells of `side`, and say where it ends (inches from below)."""

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / WIDTH, y / HEIGHT, text, va="top", **style)

    if row.name:
        write(_MARGIN, top, row.name, fontsize=TEXT_SIZE + 2, fontweight="bold", color=row.colour)
        top -= _NAME
    if not row.pictures:
        write(_MARGIN, top, "none", fontsize=TEXT_SIZE + 2, color=QUIET)
        return top - _NONE
    for number, picture in enumerate(row.pictures):
        left = _MARGIN + number * (side + _GAP)
        place = (left / WIDTH, (top - side) / HEIGHT, side / WIDTH, side / HEIGHT)
        axes = figure.add_axes(place, anchor="N")
        axes.imshow(picture)
        axes.set_axis_off()
        if row.captions:
            shown = side * min(1, picture.shape[0] / picture.shape[1])
            middle = left + side / 2
            write(middle, top - shown - 0.06, row.captions[number], ha="center", fontsize=SMALL_SIZE + 1)
    return top - side - (_CAPTION if row.captions else 0)


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else plural}"
