"""95 % intervals from resampled groups: related pictures stand or fall together.

The percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over groups, stratified: groups that hold
only human-made pictures, groups that hold only AI-generated ones, and groups with both (a photograph and its
twin) are each redrawn with replacement among themselves, whole. A resample is a weight for every row, namely
how often its group was drawn, so no row is ever copied and memory does not grow with the number of resamples.

On few groups plain percentiles lie too close together; they are taken further out by what Student's t and the
divisor n − 1 ask for (the expanded percentile interval of Hesterberg 2015, "What Teachers Should Know About
the Bootstrap"). In simulations with 20 to 60 groups a class this raised coverage by one to two points, to
about 0.94; on thousands of groups it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from src.utils.estimate import Estimate

LEVEL = 0.95
RESAMPLES = 1000
MIN_GROUPS = 20
"""Below this many groups of a class no interval is given."""

Statistic = Callable[[NDArray[np.float64]], dict[str, float]]
"""Numbers by name from one weight per row; NaN where a number is not defined."""


class Groups(NamedTuple):
    """Rows sorted into groups.

    Attributes:
        row: Number of the group of each row, int [n].
        strata: Group numbers of each kind: one class only, the other only, both.
        per_class: How many groups hold each class that occurs.
    """

    row: NDArray[np.intp]
    strata: list[NDArray[np.intp]]
    per_class: list[int]

    @property
    def smallest(self) -> int:
        """Number of groups of the class that has fewer; a class that does not occur does not count."""
        return min(self.per_class, default=0)

    @property
    def estimable(self) -> bool:
        """Whether every class that occurs has enough groups for an interval."""
        return self.smallest >= MIN_GROUPS


def sort_groups(group: ArrayLike, label: ArrayLike) -> Groups:
    """Number the groups and tell which classes each of them holds.

    Args:
        group: Name or number of the group of each row, [n].
        label: Class of each row, 0 or 1, [n].

    Raises:
        ValueError: The two differ in length.
    """
    group, label = np.asarray(group), np.asarray(label, dtype=int)
    if group.shape != label.shape:
        raise ValueError(f"{len(group)} groups for {len(label)} labels")
    names, row = np.unique(group, return_inverse=True)
    has = np.stack([np.bincount(row[label == one], minlength=len(names)) > 0 for one in (0, 1)])
    kind = has[0] + 2 * has[1]
    strata = [np.flatnonzero(kind == one) for one in (1, 2, 3)]
    return Groups(
        row, [stratum for stratum in strata if len(stratum)], [int(n) for n in has.sum(axis=1) if n]
    )


def draw_weights(groups: Groups, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield for each resample how often every row was drawn, float64 [n].

    The same groups and seed give the same resamples, so two models are compared on identical draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.zeros(sum(map(len, groups.strata)))
        for stratum in groups.strata:
            drawn[stratum] = np.bincount(
                rng.integers(len(stratum), size=len(stratum)), minlength=len(stratum)
            )
        yield drawn[groups.row]


def bootstrap(
    statistic: Statistic,
    group: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Value and interval of every number a statistic returns.

    Args:
        statistic: Called once with the weights of all rows and once per resample.
        group: Group of each row, [n].
        label: Class of each row, 0 or 1, [n].
        weight: Weight of each row, [n]; one each if not given.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        An estimate a name. All None where the number is not defined; `low` and `high` None ("not estimable")
        where a class that occurs has fewer than `MIN_GROUPS` groups.
    """
    groups = sort_groups(group, label)
    weight = np.ones(len(groups.row)) if weight is None else np.asarray(weight, dtype=float)
    if len(weight) == 0:
        return {name: Estimate.of(np.nan) for name in statistic(weight)}
    values = statistic(weight)
    if not groups.estimable:
        return {name: Estimate.of(value) for name, value in values.items()}
    draws = [statistic(weight * drawn) for drawn in draw_weights(groups, resamples, seed)]
    return {
        name: Estimate.of(value, *percentile_interval([draw[name] for draw in draws], groups.smallest))
        for name, value in values.items()
    }


def percentile_interval(draws: ArrayLike, groups: int, level: float = LEVEL) -> tuple[float, float]:
    """Expanded percentile interval of the draws of one number.

    Args:
        draws: The number in each resample; NaN where it was not defined.
        groups: How many groups the smaller class has, at least 2.
        level: Share of intervals that shall hold the truth.

    Returns:
        Low and high; NaN twice if fewer than `level` of the draws are defined.
    """
    draws = np.asarray(draws, dtype=float)
    defined = draws[np.isfinite(draws)]
    if len(defined) == 0 or len(defined) < level * len(draws):
        return np.nan, np.nan
    reach = stats.t.isf((1 - level) / 2, groups - 1) * np.sqrt(groups / (groups - 1))
    low, high = np.quantile(defined, [stats.norm.sf(reach), stats.norm.cdf(reach)])
    return float(low), float(high)


def exact_bound(groups: int, level: float = LEVEL) -> float:
    """Lowest share that `groups` successes out of as many leave possible (Clopper and Pearson 1934).

    For a number that is 1 in every resample, where the bootstrap would claim certainty.
    """
    return ((1 - level) / 2) ** (1 / groups)


def never_certain(estimate: Estimate, groups: int) -> Estimate:
    """Widen an interval that shrank to 0 or to 1 by the exact bound for as many groups."""
    if estimate.low != estimate.high or estimate.low not in (0.0, 1.0):
        return estimate
    bound = exact_bound(groups)
    return replace(estimate, low=bound) if estimate.low == 1.0 else replace(estimate, high=1 - bound)
