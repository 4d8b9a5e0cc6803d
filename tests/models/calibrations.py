"""Calibrations whose intervals are known: a few percent around what the log-odds stand for."""

from __future__ import annotations

import numpy as np

from src.utils.models.bundle.calibration import Calibration, Policy, VennAbers

SPREAD = 0.05
"""How far the ends of an interval lie from the probability that the log-odds stand for."""

POLICY = Policy(ai_from=0.7, clear_up_to=0.3)


def wide_table(spread: float = SPREAD, step: float = 0.01) -> VennAbers:
    """Intervals around the probabilities themselves."""
    score = np.round(np.arange(-10, 10 + step, step), 2)
    middle = 1 / (1 + np.exp(-score))
    ends = np.clip(middle - spread, 0, 1), np.clip(middle + spread, 0, 1)
    return VennAbers(score, *ends, {"human": 20, "ai": 20}, "source")


def make_calibration(
    policy: Policy = POLICY, temperature: float = 1.0, threshold: float = 0.5, spread: float = SPREAD, **facts
) -> Calibration:
    """A calibration without a file."""
    return Calibration(temperature, threshold, wide_table(spread), policy, facts)
