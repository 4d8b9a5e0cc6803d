"""How wide words are, and how large they may be: measured in DejaVu Sans, which comes with Matplotlib.

PowerPoint is told Verdana, whose letters are as wide; the PDF embeds DejaVu Sans itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

from src.utils.plots.figure.style import unbroken

LINE = 1.22
"""Height of a line in its type size."""

SLACK = 0.96
"""Share of a box's width that is filled, since another machine's letters may be a little wider."""

_UNITS = 1000


def font_file(bold: bool) -> Path:
    """Where Matplotlib keeps DejaVu Sans."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_file(bold)), _UNITS, layout_engine=ImageFont.Layout.BASIC)


def width(text: str, size: float, bold: bool = False) -> float:
    """Width of a text in inches; `size` in points."""
    return _font(bold).getlength(text) / _UNITS * size / 72


def wrap(text: str, size: float, bold: bool, room: float) -> list[str]:
    """Break a text into lines that fit; a word wider than the room is broken where it must be.

    Args:
        text: One paragraph.
        size: In points.
        bold: Whether it is.
        room: In inches.
    """
    lines = [""]
    for word in unbroken(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if width(longer, size, bold) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
        while width(lines[-1], size, bold) > room and len(lines[-1]) > 1:
            long = lines.pop()
            ends = (end for end in range(2, len(long)) if width(long[:end], size, bold) > room)
            fits = next(ends, len(long)) - 1
            lines += [long[:fits], long[fits:]]
    return lines


def height(lines: int, size: float) -> float:
    """Height of some lines in inches."""
    return lines * size * LINE / 72


def largest(
    paragraphs: Sequence[str], sizes: Iterable[float], bold: bool, room: tuple[float, float], gap: float = 0
) -> tuple[float, list[list[str]]]:
    """Choose the largest size at which some paragraphs fit; their apostrophes become those of print.

    Args:
        paragraphs: At least one.
        sizes: In points, the largest first; at the last one, lines that do not fit are cut off.
        bold: Whether they are.
        room: Width and height in inches.
        gap: Between paragraphs, in lines.

    Returns:
        The size, and the lines of each paragraph.
    """
    printed = [one.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") for one in paragraphs]
    for size in sizes:
        lines = [wrap(one, size, bold, room[0] * SLACK) for one in printed]
        if height(sum(map(len, lines)), size) + height(1, size) * gap * (len(lines) - 1) <= room[1]:
            return size, lines
    most = max(int(room[1] / height(1, size) - gap * (len(lines) - 1)), 1)
    kept = []
    for one in lines:
        if most > 0:
            kept.append(one[:most])
        most -= len(one)
    if most < 0:
        kept[-1][-1] = f"{kept[-1][-1][:-1].rstrip()}…"
    return size, kept


def narrowest(text: str, size: float, bold: bool, room: float, step: float = 0.1) -> float:
    """The least room, in steps of some inches, that takes no more lines than `room` does."""
    lines = len(wrap(text, size, bold, room))
    while room > 1 and len(wrap(text, size, bold, room - step)) == lines:
        room -= step
    return room
