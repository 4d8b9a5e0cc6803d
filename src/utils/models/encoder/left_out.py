"""What a head says of pictures whose source it had never met: scores to calibrate on.

The head is fitted again without each source in turn, on training and validation pictures, and scores the
pictures of that source. So each score is what the kept head would say of a source that is new to it, and
there are as many as there are pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from src.utils.data.families import known_sources, source_names
from src.utils.data.split import group_weights
from src.utils.models.encoder.best import Design
from src.utils.models.encoder.heads import FOLDS, balance, fit_head, scale_head, take
from src.utils.models.encoder.runtime import Features, Head

Round = tuple[np.ndarray, np.ndarray]
"""Rows to fit on, rows to score, int."""


def left_out_scores(
    design: Design, head: Head, images: pd.DataFrame, views: Mapping[str, Features], seed: int = 0
) -> tuple[np.ndarray, str]:
    """Score every picture by a head that met nothing of its source.

    A refitted head's log-odds get the mean and the spread that the kept head's have on the same training
    pictures, so that both speak on one scale.

    Args:
        design: What the head is an instance of.
        head: The kept head.
        images: Rows of the manifest of the training and validation splits, as many as every view has.
        views: Features by name: `whole` and the design's `fit_views`.
        seed: Seed of the folds, where sources cannot be left out.

    Returns:
        Log-odds of AI, float64 [n], and what was left out: `source`, or `group` where a class has fewer than
        two sources of known name.
    """
    label, weight = images["label"].to_numpy(int), group_weights(images)
    trained = (images["split"] == "train").to_numpy()
    rounds, left_out = plan_rounds(images, seed)
    odds = np.full(len(label), np.nan)
    for fit, score in rounds:
        raw = fit_head(
            [take(views[name], fit) for name in design.fit_views], label[fit], weight[fit], design.blocks
        )
        known = fit[trained[fit]]
        scaled = _scaled_like(head, raw, take(views["whole"], known), balance(label[known], weight[known]))
        odds[score] = scaled.log_odds(take(views["whole"], score))
    return odds, left_out


def plan_rounds(images: pd.DataFrame, seed: int = 0) -> tuple[list[Round], str]:
    """Leave every source out once; what shares a group with one of its pictures is not fitted on either.

    Where a class has fewer than two sources of known name, grouped folds take the place of sources.

    Args:
        images: Rows of the manifest.
        seed: Seed of the folds.

    Returns:
        The rounds, each row scored in exactly one, and `source` or `group`.
    """
    label, group, source = images["label"].to_numpy(int), images["group"].to_numpy(), source_names(images)
    known = known_sources(images)
    if min(len(set(known[label == one]) - {""}) for one in (0, 1)) >= 2:
        return list(_without_each_source(label, group, source)), "source"
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(label, label, group)), "group"


def _without_each_source(label: np.ndarray, group: np.ndarray, source: np.ndarray) -> Iterator[Round]:
    for one, name in sorted(set(zip(label.tolist(), source.tolist(), strict=True))):
        mine = (label == one) & (source == name)
        yield np.flatnonzero(~np.isin(group, group[mine])), np.flatnonzero(mine)


def _scaled_like(head: Head, raw: Head, whole: Features, weight: np.ndarray) -> Head:
    """A head scaled so that its log-odds have the mean and spread of another's on some pictures."""
    (mean, spread), (raw_mean, raw_spread) = (_moments(one.log_odds(whole), weight) for one in (head, raw))
    slope = spread / max(raw_spread, 1e-6)
    return scale_head(raw, slope, mean - slope * raw_mean)


def _moments(odds: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean = float(np.average(odds, weights=weight))
    return mean, float(np.sqrt(np.average((odds - mean) ** 2, weights=weight)))
