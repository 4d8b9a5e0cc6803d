"""From a labelled folder and some detectors to all that is known of them: scores, metrics, differences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from src.utils.analysis.checks.audit import audit_table
from src.utils.analysis.scoring.scores import at_temperature, log_odds
from src.utils.data.pictures.deliveries import DELIVERIES
from src.utils.estimate import Estimate
from src.utils.judge.asking import ask_detector
from src.utils.judge.cheap import (
    Explained,
    choose_pictures,
    explain,
    folds_of,
    measure_pixels,
    rank_cheaply,
)
from src.utils.judge.deliveries import AS_IT_IS, Deliveries, deliveries_for
from src.utils.judge.detectors.detector import Detector
from src.utils.judge.left_out import leave_sources_out
from src.utils.judge.measure import Said, measure, measure_sources, paired_difference
from src.utils.judge.pictures import Pictures
from src.utils.names import ALL_CONTAINER

TOGETHER = "mean log-odds"
"""The row of all detectors together."""


@dataclass(frozen=True)
class Answers:
    """What one detector says of the pictures.

    Attributes:
        name: The detector, or `TOGETHER`.
        title: Its name for people.
        threshold: Probability of AI from which on a picture is called AI.
        calibrated: Whether threshold and probabilities were measured.
        about: One sentence on what it is.
        said: By delivery, its answers.
    """

    name: str
    title: str
    threshold: float
    calibrated: bool
    about: str
    said: dict[str, Said]


class Worst(NamedTuple):
    """The delivery that leaves a detector the lowest balanced accuracy.

    Attributes:
        delivery: Its name.
        among: How many were tried.
        costs: What is compared between detectors, of the pictures as they are minus what is left.
    """

    delivery: str
    among: int
    costs: dict[str, Estimate]


@dataclass(frozen=True)
class Judgement:
    """All that was found out.

    Attributes:
        pictures: The pictures.
        answers: Of each detector, and of all together where there are several.
        metrics: By detector, then by delivery: what `measure` gives.
        sources: By detector, of the pictures as they are: a row a generator or photo source.
        audit: The shortcut audit's row of its best single fact, and that of all container facts together.
        explained: Detectors beside what is cheap, for the pictures as they are and made alike.
        differences: By pair `A_minus_B`, then by delivery.
        worst: By detector, the delivery that leaves least; empty if pictures were sent through none.
        left_out: By detector, of the pictures as they are: what a calibration made here would do on a source
            that it had not met, a row a source; see `left_out`.
    """

    pictures: Pictures
    answers: list[Answers]
    metrics: dict[str, dict[str, dict]]
    sources: dict[str, pd.DataFrame]
    audit: dict[str, dict]
    explained: dict[str, Explained]
    differences: dict[str, dict[str, dict[str, Estimate]]] = field(default_factory=dict)
    worst: dict[str, Worst] = field(default_factory=dict)
    left_out: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def deliveries(self) -> list[str]:
        """Names of the deliveries, the pictures as they are first."""
        return list(self.answers[0].said)


def judge(
    pictures: Pictures,
    detectors: Sequence[Detector],
    memory: Path,
    seed: int = 0,
    progress: bool = True,
    asked: Sequence[str] = (),
    together: bool = True,
) -> Judgement:
    """Ask every detector about every picture, as it is and made alike, and measure the answers.

    Args:
        pictures: From `read_pictures`.
        detectors: At least one, with different names.
        memory: Folder of what was asked and measured before.
        seed: Seed of folds and resamples.
        progress: Whether to show progress bars.
        asked: Further deliveries, from `chosen_deliveries`.
        together: Whether several detectors together are a further one.

    Raises:
        UserError: A detector failed, or a picture cannot be read any more.
    """
    part = pictures.part
    plain = deliveries_for(part.images)
    deliveries = deliveries_for(part.images, asked)
    answers = ask_all(pictures, detectors, deliveries, memory, progress, together)
    return Judgement(
        pictures,
        answers,
        {one.name: {name: measure(part, said, seed) for name, said in one.said.items()} for one in answers},
        {one.name: measure_sources(part, one.said[AS_IT_IS], seed) for one in answers},
        best_facts(pictures, seed),
        explain_all(pictures, answers, plain, memory, seed, progress),
        differences(pictures, [one for one in answers if one.name != TOGETHER], seed),
        {one.name: found for one in answers if (found := worst_delivery(pictures, one, seed))},
        {one.name: leave_sources_out(part, one.said[AS_IT_IS].score, seed) for one in answers},
    )


def worst_delivery(pictures: Pictures, one: Answers, seed: int) -> Worst | None:
    """The delivery that leaves a detector the lowest balanced accuracy; None if pictures were not sent.

    What somebody does to a picture on purpose is no delivery, and does not count.
    """
    sent = [name for name in one.said if name in DELIVERIES]
    if not sent:
        return None
    costs = {
        name: paired_difference(pictures.part, one.said[AS_IT_IS], one.said[name], seed) for name in sent
    }
    lost = {name: costs[name]["balanced_accuracy"].value or 0.0 for name in sent}
    name = max(sent, key=lost.__getitem__)
    return Worst(name, len(sent), costs[name])


def ask_all(
    pictures: Pictures,
    detectors: Sequence[Detector],
    deliveries: Deliveries,
    memory: Path,
    progress: bool,
    together: bool = True,
) -> list[Answers]:
    """The answers of each detector, and of several together the mean of their calibrated log-odds."""
    answers = []
    for one in detectors:
        asked = ask_detector(one, pictures.part.images, pictures.folder, memory, deliveries, progress)
        said = {name: Said(odds, one.meaning(odds), one.threshold) for name, odds in asked.items()}
        answers.append(Answers(one.name, one.title, one.threshold, one.calibrated, one.about, said))
    return [*answers, _all_together(answers)] if together and len(answers) > 1 else answers


def best_facts(pictures: Pictures, seed: int) -> dict[str, dict]:
    """What the shortcut audit finds: its best single fact, and all facts about containers together."""
    table = audit_table(pictures.part.images, weight=pictures.part.weight, seed=seed)
    single = table[table["feature"] != ALL_CONTAINER].sort_values("auc", ascending=False, kind="stable")
    rows = {"best_fact": single.iloc[0], ALL_CONTAINER: table[table["feature"] == ALL_CONTAINER].iloc[0]}
    return {
        name: {
            "fact": row["feature"],
            "direction": row["direction"],
            "auc": Estimate.of(row["auc"], row["low"], row["high"]),
        }
        for name, row in rows.items()
    }


def explain_all(
    pictures: Pictures,
    answers: Sequence[Answers],
    deliveries: Deliveries,
    memory: Path,
    seed: int,
    progress: bool,
) -> dict[str, Explained]:
    """By delivery, every detector beside classifiers on what is cheap; see `cheap`."""
    part = choose_pictures(pictures.part, seed)
    chosen = pictures.part.images["file_name"].isin(part.images["file_name"]).to_numpy()
    folds = folds_of(part, seed)
    measured = measure_pixels(part.images, pictures.folder, memory, deliveries, progress) if folds else {}
    found = {}
    for name in deliveries:
        cheap = rank_cheaply(part, measured[name], name == AS_IT_IS, folds, seed) if folds else {}
        said = {one.name: one.said[name].of(chosen).score for one in answers}
        found[name] = explain(part, cheap, said, folds, seed)
    return found


def differences(
    pictures: Pictures, answers: Sequence[Answers], seed: int
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Every two detectors against each other, on the same pictures: `A_minus_B`, then by delivery."""
    return {
        f"{one.name}_minus_{other.name}": {
            name: paired_difference(pictures.part, said, other.said[name], seed)
            for name, said in one.said.items()
        }
        for one, other in itertools.combinations(answers, 2)
    }


def _all_together(answers: Sequence[Answers]) -> Answers:
    about = "The mean of the log-odds of all detectors, each as calibrated as it is."
    said = {}
    for name in answers[0].said:
        odds = np.mean([log_odds(one.said[name].probability) for one in answers], axis=0)
        odds = np.round(odds, 9)  # detectors that contradict each other tie, whichever way a processor rounds
        said[name] = Said(odds, at_temperature(odds), 0.5)
    calibrated = all(one.calibrated for one in answers)
    return Answers(TOGETHER, "All together (mean log-odds)", 0.5, calibrated, about, said)
