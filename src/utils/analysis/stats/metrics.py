"""How well a score tells AI-generated from human-made pictures, every number with its interval.

Throughout: `label` is 0 (human-made) or 1 (AI-generated), `probability` is the probability of 1, `group`
names what belongs together, `weight` counts a row more or less (one each if not given). A picture is called
AI when its probability is at least the threshold. Definitions are scikit-learn's, except that what is not
defined (a precision when nothing was called AI, an AUC of one class) is None instead of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve

from src.utils.analysis.stats.bootstrap import (
    RESAMPLES,
    Statistic,
    bootstrap,
    draw_weights,
    never_certain,
    percentile_interval,
    sort_groups,
)
from src.utils.estimate import Estimate

THRESHOLD = 0.5
DECISION_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro")
RANKING_METRICS = ("auc", "average_precision")
METRICS = DECISION_METRICS + RANKING_METRICS
"""The headline metrics, in the order of every table."""

COMPARED = ("balanced_accuracy", "auc")
"""What two models are compared by."""


def evaluate(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    threshold: float = THRESHOLD,
    resamples: int = RESAMPLES,
    seed: int = 0,
    seconds: float | None = None,
) -> dict[str, Any]:
    """All headline metrics of one model, ready for `metrics.json`.

    Args:
        label: Classes, [n].
        probability: Probabilities of class 1, [n].
        group: Groups, [n].
        weight: Weights, [n]; see `split.group_weights`.
        threshold: A picture is called AI from this probability on.
        resamples: Number of bootstrap resamples.
        seed: Their seed.
        seconds: What the model took, for the table.

    Returns:
        Each of `METRICS` as an `Estimate`, where a number that is 0 or 1 in every resample gets
        the exact bound for as many groups as the smaller class has; `confusion_matrix`, whole pictures
        and unweighted, as `[[TN, FP], [FN, TP]]`; `seconds`.
    """
    statistic = headline_statistic(label, probability, threshold)
    entries = bootstrap(statistic, group, label, weight, resamples, seed)
    if len(np.unique(probability)) > 1:  # a constant answer is right or wrong by definition, not by chance
        smaller = sort_groups(group, label).smallest
        entries = {name: never_certain(entry, smaller) for name, entry in entries.items()}
    return {
        **entries,
        "confusion_matrix": confusion_matrix(label, probability, threshold),
        "seconds": seconds,
    }


def paired_differences(
    label: ArrayLike,
    probability_a: ArrayLike,
    probability_b: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    metrics: Sequence[str] = COMPARED,
    threshold: float = THRESHOLD,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Metrics of model A minus those of model B, with the differences' intervals over the same resamples.

    Args:
        label: Classes, [n].
        probability_a: Probabilities of class 1 by model A, [n].
        probability_b: The same by model B, [n].
        group: Groups, [n].
        weight: Weights, [n].
        metrics: Some of `METRICS`.
        threshold: A picture is called AI from this probability on.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        By metric, −1 to 1; the models differ measurably if the interval leaves out zero.

    Raises:
        ValueError: A metric is not one of `METRICS`.
    """
    if unknown := set(metrics) - set(METRICS):
        raise ValueError(f"metric {min(unknown)!r} is not one of {', '.join(METRICS)}")
    first = headline_statistic(label, probability_a, threshold)
    second = headline_statistic(label, probability_b, threshold)

    def differences(row_weight: NDArray[np.float64]) -> dict[str, float]:
        one, other = first(row_weight), second(row_weight)
        return {metric: one[metric] - other[metric] for metric in metrics}

    return bootstrap(differences, group, label, weight, resamples, seed)


def headline_statistic(label: ArrayLike, probability: ArrayLike, threshold: float = THRESHOLD) -> Statistic:
    """A function from row weights to the headline metrics, with all sorting done beforehand.

    Raises:
        ValueError: Lengths differ, a label is not 0 or 1, or a probability is not within 0 and 1.
    """
    label, probability = _checked(label, probability)
    cell = 2 * label + (probability >= threshold)
    ranking = ranking_statistic(label, probability)

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        counts = np.bincount(cell, weights=weight, minlength=4)
        return decision_metrics(*counts) | ranking(weight)

    return statistic


