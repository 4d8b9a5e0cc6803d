"""Where everything stands on a slide of 13⅓ × 7½ inches: boxes that PowerPoint and the PDF both draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from src.utils.plots.figure.style import AI, FAINT, HEIGHT, HUMAN, INK, QUIET
from src.utils.slides.slide import Number, Picture, Slide
from src.utils.slides.text import SLACK, height, largest, narrowest, wrap

WIDE, HIGH = 13.333, 7.5
"""A slide in inches, 16:9."""

WHITE = "#FFFFFF"

_MARGIN = 0.55
_ROOM = WIDE - 2 * _MARGIN
_TITLE = (_MARGIN, 0.62, _ROOM, 1.05)
_BELOW, _END, _FOOT = 1.85, 6.9, 7.07
_COLUMN, _BROAD, _GAP = 2.45, 4.6, 0.3
"""Where the figure begins and ends, and the footer begins; width of the numbers' column, beside a figure
and beside sentences, and of the gap."""

_TITLE_SIZES, _POINT_SIZES = range(30, 19, -1), range(28, 13, -1)
_VALUE, _LABEL, _INTERVAL, _SMALL = 40, 14, 13, 11
_LARGE = 120
"""Type sizes in points; the large one is for a number that stands beside sentences."""

_GAP_IN_LINES = 0.75
"""Between two points."""

_BLANK = 250
"""A row of a figure is blank where no pixel is darker."""

_LEAST_GAP = 0.11
"""Blank inches of a figure that end its title; between two lines of one title there are fewer."""


@dataclass(frozen=True)
class Box:
    """A rectangle on a slide, in inches from the upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar(Box):
    """A filled one."""

    colour: str


@dataclass(frozen=True)
class Words(Box):
    """Words in one type.

    Attributes:
        paragraphs: Lines of each.
        size: In points.
        bold: Whether they are.
        colour: Of the letters.
        gap: Between paragraphs, in inches.
        role: `title`, or `text`.
        right: Whether lines end on the right.
    """

    paragraphs: tuple[tuple[str, ...], ...]
    size: float
    bold: bool = False
    colour: str = INK
    gap: float = 0.0
    role: str = "text"
    right: bool = False


@dataclass(frozen=True)
class Shown(Box):
    """A figure; `cut` is the share of its height that is cut off above."""

    picture: Picture
    cut: float


@dataclass(frozen=True)
class Page:
    """A slide, laid out.

    Attributes:
        slide: What it says.
        boxes: From the back to the front; exactly one of them is the title.
        background: Colour.
    """

    slide: Slide
    boxes: tuple[Box, ...]
    background: str = WHITE


def lay_out(slides: list[Slide], footer: str) -> list[Page]:
    """Place everything on each slide.

    Args:
        slides: The talk.
        footer: A line for the foot of each slide but the cover; its number stands beside it.
    """
    return [
        Page(slide, tuple(_cover(slide)), INK)
        if slide.cover
        else Page(slide, (*_frame(slide, footer, number), *_body(slide)))
        for number, slide in enumerate(slides, start=1)
    ]


def title_share(path: Path) -> float:
    """The share of a figure's height that its own title takes, which the slide's title says already.

    A figure's title ends at its first broad blank band; 0 where there is none in its upper quarter.
    """
    with Image.open(path) as image:
        dark = (np.asarray(image.convert("L")) < _BLANK).any(axis=1)
    rows = dark.size
    written = np.flatnonzero(dark)
    gaps = np.flatnonzero(np.diff(written) > _LEAST_GAP * rows / HEIGHT)
    if not len(gaps) or written[gaps[0]] > rows / 4:
        return 0.0
    return float(written[gaps[0]] + written[gaps[0] + 1]) / 2 / rows


def _cover(slide: Slide) -> Iterator[Box]:
    left, room = 1.25, WIDE - 2.5
    yield Bar(0, 0, 0.4, HIGH / 2, HUMAN)
    yield Bar(0, HIGH / 2, 0.4, HIGH / 2, AI)
    yield _words((left, 1.75, room, 1.5), (slide.title,), range(72, 30, -2), True, WHITE, role="title")
    first, *others = slide.points
    yield _words((left, 3.3, room, 0.6), (first,), range(30, 15, -1), False, WHITE)
    yield _words((left, 5.4, room, 1.3), tuple(others), range(18, 11, -1), False, FAINT, gap=0.4)


