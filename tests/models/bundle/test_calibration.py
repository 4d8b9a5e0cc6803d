"""What was measured of a model counts for exactly that model, and is told from what was trained."""

import json
from pathlib import Path

import numpy as np
import pytest

from src.utils.files import write_json
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.calibration import (
    Policy,
    VennAbers,
    comparable,
    point_value,
    read_calibration,
    write_calibration,
)
from src.utils.settings import UserError
from tests.models.bundle.test_bundle import fake_bundle
from tests.models.calibrations import POLICY

FILES = {"head.npz": "a" * 64}
TABLE = VennAbers(
    np.array([-1.0, 0.5]), np.array([0.0, 0.4]), np.array([0.5, 0.9]), {"human": 1, "ai": 2}, "source"
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = {"missed": {"count": 5, "of": 9}, "sentences": ["It missed 5 of 9."]}
    write_calibration(
        tmp_path, FILES, TABLE, POLICY, 1.5, 0.6, track_record=record, metrics={"test": {"auc": 0.8}}
    )
    found = read_calibration(tmp_path, FILES)
    assert (found.temperature, found.threshold, found.policy) == (1.5, 0.6, POLICY)
    assert found.track_record == ["It missed 5 of 9."]
    assert found.facts["metrics"] == {"test": {"auc": 0.8}} and found.facts["model_files"] == FILES
    assert found.facts["content_gate"] is None and found.venn_abers.left_out == "source"
    for name in ("score", "low", "high"):
        assert getattr(found.venn_abers, name).tolist() == getattr(TABLE, name).tolist()


def test_intervals_are_looked_up_and_open_beyond_the_last_picture() -> None:
    low, high = TABLE.interval([-9, -1, -0.2, 0.5, 0.504, 7])
    assert low.tolist() == [0, 0, 0, 0.4, 0.4, 0.4]
    assert high.tolist() == [0.5, 0.5, 0.9, 0.9, 0.9, 1]
    assert comparable([np.inf, -np.inf, 0.016]).tolist() == [30, -30, 0.02]
    assert point_value([0.0, 0.4], [1.0, 0.9]).tolist() == [0.5, pytest.approx(0.6)]


@pytest.mark.parametrize("edges", [(0.4, None), (None, 0.6), (1.1, 0.2), (0.8, -0.1)])
def test_no_policy_can_contradict_the_label(edges) -> None:
    with pytest.raises(ValueError, match="verdicts up to"):
        Policy(*edges)
    assert Policy().band == (0, 1) and POLICY.band == (0.3, 0.7)


def test_none_is_read_where_none_was_written_or_the_model_is_another(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, FILES) is None
    write_calibration(tmp_path, FILES, TABLE, Policy())
    assert read_calibration(tmp_path, FILES).track_record == []
    assert read_calibration(tmp_path, {"head.npz": "b" * 64}) is None
    assert read_calibration(tmp_path, FILES | {"encoder.onnx": "c" * 64}) is None


def test_another_versions_file_counts_as_none_with_a_warning(tmp_path: Path) -> None:
    write_json(tmp_path / "calibration.json", {"schema": 1, "uncertain_band": [0.4, 0.6]})
    with pytest.warns(UserWarning, match="schema 1, this one reads 2.*notebook 10"):
        assert read_calibration(tmp_path, FILES) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": None, "model_files": None},
        {"temperature": 0},
        {"temperature": "warm"},
        {"policy": {"ai_from": 0.3}},
        {"policy": {"ai_above": 0.7}},
        {"policy": None},
        {"venn_abers": None},
        {"venn_abers": {}},
        {"model_files": None},
        {"threshold": None},
    ],
)
def test_a_damaged_file_is_one_line_with_the_next_step(tmp_path: Path, change: dict) -> None:
    write_calibration(tmp_path, FILES, TABLE, POLICY)
    damage(tmp_path, change)


@pytest.mark.parametrize(
    "column",
    [
        {"score": [0.5, -1]},
        {"score": [0.5, 0.5]},
        {"low": [0.4, 0.0]},
        {"low": [0.6, 0.7]},
        {"low": [-0.1, 0.4]},
        {"high": [0.5]},
        {"high": [0.5, 1.2]},
        {"high": ["wide", 1]},
        {"score": [], "low": [], "high": []},
    ],
)
def test_a_table_out_of_order_is_damaged(tmp_path: Path, column: dict) -> None:
    write_calibration(tmp_path, FILES, TABLE, POLICY)
    table = json.loads((tmp_path / "calibration.json").read_text())["venn_abers"]
    damage(tmp_path, {"venn_abers": table | column})


def damage(folder: Path, change: dict) -> None:
    """Change a file's entries and see that reading it says so."""
    path = folder / "calibration.json"
    whole = json.loads(path.read_text()) | {name: one for name, one in change.items() if name != "schema"}
    if "schema" in change:
        del whole["schema"]
    write_json(path, whole)
    with pytest.raises(UserError, match=r"calibration\.json is damaged .*notebook 10") as problem:
        read_calibration(folder, FILES)
    assert "\n" not in str(problem.value)


def test_a_card_joins_both_files_and_leaves_the_bundles_own_entries(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "cnn", metrics={"validation": {"loss": 0.5}}, seed=7)
    bundle = load_bundle(folder)
    assert bundle.card["metrics"] == {"validation": {"loss": 0.5}} and not bundle.card["calibrated"]
    assert bundle.card["policy"]["ai_from"] is None
    facts = (folder / "bundle.json").read_bytes()
    metrics = {"test": {"auc": 0.8}}
    write_calibration(folder, bundle.served_files, TABLE, POLICY, 2, metrics=metrics, seed=8)
    card = load_bundle(folder).card
    assert card["metrics"] == {"validation": {"loss": 0.5}, "test": {"auc": 0.8}}
    assert (card["calibrated"], card["temperature"], card["policy"]["ai_from"]) == (True, 2.0, 0.7)
    assert card["seed"] == 7 and (folder / "bundle.json").read_bytes() == facts
