"""Which answers to show, the most confident first, and what to write below them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from src.utils.analysis.stats.metrics import THRESHOLD
from src.utils.names import percent


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
