"""What a detector's answers are worth: metrics with intervals, differences in pairs, source by source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.checks.unseen import source_table
from src.utils.analysis.scoring.baselines import metadata_only
from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.stats.bootstrap import Statistic, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.calibration import calibration_statistic
from src.utils.analysis.stats.metrics import confusion_matrix, headline_statistic, ranking_statistic
from src.utils.data.split import group_weights
from src.utils.estimate import Estimate

METRICS = (
    "auc",
    "balanced_accuracy",
    "average_precision",
    "f1",
    "recall",
    "false_positive_rate",
    "brier",
    "ece",
)
"""What every detector is measured by, in the order of the tables."""

COMPARED = ("auc", "balanced_accuracy", "recall", "false_positive_rate")
"""What two detectors, or two runs of one, are compared by."""


class Said(NamedTuple):
    """A detector's answers.

    Attributes:
        score: What pictures are ranked by, higher for AI, [n]: calibrated probabilities have more ties.
        probability: Probabilities of AI, [n].
        threshold: A picture is called AI from this probability on.
    """

    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    threshold: float

    def of(self, rows: NDArray) -> Said:
        """The answers of some rows."""
        return Said(np.asarray(self.score)[rows], np.asarray(self.probability)[rows], self.threshold)


def measure(part: Part, said: Said, seed: int = 0) -> dict[str, Any]:
    """All metrics of one detector on some pictures.

    Args:
        part: The pictures.
        said: Its answers.
        seed: Seed of the bootstrap over groups.

    Returns:
        Each of `METRICS` as an `Estimate`, never certain on few groups; `threshold`; `confusion_matrix`,
        whole pictures and unweighted, as `[[TN, FP], [FN, TP]]`.
    """
    statistic = _statistic(part.label, said)
    entries = bootstrap(statistic, part.group, part.label, part.weight, seed=seed)
    if len(np.unique(said.probability)) > 1:
        smaller = sort_groups(part.group, part.label).smallest
        entries = {name: never_certain(entry, smaller) for name, entry in entries.items()}
    return {
        **entries,
        "threshold": said.threshold,
        "confusion_matrix": confusion_matrix(part.label, said.probability, said.threshold),
    }


def measure_file_facts(images: pd.DataFrame, part: Part, seed: int = 0) -> dict[str, Any]:
    """What `measure` gives of a model that reads facts about files only, learnt from the training split.

    Args:
        images: Readable rows of the manifest.
        part: Some of them, as their files are.
        seed: Seed of the model and of the bootstrap.
    """
    learnt = metadata_only(images, group_weights(images), seed)
    said = pd.Series(learnt, images["file_name"])[part.images["file_name"]].to_numpy()
    return measure(part, Said(said, said, 0.5), seed)


def paired_difference(part: Part, first: Said, second: Said, seed: int = 0) -> dict[str, Estimate]:
    """`COMPARED` metrics of one set of answers minus another's, over the same resamples of the same pictures.

    Args:
        part: The pictures.
        first: The answers.
        second: The others.
        seed: Seed of the bootstrap.
    """
    one, other = (_statistic(part.label, answers) for answers in (first, second))

    def differences(weight: NDArray[np.float64]) -> dict[str, float]:
        mine, others = one(weight), other(weight)
        return {name: mine[name] - others[name] for name in COMPARED}

    return bootstrap(differences, part.group, part.label, part.weight, seed=seed)


def measure_sources(part: Part, said: Said, seed: int = 0) -> pd.DataFrame:
    """A row a generator against all photographs, and a row a photo source; see `unseen.source_table`."""
    return source_table(
        part.images, said.probability, part.weight, said.threshold, seed=seed, score=said.score
    )


def pair_up(images: pd.DataFrame, earlier: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the same pictures in two evaluations, by the content of their files.

    Args:
        images: Rows with `content`.
        earlier: Other rows with `content`.

    Returns:
        Positions in the one and in the other, of as many pictures; a copy of a picture is paired with the
        first of its content.
    """
    first: Mapping[str, int] = {}
    for position, content in enumerate(earlier["content"]):
        first.setdefault(content, position)
    mine = np.flatnonzero(images["content"].isin(first))
    return mine, np.array([first[content] for content in images["content"].iloc[mine]], dtype=np.intp)


def _statistic(label: ArrayLike, said: Said) -> Statistic:
    """A function from row weights to `METRICS`."""
    label, probability = np.asarray(label, dtype=int), np.asarray(said.probability, dtype=float)
    headline = headline_statistic(label, probability, said.threshold)
    ranking = ranking_statistic(label, said.score)
    calibration = calibration_statistic(label, probability)
    human = label == 0
    called = (probability >= said.threshold)[human].astype(float)

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        photographs = weight[human].sum()
        rate = float(weight[human] @ called / photographs) if photographs > 0 else np.nan
        known = {**headline(weight), **ranking(weight), **calibration(weight), "false_positive_rate": rate}
        return {name: known[name] for name in METRICS}

    return statistic
