"""Slides on mistakes: how sure the model was, what they share, where they are, what a threshold costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from src.utils.names import percent, short_name
from src.utils.plots.evaluation import LEAST_SPREAD, no_spread
from src.utils.plots.figure.galleries import SURE, Picture, PictureRow, picture_rows
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    FAINT,
    INK,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    light_grid,
    new_figure,
    on_white,
    percent_axis,
)

OUTCOMES = (
    ("true negative", "human-made,\nrecognised", 0),
    ("false positive", "human-made,\ncalled AI", 0),
    ("false negative", "AI-generated,\nmissed", 1),
    ("true positive", "AI-generated,\nrecognised", 1),
)
"""Outcome, its words and its class, from top to bottom."""

_NOT_AI, _CALLED_AI = ("true negative", "false negative"), ("false positive", "true positive")
"""Outcomes by answer."""

KINDS = ("false positives", "false negatives")
MAX_PANELS = 10

GALLERY = 10
"""Pictures in a gallery of mistakes at most."""

MIN_COMPARED = 5
"""Groups that two values must have before accuracies by value are worth a figure."""

_MIN_SPAN = 1e-6
"""A property that varies by less does so by rounding only."""

_WORD = 17  # letters that fit below a picture beside its probability

_TIGHT = {"fontsize": SMALL_SIZE, "handlelength": 1.2, "handletextpad": 0.5, "columnspacing": 1.2}


def outcome_plot(
    outcome: ArrayLike, probability: ArrayLike, model: str = "", note: str = "", title: str = ""
) -> Figure | str:
    """Draw how sure the model was, by class and outcome: every picture a dot, the median a line.

    Args:
        outcome: `true negative`, `false positive`, `false negative` or `true positive`, [n].
        probability: Probabilities of class 1, [n].
        model: What the model is called.
        note: Which data.
        title: Title; the median confidence of wrong and right answers if not given.

    Returns:
        The figure; a sentence if the probabilities hardly differ.
    """
    outcome, probability = np.asarray(outcome, dtype=str), np.asarray(probability, dtype=float)
    if not len(outcome) or np.ptp(probability) < LEAST_SPREAD:
        return no_spread(probability)
    confidence = np.maximum(probability, 1 - probability)
    wrong = np.isin(outcome, ("false positive", "false negative"))
    figure = new_figure(title or _outcome_title(outcome, confidence, wrong, model), note)
    axes = figure.subplots()
    for row, (name, _, label) in enumerate(OUTCOMES):
        mine = np.sort(confidence[outcome == name])
        light = name.startswith("true")
        axes.plot(
            mine,
            row + _spread(len(mine)),
            "o",
            color=CLASS_COLOURS[label],
            alpha=0.35 if light else 0.9,
            markersize=8 if len(mine) < 500 else 3,
            markeredgewidth=0,
        )
        if len(mine):
            axes.vlines(np.median(mine), row - 0.36, row + 0.36, color=INK, linewidth=4, zorder=4)
        axes.text(1.01, row, f"{len(mine):,}", va="center", transform=axes.get_yaxis_transform())
    axes.set_yticks(range(4), [words for _, words, _ in OUTCOMES])
    axes.set(xlim=(0.49, 1.005), ylim=(3.5, -0.5), xlabel="Confidence in the answer")
    axes.tick_params(axis="y", length=0)
    percent_axis(axes.xaxis)
    light_grid(axes, "x")
    return figure


def error_gallery(
    pictures: Sequence[Picture],
    probability: ArrayLike,
    label: int,
    total: int,
    below: Sequence[str] = (),
    note: str = "",
) -> Figure | str:
    """Draw the mistakes on one class that the model was surest of, the surest first.

    Args:
        pictures: uint8 [height, width, 3], at most `GALLERY` of them.
        probability: Their probabilities of class 1.
        label: Their true class.
        total: Mistakes on this class in all.
        below: A word or two under each, such as its category.
        note: Which data and which model.

    Returns:
        The figure; a sentence if there is no such mistake.
    """
    if not len(pictures):
        return f"No {('human-made', 'AI-generated')[label]} picture is answered wrongly."
    title = _gallery_title(label, np.asarray(probability, dtype=float), total)
    captions = [percent(one) for one in np.asarray(probability, dtype=float)]
    if len(below):
        words = [word if len(word) <= _WORD else f"{word[: _WORD - 1]}…" for word in below]
        captions = [" · ".join(filter(None, both)) for both in zip(captions, words, strict=True)]
    columns = len(pictures) if len(pictures) < 4 else -(-len(pictures) // 2)
    rows = [
        PictureRow("", pictures[start : start + columns], captions[start : start + columns])
        for start in range(0, len(pictures), columns)
    ]
    note = f"Below each picture: probability of AI. {note}"
    return picture_rows(rows, title, note, CLASS_COLOURS[label])


def effects_plot(effects: pd.DataFrame, note: str = "", title: str = "", level: float = 0.05) -> Figure | str:
    """Draw how the properties of wrong answers differ from those of right ones, within each class.

    Args:
        effects: Rows `errors` (of `KINDS`), `property`, `delta`, `low`, `high` (NaN where not estimable),
            `p_adjusted` (NaN where not tested), `wrong`, `right`.
        note: Which data.
        title: Title; how many properties differ if not given.
        level: Corrected p-value below which a mark is filled.

    Returns:
        The figure, a panel a kind that can be compared; a sentence where nothing could be tested.
    """
    if effects.empty:
        return "In neither class are there both wrong and right answers to compare."
    if effects["p_adjusted"].isna().all():
        return "Too few groups are wrong or right to test what wrong answers share."
    figure = new_figure(title or _effects_title(effects, level), note)
    names = list(dict.fromkeys(effects["property"]))
    shown = [kind for kind in KINDS if (effects["errors"] == kind).any()]
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, shown, strict=True):
        mine, label = effects[effects["errors"] == kind], KINDS.index(kind)
        axes.set_title(kind.capitalize(), color=CLASS_COLOURS[label], fontweight="bold")
        axes.axvline(0, color=QUIET, linestyle="--", linewidth=2)
        for one in mine.itertuples():
            row, certain = names.index(one.property), one.p_adjusted < level
            axes.plot([one.low, one.high], [row, row], color=CLASS_COLOURS[label], linewidth=5, alpha=0.5)
            face = CLASS_COLOURS[label] if certain else "white"
            style = {"markerfacecolor": face, "markeredgewidth": 3, "markersize": 13}
            axes.plot(one.delta, row, "o", color=CLASS_COLOURS[label], clip_on=False, **style)
        axes.set(xlim=(-1, 1), xlabel="← wrong answers have less      more →")
        axes.tick_params(axis="y", length=0)
        light_grid(axes, "x")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def accuracy_bins_plot(bins: pd.DataFrame, overall: float, note: str = "", title: str = "") -> Figure | str:
    """Draw accuracy against each property, in bins: dots, and intervals where estimable.

    Args:
        bins: Rows `property`, `from`, `to`, `groups`, `accuracy`, `low`, `high`, in order; the first
            `MAX_PANELS` properties are drawn.
        overall: Accuracy over all pictures.
        note: Which data.
        title: Title.

    Returns:
        The figure; a sentence where there are no bins.
    """
    ends = bins.groupby("property", sort=False).agg({"from": "min", "to": "max"})
    names = ends.index[(ends["to"] - ends["from"]) > _MIN_SPAN].tolist()[:MAX_PANELS]
    if not names:
        return "No property differs between the pictures."
    figure = new_figure(title or "Is the model better on some pictures than on others?", note)
    columns = -(-len(names) // 2) if len(names) > 2 else len(names)
    panels = np.ravel(figure.subplots(-(-len(names) // columns), columns, sharey=True, squeeze=False))
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        mine = bins[bins["property"] == name]
        places = np.arange(len(mine))
        axes.axhline(overall, color=QUIET, linestyle="--", linewidth=2)
        axes.vlines(places, mine["low"], mine["high"], color=INK, linewidth=5, alpha=0.35)
        axes.plot(places, mine["accuracy"], "o-", color=INK, markersize=11, linewidth=2)
        axes.set_title(name, fontsize=TEXT_SIZE, fontweight="bold")
        axes.set_xticks(
            places, _range_labels(mine["from"].to_numpy(), mine["to"].to_numpy()), fontsize=SMALL_SIZE
        )
        axes.set_xlim(-0.6, len(mine) - 0.4)
        axes.set_ylim(0, 1.05)
        percent_axis(axes.yaxis)
        light_grid(axes)
    figure.supylabel("Accuracy", fontsize=TEXT_SIZE)
    return figure


def accuracy_by_plot(
    table: pd.DataFrame, what: str, overall: float, note: str = "", title: str = "", most: int = 12
) -> Figure | str:
    """Draw accuracy for each value of something, with the numbers of pictures.

    Args:
        table: Rows `value`, `human`, `ai` (pictures), `groups`, `accuracy`, `low`, `high`.
        what: What the values are, such as "subject".
        overall: Accuracy over all pictures.
        note: Which data.
        title: Title; the best and the worst value if not given.
        most: Values to draw at most, the first ones; from the lowest accuracy to the highest.

    Returns:
        The figure; a sentence where not two values have `MIN_COMPARED` groups.
    """
    if np.count_nonzero(table["groups"] >= MIN_COMPARED) < 2:
        return f"Nothing to compare by {what}: not two of them have {MIN_COMPARED} groups."
    rows = table.head(most).sort_values("accuracy", kind="stable")
    figure = new_figure(title or _by_title(rows, what), note)
    axes = figure.subplots()
    axes.axvline(overall, color=QUIET, linestyle="--", linewidth=2)
    for row, one in enumerate(rows.itertuples()):
        axes.plot([0, one.accuracy], [row, row], color=FAINT, linewidth=3, zorder=1)
        axes.plot([one.low, one.high], [row, row], color=INK, linewidth=6, alpha=0.35)
        axes.plot(one.accuracy, row, "o", color=INK, markersize=13, clip_on=False)
        counts = f"{one.human:,} human · {one.ai:,} AI ({one.groups:,} group{'' if one.groups == 1 else 's'})"
        axes.text(1.04, row, counts, va="center", fontsize=SMALL_SIZE, clip_on=False)
    axes.text(overall, -0.75, f"all: {percent(overall)}", ha="center", color=QUIET, **on_white())
    axes.set_yticks(range(len(rows)), [short_name(str(value)) for value in rows["value"]])
    axes.set(xlim=(0, 1.02), ylim=(-1.1, len(rows) - 0.4), xlabel="Accuracy")
    axes.tick_params(axis="y", length=0, pad=12)
    percent_axis(axes.xaxis)
    return figure


def threshold_plot(
    sweep: pd.DataFrame,
    curve: pd.DataFrame,
    share_ai: float,
    threshold: float = 0.5,
    model: str = "",
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw what every threshold costs, and precision against recall.

    Args:
        sweep: Rows `threshold`, `accuracy`, `fpr`, `recall`; NaN where not defined.
        curve: Rows `recall`, `precision`; none if there is one class only.
        share_ai: Share of AI-generated pictures: what precision would be by guessing.
        threshold: The one in use.
        model: What the model is called.
        note: Which data.
        title: Title.

    Returns:
        The figure; a sentence if there is one class only, whose answers a threshold cannot trade, or if all
        pictures have about the same probability.
    """
    if curve.empty or sweep[["fpr", "recall"]].isna().all().any():
        return "A threshold trades one class for the other, and there are pictures of one class only."
    moving = sweep.loc[(sweep[["fpr", "recall"]].diff().abs() > 0).any(axis=1), "threshold"]
    if moving.empty or np.ptp(moving) < LEAST_SPREAD:
        return "All probabilities are about the same: any other threshold gives every picture one answer."
    figure = new_figure(title or f"{model or 'The model'}: what another threshold would buy and cost", note)
    left, right = figure.subplots(1, 2)
    human, ai = CLASS_COLOURS
    for name, values, colour in (
        ("accuracy", sweep["accuracy"], INK),
        ("false-positive rate", sweep["fpr"], human),
        ("AI missed", 1 - sweep["recall"], ai),
    ):
        left.plot(sweep["threshold"], values, color=colour, label=name)
    left.axvline(threshold, color=QUIET, linestyle="--", linewidth=2)
    left.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Called AI from this probability on", ylabel="Share")
    right.axhline(share_ai, color=QUIET, linestyle="--", linewidth=2, label="guessing")
    drawn = curve[curve["recall"] > 0]
    right.step(drawn["recall"], drawn["precision"], where="post", color=ai, label="the model")
    right.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Recall: AI-generated found", ylabel="Precision")
    for axes in (left, right):
        percent_axis(axes.xaxis)
        percent_axis(axes.yaxis)
        light_grid(axes)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, **_TIGHT)
    left.xaxis.set_major_formatter("{x:.1f}")
    return figure


