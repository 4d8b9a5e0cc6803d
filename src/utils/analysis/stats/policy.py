"""When a model may give a verdict: only where it was right on sources that it had not met.

A verdict is offered from the widest cut-off on for which the rule holds: with as many photographs as
AI-generated pictures, every source with the same weight, at least `RIGHT` of such verdicts were right, and at
least `RIGHT_LOW` at the lower end of their 95 % interval, a bootstrap over sources and over groups; and of
photographs no more than `FALSE_POSITIVES` were called AI-generated. It has to hold in every way of delivery
that was tried. What is reported of a policy is cross-fitted: every source is judged by cut-offs that were
chosen without it, by the same rule but for its lower end, since fewer sources support less. A verdict whose
cross-fitted shares break that rule rests on single sources, and is not offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.stats.bootstrap import (
    RESAMPLES,
    bootstrap,
    draw_weights,
    never_certain,
    percentile_interval,
    sort_groups,
)
from src.utils.estimate import Estimate
from src.utils.models.bundle.calibration import AI_GENERATED, NO_SIGN, UNCERTAIN, Policy, point_value
from src.utils.names import percent
from src.utils.settings import CLASS_NAMES

RIGHT, RIGHT_LOW = 0.80, 0.65
"""Share of verdicts that has to be right, and at the lower end of its 95 % interval."""

FALSE_POSITIVES = 0.05
"""Share of human-made pictures that may be called AI."""

LEAST_GROUPS = 10
"""Groups of each class without which nothing supports a verdict. Fewer than elsewhere, since a policy asks
for a bound and not for a width, and the expanded percentiles and the exact bound widen with few groups."""

DRAWS = 4000
"""Resamples for a policy: with fewer, a lower end far out among a few sources moves by several percent."""

NOTHING_SUPPORTS = (
    "Nothing supports a verdict: "
    "this model was not tried on generators and photo sources that it had not met."
)

NO_VERDICT = Policy(why_no_ai=NOTHING_SUPPORTS, why_no_clear=NOTHING_SUPPORTS)
"""Never a verdict."""

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper ends of the pictures' intervals, float64 [n] each, 0–1."""


class Tried(NamedTuple):
    """Pictures of sources that a model had not met, and what it said of them.

    Attributes:
        label: Classes, int [n].
        group: Groups, [n].
        source: Generator families and photo sources, str [n].
        intervals: By way of delivery, the pictures as they are first: what it said, [n] each.
    """

    label: NDArray[np.intp]
    group: NDArray
    source: NDArray
    intervals: Mapping[str, Interval]

    def only(self, rows: NDArray[np.bool_]) -> Tried:
        """Some of the pictures."""
        intervals = {name: (low[rows], high[rows]) for name, (low, high) in self.intervals.items()}
        return Tried(self.label[rows], self.group[rows], self.source[rows], intervals)

    @property
    def as_they_are(self) -> Interval:
        """What the model said of the pictures as they are."""
        return next(iter(self.intervals.values()))


class Shares(NamedTuple):
    """What a verdict was worth on one way of delivery.

    Attributes:
        right: Share of the pictures it is true of that got it, sources weighing the same.
        wrong: Share of the others that got it.
        precision: How many such verdicts are true of as many pictures of each class, with its interval.
        delivery: Which way.
    """

    right: float
    wrong: float
    precision: Estimate
    delivery: str

    @property
    def worth(self) -> tuple[float, float]:
        """To compare: the precision's lower end, −1 where it has none, then the precision."""
        value, low = (-1.0 if one is None else one for one in (self.precision.value, self.precision.low))
        return low, value

    def would_do(self, speaks_for: int) -> bool:
        """Whether the rule holds for a verdict that speaks for class 1 or 0 but for its lower end."""
        return self.worth[1] >= RIGHT and (speaks_for == 0 or self.wrong <= FALSE_POSITIVES)

    def holds(self, speaks_for: int) -> bool:
        """Whether the rule holds for a verdict that speaks for class 1 or 0."""
        return self.would_do(speaks_for) and self.worth[0] >= RIGHT_LOW


