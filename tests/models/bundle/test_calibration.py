"""What was measured of a model counts for exactly that model, and is told from what was trained."""

import json
from pathlib import Path

import pytest

from src.utils.files import write_json
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.calibration import read_calibration, write_calibration
from src.utils.settings import UserError
from tests.models.bundle.test_bundle import fake_bundle

FILES = {"head.npz": "a" * 64}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_calibration(tmp_path, FILES, 1.5, (0.25, 0.75), 0.6, metrics={"test": {"auc": 0.8}})
    found = read_calibration(tmp_path, FILES)
    assert (found.temperature, found.threshold, found.uncertain_band) == (1.5, 0.6, (0.25, 0.75))
    assert found.facts["metrics"] == {"test": {"auc": 0.8}} and found.facts["model_files"] == FILES


def test_none_is_read_where_none_was_written_or_the_model_is_another(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, FILES) is None
    write_calibration(tmp_path, FILES, 1.5, None)
    assert read_calibration(tmp_path, FILES).uncertain_band is None
    assert read_calibration(tmp_path, {"head.npz": "b" * 64}) is None
    assert read_calibration(tmp_path, FILES | {"encoder.onnx": "c" * 64}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"temperature": 0},
        {"temperature": "warm"},
        {"uncertain_band": [0.7, 0.3]},
        {"uncertain_band": [0.1, 1.2]},
        {"model_files": None},
        {"threshold": None},
    ],
)
def test_a_damaged_file_is_one_line_with_the_next_step(tmp_path: Path, change: dict) -> None:
    write_calibration(tmp_path, FILES, 1.5, (0.4, 0.6))
    path = tmp_path / "calibration.json"
    write_json(path, json.loads(path.read_text()) | change)
    with pytest.raises(UserError, match=r"calibration\.json is damaged .*notebook 10") as problem:
        read_calibration(tmp_path, FILES)
    assert "\n" not in str(problem.value)


def test_a_card_joins_both_files_and_leaves_the_bundles_own_entries(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "cnn", loss=0.5, seed=7)
    bundle = load_bundle(folder)
    assert bundle.card["metrics"] == {"validation": {"loss": 0.5}} and not bundle.card["calibrated"]
    facts = (folder / "bundle.json").read_bytes()
    write_calibration(folder, bundle.served_files, 2, (0.3, 0.6), metrics={"test": {"auc": 0.8}}, seed=8)
    card = load_bundle(folder).card
    assert card["metrics"] == {"validation": {"loss": 0.5}, "test": {"auc": 0.8}}
    assert (card["calibrated"], card["temperature"], card["uncertain_band"]) == (True, 2.0, [0.3, 0.6])
    assert card["seed"] == 7 and (folder / "bundle.json").read_bytes() == facts