def _spread(count: int) -> np.ndarray:
    """Offsets that keep neighbouring dots apart: a fixed sequence, so that a figure has the same bytes."""
    golden = 0.5 * (np.sqrt(5) - 1)
    return 0.6 * ((np.arange(count) * golden) % 1 - 0.5)


def _range_labels(low: np.ndarray, high: np.ndarray) -> list[str]:
    """Write what each bin spans, in digits that suit the whole range; of many, the outer two."""
    digits = max(0, 1 - int(np.floor(np.log10(high.max() - low.min()))))
    ends = [
        f"{a:z,.{digits}f}" + ("" if a == b else f"–\n{b:z,.{digits}f}")
        for a, b in zip(low, high, strict=True)
    ]
    return [one if len(ends) <= 3 or place in (0, len(ends) - 1) else "" for place, one in enumerate(ends)]


def _gallery_title(label: int, probability: np.ndarray, total: int) -> str:
    """How many mistakes there are, and that they are the surest only where one is sure."""
    what = ("Human-made, but called AI", "AI-generated, but called human-made")[label]
    surest = np.max([probability, 1 - probability])
    if surest < SURE:
        return f"{what}: {total:,} in all, none with more than {percent(surest)} confidence"
    if len(probability) < total:
        return f"{what}: {total:,} mistakes, the surest of each original"
    return f"{what}: {total:,} in all"


