"""Which of two models is the better one by validation."""

from __future__ import annotations

import math
from collections.abc import Mapping


def validation_rank(metrics: Mapping[str, float]) -> tuple[bool, float]:
    """How good a model is by validation, to compare: one that gives both answers comes before any other.

    Ranking alone would prefer a model that calls every picture the same: its AUC says nothing about that.

    Args:
        metrics: `auc` and `called_ai` (the share called AI-generated), 0–1; one not measured ranks last.
    """
    auc, called = (metrics.get(name, math.nan) for name in ("auc", "called_ai"))
    return 0 < called < 1, -math.inf if math.isnan(auc) else auc
