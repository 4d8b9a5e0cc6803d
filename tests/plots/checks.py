"""What tests of figures look at: title, words, lines, and whether anything is cut off."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


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
