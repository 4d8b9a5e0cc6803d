"""What a calibration made on these pictures would do on a generator or photo source that it had not met.

Whoever calibrates a detector on pictures of their own, and picks a threshold there, knows how well both hold
on more of the same. The next picture comes from elsewhere. So each source is left out in turn: what scores
mean and the threshold of few false positives are chosen on all others, by the rules of notebook 10
(`calibration.choose_calibration`), and tried on pictures of that source and of the other class, in folds that
no group crosses. The detector is the same throughout; only what is made of its scores changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.analysis.checks.probes import Fold
from src.utils.analysis.checks.unseen import ALL_IN_TURN, LEAST_GROUPS
from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.calibration import Scored, calibration_statistic, choose_calibration
from src.utils.analysis.stats.policy import share_of
from src.utils.data.families import known_sources, source_names
from src.utils.judge.cheap import choose_pictures, folds_of

MEASURED = ("recall", "false_positive_rate", "brier", "ece", "change")
"""What is measured of a source that was left out; `change` is the Brier score minus that of calibrations that
knew others of its pictures."""

COLUMNS = (
    *("label", "source", "groups", "pictures"),
    *(f"{name}{end}" for name in MEASURED for end in ("", "_low", "_high")),
)


class Calibrated(NamedTuple):
    """What calibrations say of pictures that they were not made on.

    Attributes:
        probability: Probabilities of AI, float64 [n].
        called: Whether a picture is called AI, bool [n].
    """

    probability: NDArray[np.float64]
    called: NDArray[np.bool_]


class LeftOut(NamedTuple):
    """One source that was left out, and what is needed to measure it.

    Attributes:
        rows: Its pictures and those of the other class, int [m].
        weight: Their weights, float64 [m].
        statistic: A function from weights of these rows to `MEASURED`.
    """

    rows: NDArray[np.intp]
    weight: NDArray[np.float64]
    statistic: Statistic


def leave_sources_out(
    part: Part, score: NDArray[np.float64], seed: int = 0, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Calibrate a detector without each source in turn, and measure it there.

    Of very many pictures whole groups are drawn, as for the classifiers of `cheap`.

    Args:
        part: The pictures.
        score: What the detector says of them, log-odds of AI, float64 [n].
        seed: Seed of the folds, of the draw and of the bootstrap.
        resamples: Number of bootstrap resamples.

    Returns:
        A row a generator family (`label` 1), then a row a photo source (0), those with most groups first, the
        last row of each class the mean over them (`ALL_IN_TURN`); columns `COLUMNS`. In Brier score and
        calibration error both classes weigh as they do where the calibration was made. No rows of a class
        with fewer than two sources of `LEAST_GROUPS` groups; none at all where a class has fewer groups than
        folds.
    """
    chosen = choose_pictures(part, seed)
    score = score[part.images["file_name"].isin(chosen.images["file_name"]).to_numpy()]
    folds, source = folds_of(chosen, seed), known_sources(chosen.images)
    if not folds:
        return pd.DataFrame(columns=list(COLUMNS))
    met = _say(chosen, score, folds, np.zeros(len(score), bool))
    rows = []
    for side in (1, 0):
        names = _enough_groups(chosen, source, side)
        tried = {
            name: _try(chosen, score, folds, met, (chosen.label == side) & (source == name), side)
            for name in names
        }
        sets = {name: [one] for name, one in tried.items()}
        sets |= {ALL_IN_TURN: list(tried.values())} if tried else {}
        for name, members in sets.items():
            mine = (chosen.label == side) & (source == name if name in tried else np.isin(source, names))
            counts = {"groups": len(np.unique(chosen.group[mine])), "pictures": int(mine.sum())}
            rows.append(
                {"label": side, "source": name, **counts, **_measure(chosen, members, seed, resamples)}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _enough_groups(part: Part, source: NDArray, side: int) -> list[str]:
    """Sources of a class with enough groups, those with most first; none if there is only one."""
    mine = part.label == side
    groups = pd.Series(part.group[mine]).groupby(source[mine]).nunique().drop("", errors="ignore")
    enough = groups[groups >= LEAST_GROUPS].sort_values(ascending=False, kind="stable")
    return [str(name) for name in enough.index] if len(enough) > 1 else []


def _say(part: Part, score: NDArray, folds: Sequence[Fold], left_out: NDArray[np.bool_]) -> Calibrated:
    """Calibrate on each fold's first part without some rows, and say what that makes of its second part."""
    said = Calibrated(np.full(len(score), np.nan), np.zeros(len(score), bool))
    source = source_names(part.images)
    for fit, others in folds:
        known = fit[~left_out[fit]]
        scored = Scored(score[known], part.label[known], part.group[known], source[known], "source")
        choice = choose_calibration(scored, temperature=1.0)
        said.probability[others] = choice.probability(score[others])
        said.called[others] = said.probability[others] >= choice.threshold_fpr5
    return said


def _try(
    part: Part, score: NDArray, folds: Sequence[Fold], met: Calibrated, mine: NDArray[np.bool_], side: int
) -> LeftOut:
    """Leave out the pictures of one source (`mine`, of class `side`)."""
    new = _say(part, score, folds, mine)
    rows = np.flatnonzero(mine | (part.label != side))
    label, weight = part.label[rows], part.weight[rows].copy()
    others = part.weight[(part.label == side) & ~mine].sum()
    weight[label == side] *= others / part.weight[mine].sum()
    said, before = (calibration_statistic(label, one[rows]) for one in (new.probability, met.probability))
    called = new.called[rows]

    def statistic(row_weight: NDArray[np.float64]) -> dict[str, float]:
        shares = [share_of(called[label == one], row_weight[label == one]) for one in (0, 1)]
        found = said(row_weight)
        return {
            "recall": shares[1],
            "false_positive_rate": shares[0],
            **found,
            "change": found["brier"] - before(row_weight)["brier"],
        }

    return LeftOut(rows, weight, statistic)


def _measure(part: Part, members: Sequence[LeftOut], seed: int, resamples: int) -> dict[str, float]:
    """Columns of a row: the mean over some sources that were left out, with intervals over groups."""
    involved = np.unique(np.concatenate([one.rows for one in members]))

    def statistic(drawn: NDArray[np.float64]) -> dict[str, float]:
        times = np.zeros(len(part.label))
        times[involved] = drawn
        found = [one.statistic(one.weight * times[one.rows]) for one in members]
        return {name: float(np.mean([one[name] for one in found])) for name in MEASURED}

    group, label = part.group[involved], part.label[involved]
    entries = bootstrap(statistic, group, label, resamples=resamples, seed=seed)
    smallest = sort_groups(group, label).smallest
    columns: dict[str, float] = {}
    for name, entry in entries.items():
        columns |= (entry if name == "change" else never_certain(entry, smallest)).columns(name)
    return columns
