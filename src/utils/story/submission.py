"""What a submission holds and what can be said of it, in sentences (notebook 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from src.utils.names import interval_text, percent

UPLOAD = "Upload the file on the competition's page to learn its F1."


def which_pictures(count: int, competition: bool) -> str:
    """Say which pictures are answered: the competition's, or those that stand in for them."""
    if competition:
        return f"{count:,} pictures of the competition's test.csv."
    return f"No test.csv here: the {count:,} pictures of the test split show how it works."


def submission(
    name: str, labels: Sequence[int], unreadable: int, scores: Mapping[str, Mapping[str, Any]], model: str
) -> list[str]:
    """Say what was written and how good it is, as far as that is known.

    Args:
        name: The file's name.
        labels: The answers, 0 or 1, [n].
        unreadable: How many pictures could not be read.
        scores: By model, metrics on the test split that stands in; empty for the competition's own pictures,
            whose labels nobody has.
        model: Which of them answered.
    """
    order = "the test split" if scores else "test.csv"
    said = [
        f"`{name}` answers {len(labels):,} pictures in the order of {order} and passed its check; "
        f"{percent(float(np.mean(labels)))} are called AI.",
        f"Could not be read and got a guess: {unreadable:,}." if unreadable else "",
        _how_good(scores, model),
        "This is the last notebook. `make app` opens the page, `make predict IMAGE=…` asks from the command "
        "line.",
    ]
    return list(filter(None, said))


def _how_good(scores: Mapping[str, Mapping[str, Any]], model: str) -> str:
    if not scores:
        return (
            "The competition's test set was made by other generators than the training data: expect a fall."
        )
    own, always = (interval_text(scores[name]["f1"]) for name in (model, "always_ai"))
    return f"On the test split its F1 is {own}; answering AI every time has {always}."
