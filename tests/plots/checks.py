"""What tests of figures look at: title, words, lines, and whether anything is cut off."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text


def title(figure: Figure) -> str:
    """The title as one line with ordinary spaces."""
    figure.draw_without_rendering()
    return " ".join(figure.get_suptitle().split())


def words(axes: Axes) -> list[str]:
    """Texts and legend entries of a panel."""
    legend = axes.get_legend()
    return [text.get_text() for text in [*axes.texts, *(legend.get_texts() if legend else [])]]


def lines(axes: Axes) -> list[list[list[float]]]:
    """Data of every line that is not empty."""
    return [np.column_stack(line.get_data()).tolist() for line in axes.lines if len(line.get_xdata())]


def nothing_is_cut_off(figure: Figure) -> bool:
    """Whether every panel with its labels lies inside the slide."""
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        if box is not None and box.width:
            assert box.x0 >= -1 and box.y0 >= -1
            assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
    return True


def says_something(drawn: Figure | str) -> bool:
    """Whether a plot's answer is a sentence, or a figure with a title in which no panel is bare.

    No words on it may be those of a number that is none.
    """
    if isinstance(drawn, str):
        assert re.fullmatch(r"[A-Z].+\.", drawn), drawn
        return True
    assert nothing_is_cut_off(drawn)
    assert drawn.get_suptitle()
    for text in drawn.findobj(Text):
        words = text.get_text()
        assert not re.search(r"\bnan\b|\binf\b|\d[eE][-+]?\d|by up to 0\.00|estimable\)", words), words
    for axes in drawn.axes:
        shown = [artist for artist in (*axes.lines, *axes.collections, *axes.patches, *axes.images)]
        assert not axes.axison or any(map(_has_extent, shown)), f"a bare panel: {title(drawn)}"
    return True


def _has_extent(artist: Artist) -> bool:
    """Whether something is drawn with it, lines that only help to read others left out."""
    if isinstance(artist, Line2D):
        across = artist.axes is not None and artist.get_transform() != artist.axes.transData
        return not across and np.isfinite(np.asarray(artist.get_xydata(), dtype=float)).all(axis=1).any()
    if isinstance(artist, PathCollection):
        return bool(np.isfinite(np.ma.filled(artist.get_offsets(), np.nan)).all(axis=1).any())
    return True
