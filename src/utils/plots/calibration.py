"""Whether probabilities mean what they say, and what a threshold costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.utils.estimate import Estimate
from src.utils.names import model_name, percent
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    QUIET,
    SMALL_SIZE,
    brief,
    footnoted,
    light_grid,
    model_colour,
    new_figure,
    percent_axis,
)

BEFORE = "#8C8C8C"
MARK_AREA = 1500
"""Area of the mark of a bin that holds every picture, in square points."""


def reliability_plot(
    tables: Mapping[str, Mapping[str, pd.DataFrame]],
    errors: Mapping[str, Mapping[str, Estimate]],
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw what was said against what was true, before and after the temperature, a panel a model.

    Args:
        tables: By model, then `before` and `after`: `probability`, `ai`, `weight`, `ai_low`, `ai_high`.
        errors: By model, then `before` and `after`: the calibration error.
        note: Which data.
        title: Title; what the temperature does to the last model if not given.

    Returns:
        Marks on the diagonal are calibrated; their area is the share of all pictures in the bin. A sentence
        if there are no pictures.
    """
    tables = {model: both for model, both in tables.items() if len(both["before"]) or len(both["after"])}
    if not tables:
        return "There are no pictures on which probabilities could be compared with what is true."
    errors = {model: errors[model] for model in tables}
    note = footnoted(note, (error for both in errors.values() for error in both.values()))
    figure = new_figure(title or _reliability_title(errors), note)
    panels = np.ravel(figure.subplots(1, len(tables), sharex=True, sharey=True, squeeze=False))
    for axes, (model, both) in zip(panels, tables.items(), strict=True):
        axes.plot([0, 1], [0, 1], "--", color=QUIET, linewidth=2)
        for when, colour, marker in (("before", BEFORE, "s"), ("after", model_colour(model), "o")):
            label = f"{when}: error {brief(errors[model][when])}"
            _draw_bins(axes, both[when], colour, marker, label)
        axes.set_title(model_name(model), color=model_colour(model), fontweight="bold")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xlabel="Predicted probability of AI")
        percent_axis(axes.xaxis)
        percent_axis(axes.yaxis)
        light_grid(axes, "both")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=SMALL_SIZE + 1, handletextpad=0.2
        )
    panels[0].set_ylabel("Share that is AI-generated")
    return figure