def choose_policy(
    tried: Tried, ai_at_least: float = 0.5, resamples: int = DRAWS, seed: int = 0, bounds: bool = True
) -> Policy:
    """Choose the widest cut-offs for which the rule holds on every way of delivery.

    Args:
        tried: What supports the policy.
        ai_at_least: Probability below which *AI-generated* is not said in any case.
        resamples: Number of bootstrap resamples.
        seed: Their seed.
        bounds: Whether the lower end has to hold as well.

    Returns:
        The policy; where no cut-off will do, its sentence says why. Without evidence.
    """
    groups = sort_groups(tried.group, tried.label).per_class
    if len(groups) < 2 or min(groups) < LEAST_GROUPS:
        why = NOTHING_SUPPORTS if len(groups) < 2 else _too_few(tried)
        return Policy(why_no_ai=why, why_no_clear=why)
    ai, why_no_ai = _widest(tried, 1, max(ai_at_least, 0.5), resamples, seed, bounds)
    clear, why_no_clear = _widest(tried, 0, 0.5, resamples, seed, bounds)
    return Policy(ai, None if clear is None else round(1 - clear, 2), why_no_ai, why_no_clear)


def policy_with_evidence(
    tried: Tried, ai_at_least: float = 0.5, resamples: int = DRAWS, seed: int = 0
) -> Policy:
    """The policy of all sources, with what cut-offs chosen without a source say of that source.

    Args:
        tried: What supports the policy.
        ai_at_least: As for `choose_policy`.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        The policy, without a verdict that does not outlive the loss of a source; its evidence has the `rule`,
        how many `pictures`, `groups` and `sources` of each class were tried, in which `deliveries`, and for
        `ai` and `clear` how many verdicts were `said` and `right` of the pictures as they are and their
        `precision` at equal numbers of both classes.
    """
    policy = choose_policy(tried, ai_at_least, resamples, seed)
    said = np.zeros(len(tried.label), int)
    for name in np.unique(tried.source):
        mine = tried.source == name
        others = choose_policy(tried.only(~mine), ai_at_least, resamples, seed, bounds=False)
        said[mine] = verdicts(others, *tried.only(mine).as_they_are)
    found = {
        one: _measure(tried, one, resamples, seed)(said == 2 * one - 1, "", bounds=True) for one in (1, 0)
    }
    table = pd.DataFrame({"label": tried.label, "group": tried.group, "source": tried.source})
    classes = {name: table[table["label"] == one] for one, name in enumerate(("human", "ai"))}
    evidence = {
        "rule": {"right": RIGHT, "right_low": RIGHT_LOW, "false_positives": FALSE_POSITIVES},
        "pictures": {name: len(rows) for name, rows in classes.items()},
        "groups": {name: rows["group"].nunique() for name, rows in classes.items()},
        "sources": {name: rows["source"].nunique() for name, rows in classes.items()},
        "deliveries": list(tried.intervals),
        "ai": _verdict_record(tried.label[said == 1] == 1, found[1]),
        "clear": _verdict_record(tried.label[said == -1] == 0, found[0]),
    }
    if policy.ai_from is not None and not found[1].would_do(1):
        policy = replace(policy, ai_from=None, why_no_ai=_why_withdrawn(found[1], 1))
    if policy.clear_up_to is not None and not found[0].would_do(0):
        policy = replace(policy, clear_up_to=None, why_no_clear=_why_withdrawn(found[0], 0))
    return replace(policy, evidence=evidence)


def track_record(tried: Tried, threshold: float = 0.5, seed: int = 0) -> dict[str, Any]:
    """How a model did with sources that it had not met, on the pictures as they are, as `label` has it.

    Args:
        tried: The pictures, of both classes.
        threshold: Probability from which on a picture is called AI.
        seed: Seed of the bootstrap.

    Returns:
        `missed`, of the AI-generated pictures, and `accused`, of the human-made ones: `count`, `of`, `share`
        and its 95 % interval over groups, `low` and `high`, None below `LEAST_GROUPS` groups.
    """
    called = point_value(*tried.as_they_are) >= threshold
    wrong = {"missed": (1, ~called), "accused": (0, called)}
    return {name: _count(tried, one, hit, seed) for name, (one, hit) in wrong.items()}


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


def verdict_table(policy: Policy, label: ArrayLike, low: ArrayLike, high: ArrayLike) -> pd.DataFrame:
    """How many pictures of each class get each verdict.

    Args:
        policy: When a verdict is given.
        label: Classes, [n].
        low: Lower ends of their intervals, [n], 0–1.
        high: Upper ends, [n], 0–1.

    Returns:
        A row a class, a column a verdict.
    """
    said, label = verdicts(policy, low, high), np.asarray(label)
    columns = {NO_SIGN: -1, UNCERTAIN: 0, AI_GENERATED: 1}
    counts = {
        name: [int((said[label == one] == number).sum()) for one in (0, 1)]
        for name, number in columns.items()
    }
    return pd.DataFrame(counts, index=list(CLASS_NAMES))


