"""Bundles: whole or not at all, checked when read, readable without TensorFlow."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from src.utils.code import module_digest
from src.utils.files import write_json
from src.utils.models.bundle import bundle as bundles
from src.utils.models.bundle import export as exporting
from src.utils.models.bundle.bundle import (
    better_on_validation,
    choose_default,
    default_bundle_dir,
    library_versions,
    load_bundle,
    load_model,
    read_history,
    save_bundle,
    write_default,
)
from src.utils.models.bundle.calibration import Policy, write_calibration
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import CLASS_NAMES, PROJECT_ROOT, Settings, UserError
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny import SIZE, build_tiny, build_unexportable, random_pixels

DECODER = module_digest("src.utils.data.pictures.decode")


def fake_bundle(folder: Path, auc: float | None = None, called_ai: float = 0.5, **facts) -> Path:
    """The facts of a bundle around a file that is no model."""
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"not a model")
    entries = {
        "schema": 1,
        "class_names": list(CLASS_NAMES),
        "input_size": SIZE,
        "resize": "squash",
        "output": "logits",
        "metrics": {} if auc is None else {"validation": {"auc": auc, "called_ai": called_ai}},
        "versions": library_versions(),
        "model_file": "model.keras",
        "model_sha256": "3a8b3ff5ff3ac8b5ed1b8c5d3a2b6e41",
    }
    write_json(folder / "bundle.json", {**entries, **facts})
    return folder


def test_a_saved_model_predicts_the_same_again(tmp_path: Path) -> None:
    model = build_tiny()
    pixels = random_pixels()
    folder = tmp_path / "models" / "tiny"
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.6]})
    saved = save_bundle(folder, model, {"seed": 7}, history)
    assert (saved.input_size, saved.threshold, saved.temperature, saved.facts["seed"]) == (SIZE, 0.5, 1.0, 7)
    assert saved.calibration is None and saved.policy == Policy() and not saved.card["calibrated"]
    assert saved.class_names == CLASS_NAMES and saved.facts["versions"]["decoder"] == DECODER
    np.testing.assert_allclose(load_model(load_bundle(folder))(pixels), model(pixels), atol=1e-7)
    pd.testing.assert_frame_equal(read_history(folder), history)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_save_that_fails_leaves_the_old_bundle(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "models" / "tiny", auc=0.5)
    before = (folder / "bundle.json").read_text()
    with pytest.raises(ValueError, match="JSON"):
        save_bundle(folder, build_tiny(), {"metrics": {"validation": {"loss": float("nan")}}})
    assert (folder / "bundle.json").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_keras_model_is_served_as_its_export(tmp_path: Path) -> None:
    bundle = save_bundle(tmp_path / "tiny", build_tiny(), {})
    assert bundle.served_path == tmp_path / "tiny" / "model.onnx"
    assert bundle.served_files == {"model.onnx": hashlib.sha256(bundle.served_path.read_bytes()).hexdigest()}
    assert bundle.facts["served_file"] == "model.onnx" and bundle.facts["model_file"] == "model.keras"
    assert bundle.check_served_files() == bundle.served_path
    assert bundle.check_model_file() == tmp_path / "tiny" / "model.keras"


def test_facts_and_served_files_are_enough_to_serve(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    model = build_tiny()
    history = pd.DataFrame({"epoch": [1]})
    bundle = save_bundle(folder, model, {"metrics": {"validation": {"loss": 0.5}}}, history)
    (folder / "model.keras").unlink()
    (folder / "history.csv").unlink()
    write_calibration(folder, bundle.served_files, wide_table(), POLICY, 2.0, metrics={"test": {"auc": 0.8}})
    assert choose_default(folder.parent) == "tiny"
    logits = np.asarray(model(random_pixels()))
    found = Predictor.load(folder).predict_pixels(random_pixels())
    np.testing.assert_allclose(found, 1 / (1 + np.exp((logits[:, 0] - logits[:, 1]) / 2)), atol=1e-6)
    with pytest.raises(UserError, match=r"model\.keras is missing"):
        load_model(load_bundle(folder))


def test_a_bundle_of_an_earlier_version_serves_its_model(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    model = build_tiny()
    facts = dict(save_bundle(folder, model, {}).facts)
    del facts["served_file"], facts["served_files"]
    write_json(folder / "bundle.json", facts)
    (folder / "model.onnx").unlink()
    bundle = load_bundle(folder)
    assert bundle.served_files == {"model.keras": facts["model_sha256"]}
    assert bundle.check_served_files() == bundle.model_path
    logits = np.asarray(model(random_pixels()))
    found = Predictor.load(folder).predict_pixels(random_pixels())
    np.testing.assert_allclose(found, 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), atol=1e-6)


def test_what_saves_itself_is_served_with_all_it_saved(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        path.write_bytes(b"head")
        path.with_name("beside.bin").write_bytes(b"beside")

    model = SimpleNamespace(file_name="head.npz", input_shape=(None, SIZE, SIZE, 3), save=save)
    bundle = save_bundle(tmp_path / "best", model, {})
    assert bundle.served_path.name == bundle.facts["model_file"] == "head.npz"
    assert bundle.served_files == {
        name: hashlib.sha256(name.split(".")[0].encode()).hexdigest() for name in ("beside.bin", "head.npz")
    }
    assert bundle.check_served_files() == bundle.served_path
    (bundle.folder / "beside.bin").write_bytes(b"other")
    with pytest.raises(UserError, match=r"beside\.bin is not the file"):
        bundle.check_served_files()


def test_a_model_that_cannot_be_exported_is_served_by_keras(tmp_path: Path) -> None:
    model = build_unexportable()
    with pytest.warns(UserWarning, match="odd is served by Keras.*Erfinv") as told:
        bundle = save_bundle(tmp_path / "odd", model, {})
    (line,) = [str(one.message) for one in told if "served by Keras" in str(one.message)]
    assert "\n" not in line
    assert bundle.served_path == bundle.model_path and set(bundle.served_files) == {"model.keras"}
    assert sorted(path.name for path in bundle.folder.iterdir()) == ["bundle.json", "model.keras"]
    logits = np.asarray(model(random_pixels()))
    found = Predictor.load(bundle.folder).predict_pixels(random_pixels())
    np.testing.assert_allclose(found, 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), atol=1e-6)


def test_a_bad_export_never_becomes_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_bundle(tmp_path / "models" / "tiny", auc=0.5)
    before = (folder / "bundle.json").read_text()
    monkeypatch.setattr(
        exporting, "onnx_runtime", lambda path, size: lambda pixels: np.zeros((len(pixels), 2), np.float32)
    )
    with pytest.raises(UserError, match="answers otherwise once exported"):
        save_bundle(folder, build_tiny(), {})
    assert (folder / "bundle.json").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("served", ["model.onnx", "model.keras"])
def test_a_changed_file_is_not_loaded(tmp_path: Path, served: str) -> None:
    folder = tmp_path / "tiny"
    bundle = save_bundle(folder, build_tiny(), {})
    load = Predictor.load if served == "model.onnx" else lambda folder: load_model(load_bundle(folder))
    with (folder / served).open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=f"{served} is not the file") as problem:
        load(folder)
    assert "\n" not in str(problem.value)
    (folder / served).unlink()
    with pytest.raises(UserError, match=f"{served} is missing"):
        load(folder)
    assert bundle.facts == load_bundle(folder).facts


@pytest.mark.parametrize(
    ("content", "size", "problem"),
    [
        (None, SIZE + 1, r"shapes \[\[16, 16, 3\], \[2\]\], not \[17, 17, 3\]"),
        (b"no network", SIZE, "arsing failed"),
    ],
)
def test_an_export_that_is_not_the_bundles_network_is_one_line(
    tmp_path: Path, content: bytes | None, size: int, problem: str
) -> None:
    folder = tmp_path / "tiny"
    save_bundle(folder, build_tiny(), {})
    if content:
        (folder / "model.onnx").write_bytes(content)
    sha256 = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    facts = json.loads((folder / "bundle.json").read_text())
    write_json(folder / "bundle.json", facts | {"input_size": size, "served_files": {"model.onnx": sha256}})
    with pytest.raises(UserError, match=f"model.onnx cannot be used .*{problem}") as found:
        Predictor.load(folder)
    assert "\n" not in str(found.value)


def test_a_model_with_code_inside_is_refused(tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((SIZE, SIZE, 3)), keras.layers.Lambda(lambda x: x[:, 0, 0, :2])]
    bundle = save_bundle(tmp_path / "lambda", keras.Sequential(layers), {})
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(bundle)
    # The export holds what the code did, but no code.
    assert Predictor.load(tmp_path / "lambda").predict_pixels(random_pixels()).shape == (5,)


@pytest.mark.parametrize(
    "facts",
    [
        {"served_file": "other.onnx"},
        {"served_file": "../model.onnx", "served_files": {"../model.onnx": "0"}},
        {"served_file": "/etc/hostname", "served_files": {"/etc/hostname": "0"}},
        {"served_file": "a.onnx", "served_files": {"a.onnx": "0", "b/c": "0"}},
        {"served_file": "a.onnx", "served_files": "a.onnx"},
        {"served_files": {"a.onnx": "0"}},
        {"served_file": 3, "served_files": {}},
        {"model_file": "../model.keras"},
    ],
)
def test_files_outside_the_bundle_are_not_read(tmp_path: Path, facts: dict) -> None:
    with pytest.raises(UserError, match="damaged"):
        load_bundle(fake_bundle(tmp_path / "odd", **facts))


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
    ("facts", "problem"),
    [
        ({"resize": "holographic"}, "resize 'holographic'"),
        ({"output": "poem"}, "output 'poem'"),
        ({"served_file": "m.xyz", "served_files": {"m.xyz": "0"}}, r"served_file '\.xyz'"),
        ({"model_file": "m.xyz"}, r"served_file '\.xyz'"),
    ],
)
def test_a_bundle_of_a_later_version_is_not_misread(tmp_path: Path, facts: dict, problem: str) -> None:
    with pytest.raises(UserError, match=f"{problem}, which this version does not know"):
        Predictor.load(fake_bundle(tmp_path / "later", **facts))


def test_other_versions_are_a_warning(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "old", versions={**library_versions(), "keras": "3.0.0"})
    with pytest.warns(UserWarning, match=r"keras 3\.0\.0 → "):
        load_bundle(folder)


def test_saving_the_same_model_again_touches_nothing(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        path.write_bytes(weights)

    folder, weights = tmp_path / "best", b"head"
    model = SimpleNamespace(file_name="head.npz", input_shape=(None, SIZE, SIZE, 3), save=save)
    first = save_bundle(folder, model, {"seed": 7})
    write_calibration(folder, first.served_files, wide_table(), POLICY, 2.0)
    before = (folder / "bundle.json").stat()
    assert save_bundle(folder, model, {"seed": 7}).temperature == 2.0
    assert (folder / "bundle.json").stat() == before
    weights = b"another head"
    assert save_bundle(folder, model, {"seed": 7}).calibration is None
    assert not (folder / "calibration.json").exists()


def test_default_is_the_better_one_on_validation_unless_there_is_a_best(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    models = settings.models_dir
    with pytest.raises(UserError, match="make reproduce"):
        default_bundle_dir(settings)
    fake_bundle(models / "cnn_deck", auc=0.6)
    fake_bundle(models / "cnn_scaled", auc=0.7)
    fake_bundle(models / "cnn_other")
    assert default_bundle_dir(settings) == models / "cnn_scaled"
    assert not (models / "default").exists() and write_default(models) == "cnn_scaled"
    assert (models / "default").read_text() == "cnn_scaled\n"
    best = fake_bundle(models / "best", auc=0.5)
    assert choose_default(models) == "best" and default_bundle_dir(settings) == best
    best.rename(tmp_path / "elsewhere")
    assert default_bundle_dir(settings) == models / "cnn_scaled"


def test_a_model_with_one_answer_comes_after_any_with_two(tmp_path: Path) -> None:
    fake_bundle(tmp_path / "constant", auc=0.9, called_ai=1.0)
    fake_bundle(tmp_path / "other_constant", auc=0.8, called_ai=0.0)
    assert better_on_validation(tmp_path, ["other_constant", "constant"]) == "constant"
    fake_bundle(tmp_path / "chance", auc=0.45, called_ai=0.9)
    assert better_on_validation(tmp_path, ["constant", "other_constant", "chance"]) == "chance"


def test_reading_needs_neither_tensorflow_nor_pandas(tmp_path: Path) -> None:
    folder = fake_bundle(tmp_path / "cnn")
    program = f"""
import sys
from pathlib import Path
import src.utils.models.bundle.predictor
from src.utils.models.bundle.bundle import load_bundle
load_bundle(Path({str(folder)!r}))
print([name for name in ("tensorflow", "keras", "pandas", "scipy", "tqdm") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_schema_is_in_the_file(tmp_path: Path) -> None:
    save_bundle(tmp_path / "tiny", build_tiny(), {})
    assert json.loads((tmp_path / "tiny" / "bundle.json").read_text())["schema"] == bundles.SCHEMA