def decision_metrics(tn: float, fp: float, fn: float, tp: float) -> dict[str, float]:
    """`DECISION_METRICS` from the four cells of a confusion matrix; NaN where not defined."""
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    f1, f1_human = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    return {
        "accuracy": _ratio(tp + tn, tp + tn + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "f1": f1,
        "f1_macro": (f1 + f1_human) / 2,
    }


def ranking_statistic(label: ArrayLike, score: ArrayLike) -> Statistic:
    """A function from row weights to AUC and average precision of a score, any real number, ties included."""
    label, score = np.asarray(label, dtype=int), np.asarray(score, dtype=float)
    order = np.argsort(-score, kind="stable")
    positive = label[order].astype(float)
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        if len(starts) == 0:
            return dict.fromkeys(RANKING_METRICS, np.nan)
        ranked = weight[order]
        true = np.add.reduceat(ranked * positive, starts)
        false = np.add.reduceat(ranked * (1 - positive), starts)
        true_above, false_above = np.cumsum(true), np.cumsum(false)
        called = true_above + false_above
        precision = np.divide(true_above, called, out=np.zeros_like(called), where=called > 0)
        return {
            "auc": _ratio(np.sum(false * (true_above - true / 2)), true_above[-1] * false_above[-1]),
            "average_precision": _ratio(np.sum(true * precision), true_above[-1]),
        }

    return statistic


def confusion_matrix(
    label: ArrayLike, probability: ArrayLike, threshold: float = THRESHOLD
) -> list[list[int]]:
    """Numbers of pictures `[[TN, FP], [FN, TP]]`: rows are the truth, columns the answer, 0 before 1."""
    label, probability = _checked(label, probability)
    counts = np.bincount(2 * label + (probability >= threshold), minlength=4)
    return counts.reshape(2, 2).tolist()


def brier(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float | None:
    """Mean squared distance between probability and truth (Brier 1950): 0 is perfect, 0.25 is always 0.5."""
    label, probability = _checked(label, probability)
    return _average((probability - label) ** 2, weight)


def calibration_bins(
    label: ArrayLike,
    probability: ArrayLike,
    weight: ArrayLike | None = None,
    bins: int = 10,
    equal: str = "width",
) -> pd.DataFrame:
    """What was said against what was true, in bins of the probability.

    Args:
        label: Classes, [n].
        probability: Probabilities of class 1, [n].
        weight: Weights, [n].
        bins: Number of bins.
        equal: `width`, bins of equal width from 0 to 1, or `count`, bins of about equally many pictures.

    Returns:
        A row per bin that holds a picture: `low`, `high`, `n`, `weight` (its share of all weight),
        `probability` (mean said) and `ai` (share that is AI-generated).

    Raises:
        ValueError: `equal` is neither of the two.
    """
    label, probability = _checked(label, probability)
    weight = _weights(weight, label)
    edges = np.linspace(0, 1, bins + 1)
    if equal == "count" and len(probability):
        edges = np.unique(np.quantile(probability, edges))
    elif equal not in ("width", "count"):
        raise ValueError(f"equal={equal!r} is neither width nor count")
    number = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = pd.DataFrame(
        {"bin": number, "w": weight, "wp": weight * probability, "wy": weight * label, "n": 1}
    )
    table = rows.groupby("bin").sum()
    table = table[table["w"] > 0]
    return pd.DataFrame(
        {
            "low": edges[table.index],
            "high": edges[np.minimum(table.index + 1, len(edges) - 1)],
            "n": table["n"].to_numpy(),
            "weight": (table["w"] / table["w"].sum()).to_numpy(),
            "probability": (table["wp"] / table["w"]).to_numpy(),
            "ai": (table["wy"] / table["w"]).to_numpy(),
        }
    )


def ece(
    label: ArrayLike,
    probability: ArrayLike,
    weight: ArrayLike | None = None,
    bins: int = 10,
    equal: str = "width",
) -> float | None:
    """Expected calibration error (Naeini 2015) of the probability of AI: mean gap between said and true.

    It is never negative, so chance alone pushes it up on few pictures: read it beside its size there.
    """
    table = calibration_bins(label, probability, weight, bins, equal)
    if table.empty:
        return None
    return float((table["weight"] * (table["probability"] - table["ai"]).abs()).sum())


def roc_band(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    points: int = 101,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The ROC curve on an even grid, with the pointwise bootstrap interval of the recall.

    Returns:
        `fpr` from 0 to 1, `tpr`, `low`, `high`; the last two NaN where not estimable; no rows unless both
        classes occur.
    """
    label, probability = _checked(label, probability)
    if len(np.unique(label)) < 2:
        return pd.DataFrame(columns=["fpr", "tpr", "low", "high"], dtype=float)
    grid = np.linspace(0, 1, points)
    order = np.argsort(-probability, kind="stable")
    positive = label[order].astype(float)
    ends = np.flatnonzero(np.diff(probability[order], append=-np.inf))

    def recall_at(row_weight: NDArray[np.float64]) -> NDArray[np.float64]:
        tpr = np.cumsum(row_weight[order] * positive)[ends]
        fpr = np.cumsum(row_weight[order] * (1 - positive))[ends]
        return np.interp(grid, np.append(0, fpr / fpr[-1]), np.append(0, tpr / tpr[-1]))

    weight, groups = _weights(weight, label), sort_groups(group, label)
    band = np.full((2, points), np.nan)
    if groups.estimable:
        draws = np.stack([recall_at(weight * drawn) for drawn in draw_weights(groups, resamples, seed)])
        band = np.array([percentile_interval(column, groups.smallest) for column in draws.T]).T
    return pd.DataFrame({"fpr": grid, "tpr": recall_at(weight), "low": band[0], "high": band[1]})


def pr_points(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> pd.DataFrame:
    """The precision-recall curve: `threshold`, `precision`, `recall`; no rows if nothing is AI-generated."""
    label, probability = _checked(label, probability)
    if not label.any():
        return pd.DataFrame(columns=["threshold", "precision", "recall"], dtype=float)
    precision, recall, threshold = precision_recall_curve(
        label, probability, sample_weight=_weights(weight, label)
    )
    return pd.DataFrame({"threshold": np.append(threshold, np.inf), "precision": precision, "recall": recall})


def threshold_sweep(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None, points: int = 101
) -> pd.DataFrame:
    """`DECISION_METRICS` and `fpr` at even thresholds from 0 to 1; NaN where not defined."""
    label, probability = _checked(label, probability)
    weight = _weights(weight, label)
    rows = []
    for threshold in np.linspace(0, 1, points):
        tn, fp, fn, tp = np.bincount(2 * label + (probability >= threshold), weights=weight, minlength=4)
        rows.append({"threshold": threshold, "fpr": _ratio(fp, fp + tn)} | decision_metrics(tn, fp, fn, tp))
    return pd.DataFrame(rows)


def threshold_for_fpr(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None, fpr: float = 0.05
) -> float | None:
    """Lowest threshold whose false-positive rate is at most this; None without any of them.

    Only a score that occurs, or the next number above the highest, is returned: p ≥ threshold means AI.
    """
    label, probability = _checked(label, probability)
    weight = _weights(weight, label)[label == 0]
    human = probability[label == 0]
    if weight.sum() == 0:
        return None
    candidates = np.append(np.unique(probability), np.nextafter(probability.max(), np.inf))
    order = np.argsort(human)
    below = np.append(0, np.cumsum(weight[order]))
    rate = 1 - below[np.searchsorted(human[order], candidates, side="left")] / below[-1]
    return float(candidates[np.flatnonzero(rate <= fpr + 1e-12)[0]])


def _checked(label: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    label, probability = np.asarray(label), np.asarray(probability, dtype=float)
    if label.shape != probability.shape or label.ndim != 1:
        raise ValueError(f"{label.shape} labels for {probability.shape} probabilities")
    if not np.isin(label, (0, 1)).all():
        raise ValueError("labels are 0 and 1 only")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("probabilities lie within 0 and 1")
    return label.astype(np.intp), probability


def _weights(weight: ArrayLike | None, label: NDArray) -> NDArray[np.float64]:
    return np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)


def _average(values: NDArray[np.float64], weight: ArrayLike | None) -> float | None:
    weight = _weights(weight, values)
    return Estimate.of(_ratio(np.sum(weight * values), weight.sum())).value


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else np.nan
