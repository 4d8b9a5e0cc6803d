"""Pictures from links with the model's answers, and what another way of reading does to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.utils.names import percent
from src.utils.plots.figure.galleries import PictureRow, picture_rows
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    MODEL_COLOURS,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    light_grid,
    new_figure,
)

_SHORT = {"Human-made": "human", "AI-generated": "AI"}
_PATH_COLOURS = (INK, MODEL_COLOURS["cnn_scaled"], "#CC79A7", "#E69F00")
_PATH_MARKERS = ("o", "s", "^", "D")


def answer_card(
    picture: NDArray[np.uint8],
    answer: Mapping[str, Any],
    trust: str,
    note: str = "",
) -> Figure:
    """Draw one picture beside the model's answer.

    Args:
        picture: uint8 [height, width, 3].
        answer: `probability_ai` (0–1), `verdict`, and the ends of its interval, `probability_low` and
            `probability_high`; None or NaN without calibration.
        trust: How far the answer may be trusted, in a sentence.
        note: Which model.
    """
    probability, low, high = (answer[f"probability_{end}"] for end in ("ai", "low", "high"))
    figure = new_figure(
        f"{answer['verdict']}: the model gives AI a probability of {percent(probability)}", note
    )
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    left.imshow(picture)
    left.set_axis_off()
    right.barh(0, 1, height=0.5, color=FAINT)
    if not pd.isna([low, high]).any():
        right.barh(0, high - low, left=low, height=0.5, color=QUIET, alpha=0.35)
        said = f"{percent(low)} to {percent(high)}"
        right.text((low + high) / 2, -0.3, said, ha="center", va="top", fontsize=SMALL_SIZE, color=QUIET)
    right.plot([probability] * 2, [-0.25, 0.25], color=CLASS_COLOURS[int(probability >= 0.5)], linewidth=8)
    right.text(0, 0.32, "human-made", color=CLASS_COLOURS[0], fontsize=TEXT_SIZE, fontweight="bold")
    right.text(
        1, 0.32, "AI-generated", color=CLASS_COLOURS[1], fontsize=TEXT_SIZE, fontweight="bold", ha="right"
    )
    right.text(0, -0.75, trust, fontsize=TEXT_SIZE, color=INK, va="top", wrap=True)
    right.set(xlim=(-0.02, 1.02), ylim=(-1.8, 1.2))
    right.set_axis_off()
    return figure


def answer_gallery(
    pictures: Sequence[NDArray[np.uint8]], answers: pd.DataFrame, note: str = "", most: int = 6
) -> Figure | str:
    """Draw pictures with their answers, right ones apart from wrong ones.

    Where the truth is not known there is a row for each verdict instead.

    Args:
        pictures: One for each row of `answers`.
        answers: `probability_ai`, `verdict`, and the truth as `truth` (a class name, or empty).
        note: Which data and model.
        most: Most to show in each row.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    if answers.empty:
        return "No picture was read from a link."
    known = (answers["truth"] != "").all()
    right = answers["truth"] == answers["label"]
    heading = right.map({True: "Right", False: "Wrong"}) if known else answers["verdict"]
    rows = []
    for name in sorted(set(heading)):
        chosen = np.flatnonzero(heading == name)
        captions = [
            percent(one.probability_ai) + (f", {_SHORT[one.truth]}" if known else "")
            for one in answers.iloc[chosen[:most]].itertuples()
        ]
        rows.append(PictureRow(f"{name} ({len(chosen)})", [pictures[at] for at in chosen[:most]], captions))
    links = f"{len(answers)} link{'' if len(answers) == 1 else 's'}"
    title = f"{right.sum()} of {links} answered right" if known else f"Answers to {links}"
    under = "Under each picture: probability of AI" + (", and what it is." if known else ".")
    return picture_rows(rows, title, f"{under} {note}")


def read_path_plot(answers: pd.DataFrame, note: str = "", title: str = "") -> Figure | str:
    """Draw the probability of each picture under each way of reading it.

    Args:
        answers: A row a picture, a column a way of reading; sorted here by the first column.
        note: Which data and model.
        title: Title; the finding if not given.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    if answers.empty:
        return "There are no pictures to read in several ways."
    answers = answers.sort_values(answers.columns[0], kind="stable")
    figure = new_figure(title or _path_title(answers), note)
    axes = figure.subplots()
    rows = np.arange(len(answers))
    axes.hlines(rows, answers.min(axis=1), answers.max(axis=1), color=FAINT, linewidth=3)
    for name, colour, marker in zip(answers.columns, _PATH_COLOURS, _PATH_MARKERS, strict=True):
        axes.plot(answers[name], rows, marker, color=colour, markersize=11, label=name, alpha=0.9)
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=2)
    low, high = min(answers.min(axis=None), 0.5), max(answers.max(axis=None), 0.5)
    margin = max(0.03 * (high - low), 1e-4)  # a network that knows little answers within a narrow range
    axes.set(xlim=(low - margin, high + margin), yticks=[], xlabel="Probability of AI", ylabel="Pictures")
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    light_grid(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(answers.columns), borderaxespad=0.3)
    return figure


def _path_title(answers: pd.DataFrame) -> str:
    moved = (answers >= 0.5).ne(answers.iloc[:, 0] >= 0.5, axis=0).sum()
    if moved.any():
        return f"Read as “{moved.idxmax()}”, {moved.max()} of {len(answers)} pictures change their answer"
    most = answers.sub(answers.iloc[:, 0], axis=0).abs().max(axis=None)
    return f"No way of reading changes an answer; probabilities move by at most {100 * most:.1f} points"