def coverage_table(
    label: ArrayLike, low: ArrayLike, high: ArrayLike, weight: ArrayLike | None = None
) -> pd.DataFrame:
    """How often a model answers, and how often it is then right, as both cut-offs move away from 0.5.

    Args:
        label: Classes, [n].
        low: Lower ends of the intervals, [n], 0–1.
        high: Upper ends, [n], 0–1.
        weight: Weights within a class, [n]; one each if not given. Both classes weigh the same.

    Returns:
        `cut_off` (*AI-generated* from there on, *No sign of AI* up to 1 − it), `answered` and `right`,
        shares; `right` is NaN where nothing is answered. No rows unless both classes occur.
    """
    label, low, high = np.asarray(label, int), np.asarray(low, float), np.asarray(high, float)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, float)
    totals = [weight[label == one].sum() for one in (0, 1)]
    if not min(totals) > 0:
        return pd.DataFrame(columns=["cut_off", "answered", "right"], dtype=float)
    weight = weight / np.array(totals)[label]
    rows = []
    for cut in np.linspace(0.5, 1, 51):
        said = verdicts(Policy(cut, 1 - cut), low, high)
        right = share_of(said[said != 0] == 2 * label[said != 0] - 1, weight[said != 0])
        rows.append({"cut_off": cut, "answered": share_of(said != 0, weight), "right": right})
    return pd.DataFrame(rows)


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


def _widest(
    tried: Tried, speaks_for: int, start: float, resamples: int, seed: int, bounds: bool
) -> tuple[float | None, str]:
    """The lowest cut-off of one verdict for which the rule holds, else None and why there is none.

    Both verdicts are looked at from their own side: what counts of an interval is the end that lies nearest
    to the other class, as a probability of the class that the verdict speaks for.
    """
    nearest = {name: low if speaks_for else 1 - high for name, (low, high) in tried.intervals.items()}
    measure = _measure(tried, speaks_for, resamples, seed)
    for cut in np.arange(math.ceil(100 * start - 1e-9), 100) / 100:  # so few pictures support no finer ones
        shares = all(measure(one >= cut, name).would_do(speaks_for) for name, one in nearest.items())
        if shares and (
            not bounds
            or all(measure(one >= cut, name, bounds=True).holds(speaks_for) for name, one in nearest.items())
        ):
            return float(cut), ""
    widest = [measure(one >= start, name, bounds=True) for name, one in nearest.items()]
    worst = min(widest, key=lambda one: one.worth)
    return None, _why_not(worst, speaks_for, start, len(nearest) > 1)


def _measure(tried: Tried, speaks_for: int, resamples: int, seed: int) -> Callable[..., Shares]:
    """A function from pictures that get a verdict (bool [n]) to what that verdict is worth.

    A resample holds no picture of a kind that was not tried. So in each a share of them is added of which the
    verdict is wrong, drawn from Beta(1, groups): its quantiles are the exact upper bounds of a share that was
    zero in as many groups (Clopper and Pearson 1934). In simulations with five sources of each class the
    lower end, meant to lie below the truth in 97 to 98 cases of a hundred, did so in 92; with resampled
    groups alone in 50 to 80.
    """
    groups = sort_groups(tried.group, tried.label)
    # A source that both classes name, such as that of a pair, is one of each.
    names, number = np.unique(np.char.add(tried.label.astype(str), tried.source), return_inverse=True)
    member = np.eye(len(names))[number]
    true = np.char.startswith(names, str(speaks_for))
    drawn = np.array(list(draw_weights(groups, resamples, seed)))
    totals = drawn @ member
    of_others = len(np.unique(tried.group[tried.label != speaks_for]))
    unmet = np.random.default_rng([seed, 2]).beta(1, of_others, resamples)
    sides = [
        (one, _draw_sources(totals[:, one] > 0, [seed, number]))  # seeds that are no other draw's
        for number, one in enumerate((true, ~true))
    ]

    def measure(said: NDArray[np.bool_], delivery: str, bounds: bool = False) -> Shares:
        hit = member[said].sum(axis=0) / member.sum(axis=0)
        right, wrong = hit[true].mean(), hit[~true].mean()
        precision = Estimate.of(_precision(right, wrong))
        if bounds and right > 0:
            hits = drawn @ (member * said[:, None])
            each_right, each_wrong = (
                _mean_shares(hits[:, one], totals[:, one], weight) for one, weight in sides
            )
            each_wrong = (1 - unmet) * each_wrong + unmet
            low, high = percentile_interval(each_right / (each_right + each_wrong), groups.smallest)
            precision = Estimate.of(precision.value, low, max(high, precision.value))  # pyright: ignore[reportArgumentType]
        return Shares(float(right), float(wrong), precision, delivery)

    return measure


