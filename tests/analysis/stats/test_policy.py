"""Verdicts: given where a model was right on sources that it had not met, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from src.utils.analysis.stats.policy import NO_VERDICT, verdict_effect, verdicts
from src.utils.models.bundle.calibration import Policy


def test_a_verdict_needs_the_whole_interval():
    low, high = [0.1, 0.1, 0.4, 0.65, 0.7], [0.3, 0.35, 0.8, 0.9, 0.9]
    assert verdicts(Policy(0.7, 0.3), low, high).tolist() == [-1, 0, 0, 0, 1]
    assert verdicts(Policy(0.7), low, high).tolist() == [0, 0, 0, 0, 1]
    assert verdicts(NO_VERDICT, low, high).tolist() == [0] * 5
    assert verdicts(Policy(0.5, 0.5), [0.5], [0.5]).tolist() == [1]


def test_what_a_policy_does_by_hand():
    label, low, high = [0, 0, 1, 1, 1], np.array([0, 0.5, 0.4, 0.7, 0.8]), np.array([0.1, 0.6, 0.5, 0.9, 1])
    effect = verdict_effect(Policy(0.7, 0.3), label, low, high, range(5))
    assert effect["answered"].value == pytest.approx(3 / 5)
    assert effect["right"].value == 1
    assert effect["right_without"].value == pytest.approx(3 / 5)
    silent = verdict_effect(NO_VERDICT, label, low, high, range(5))
    assert silent["answered"].value == 0
    assert silent["right"].value is None