def threshold_plot(
    sweeps: Mapping[str, pd.DataFrame],
    threshold: float,
    band: Sequence[float],
    model: str = "",
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw how many of each class are called AI as the threshold rises, where it was set, and the band.

    Args:
        sweeps: By split, `validation` first: columns `threshold`, `false_positive_rate`, `recall`, shares.
        threshold: The one chosen.
        band: Between these two probabilities no verdict is given.
        model: Which model answered.
        note: Which data.
        title: Title; what the threshold does on the last split if not given.

    Returns:
        The figure; a sentence if no split has pictures.
    """
    sweeps = {split: sweep for split, sweep in sweeps.items() if len(sweep)}
    splits = list(sweeps)
    if not splits:
        return "There are no pictures to which a threshold could be applied."
    figure = new_figure(title or _threshold_title(sweeps[splits[-1]], splits[-1], threshold, model), note)
    axes = figure.subplots()
    axes.axvspan(*band, color=FAINT, alpha=0.6, linewidth=0, label="never a verdict")
    for split, line in zip(splits, (":", "-"), strict=False):
        sweep = sweeps[split]
        for column, colour, what in zip(
            ("false_positive_rate", "recall"), CLASS_COLOURS, ("false-positive rate", "recall"), strict=True
        ):
            if sweep[column].isna().all():
                continue  # no pictures of that class
            axes.plot(
                sweep["threshold"],
                sweep[column],
                line,
                color=colour,
                drawstyle="steps-pre",  # a picture right at the threshold is called AI
                label=f"{what}, {split}",
            )
    axes.axhline(0.05, color=QUIET, linewidth=1.5, linestyle="--")
    axes.axvline(threshold, color=INK, linewidth=2.5, label=f"threshold {threshold:.3f}")
    axes.set(
        xlim=_range_of_answers(list(sweeps.values()), (*band, threshold)),
        ylim=(-0.02, 1.02),
        xlabel="Threshold on the calibrated probability of AI",
        ylabel="Share of the class called AI",
    )
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    percent_axis(axes.yaxis)
    light_grid(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def coverage_plot(
    tables: Mapping[str, pd.DataFrame], model: str = "", asked: float = 0.8, note: str = "", title: str = ""
) -> Figure | str:
    """Draw how often a model is right when it answers, against how often it answers.

    Args:
        tables: By part, such as `test` and `unseen`: columns `answered` and `right`, shares.
        model: Which model answered.
        asked: Share of answers that has to be right.
        note: Which data.
        title: Title; what the last part shows where it answers most if not given.

    Returns:
        The figure; a sentence if nothing is ever answered.
    """
    drawn = {part: table.dropna() for part, table in tables.items()}
    if not any(map(len, drawn.values())):
        return "The model answers on no picture, so there is nothing to be right about."
    figure = new_figure(title or _coverage_title(tables, model), note)
    axes = figure.subplots()
    for (part, table), line in zip(drawn.items(), ("-", "--", ":"), strict=False):
        if table.empty:
            continue
        colour = model_colour(model) if line == "-" else INK
        axes.plot(table["answered"], table["right"], line, color=colour, marker="o", markersize=4, label=part)
    axes.axhline(asked, color=QUIET, linewidth=1.5, linestyle=":", label=f"{percent(asked)} right")
    lowest = min(table["right"].min() for table in drawn.values() if len(table))
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(min(0.45, lowest - 0.05), 1.02),
        xlabel="Share of pictures answered",
        ylabel="Right, of these",
    )
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    light_grid(axes, "both")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _coverage_title(tables: Mapping[str, pd.DataFrame], model: str) -> str:
    part, table = list(tables.items())[-1]
    widest = table.dropna().sort_values("answered").tail(1)
    who = f"{model_name(model)}: " if model else ""
    if widest.empty:
        return f"{who}no answer on the {part} pictures"
    answered, right = (percent(float(widest[name].iloc[0])) for name in ("answered", "right"))
    return f"{who}{answered} of {part} intervals lie on one side of 50 %, {right} of them on the right one"


def _draw_bins(axes: Axes, table: pd.DataFrame, colour: str, marker: str, label: str) -> None:
    axes.vlines(table["probability"], table["ai_low"], table["ai_high"], color=colour, linewidth=3, alpha=0.6)
    area = MARK_AREA * table["weight"] + 30
    axes.scatter(
        table["probability"], table["ai"], s=area, color=colour, marker=marker, alpha=0.8, linewidth=0
    )
    axes.plot([], [], marker, color=colour, label=label)


def _range_of_answers(sweeps: Sequence[pd.DataFrame], also: Sequence[float]) -> tuple[float, float]:
    """The probabilities that occur, with a margin: a cooled model answers in a narrow range."""
    answers = np.concatenate([*(sweep["threshold"] for sweep in sweeps), also])
    inside = answers[(answers >= 0) & (answers <= 1)]
    margin = max(0.05 * (inside.max() - inside.min()), 1e-4)
    return max(inside.min() - margin, 0), min(inside.max() + margin, 1)


def _reliability_title(errors: Mapping[str, Mapping[str, Estimate]]) -> str:
    model, both = list(errors.items())[-1]
    before, after = (both[when].value for when in ("before", "after"))
    if before is None or after is None:
        return "Predicted probabilities against what is true"
    return f"{model_name(model)}: calibration error {before:.2f}, after a temperature {after:.2f}"


def _threshold_title(sweep: pd.DataFrame, split: str, threshold: float, model: str) -> str:
    called = sweep[
        sweep["threshold"] >= threshold
    ]  # nothing lies between the threshold and the first of these
    row = called.iloc[0] if len(called) else 0.0 * sweep.iloc[-1]  # NaN stays: no pictures of that class
    who = f"{model_name(model)}: " if model else ""
    aim = f"{who}set for a false-positive rate of 5 %, the threshold gives"
    false, found = percent(row["false_positive_rate"]), f"a recall of {percent(row['recall'])}"
    if np.isnan(row["false_positive_rate"]):
        return f"{aim} {found} on the {split} split"
    if np.isnan(row["recall"]):
        return f"{aim} {false} on the {split} split"
    return f"{aim} {false} on the {split} split and {found}"
