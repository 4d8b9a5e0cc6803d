"""Whether a probability means what it says, and what to do with it: temperature, intervals, threshold.

Everything here that is chosen is chosen on pictures that the scorer had not met: the validation split, where
a model learnt nothing but which epoch to keep, or pictures whose source was left out. The test only tells how
well it held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.metrics import calibration_bins, threshold_for_fpr
from src.utils.analysis.stats.policy import FALSE_POSITIVES, NO_VERDICT, share_of, verdict_effect
from src.utils.analysis.stats.venn_abers import equal_groups, fit_venn_abers
from src.utils.estimate import Estimate
from src.utils.models.bundle.calibration import Policy, VennAbers, point_value

BINS = 10
TEMPERATURES = (0.05, 20.0)
"""Range searched: 20 turns the surest answer of an untrained network into a coin toss."""


def fit_temperature(log_odds: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The temperature of the lowest cross-entropy (Guo and others 2017, arXiv 1706.04599).

    Args:
        log_odds: Log-odds of class 1 at temperature 1, [n].
        label: Classes, [n].
        weight: Weights, [n]; one each if not given.

    Returns:
        Above 1 if the model is too sure, below 1 if it is not sure enough; within `TEMPERATURES`.
    """
    log_odds, label = np.asarray(log_odds, dtype=float), np.asarray(label)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    of_truth = np.where(label == 1, log_odds, -log_odds)

    def cross_entropy(log_temperature: float) -> float:
        return float(np.sum(weight * np.logaddexp(0, -of_truth / np.exp(log_temperature))))

    found = minimize_scalar(cross_entropy, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def calibration_scores(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Brier score and expected calibration error, each with its interval.

    Resampling adds chance to the gaps between said and true, so on few groups the interval of the calibration
    error lies high, and may lie above the value; see `ece_by_chance`.

    Returns:
        `brier` and `ece` as an `Estimate`, the same numbers as `metrics.brier` and
        `metrics.ece`.
    """
    statistic = calibration_statistic(label, probability)
    return bootstrap(statistic, group, label, weight, resamples, seed)


def calibration_statistic(label: ArrayLike, probability: ArrayLike) -> Statistic:
    """A function from row weights to `brier` and `ece`, with all binning done beforehand."""
    label, probability = np.asarray(label, dtype=float), np.asarray(probability, dtype=float)
    number = _bin_number(probability, BINS)
    squared, gap = (probability - label) ** 2, probability - label

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        total = weight.sum()
        if not total > 0:
            return {"brier": np.nan, "ece": np.nan}
        gaps = np.bincount(number, weights=weight * gap, minlength=BINS)
        return {"brier": float(weight @ squared / total), "ece": float(np.abs(gaps).sum() / total)}

    return statistic


def ece_by_chance(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    draws: int = 200,
    seed: int = 0,
) -> float:
    """The calibration error that a perfectly calibrated model would show on a set of this size.

    The truth is drawn again and again from the model's own probabilities, one draw for all pictures of a
    group and class, since they are right or wrong together.

    Args:
        label: Classes, [n]; they only tell which pictures of a group belong together.
        probability: Probabilities of class 1, [n].
        group: Groups, [n].
        weight: Weights, [n].
        draws: How often.
        seed: Seed of the draws.

    Returns:
        The mean over the draws; an error of about this size says nothing against a model.
    """
    probability = np.asarray(probability, dtype=float)
    together = pd.DataFrame({"group": np.asarray(group), "label": np.asarray(label)})
    unit = together.groupby(["group", "label"]).ngroup().to_numpy()
    rng = np.random.default_rng(seed)
    weight = np.ones(len(unit)) if weight is None else np.asarray(weight, dtype=float)
    errors = []
    for _ in range(draws):
        truth = (rng.random(unit.max() + 1)[unit] < probability).astype(int)
        errors.append(calibration_statistic(truth, probability)(weight)["ece"])
    return float(np.mean(errors))


def reliability_table(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    bins: int = BINS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """What a reliability diagram draws: what was said against what was true, bin by bin.

    Returns:
        `metrics.calibration_bins` with `groups`, how many groups a bin holds, and `ai_low` and `ai_high`, the
        interval of its share of AI; NaN where not estimable, and for bins that many resamples leave empty.
    """
    label, probability = np.asarray(label, dtype=int), np.asarray(probability, dtype=float)
    group = np.asarray(group)
    table = calibration_bins(label, probability, weight, bins)
    member = _bin_number(probability, bins)
    numbers = np.rint(table["low"] * bins).astype(int).tolist()

    def share_of_ai(row_weight: NDArray[np.float64]) -> dict[str, float]:
        whole = np.bincount(member, weights=row_weight, minlength=bins)
        part = np.bincount(member, weights=row_weight * label, minlength=bins)
        return {str(one): float(part[one] / whole[one]) if whole[one] > 0 else np.nan for one in numbers}

    entries = bootstrap(share_of_ai, group, label, weight, resamples, seed)
    for column, name in (("ai_low", "low"), ("ai_high", "high")):
        table[column] = np.array([getattr(entries[str(one)], name) for one in numbers], dtype=float)
    table["groups"] = [len(np.unique(group[member == one])) for one in numbers]
    return table


def operating_point(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    threshold: float,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """What a threshold does to pictures that had no part in choosing it.

    Returns:
        `false_positive_rate` and `recall`, the shares of human-made and of AI-generated pictures called AI,
        each as an `Estimate`.
    """
    label = np.asarray(label, dtype=int)
    called = np.asarray(probability, dtype=float) >= threshold

    def shares(row_weight: NDArray[np.float64]) -> dict[str, float]:
        return {
            name: share_of(called[label == one], row_weight[label == one])
            for one, name in enumerate(("false_positive_rate", "recall"))
        }

    entries = bootstrap(shares, group, label, weight, resamples, seed)
    return {name: _never_certain(entry, group, label) for name, entry in entries.items()}


def called_sweep(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> pd.DataFrame:
    """The shares called AI at every threshold where one of them changes, for `threshold_plot`.

    Returns:
        `threshold`, from the lowest probability to just above the highest; `false_positive_rate` and
        `recall`, NaN for a class without pictures.
    """
    label, probability = np.asarray(label, dtype=int), np.asarray(probability, dtype=float)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    threshold = np.unique([*probability, np.nextafter(probability.max(initial=0), np.inf)])
    columns = {"threshold": threshold}
    for one, name in enumerate(("false_positive_rate", "recall")):
        mine = probability[label == one]
        order = np.argsort(mine)
        below = np.append(0, np.cumsum(weight[label == one][order]))
        left = below[-1] - below[np.searchsorted(mine[order], threshold, side="left")]
        columns[name] = left / below[-1] if below[-1] > 0 else np.full(len(threshold), np.nan)
    return pd.DataFrame(columns)


class Scored(NamedTuple):
    """Pictures with scores from a scorer that had not met them.

    Attributes:
        log_odds: Log-odds of AI at temperature 1, float64 [n].
        label: Classes, int [n].
        group: Groups, [n].
        source: Generator family or photo source, str [n].
        left_out: What the scorer had not met of each picture: its `source`, or only its `group`.
    """

    log_odds: NDArray[np.float64]
    label: NDArray[np.intp]
    group: NDArray
    source: NDArray
    left_out: str


@dataclass(frozen=True, eq=False)
class CalibrationChoice:
    """What is chosen for `calibration.json`.

    Attributes:
        temperature: What the log-odds are divided by.
        venn_abers: What a score means.
        threshold_fpr5: Probability from which on at most 5 % of the human-made calibration pictures are
            called AI, each photo source with the same weight; 1 if none does it.
        supported_by: What that rests on: `called_ai` of so many human-made pictures (`of`) from so many photo
            sources (`photo_sources`).
        policy: When a verdict is given.
        track_record: How it did with sources that it had not met, from `policy.track_record`; None where
            nothing is known of that.
    """

    temperature: float
    venn_abers: VennAbers
    threshold_fpr5: float
    supported_by: Mapping[str, int] = field(default_factory=dict)
    policy: Policy = NO_VERDICT
    track_record: Mapping[str, Any] | None = None

    def probability(self, log_odds: ArrayLike) -> NDArray[np.float64]:
        """What a program is told of scores: the point values of their intervals, float64 [n], 0–1."""
        return point_value(*self.venn_abers.interval(log_odds))


def choose_calibration(scored: Scored, temperature: float) -> CalibrationChoice:
    """Fit the intervals and choose the threshold on pictures that their scorers had not met.

    Args:
        scored: The calibration pictures.
        temperature: From `fit_temperature`.
    """
    table = fit_venn_abers(scored.log_odds, scored.label, scored.group, scored.left_out)
    said, human = point_value(*table.interval(scored.log_odds)), scored.label == 0
    weight = equal_groups(scored.source)
    threshold = threshold_for_fpr(scored.label, said, weight, FALSE_POSITIVES) if human.any() else None
    threshold = 1.0 if threshold is None else min(threshold, 1.0)
    support = {
        "called_ai": int((said[human] >= threshold).sum()),
        "of": int(human.sum()),
        "photo_sources": len(np.unique(scored.source[human])),
    }
    return CalibrationChoice(temperature, table, threshold, support)


def left_out_intervals(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals of calibration pictures from a table without their source, for a dataset without unseen ones.

    Returns:
        Lower and upper ends, float64 [n] each, 0–1.
    """
    low, high = np.empty(len(scored.label)), np.empty(len(scored.label))
    for name in np.unique(scored.source):
        mine = scored.source == name
        rest = (scored.log_odds[~mine], scored.label[~mine], scored.group[~mine])
        low[mine], high[mine] = fit_venn_abers(*rest, scored.left_out).interval(scored.log_odds[mine])
    return low, high


def measure_calibration(
    chosen: CalibrationChoice,
    log_odds: ArrayLike,
    label: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measure what was chosen on pictures that had no part in it.

    Returns:
        For `metrics.json`, each as an `Estimate`: `brier` and `ece` as trained, `brier_calibrated` and
        `ece_calibrated` after the temperature, `brier_venn_abers` and `ece_venn_abers` of the intervals'
        point values, `ece_by_chance`, `interval_width`; `threshold_fpr5` and what it does,
        `false_positive_rate_fpr5` and `recall_fpr5`; what the policy does: `answered`, `right` and
        `right_without`.
    """
    low, high = chosen.venn_abers.interval(log_odds)
    said = point_value(low, high)
    ways = {
        "": at_temperature(log_odds),
        "_calibrated": at_temperature(log_odds, chosen.temperature),
        "_venn_abers": said,
    }
    options = {"weight": weight, "resamples": resamples, "seed": seed}
    scores = {
        f"{name}{way}": entry
        for way, probability in ways.items()
        for name, entry in calibration_scores(label, probability, group, **options).items()
    }
    point = operating_point(label, said, group, chosen.threshold_fpr5, **options)
    return {
        **scores,
        "ece_by_chance": _known(ece_by_chance(label, said, group, weight, seed=seed)),
        "interval_width": _known(float(np.average(high - low, weights=weight)) if len(low) else np.nan),  # pyright: ignore[reportArgumentType, reportCallIssue]
        "threshold_fpr5": _known(chosen.threshold_fpr5),
        **{f"{name}_fpr5": entry for name, entry in point.items()},
        **verdict_effect(chosen.policy, label, low, high, group, **options),
    }


def _never_certain(entry: Estimate, group: ArrayLike, label: ArrayLike) -> Estimate:
    """Widen the interval of a share that was 0 or 1 in every resample, as `metrics.evaluate` does."""
    return never_certain(entry, sort_groups(group, label).smallest)


def _bin_number(probability: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Which bin of equal width each probability falls into, exactly as `metrics.calibration_bins` sorts."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, bins - 1)


def _known(value: float) -> Estimate:
    """A number that is no estimate and so has no interval."""
    return Estimate(value)
