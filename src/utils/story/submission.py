"""What a submission holds, and what the whole run answers, in sentences and tables (notebook 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import interval_text, percent_text
from src.utils.settings import SPLITS

UPLOAD = "Upload the file on the competition's page to learn its F1."

CHOSEN_ON = (
    ("weights of the networks, head of the improved model", "train", "04, 09"),
    ("epoch whose weights are kept, and which of the two networks is shown", "validation", "04"),
    ("encoder and design of the improved model, sources left out in turn", "train, validation", "09"),
    ("temperature, limits of the content gate", "validation", "10"),
    ("intervals and threshold of the improved model, sources left out in turn", "train, validation", "10"),
    ("intervals and threshold of the networks", "validation", "10"),
    ("when a verdict is given, each source judged without its help", "unseen", "10"),
    ("nothing: only measured", "test", "05, 08, 09, 10"),
)
"""What was chosen, on which splits, in which notebook."""


def which_pictures(count: int, competition: bool) -> str:
    """Say which pictures are answered: the competition's, or those that stand in for them."""
    if competition:
        return f"{count:,} pictures of the competition's test.csv."
    return f"No test.csv here: the {count:,} pictures of the test split show how it works."


def submission(name: str, labels: Sequence[int], unreadable: int, competition: bool) -> list[str]:
    """Say what was written.

    Args:
        name: The file's name.
        labels: The answers, 0 or 1, [n].
        unreadable: How many pictures could not be read.
        competition: Whether the pictures are the competition's, or the test split stands in.
    """
    order = "test.csv" if competition else "the test split"
    said = [
        f"`{name}` answers {len(labels):,} pictures in the order of {order} and passed its check; "
        f"called AI: {int(np.sum(labels)):,}.",
        f"Could not be read and got a guess: {unreadable:,}." if unreadable else "",
        "The competition's test set was made by other generators than the training data: expect a fall."
        if competition
        else "",
    ]
    return list(filter(None, said))


def choices(images: pd.DataFrame) -> pd.DataFrame:
    """Lay out what was chosen on which pictures, with their number.

    Args:
        images: Readable rows of the manifest: `split` and `group`.

    Returns:
        Rows `CHOSEN_ON`: `what was chosen`, `on`, `pictures`, `originals`, `notebook`. Where nothing is set
        aside as unseen, verdicts rest on sources that were left out of training and validation in turn.
    """
    known = {split for split in SPLITS if (images["split"] == split).any()}
    rows = []
    for what, splits, notebook in CHOSEN_ON:
        used = splits if set(splits.split(", ")) <= known else "train, validation"
        chosen = images[images["split"].isin(used.split(", "))]
        rows.append((what, used, len(chosen), chosen["group"].nunique(), notebook))
    return pd.DataFrame(rows, columns=["what was chosen", "on", "pictures", "originals", "notebook"])


def answer(model: str, metrics: Mapping[str, Any], verdicts: Mapping[str, Any]) -> list[str]:
    """Answer the project's question in three sentences.

    Args:
        model: Name in `metrics` of the model in use.
        metrics: As far as measured `models` (on the test) and `unseen`: by model its metrics, with `auc`.
        verdicts: The model's metrics from notebook 10: `answered` and `right` on the test.
    """
    known, new = (
        metrics.get(part, {}).get(model, {}).get("auc", Estimate()) for part in ("models", "unseen")
    )
    return [
        f"**Was it made by a person or by a generator?** For pictures of sources that it knows, `{model}` "
        f"{_ranks(known)}: ROC-AUC {interval_text(known)} on the test.",
        f"For sources that it never met it {_ranks(new)}: ROC-AUC {interval_text(new)}{_fell(known, new)}."
        if new.value is not None
        else "What it does on sources that it never met was not measured: this dataset sets none aside.",
        _verdicts(verdicts),
    ]


def _ranks(area: Estimate) -> str:
    if area.value is None:
        return "was not measured"
    if area.low is None:
        return "cannot be told from guessing on so few originals"
    if area.low > 0.9:
        return "ranks nearly all of them rightly"
    return "ranks better than guessing" if area.low > 0.5 else "cannot be told from guessing"


def _fell(known: Estimate, new: Estimate) -> str:
    if known.low is None or new.high is None:
        return ""
    return ", less than on the test" if new.high < known.low else ", an interval that meets that of the test"


def _verdicts(verdicts: Mapping[str, Any]) -> str:
    answered, right = (verdicts.get(name, Estimate()) for name in ("answered", "right"))
    if answered.value is None:
        return "About a single picture it says nothing yet: it is not calibrated."
    if not answered.value:
        return "About a single picture it says nothing: no test picture gets a verdict."
    worth = "" if right.value is None else f"; of these verdicts, {percent_text(right)} are right"
    return (
        f"About a single picture it says so only where that held on unseen sources: "
        f"{percent_text(answered)} of the test pictures get a verdict{worth}. No verdict is proof."
    )
