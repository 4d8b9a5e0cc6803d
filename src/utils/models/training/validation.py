"""What a model reaches on the validation split, and which of two results is preferred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


def validation_metrics(label: NDArray, log_odds: NDArray, weight: NDArray) -> dict[str, float]:
    """Measure log-odds of AI against both classes.

    Args:
        label: Classes, int [n]; both occur.
        log_odds: Log-odds of class 1, float [n].
        weight: Weights, float [n].

    Returns:
        Weighted `loss` (cross-entropy, nats), `accuracy` (0–1, at probability 0.5), `auc` (0–1) and
        `called_ai`, the share that is called AI-generated (0–1); all NaN if a log-odds is not a number.
    """
    odds = log_odds.astype(np.float64)
    if np.isnan(odds).any():
        return dict.fromkeys(("loss", "accuracy", "auc", "called_ai"), float("nan"))
    called = odds >= 0
    return {
        "loss": float(np.average(np.logaddexp(0, np.where(label == 1, -odds, odds)), weights=weight)),
        "accuracy": float(np.average(called == label, weights=weight)),
        "auc": float(roc_auc_score(label, odds, sample_weight=weight)),
        "called_ai": float(np.average(called, weights=weight)),
    }
