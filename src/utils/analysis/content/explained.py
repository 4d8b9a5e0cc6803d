"""Which answers to show, the most confident first, what to write below them, and what maps are worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.stats.bootstrap import bootstrap
from src.utils.analysis.stats.metrics import THRESHOLD
from src.utils.estimate import Estimate
from src.utils.models.bundle.predictor import Predictor
from src.utils.names import percent

CHANCE = 0.5
"""ROC-AUC of a coin toss."""


def by_confidence(answers: pd.DataFrame) -> pd.DataFrame:
    """Sort answers: the most confident first, one of each original (of a class) before a second.

    Args:
        answers: With `label`, `group` and `probability_ai`.
    """
    confidence = (answers["probability_ai"] - 0.5).abs().sort_values(ascending=False, kind="stable")
    answers = answers.loc[confidence.index]
    nth = answers.groupby(["label", "group"]).cumcount()
    return answers.loc[nth.sort_values(kind="stable").index]


def choose_answers(images: pd.DataFrame, probability: ArrayLike, right: bool, count: int = 6) -> pd.DataFrame:
    """Choose the most confident right or wrong answers, both classes in turn, one of each original.

    Args:
        images: Rows of the manifest.
        probability: Probability of class 1 of each, [n].
        right: Whether the answers shall be right.
        count: How many at most; a class that has fewer leaves its places to the other.

    Returns:
        The rows chosen, human-made ones first, with `probability_ai`.
    """
    rows = images.assign(probability_ai=np.asarray(probability, dtype=float))
    answered = rows[((rows["probability_ai"] >= THRESHOLD) == (rows["label"] == 1)) == right]
    confident = by_confidence(answered).drop_duplicates(["label", "group"])
    turn = confident.groupby("label").cumcount()
    chosen = confident.loc[turn.sort_values(kind="stable").index].head(count)
    return chosen.sort_values("label", kind="stable", ignore_index=True)


def answer_captions(rows: pd.DataFrame) -> list[str]:
    """What each picture is and the probability of AI that the model gave it, such as `Human: 12 %`.

    Args:
        rows: With `label` and `probability_ai`.
    """
    return [
        f"{('Human', 'AI')[label]}: {percent(probability)}"
        for label, probability in zip(rows["label"], rows["probability_ai"], strict=True)
    ]


class Evidence(NamedTuple):
    """Answers of a model that says by itself where it found its reasons.

    Attributes:
        rows: Right answers, then wrong ones, with `label` and `probability_ai`; none without such a model.
        maps: A map for each, above zero for AI, float32 [n, rows, columns].
        right: How many of them are right.
    """

    rows: pd.DataFrame
    maps: NDArray[np.float32]
    right: int


NO_PLACES = "No improved model here reads single patches, so none says where its evidence lies."


def own_evidence(
    predictor: Predictor | None, images: pd.DataFrame, probability: ArrayLike | None, raw_dir: Path, each: int
) -> Evidence:
    """A model's most confident right and wrong answers, with its own maps of where it looked.

    Args:
        predictor: The model; None if there is none.
        images: Rows of the manifest.
        probability: Its probability of class 1 for each, [n].
        raw_dir: What the names are relative to.
        each: Right answers at most, and wrong ones at most.
    """
    nobody = images.head(0).assign(probability_ai=np.empty(0))
    nothing = Evidence(nobody, np.empty((0, 1, 1), np.float32), 0)
    if predictor is None or probability is None:
        return nothing
    right, wrong = (choose_answers(images, probability, which, each) for which in (True, False))
    rows = pd.concat([right, wrong], ignore_index=True)
    maps = predictor.explain(predictor.read_all(raw_dir, rows["file_name"]))[1] if len(rows) else None
    return nothing if maps is None else Evidence(rows, maps, len(right))


def map_likeness(check: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Mean likeness of maps by the deepest layer drawn anew, from `gradcam.randomisation_check`."""
    return {name: float(one.mean()) for name, one in check.items()}


def likeness_gain(
    likeness: Mapping[str, NDArray[np.float64]], group: ArrayLike, seed: int = 0
) -> Estimate | None:
    """How much more alike a network's maps are to one control's than to the other's, see `training.controls`.

    Args:
        likeness: For the control that learnt true labels, then for that of shuffled ones, how alike each
            picture's map is to the network's, [n] each; may be empty.
        group: Groups of the pictures, [n].
        seed: Seed of the bootstrap.

    Returns:
        The mean difference over pictures, its interval from a bootstrap over groups; None without controls.
    """
    if not likeness:
        return None
    to_true, to_shuffled = likeness.values()
    gap = to_true - to_shuffled

    def mean(weight: NDArray[np.float64]) -> dict[str, float]:
        return {"gain": float(np.average(gap, weights=weight))}

    return bootstrap(mean, group, np.ones(len(gap), int), None, seed=seed)["gain"]


def above_chance(area: Estimate) -> bool:
    """Whether a ROC-AUC is measurably above guessing: only then has a network learnt something to explain."""
    return area.low is not None and area.low > CHANCE
