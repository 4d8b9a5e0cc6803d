"""Titles of the talk's slides: a finding in at most two lines of large type, without a full stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from src.utils.estimate import Estimate
from src.utils.names import percent, short_name
from src.utils.plots.figure.style import brief

CHANCE = 0.5
"""ROC-AUC of a coin toss."""

LEVEL = 0.05
"""A difference counts if its corrected p-value is below this."""

GUESS = "Which of these pictures were made by a generator?"
"""Asked of the audience before anything is shown."""

SPLITS = {
    "group": "Nothing related crosses the split: originals, pairs and near-duplicates stay on one side",
    "random": "Split at random, as the deck did: related pictures may stand on both sides",
    "own": "The dataset's own split is kept: what its makers put apart stays apart",
}
"""What is to be said of each way to split."""


def question(claimed: float) -> str:
    """Say what the deck reported; `claimed` its last training accuracy, 0–1."""
    return f"A student team reported {claimed:.2f}, on pictures that its network had been trained on"


def data(known: int, unseen: int) -> str:
    """Say how many pictures training, validation and test have, and how many more are of unseen sources."""
    if not unseen:
        return f"{known:,} pictures to learn from and to test on"
    new = f"{unseen:,} more of sources that training never meets"
    return f"{known:,} pictures to learn from and to test on, {new}"


def learning(luck: Mapping[str, Any]) -> str:
    """Say how far the deck's network moves with the seed; `luck` has `seeds`, `lowest`, `highest`."""
    if luck["seeds"] < 2:
        return f"Trained once, the deck's network has a ROC-AUC of {luck['lowest']:.2f} on the test"
    return (
        f"Trained {luck['seeds']} times, the deck's network has a ROC-AUC from {luck['lowest']:.2f} to "
        f"{luck['highest']:.2f}: smaller differences are luck"
    )


def matrix(name: str, counts: Sequence[Sequence[int]]) -> str:
    """Say what a confusion matrix `[[TN, FP], [FN, TP]]` holds; `name` of the model, for people."""
    (tn, fp), (fn, tp) = counts
    return (
        f"{name}: {fp:,} of {tn + fp:,} human-made pictures called AI, "
        f"{fn:,} of {fn + tp:,} AI-generated ones missed"
    )


def guessing(name: str, area: Estimate, lowest: float | None = None) -> str:
    """Say whether a model can be told from guessing, by its ROC-AUC; `lowest` is the least of its seeds."""
    if area.low is None or area.high is None:
        return f"{name}: ROC-AUC {brief(area)}, on too few originals to tell it from guessing"
    if area.low > CHANCE and lowest is not None and lowest <= CHANCE:
        return f"{name} is better than guessing, ROC-AUC {brief(area)}, but not with each seed: {lowest:.2f}"
    if area.low > CHANCE:
        return f"{name} ranks pictures better than guessing: ROC-AUC {brief(area)}"
    if area.high < CHANCE:
        return f"{name} ranks pictures worse than guessing: ROC-AUC {brief(area)}"
    return f"{name} cannot be told from guessing: ROC-AUC {brief(area)}"


def links(pictures: int, known: int, right: int, uncertain: int) -> str:
    """Say what came back for pictures from links.

    Args:
        pictures: How many.
        known: Of how many of them the class is known.
        right: How many of these lie on the right side of the threshold.
        uncertain: How many were answered *Uncertain*.
    """
    sides = f"{right} of {known} on the right side, " if known else ""
    return f"{pictures} pictures read from links: {sides}{uncertain} answered Uncertain"


def confidence(labeller: str, human: float, ai: float, p_adjusted: float) -> str:
    """Say whether a network is surer of its first label on one class; NaN as `p_adjusted`: not tested."""
    means = f"{human:.2f} and {ai:.2f}"
    if not p_adjusted < LEVEL:
        return f"{labeller} is about as sure on human-made as on AI-generated pictures: {means}"
    more, less = ("human-made", "AI-generated") if human > ai else ("AI-generated", "human-made")
    return f"{labeller} is surer on {more} than on {less} pictures: {means} (human, AI)"


def categories(tested: int, found: Sequence[str], most: int = 3) -> str:
    """Say which categories are over-represented in one class, of how many that were tested."""
    if not tested:
        return "No category is frequent enough to be tested"
    if not found:
        return f"None of {tested} tested categories is over-represented in one class"
    more = f" and {len(found) - most} more" if len(found) > most else ""
    names = ", ".join(short_name(name.replace("_", " "), 20) for name in found[:most])
    return f"Of {tested} tested categories, over-represented in one class: {names}{more}"