def _frame(slide: Slide, footer: str, number: int) -> Iterator[Box]:
    """What every slide has: the two colours, title, footer, number."""
    yield Bar(_MARGIN, 0.4, 0.5, 0.08, HUMAN)
    yield Bar(_MARGIN + 0.5, 0.4, 0.5, 0.08, AI)
    yield _balanced(_words(_TITLE, (slide.title,), _TITLE_SIZES, True, role="title"))
    yield _words((_MARGIN, _FOOT, _ROOM - 1, 0.25), (footer,), (_SMALL,), False, QUIET)
    yield _words(
        (WIDE - _MARGIN - 0.8, _FOOT, 0.8, 0.25), (str(number),), (_SMALL,), False, QUIET, right=True
    )


def _body(slide: Slide) -> Iterator[Box]:
    if slide.picture is None:
        yield from _points(slide.points, _ROOM - (_BROAD if slide.numbers else 0))
        yield from (box for number in slide.numbers for box in _large_number(number))
        return
    yield _figure(slide.picture, _ROOM - (_COLUMN + _GAP if slide.numbers else 0), centred=not slide.numbers)
    for place, number in enumerate(slide.numbers):
        yield from _number(number, _BELOW + 0.1 + place * (_END - _BELOW) / 3)


def _points(points: tuple[str, ...], wide: float) -> Iterator[Box]:
    """Sentences below each other, each with a bar on its left."""
    left, room = _MARGIN + 0.3, (wide - 0.6, _END - _BELOW - 0.2)
    size, paragraphs = largest(points, _POINT_SIZES, False, room, _GAP_IN_LINES)
    top = _BELOW + 0.1
    for lines in paragraphs:
        high = height(len(lines), size)
        yield Bar(_MARGIN, top + 0.04, 0.06, high - 0.06, FAINT)
        yield _balanced(Words(left, top, room[0], high, (tuple(lines),), size))
        top += high + height(1, size) * _GAP_IN_LINES


def _figure(picture: Picture, room: float, centred: bool) -> Shown:
    """A figure as large as fits below the title, without its own one."""
    with Image.open(picture.path) as image:
        wide, high = image.size
    cut = title_share(picture.path)
    scale = min(room / wide, (_END - _BELOW) / (high * (1 - cut)))
    width, tall = wide * scale, high * (1 - cut) * scale
    left = _MARGIN + (room - width) / 2 if centred else _MARGIN
    return Shown(left, _BELOW, width, tall, picture, cut)


def _number(number: Number, top: float) -> Iterator[Box]:
    """A number with its interval, in the column on the right."""
    left = WIDE - _MARGIN - _COLUMN
    yield Bar(left, top - 0.1, _COLUMN, 0.02, FAINT)
    sizes = range(_VALUE, 15, -1)
    yield _words((left, top, _COLUMN, 0.7), (number.value,), sizes, True, number.colour)
    label = _balanced(_words((left, top + 0.7, _COLUMN, 0.52), (number.label,), (_LABEL, 13, 12, 11), False))
    label = replace(label, height=height(len(label.paragraphs[0]), label.size))
    yield label
    if number.interval:
        below = label.y + label.height + 0.04
        yield _words((left, below, _COLUMN, 0.25), (number.interval,), (_INTERVAL, 12, 11, 10), False, QUIET)


def _large_number(number: Number) -> Iterator[Box]:
    """The one number that sentences are about, on their right."""
    left = WIDE - _MARGIN - _BROAD + _GAP
    wide = _BROAD - _GAP
    yield _words((left, _BELOW, wide, 2.1), (number.value,), range(_LARGE, 40, -1), True, number.colour)
    yield _balanced(
        _words((left, _BELOW + 2.15, wide, 1.0), (number.label,), range(20, 13, -1), False, QUIET)
    )


def _balanced(words: Words) -> Words:
    """Make the box of a paragraph as narrow as its lines allow, so that no word stands alone on the last."""
    text = " ".join(words.paragraphs[0])
    room = narrowest(text, words.size, words.bold, words.width * SLACK)
    lines = tuple(wrap(text, words.size, words.bold, room))
    return replace(words, paragraphs=(lines,), width=room / SLACK)


def _words(
    box: tuple[float, float, float, float],
    paragraphs: tuple[str, ...],
    sizes: range | tuple[int, ...],
    bold: bool,
    colour: str = INK,
    gap: float = 0.0,
    role: str = "text",
    right: bool = False,
) -> Words:
    """Words as large as a box allows; `gap` between paragraphs in lines."""
    size, lines = largest(paragraphs, sizes, bold, box[2:], gap)
    placed = tuple(map(tuple, lines))
    return Words(*box, placed, size, bold, colour, height(1, size) * gap, role, right)
