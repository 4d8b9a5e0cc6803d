"""Intervals of probability that are as wide as few pictures make them: inductive Venn-Abers prediction.

Vovk and Petej 2014 ("Venn-Abers predictors", arXiv 1211.0025): a picture joins the calibration pictures once
as human-made and once as AI-generated, isotonic regression is fitted both times, and what the two fits say of
it are the ends of its interval. If pictures were exchangeable, one of the two would be calibrated exactly.

Pictures of a group are right or wrong together, so a group's pictures weigh 1 together, and the new one
weighs 1 as a group of its own. With G groups an interval is then at least 1 / (G + 1) wide: by the min-max
formula of isotonic regression each end is max over a ≤ t of min over b ≥ t of the mean from a to b, and every
mean with the new picture as AI-generated lies 1 / (weight from a to b + 1) ≥ 1 / (G + 1) above the same mean
with it as human-made.

The package `venn-abers` knows no weights, so SciPy's isotonic regression is fitted at every score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from src.utils.models.bundle.calibration import VennAbers, comparable


def fit_venn_abers(log_odds: ArrayLike, label: ArrayLike, group: ArrayLike, left_out: str) -> VennAbers:
    """Fit the table that serving looks intervals up in.

    Args:
        log_odds: Scores of pictures that the scorer had not met, log-odds of AI at temperature 1, float [n].
        label: Classes, 0 or 1, [n].
        group: Groups, [n].
        left_out: What the scorer had not met of each picture: its `source`, or only its `group`.

    Returns:
        The table, a row a score that occurs.

    Raises:
        ValueError: There are no pictures.
    """
    label, group = np.asarray(label, dtype=int), np.asarray(group)
    score, place = np.unique(comparable(log_odds), return_inverse=True)
    weight = equal_groups(group)
    total = np.bincount(place, weight)
    ai = np.bincount(place, weight * label)
    low, high = (_refit_everywhere(total, ai, joins_as) for joins_as in (0, 1))
    groups = {name: len(np.unique(group[label == one])) for one, name in enumerate(("human", "ai"))}
    return VennAbers(score, low, high, groups, left_out)


def equal_groups(group: ArrayLike) -> NDArray[np.float64]:
    """Weights by which each group's rows weigh 1 together, float64 [n]."""
    _, place, size = np.unique(np.asarray(group), return_inverse=True, return_counts=True)
    return 1 / size[place]


def _refit_everywhere(total: NDArray, ai: NDArray, joins_as: int) -> NDArray[np.float64]:
    """What isotonic regression says at each score once a picture of that score has joined, float64 [k]."""
    said = np.empty(len(total))
    for place in range(len(total)):
        weight, positive = total.copy(), ai.copy()
        weight[place] += 1
        positive[place] += joins_as
        said[place] = isotonic_regression(positive / weight, weights=weight).x[place]
    return np.maximum.accumulate(np.clip(said, 0, 1))  # rounding aside, it is both already
