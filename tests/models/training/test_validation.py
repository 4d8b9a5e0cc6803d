"""What is measured on validation, against a case worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from src.utils.models.training.validation import validation_metrics


def test_every_picture_counts_with_its_weight() -> None:
    label, odds = np.array([0, 0, 1, 1]), np.array([-1.0, 2.0, 1.0, -3.0], np.float32)
    measured = validation_metrics(label, odds, np.array([1.0, 1.0, 2.0, 4.0]))
    assert measured["accuracy"] == pytest.approx(3 / 8)
    assert measured["called_ai"] == pytest.approx(3 / 8)
    assert measured["auc"] == pytest.approx(2 * 1 / 12)  # of pairs, only 1.0 above -1.0, with weight 2
    losses = np.log1p(np.exp([-1.0, 2.0, -1.0, 3.0]))
    assert measured["loss"] == pytest.approx(losses @ [1, 1, 2, 4] / 8)


def test_sure_mistakes_cost_what_they_cost_and_one_answer_shows() -> None:
    measured = validation_metrics(np.array([0, 1]), np.array([1000.0, 1000.0]), np.ones(2))
    assert measured == {"loss": 500.0, "accuracy": 0.5, "auc": 0.5, "called_ai": 1.0}


def test_what_is_no_number_is_not_measured() -> None:
    measured = validation_metrics(np.array([0, 1]), np.array([np.nan, 1.0]), np.ones(2))
    assert all(math.isnan(value) for value in measured.values())
