"""Bundles: whole or not at all, checked when read, readable without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.files import write_json
from src.utils.models import bundle as bundles
from src.utils.models.bundle import (
    choose_default,
    default_bundle_dir,
    library_versions,
    load_bundle,
    load_model,
    read_history,
    save_bundle,
    update_bundle_facts,
)
from src.utils.models.predictor import Predictor
from src.utils.settings import CLASS_NAMES, PROJECT_ROOT, Settings, UserError
from tests.models.tiny import SIZE, build_tiny


def fake_bundle(folder: Path, loss: float | None = None, **facts) -> Path:
    """The facts of a bundle around a file that is no model."""
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"not a model")
    entries = {
        "schema": 1,
        "class_names": list(CLASS_NAMES),
        "input_size": SIZE,
        "resize": "squash",
        "output": "logits",
        "temperature": 1.0,
        "threshold": 0.5,
        "uncertain_band": [0.4, 0.6],
        "metrics": {} if loss is None else {"validation": {"loss": loss}},
        "versions": library_versions(),
        "model_file": "model.keras",
        "model_sha256": "3a8b3ff5ff3ac8b5ed1b8c5d3a2b6e41",
    }
    write_json(folder / "bundle.json", {**entries, **facts})
    return folder


def test_a_saved_model_predicts_the_same_again(tmp_path: Path) -> None:
    model = build_tiny()
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    folder = tmp_path / "models" / "tiny"
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.6]})
    saved = save_bundle(folder, model, {"seed": 7, "threshold": 0.25}, history)
    assert (saved.input_size, saved.threshold, saved.temperature, saved.facts["seed"]) == (SIZE, 0.25, 1.0, 7)
    assert saved.class_names == CLASS_NAMES and saved.facts["versions"]["decoder"] == 1
    np.testing.assert_allclose(load_model(load_bundle(folder))(pixels), model(pixels), atol=1e-7)
    pd.testing.assert_frame_equal(read_history(folder), history)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_save_that_fails_leaves_the_old_bundle(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "models" / "tiny", loss=0.5)
    before = (folder / "bundle.json").read_text()
    with pytest.raises(ValueError, match="JSON"):
        save_bundle(folder, build_tiny(), {"metrics": {"validation": {"loss": float("nan")}}})
    assert (folder / "bundle.json").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_changed_model_file_is_not_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    save_bundle(folder, build_tiny(), {})
    with (folder / "model.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="not the file"):
        Predictor.load(folder)
    (folder / "model.keras").unlink()
    with pytest.raises(UserError, match="is missing"):
        Predictor.load(folder)


def test_a_model_with_code_inside_is_refused(tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Lambda(lambda x: x[:, 0, 0, :2])]
    save_bundle(tmp_path / "lambda", keras.Sequential(layers), {})
    with pytest.raises(UserError, match="cannot be loaded"):
        Predictor.load(tmp_path / "lambda")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "holds no trained model"),
        ("", "damaged"),
        ('{"schema": 1', "damaged"),
        ("[]", "damaged"),
        ('{"schema": 1}', "damaged"),
        ('{"schema": 2}', "schema 2"),
    ],
)
def test_a_damaged_bundle_says_so(tmp_path: Path, text: str | None, problem: str) -> None:
    if text is not None:
        (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(UserError, match=problem):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("entry", "value"), [("resize", "holographic"), ("output", "poem"), ("model_file", "m.xyz")]
)
def test_a_bundle_of_a_later_version_is_not_misread(tmp_path: Path, entry: str, value: str) -> None:
    with pytest.raises(UserError, match=f"{entry}.*does not know"):
        Predictor.load(fake_bundle(tmp_path / "later", **{entry: value}))


def test_other_versions_are_a_warning(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "old", versions={**library_versions(), "keras": "3.0.0"})
    with pytest.warns(UserWarning, match=r"keras 3\.0\.0 → "):
        load_bundle(folder)


def test_facts_measured_later_are_added(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "cnn", loss=0.5)
    updated = update_bundle_facts(folder, temperature=1.5, metrics={"test": {"auc": 0.8}})
    assert updated.temperature == 1.5
    assert updated.facts["metrics"] == {"validation": {"loss": 0.5}, "test": {"auc": 0.8}}


def test_default_is_the_lower_validation_loss_unless_there_is_a_best(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    models = settings.models_dir
    with pytest.raises(UserError, match="make reproduce"):
        default_bundle_dir(settings)
    fake_bundle(models / "cnn_deck", loss=0.6)
    fake_bundle(models / "cnn_scaled", loss=0.5)
    fake_bundle(models / "cnn_other")
    assert default_bundle_dir(settings) == models / "cnn_scaled"
    assert (models / "default").read_text() == "cnn_scaled\n"
    best = fake_bundle(models / "best", loss=0.9)
    assert choose_default(models) == "best" and default_bundle_dir(settings) == best
    best.rename(tmp_path / "elsewhere")
    assert default_bundle_dir(settings) == models / "cnn_scaled"


def test_reading_needs_neither_tensorflow_nor_pandas(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "cnn")
    program = f"""
import sys
from pathlib import Path
import src.utils.models.predictor
from src.utils.models.bundle import load_bundle
load_bundle(Path({str(folder)!r}))
print([name for name in ("tensorflow", "keras", "pandas", "scipy", "tqdm") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_schema_is_in_the_file(tmp_path: Path) -> None:
    save_bundle(tmp_path / "tiny", build_tiny(), {})
    assert json.loads((tmp_path / "tiny" / "bundle.json").read_text())["schema"] == bundles.SCHEMA