def _outcome_title(outcome: np.ndarray, confidence: np.ndarray, wrong: np.ndarray, model: str) -> str:
    who = model or "The model"
    for label, answers in (("human-made", _NOT_AI), ("AI", _CALLED_AI)):
        if wrong.any() and not wrong.all() and np.isin(outcome, answers).all():
            return f"{who} calls every picture {label}, {percent(np.median(confidence))} sure (median)"
    if not wrong.any():
        return f"{who} makes no mistake on these pictures"
    if wrong.all():
        return f"{who} is wrong on every one of these pictures"
    medians = [f"{100 * np.median(confidence[chosen]):.0f} %" for chosen in (wrong, ~wrong)]
    return f"{who} is {medians[0]} sure when it is wrong, {medians[1]} when it is right (medians)"


def _effects_title(effects: pd.DataFrame, level: float) -> str:
    tested = int(effects["p_adjusted"].notna().sum())
    found = int((effects["p_adjusted"] < level).sum())
    if not found:
        return f"Wrong and right answers: no difference survives correction ({tested} comparisons)"
    return f"{found} of {tested} comparisons set wrong answers apart from right ones"


def _by_title(rows: pd.DataFrame, what: str) -> str:
    worst, best = rows.iloc[0], rows.iloc[-1]
    if np.isnan([worst["low"], best["low"]]).any():
        return f"Accuracy by {what}: at most {rows['groups'].max():,} originals stand behind a row"
    ends = [f"{percent(one['accuracy'])} ({short_name(str(one['value']))})" for one in (worst, best)]
    return f"Accuracy by {what}: from {ends[0]} to {ends[1]}"