def category(name: str, groups_human: int, groups_ai: int, verdict: str) -> str:
    """Say of how many originals of each class a category is said, and what follows."""
    said = short_name(name.replace("_", " "))
    return f"“{said}”: {groups_human} human-made and {groups_ai} AI-generated originals; {verdict}"


def mistakes(name: str, false_positives: int, false_negatives: int, held: int, comparisons: int) -> str:
    """Say how many mistakes there are, and whether anything sets them apart."""
    apart = (
        "too few to compare"
        if not comparisons
        else f"{held} of {comparisons} comparisons survive{'s' if held == 1 else ''} correction"
        if held
        else "no difference survives correction"
    )
    return f"{name}: {false_positives:,} false positives, {false_negatives:,} false negatives; {apart}"


def improved(area: Estimate, deck: Estimate) -> str:
    """Say what the improved model reaches on the test beside the deck's network."""
    return f"The improved model has a ROC-AUC of {brief(area)} on the test; the deck's network, {brief(deck)}"


def design(kept: str, mean: float, worst: float, source: str, left_out: str = "source") -> str:
    """Say which design was kept, and its ROC-AUC on what was left out, on average and on the worst."""
    reached = f"ROC-AUC {mean:.2f} over left-out {left_out}s, {worst:.2f} on the worst, {short_name(source)}"
    return f"“{short_name(kept)}” was kept: {reached}"


def unseen(test: Estimate, new: Estimate) -> str:
    """Say what becomes of a model's ROC-AUC on unseen sources."""
    return f"On sources that it never met, its ROC-AUC is {brief(new)}; on the test, {brief(test)}"


def sources(rows: Sequence[Mapping[str, Any]]) -> str:
    """Name the generator that is found least and the photo source that is most often called AI.

    Args:
        rows: One a source, at least one: `label` (1 for a generator), `source`, `called_ai` (0–1),
            `pictures`.
    """
    generators = [row for row in rows if row["label"] == 1]
    photographs = [row for row in rows if row["label"] == 0]
    said = []
    if generators:
        least = min(generators, key=lambda row: row["called_ai"])
        said.append(f"Found least: {_share(least)}")
    if photographs:
        most = max(photographs, key=lambda row: row["called_ai"])
        said.append(f"most often called AI: {_share(most)}")
    text = "; ".join(said)
    return text[0].upper() + text[1:]


def _share(row: Mapping[str, Any]) -> str:
    return f"{short_name(row['source'], 24)}, {percent(row['called_ai'])} of {row['pictures']} pictures"


def calibration(error: Estimate, by_chance: Estimate) -> str:
    """Say how far probabilities are from what is true, beside what chance alone would make."""
    chance = "" if by_chance.value is None else f"; chance alone makes {by_chance.value:.2f}"
    return f"On the test, predicted probabilities and observed shares lie {brief(error)} apart{chance}"


def verdicts(answered: Estimate, right: Estimate) -> str:
    """Say how often there is a verdict, and how often it is right."""
    if not answered.value:
        return "No test picture gets a verdict: all are Uncertain"
    worth = "" if right.value is None else f"; of these, {percent(right.value)} are right"
    return f"{percent(answered.value)} of the test pictures get a verdict{worth}"


def track_record(missed: Mapping[str, Any]) -> str:
    """Say what a model missed of generators that it had not met; `missed` has `count` and `of`."""
    return f"It missed {missed['count']:,} of {missed['of']:,} pictures by generators that it had not met"


def damage(kind: str, level: float, before: float, after: float, drop: Estimate) -> str:
    """Say which damage costs most ROC-AUC, and whether that may be chance; `kind` its name for people."""
    if after >= before:
        return f"No damage that was tried lowers the ROC-AUC of {before:.2f}"
    return f"“{kind}” at {level:g} costs most: ROC-AUC from {before:.2f} to {after:.2f}{_may_be_chance(drop)}"


def delivery(title: str, before: float, after: float, drop: Estimate) -> str:
    """Say which way to a viewer costs most balanced accuracy, and whether that may be chance."""
    if after >= before:
        return f"No way to a viewer lowers the balanced accuracy of {before:.2f}"
    change = f"balanced accuracy from {before:.2f} to {after:.2f}{_may_be_chance(drop)}"
    return f"Worst on its way to a viewer is “{title}”: {change}"


def _may_be_chance(drop: Estimate) -> str:
    return "" if drop.low is not None and drop.low > 0 else ", which may be chance"


def limits(demonstration: bool, unseen_pictures: int) -> str:
    """Say in a line what the numbers cannot carry."""
    if demonstration:
        return "This shows a method; it is no statement about detectors"
    if not unseen_pictures:
        return "Nothing here says how it does on sources that training never met"
    return "A model of one collection, and no proof about any single picture"
