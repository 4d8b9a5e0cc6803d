"""One look for every figure: a slide, readable from the back row, the same two colours for the two classes.

Figures are plain `matplotlib.figure.Figure` objects, never pyplot's: nothing is shown twice in a notebook
and no screen is needed. Colours are those of Okabe and Ito (2008), "Color Universal Design", which stay
apart under the common colour-vision deficiencies.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from src.utils.datasets import DATASETS
from src.utils.estimate import Estimate

HUMAN = "#0072B2"
AI = "#D55E00"
CLASS_COLOURS = (HUMAN, AI)
"""Colour of class 0 and of class 1, in every figure."""

INK = "#1A1A1A"
QUIET = "#595959"
FAINT = "#D9D9D9"

MODEL_COLOURS = {
    "always_ai": "#6E6E6E",
    "metadata_only": "#8A6200",
    "linear_probe": "#CC79A7",
    "cnn_deck": "#3D3D3D",
    "cnn_scaled": "#009E73",
    "best": "#6A3D9A",
}
"""Colours of the models; none of them is a class's colour."""

WIDTH, HEIGHT, DPI = 12.8, 7.2, 150
"""A slide of 12.8 × 7.2 inches; at 150 dots an inch it has 1920 × 1080 pixels."""

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 22, 16, 13
"""Points on a slide 12.8 inches wide."""

_FIXED_SPACE = "\N{NO-BREAK SPACE}"

STYLE: dict[Any, Any] = {
    "figure.figsize": (WIDTH, HEIGHT),
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "axes.titlesize": TEXT_SIZE + 1,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": TEXT_SIZE,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": FAINT,
    "grid.linewidth": 1.0,
    "lines.linewidth": 3.0,
    "lines.markersize": 9,
    "text.color": INK,
    "xtick.labelsize": TEXT_SIZE - 1,
    "ytick.labelsize": TEXT_SIZE - 1,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": TEXT_SIZE - 1,
    "legend.frameon": False,
    "text.parse_math": False,  # a `$` in a name is a dollar
    "image.interpolation": "antialiased",
    "svg.fonttype": "path",
}


def use_style() -> None:
    """Make the project's look Matplotlib's default in this process."""
    matplotlib.rcParams.update(STYLE)


def new_figure(title: str = "", note: str = "", title_colour: str = INK) -> Figure:
    """Start a slide: 16:9, title on the upper left, note on the lower left, room shared out by Matplotlib.

    Args:
        title: What the figure shows, best as a finding; broken into lines of about 66 letters.
        note: Which data and how many, small print; see `data_note`.
        title_colour: Of the title.

    Returns:
        An empty figure; call its `subplots`.
    """
    use_style()
    figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.18, wspace=0.03, hspace=0.02))
    if title:
        figure.suptitle(
            wrap(title, 66),
            x=0.012,
            ha="left",
            fontsize=TITLE_SIZE,
            fontweight="bold",
            color=title_colour,
            linespacing=1.15,
        )
    if note:
        figure.supxlabel(wrap(note, 136), x=0.012, ha="left", fontsize=SMALL_SIZE, color=QUIET)
    return figure


def unbroken(text: str) -> str:
    """Keep a number on one line with its percent sign, and an interval in one piece."""
    text = re.sub(r"(?<=\d) (?=%)", _FIXED_SPACE, text)
    return re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(" ", _FIXED_SPACE), text)


def wrap(text: str, width: int) -> str:
    """Break a text into as few lines of at most `width` letters as it needs, about equally long.

    A number stays on one line with its percent sign, an interval and a word with a hyphen in one piece.
    """
    text = unbroken(text)
    lines = _lines(text, width)
    while width > 1 and len(shorter := _lines(text, width - 1)) == len(lines):
        lines, width = shorter, width - 1
    return "\n".join(lines)


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def data_note(source: str, split: str = "", pictures: int | None = None, groups: int | None = None) -> str:
    """Say what a figure rests on: "Demonstration sample, test split: 148 pictures in 37 groups."."""
    where = DATASETS[source].title if source in DATASETS else source
    where = where[:1].upper() + where[1:] + (f", {split} split" if split else "")
    counts = "" if pictures is None else f": {_count(pictures, 'picture')}"
    counts += "" if groups is None or not counts else f" in {_count(groups, 'group')}"
    return f"{where}{counts}."


NO_INTERVAL = "Without brackets: no interval can be estimated from so few originals."
"""The footnote of a figure in which a number stands without its interval."""


def brief(estimate: Estimate, digits: int = 2) -> str:
    """Write a number with its interval, `0.61 [0.44, 0.77]`, or alone where that is not estimable."""
    known = estimate.low is not None and estimate.high is not None
    return estimate.text(digits) if known or estimate.value is None else f"{estimate.value:z.{digits}f}"


def footnoted(note: str, estimates: Iterable[Estimate]) -> str:
    """Add to a note, once, that numbers stand without an interval; only where one does."""
    bare = any(one.value is not None and (one.low is None or one.high is None) for one in estimates)
    return f"{note} {NO_INTERVAL}".strip() if bare else note


def in_sentence(name: str) -> str:
    """Write a name within a sentence: `balanced accuracy`, but `ROC-AUC`."""
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def readable_on(background: Any) -> str:
    """Ink or white, whichever stands out more on a colour (contrast of WCAG 2.2)."""
    return max((INK, "white"), key=lambda colour: contrast(colour, background))


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours after WCAG 2.2: 1 for the same, 21 for black on white; text needs 4.5."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def bare(axes: Axes) -> None:
    """Take spines and ticks off a panel that holds words only."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def model_colour(model: str) -> str:
    """Colour of a model; grey if it is not one of the project's."""
    return MODEL_COLOURS.get(model, QUIET)


def percent_axis(axis: Axis) -> None:
    """Label shares from 0 to 1 as percents."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def on_white() -> dict[str, Any]:
    """Style of a text that may lie on a line: it hides the line behind it."""
    return {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5}, "zorder": 5}


def light_grid(axes: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    """Faint lines to read values by, along one axis, and no tick marks there."""
    axes.grid(True, axis=axis)
    axes.tick_params(axis=axis, length=0)
