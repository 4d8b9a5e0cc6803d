"""A linear model on frozen features: the instrument that measures splits and held-out families.

It is fitted in a fraction of a second, so one and the same model can be asked under many splits; no network
is trained here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.estimate import Estimate
from src.utils.models.encoder.heads import fit_head
from src.utils.models.encoder.runtime import EMBEDDING, Head

FOLDS = 5

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows to fit on and rows to score."""


def fit_probe(features: ArrayLike, label: ArrayLike, weight: ArrayLike) -> Head:
    """Fit the plain linear probe: one regularised logistic regression, the classes with the same weight.

    Args:
        features: float [n, d].
        label: Classes, [n].
        weight: Weights, [n].
    """
    label, weight = np.asarray(label, dtype=int), np.asarray(weight, dtype=float)
    return fit_head([{EMBEDDING: np.asarray(features)}], label, weight, (EMBEDDING,))


def probe_scores(probe: Head, features: ArrayLike) -> NDArray[np.float64]:
    """Log-odds of class 1 up to a factor, float64 [n]."""
    return np.asarray(probe.log_odds({EMBEDDING: np.asarray(features)}), dtype=float)


def grouped_folds(label: ArrayLike, group: ArrayLike, seed: int = 0) -> list[Fold]:
    """Folds that no group crosses; none if a class has fewer groups than folds."""
    label, group = np.asarray(label), np.asarray(group)
    if min(len(np.unique(group[label == one])) for one in (0, 1)) < FOLDS:
        return []
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(label, label, group))


def random_folds(label: ArrayLike, seed: int = 0) -> list[Fold]:
    """Folds of single pictures, whatever they are related to: the deck's way."""
    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(label, label))


def out_of_fold(
    features: NDArray, label: NDArray, weight: NDArray, folds: list[Fold]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Fit on each fold's first part and score its second.

    Yields:
        Rows scored and their log-odds.
    """
    for fit, score in folds:
        yield score, probe_scores(fit_probe(features[fit], label[fit], weight[fit]), features[score])


def split_effect(
    features: ArrayLike,
    label: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """What a random split adds to the score of the very same model on the very same features.

    Every picture is scored by a probe that has not seen it (random) and by one that has not seen anything of
    its group either (group). AUCs are means over the folds; the difference is taken over the same resamples.

    Args:
        features: float [n, d].
        label: Classes, [n].
        group: Groups, [n].
        weight: Weights, [n]; one each if not given.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Returns:
        `random`, `group` and `difference` (random minus group), all None
        where a class has fewer groups than folds.
    """
    features, label, group = np.asarray(features), np.asarray(label, dtype=int), np.asarray(group)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    by_group = grouped_folds(label, group, seed)
    if not by_group:
        return dict.fromkeys(("random", "group", "difference"), Estimate())
    random = mean_auc(label, out_of_fold(features, label, weight, random_folds(label, seed)))
    grouped = mean_auc(label, out_of_fold(features, label, weight, by_group))

    def statistic(row_weight: NDArray[np.float64]) -> dict[str, float]:
        one, other = random(row_weight)["auc"], grouped(row_weight)["auc"]
        return {"random": one, "group": other, "difference": one - other}

    return bootstrap(statistic, group, label, weight, resamples, seed)


def split_rows(effect: Mapping[str, Estimate], name: str) -> pd.DataFrame:
    """Lay out a `split_effect` for `plots.robustness.difference_plot`.

    Args:
        effect: From `split_effect`.
        name: What the two scores are of.
    """
    rows = [
        {"set": name, "name": words, "model": "linear_probe", "difference": ""}
        | effect[split].columns("value", "low", "high")
        for split, words in (("random", "pictures split at random"), ("group", "originals kept whole"))
    ]
    return pd.DataFrame(rows)


def mean_auc(label: NDArray, scored: Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]) -> Statistic:
    """A function from row weights to the `auc` within each fold, averaged.

    Pooled over folds, a model that knew nothing but the share of AI in its training folds would score below
    0.5.
    """
    folds = [(rows, ranking_statistic(label[rows], odds)) for rows, odds in scored]

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        return {"auc": float(np.mean([one(weight[rows])["auc"] for rows, one in folds]))}

    return statistic


def pair_ranking(
    label: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate | None:
    """How often the AI-generated twin scores above its photograph; a tie counts half.

    A guess gives 0.5. Nothing that a pair shares (subject, composition, size) can help.

    Args:
        label: Classes, [n].
        score: Any score that is higher for AI, [n].
        group: Groups, [n]; those that hold both classes are the pairs. Where they hold several pictures of a
            class, all their combinations are averaged first.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        The share over pairs, or None if no group holds both classes.
    """
    table = pd.DataFrame({"group": np.asarray(group), "label": np.asarray(label), "score": np.asarray(score)})
    both = table.groupby("group")["label"].transform("nunique") == 2
    pairs = table[both]
    if pairs.empty:
        return None
    combined = pairs[pairs["label"] == 1].merge(
        pairs[pairs["label"] == 0], on="group", suffixes=("", "_human")
    )
    gap = combined["score"] - combined["score_human"]
    wins = ((gap > 0) + 0.5 * (gap == 0)).groupby(combined["group"]).mean()
    value = wins.to_numpy()

    def mean_win(weight: NDArray[np.float64]) -> dict[str, float]:
        return {"win": float(np.average(value, weights=weight))}

    return bootstrap(mean_win, wins.index, np.ones(len(wins), int), None, resamples, seed)["win"]


def pair_rankings(log_odds: Mapping[str, NDArray], part: Part, seed: int = 0) -> dict[str, Estimate]:
    """`pair_ranking` of several models on a part; empty where no group holds both classes.

    Args:
        log_odds: By model, log-odds of AI of all pictures, [all].
        part: Some of them.
        seed: Seed of the resamples.
    """
    found = {
        name: pair_ranking(part.label, odds[part.rows], part.group, seed=seed)
        for name, odds in log_odds.items()
    }
    return {name: entry for name, entry in found.items() if entry is not None}


def within_pairs(pairs: Mapping[str, Estimate]) -> dict[str, Any]:
    """Lay out `pair_rankings` as metrics by model."""
    return {name: {"twin_above_its_photograph": entry} for name, entry in pairs.items()}


def add_pairs(measured: Mapping[str, Mapping[str, Any]], pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Each model's metrics, with `within_pair` where there are pairs."""
    return {
        name: {**one, **({"within_pair": pairs[name]} if name in pairs else {})}
        for name, one in measured.items()
    }
