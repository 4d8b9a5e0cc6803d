"""Fitting linear heads on frozen features: small, shrunken, combined with equal say, then calibrated.

With about a hundred groups and thousands of numbers a picture, each block gets its own strongly regularised
logistic regression. Their log-odds are divided by their spread and averaged: blocks err differently, and one
regression over all of them together ranked held-out sources worse.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import ThreadpoolController

from src.utils.models.encoder.runtime import WHOLE, Features, Head

STRENGTH = 10.0
"""scikit-learn's `C` for features whose squares sum to about one a picture."""

FOLDS = 5

_SMALLEST = 1e-6


def fit_head(
    views: Sequence[Features],
    label: np.ndarray,
    weight: np.ndarray,
    blocks: Sequence[str],
    encoder_sha256: str = "",
    crops: str = WHOLE,
) -> Head:
    """Fit a regression a block and average them, uncalibrated: the log-odds have a spread of about one.

    Args:
        views: Features of the same pictures under different treatments; each is a training example.
        label: Classes, [n].
        weight: Weights, [n]; the two classes are given the same total.
        blocks: What the head reads.
        encoder_sha256: For the head's record.
        crops: For the head's record.
    """
    label, weight = np.tile(label, len(views)), np.tile(balance(label, weight) / len(views), len(views))
    weights, offsets = {}, {}
    for name in blocks:
        rows = np.concatenate([view[name] for view in views])
        direction, offset = _fit_block(rows, label, weight)
        weights[name], offsets[name] = direction / len(blocks), offset / len(blocks)
    return Head(weights, offsets, 0.0, encoder_sha256, crops)


@functools.cache
def _libraries() -> ThreadpoolController:
    """The libraries with threads of their own, looked for once: each look takes a fifth of a fit."""
    return ThreadpoolController()


def _fit_block(rows: np.ndarray, label: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Direction and offset of one block's log-odds, centred and of unit spread over the training rows."""
    mean = np.average(rows, axis=0, weights=weight)
    spread = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight)) + _SMALLEST
    scale = 1 / (spread * np.sqrt(rows.shape[1]))
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
    with _libraries().limit(limits=1):
        model.fit((rows - mean) * scale, label, sample_weight=weight)
    direction = model.coef_[0] * scale
    direction = direction / max(
        np.sqrt(np.average(((rows - mean) @ direction) ** 2, weights=weight)), _SMALLEST
    )
    return direction.astype(np.float32), float(-mean @ direction)


def balance(label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights scaled so that both classes have the same total and the mean is one."""
    totals = np.array([weight[label == one].sum() for one in (0, 1)])
    return weight / totals[label] * len(label) / 2


def calibrate(
    head: Head,
    views: Sequence[Features],
    label: np.ndarray,
    group: np.ndarray,
    weight: np.ndarray,
    seed: int = 0,
) -> Head:
    """Give a head's log-odds their right size and level (Platt 1999), on pictures not learnt by heart.

    Heads fitted like it in grouped folds score the first view of what they have not seen; a logistic
    regression on that one number follows.

    Args:
        head: From `fit_head` on these same rows.
        views: As for `fit_head`; the first is what predictions are made from.
        label: Classes, [n].
        group: Groups, [n]: none is in two folds.
        weight: Weights, [n].
        seed: Seed of the folds.

    Returns:
        The head, scaled; as it was if a class has too few groups for folds.
    """
    if not has_folds(label, group):
        return head
    odds = np.empty(len(label))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(label, label, group)
    for fit, score in folds:
        part = fit_head([take(view, fit) for view in views], label[fit], weight[fit], tuple(head.weights))
        odds[score] = part.log_odds(take(views[0], score))
    line = LogisticRegression(C=1e3).fit(odds[:, None], label, sample_weight=balance(label, weight))
    return scale_head(head, max(float(line.coef_[0, 0]), _SMALLEST), float(line.intercept_[0]))


def has_folds(label: np.ndarray, group: np.ndarray) -> bool:
    """Whether each class has enough groups for grouped folds; classes and groups are [n]."""
    return min(len(np.unique(group[label == one])) for one in (0, 1)) >= FOLDS


def scale_head(head: Head, slope: float, intercept: float) -> Head:
    """The head whose log-odds are `slope` × log-odds + `intercept`; its ranking does not change."""
    return Head(
        {name: (slope * weight).astype(np.float32) for name, weight in head.weights.items()},
        {name: slope * offset for name, offset in head.offsets.items()},
        slope * head.bias + intercept,
        head.encoder_sha256,
        head.crops,
    )


def take(features: Mapping[str, np.ndarray], rows: np.ndarray) -> Features:
    """Some rows of every block."""
    return {name: block[rows] for name, block in features.items()}