def _draw_sources(there: NDArray[np.bool_], seed: list[int]) -> NDArray[np.int64]:
    """How often each resample draws each source of a class, of those that it holds a group of.

    What is new is the source: without drawing sources, too, an interval would speak of these sources alone.

    Args:
        there: Whether a resample holds a group of a source, bool [resamples, sources].
        seed: Seed of the draws.

    Returns:
        int64 [resamples, sources].
    """
    resamples, sources = there.shape
    return there * np.random.default_rng(seed).multinomial(sources, np.full(sources, 1 / sources), resamples)


def _mean_shares(
    hits: NDArray[np.float64], totals: NDArray[np.float64], weight: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weighted mean of the sources' shares in each resample, float64 [resamples]; NaN without a source."""
    shares = np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0)
    known = weight.sum(axis=1)
    return np.divide((weight * shares).sum(axis=1), known, out=np.full(len(hits), np.nan), where=known > 0)


def _precision(right: float, wrong: float) -> float:
    """Share of verdicts that are true, of as many pictures of each class; NaN if there are none."""
    return right / (right + wrong) if right + wrong > 0 else np.nan


def _verdict_record(right: NDArray[np.bool_], found: Shares) -> dict[str, Any]:
    """For each verdict whether it was right, and what such verdicts are worth."""
    return {"said": len(right), "right": int(right.sum()), "precision": asdict(found.precision)}


def _count(tried: Tried, one: int, hit: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    mine = tried.label == one
    hit, group = hit[mine], tried.group[mine]
    groups = sort_groups(group, tried.label[mine])
    share = Estimate.of(float(hit.mean()) if len(hit) else np.nan)
    if groups.smallest >= LEAST_GROUPS:
        draws = [share_of(hit, weight) for weight in draw_weights(groups, RESAMPLES, seed)]
        low, high = percentile_interval(draws, groups.smallest)
        share = never_certain(Estimate.of(share.value, low, high), groups.smallest)  # pyright: ignore[reportArgumentType]
    return {
        "count": int(hit.sum()),
        "of": len(hit),
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }


def _too_few(tried: Tried) -> str:
    human, ai = (len(np.unique(tried.group[tried.label == one])) for one in (0, 1))
    return (
        f"Nothing supports a verdict: photographs from {human} originals and {ai} AI-generated originals of "
        f"sources that this model had not met are too few, at least {LEAST_GROUPS} of each are asked."
    )


def _why_not(found: Shares, speaks_for: int, cut: float, several: bool) -> str:
    """Say in numbers why a verdict is not offered: what it would be worth from the widest cut-off on."""
    edge = percent(cut if speaks_for else 1 - cut)
    reach = f"from {edge} on" if speaks_for else f"up to {edge}"
    way = f" when delivered as “{found.delivery}”" if several else ""
    if found.precision.value is None:
        side = "above" if speaks_for else "below"
        return (
            f"{_cannot(speaks_for)}: "
            f"of no picture by a source that it had not met was the whole interval {side} {edge}{way}."
        )
    low = "" if found.precision.low is None else f" (at least {percent(found.precision.low)})"
    return (
        f"{_cannot(speaks_for)}: {reach} {_would(found, speaks_for, way)}{low}; no cut-off reaches "
        f"{percent(RIGHT)} (at least {percent(RIGHT_LOW)}){_limit(speaks_for)}."
    )


def _why_withdrawn(found: Shares, speaks_for: int) -> str:
    """Say in numbers why a verdict that all sources together support is not offered all the same."""
    chosen = "with cut-offs chosen without the source at hand"
    if found.precision.value is None:
        return f"{_cannot(speaks_for)}: {chosen} it would never do so."
    return (
        f"{_cannot(speaks_for)}: {chosen} {_would(found, speaks_for)}; {percent(RIGHT)} are "
        f"asked{_limit(speaks_for)}."
    )


def _cannot(speaks_for: int) -> str:
    return f"This model cannot {'call pictures AI-generated' if speaks_for else 'clear pictures'}"


def _limit(speaks_for: int) -> str:
    return f" with at most {percent(FALSE_POSITIVES)} of photographs called so" if speaks_for else ""


def _would(found: Shares, speaks_for: int, way: str = "") -> str:
    """What a verdict would be worth, as the middle of a sentence; `way` is how pictures were delivered."""
    wrong, right = percent(found.wrong), percent(found.right)
    if speaks_for:
        what = f"call {wrong} of photographs from photo sources that it had not met so and {right} of "
        what += "AI-generated pictures"
    else:
        what = f"clear {wrong} of what generators that it had not met made and {right} of photographs"
    return f"it would {what}{way}, which makes {percent(found.worth[1])} of such verdicts right"
