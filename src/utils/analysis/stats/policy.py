"""When a model may give a verdict: only where it was right on sources that it had not met."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap, never_certain, sort_groups
from src.utils.estimate import Estimate
from src.utils.models.bundle.calibration import Policy, point_value

NOTHING_SUPPORTS = (
    "Nothing supports a verdict: "
    "this model was not tried on generators and photo sources that it had not met."
)

NO_VERDICT = Policy(why_no_ai=NOTHING_SUPPORTS, why_no_clear=NOTHING_SUPPORTS)
"""Never a verdict."""


def verdicts(policy: Policy, low: ArrayLike, high: ArrayLike) -> NDArray[np.intp]:
    """What a policy says of pictures.

    Args:
        policy: When a verdict is given.
        low: Lower ends of their intervals, [n], 0–1.
        high: Upper ends, [n], 0–1.

    Returns:
        1 for *AI-generated*, −1 for *No sign of AI*, 0 for *Uncertain*, int [n].
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    says_ai = low >= (np.inf if policy.ai_from is None else policy.ai_from)
    clears = high <= (-np.inf if policy.clear_up_to is None else policy.clear_up_to)
    return says_ai.astype(int) - (clears & ~says_ai)


def verdict_effect(
    policy: Policy,
    label: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """What a policy does to pictures that had no part in choosing it.

    Args:
        policy: When a verdict is given.
        label: Classes, [n].
        low: Lower ends of their intervals, [n], 0–1.
        high: Upper ends, [n], 0–1.
        group: Groups, [n].
        weight: Weights, [n].
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        As estimates: `answered`, the share of pictures that get a verdict; `right`, how many of those
        verdicts are true; `right_without`, how many would be if every picture got one.
    """
    label, said = np.asarray(label, dtype=int), verdicts(policy, low, high)
    answered, right = said != 0, said == 2 * label - 1
    right_without = (point_value(low, high) >= 0.5) == (label == 1)

    def shares(row_weight: NDArray[np.float64]) -> dict[str, float]:
        return {
            "answered": share_of(answered, row_weight),
            "right": share_of(right[answered], row_weight[answered]),
            "right_without": share_of(right_without, row_weight),
        }

    entries = bootstrap(shares, group, label, weight, resamples, seed)
    smallest = sort_groups(group, label).smallest
    return {name: never_certain(entry, smallest) for name, entry in entries.items()}


def share_of(hit: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    """Weighted share of the rows that are hit; NaN without any weight."""
    return float(weight @ hit / weight.sum()) if weight.sum() > 0 else np.nan
