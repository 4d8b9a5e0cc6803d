"""An earlier evaluation of the same pictures: what has changed since, paired by the content of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from src.utils.analysis.scoring.parts import sub_part
from src.utils.files import read_json
from src.utils.judge.judgement import TOGETHER, Judgement
from src.utils.judge.measure import Said, pair_up, paired_difference
from src.utils.settings import UserError

SCORES_FILE, METRICS_FILE = "scores.csv", "metrics.json"


class Reference(NamedTuple):
    """An evaluation that was made before.

    Attributes:
        name: Its name.
        scores: Its `scores.csv`.
        thresholds: By detector.
    """

    name: str
    scores: pd.DataFrame
    thresholds: dict[str, float]


def read_reference(reports: Path, name: str) -> Reference:
    """Read an earlier evaluation.

    Args:
        reports: `reports/evaluate`.
        name: The folder in it.

    Raises:
        UserError: There is none, or it is damaged.
    """
    folder = reports / name
    if not (folder / SCORES_FILE).is_file() or not (folder / METRICS_FILE).is_file():
        there = (
            ", ".join(sorted(path.parent.name for path in reports.glob(f"[!.]*/{METRICS_FILE}"))) or "none"
        )
        raise UserError(f"REFERENCE={name} is no evaluation in {reports} (there: {there}): make it first.")
    try:
        scores = pd.read_csv(
            folder / SCORES_FILE,
            dtype={"detector": str},
            keep_default_na=False,
            na_values={"score": [""], "probability_ai": [""]},
            encoding_errors="surrogateescape",
        )
        detectors = read_json(folder / METRICS_FILE)["detectors"]
        thresholds = {detector: float(told["threshold"]) for detector, told in detectors.items()}
        answered = scores[scores["error"] == ""]
        scores = answered[["detector", "delivery", "content", "score", "probability_ai"]]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder} is damaged ({error!r}): evaluate again.") from error
    return Reference(name, scores, thresholds)


def compare_with(reference: Reference, judgement: Judgement, seed: int = 0) -> dict[str, Any]:
    """Every detector now minus every detector then, on the pictures that both have.

    A detector that is in both is compared with itself; else each is compared with each.

    Returns:
        `name`; `pictures`, how many were paired, `only_here` and `only_there`; `differences`: by
        `NOW_minus_THEN`, then by delivery.
    """
    pictures = judgement.pictures
    now = [one for one in judgement.answers if one.name != TOGETHER]
    then = [name for name in reference.thresholds if name != TOGETHER]
    both = [(one, one.name) for one in now if one.name in then]
    pairs = both or [(one, name) for one in now for name in then]
    found: dict[str, Any] = {"name": reference.name, "pictures": 0, "only_here": 0, "only_there": 0}
    differences: dict[str, Any] = {}
    for one, name in pairs:
        for delivery, said in one.said.items():
            chosen = (reference.scores["detector"] == name) & (reference.scores["delivery"] == delivery)
            earlier = reference.scores[chosen].reset_index(drop=True)
            mine, theirs = pair_up(pictures.part.images, earlier)
            if not len(mine):
                continue
            found["pictures"] = len(mine)
            found["only_here"] = len(pictures.part.images) - len(mine)
            found["only_there"] = len(earlier) - len(np.unique(theirs))
            rows = pictures.part.images.iloc[mine]
            differences.setdefault(f"{one.name}_minus_{name}", {})[delivery] = paired_difference(
                sub_part(pictures.part.images, pictures.part, rows),
                said.of(mine),
                Said(earlier["score"], earlier["probability_ai"], reference.thresholds[name]).of(theirs),
                seed,
            )
    if not differences:
        raise UserError(
            f"REFERENCE={reference.name} shares no picture with {pictures.name}: "
            "name an evaluation of the same pictures."
        )
    return {**found, "differences": differences}
