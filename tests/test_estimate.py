"""A number with its interval: to text, JSON and tables, and back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from src.utils.estimate import Estimate, read_estimates
from src.utils.files import read_json, write_json


def test_what_is_not_known_is_none_and_the_rest_a_plain_float() -> None:
    assert Estimate.of(np.float64(0.5), np.nan, np.inf) == Estimate(0.5)
    assert type(Estimate.of(np.float64(0.5)).value) is float
    assert Estimate.of(np.nan, 0.1, 0.2) == Estimate(None, None, None)


def test_text_says_what_is_known() -> None:
    assert Estimate(0.614, 0.52, 0.7).text() == "0.61 [0.52, 0.70]"
    assert Estimate(0.614, 0.52, 0.7).text(digits=3) == "0.614 [0.520, 0.700]"
    assert Estimate(-0.001).text() == "0.00 (interval not estimable)"
    assert Estimate().text() == "–"


def test_json_holds_three_entries_and_gives_the_estimate_back(tmp_path: Path) -> None:
    numbers = {"auc": Estimate(0.6, 0.5, 0.7), "all": [Estimate(0.1)], "bin": {"low": 1, "high": 2}}
    write_json(tmp_path / "a.json", numbers)
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["auc"] == {"value": 0.6, "low": 0.5, "high": 0.7}
    assert written["all"] == [{"value": 0.1, "low": None, "high": None}]
    assert read_json(tmp_path / "a.json", read_estimates) == numbers


def test_columns_of_a_table_and_back() -> None:
    estimate = Estimate(0.6, 0.5, 0.7)
    assert estimate.columns("auc") == {"auc": 0.6, "auc_low": 0.5, "auc_high": 0.7}
    assert Estimate.from_row(estimate.columns("auc"), "auc") == estimate
    unknown = Estimate(0.6).columns("auc", "low", "high")
    assert unknown["auc"] == 0.6 and math.isnan(unknown["low"]) and math.isnan(unknown["high"])
