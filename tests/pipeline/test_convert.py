"""The command that makes a bundle of a model from elsewhere: told everything, guessing nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from src.utils.models.bundle.bundle import choose_default, load_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.pipeline import convert
from src.utils.pipeline.convert import main
from src.utils.settings import CLASS_NAMES, PROJECT_ROOT
from tests.models.bundle.test_legacy import brightness_score, build_legacy
from tests.models.tiny import SIZE, random_pixels


@pytest.fixture
def h5(tmp_path: Path) -> Path:
    """What the deck's page ran: one sigmoid, pixels divided by 255."""
    build_legacy("sigmoid").save(tmp_path / "model_05.h5")
    return tmp_path / "model_05.h5"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("high", ["human", "ai"])
def test_verdicts_are_the_right_way_round(h5: Path, tmp_path: Path, high: str, capsys) -> None:
    folder = tmp_path / "converted"
    code, out, err = run(capsys, h5, "--to", folder, "--pixels", "0-1", "--high-means", high)
    assert (code, err) == (0, "")
    predictor = Predictor.load(folder)
    assert predictor.bundle.served_path.name == "model.onnx" and predictor.bundle.input_size == SIZE
    paths = [tmp_path / f"{name}.png" for name in ("black", "white")]
    for path, brightness in zip(paths, (0, 255), strict=True):
        Image.new("RGB", (40, 30), (brightness,) * 3).save(path)
    bright = {"human": "Human-made", "ai": "AI-generated"}[high]
    dark = next(name for name in CLASS_NAMES if name != bright)
    rows = list(predictor.predict_files(paths))
    assert [row["label"] for row in rows] == [dark, bright]
    assert {row["verdict"] for row in rows} == {"Uncertain"} and "uncalibrated" in rows[0]["reason"]
    of_high = 1 / (1 + np.exp(-brightness_score(random_pixels())))
    np.testing.assert_allclose(
        predictor.predict_pixels(random_pixels()), of_high if high == "ai" else 1 - of_high, atol=1e-5
    )
    assert f"one number, high for {bright}, after a sigmoid" in out
    assert f"python -m src.utils.predict --model {folder}" in out


def test_two_outputs_are_put_in_order(tmp_path: Path, capsys) -> None:
    build_legacy("logits", "0-255").save(tmp_path / "two.keras")
    probabilities = {}
    for order in ("human,ai", "ai,human"):
        folder = tmp_path / order.replace(",", "_")
        options = ("--pixels", "0-255", "--classes", order, "--output", "logits")
        code, out, _ = run(capsys, tmp_path / "two.keras", "--to", folder, *options)
        assert code == 0 and "two numbers, " in out and ", as logits" in out
        probabilities[order] = Predictor.load(folder).predict_pixels(random_pixels())
    score = brightness_score(random_pixels())
    np.testing.assert_allclose(probabilities["human,ai"], 1 / (1 + np.exp(-score)), atol=1e-5)
    np.testing.assert_allclose(probabilities["ai,human"], 1 / (1 + np.exp(score)), atol=1e-5)


def test_facts_claim_nothing_and_tell_the_origin(h5: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    models = tmp_path / "models"
    settings = SimpleNamespace(from_env=lambda: SimpleNamespace(models_dir=models))
    monkeypatch.setattr(convert, "Settings", settings)
    code, _, _ = run(capsys, h5, "--name", "old_page", "--pixels", "0-1", "--high-means", "human")
    facts = load_bundle(models / "old_page").facts
    assert code == 0 and choose_default(models) == "old_page"
    assert (facts["metrics"], facts["source"], facts["demonstration"]) == ({}, "unknown", False)
    assert facts["converted_from"] == {
        "file": "model_05.h5",
        "sha256": hashlib.sha256(h5.read_bytes()).hexdigest(),
        "output": "sigmoid",
        "high_means": "human",
        "classes": None,
        "pixels": "0-1",
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--pixels", "0-1", "--classes", "human,ai"), "one output"),
        (("--pixels", "0-1", "--high-means", "ai", "--output", "logits"), "give --output sigmoid"),
    ],
)
def test_what_cannot_be_converted_is_one_line_and_writes_nothing(
    h5: Path, tmp_path: Path, arguments: tuple, problem: str, capsys
) -> None:
    code, out, err = run(capsys, h5, "--to", tmp_path / "new" / "bundle", *arguments)
    assert (code, out) == (2, "") and problem in err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model_05.h5"]


def test_nothing_is_overwritten_and_names_are_names(h5: Path, tmp_path: Path, capsys) -> None:
    told = ("--pixels", "0-1", "--high-means", "ai")
    code, _, err = run(capsys, h5, "--to", tmp_path, *told)
    assert code == 2 and f"{tmp_path} is there already" in err
    for name in ("../other", ".hidden", "a/b", ""):
        code, _, err = run(capsys, h5, "--name", name, *told)
        assert code == 2 and "no name for a model" in err
    code, _, err = run(capsys, tmp_path / "absent.h5", "--to", tmp_path / "x", *told)
    assert code == 2 and "absent.h5 does not exist" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["m.h5", "--to", "x", "--high-means", "ai"],
        ["m.h5", "--to", "x", "--pixels", "0-1"],
        ["m.h5", "--pixels", "0-1", "--high-means", "ai"],
        ["m.h5", "--to", "x", "--pixels", "0-1", "--high-means", "yes"],
        ["m.h5", "--to", "x", "--pixels", "0-1", "--high-means", "ai", "--classes", "human,ai"],
        ["m.h5", "--to", "x", "--name", "y", "--pixels", "0-1", "--high-means", "ai"],
        ["m.h5", "--to", "x", "--pixels", "0-2", "--high-means", "ai"],
    ],
)
def test_what_is_not_told_is_asked_for(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_help_needs_no_tensorflow_and_explains() -> None:
    program = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from src.utils.pipeline.convert import main
main(["--help"])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for word in ("--high-means human", "--pixels 0-1", "Nothing is guessed", "Exit code"):
        assert word in run.stdout


def test_the_command_is_quiet_but_for_its_report(h5: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "src.utils.pipeline.convert", h5, "--to", tmp_path / "new"]
    options = ["--pixels", "0-1", "--high-means", "human"]
    run = subprocess.run([*command, *options], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(run.stdout.splitlines()) == 4


def test_without_keras_the_next_step_is_named(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.delitem(sys.modules, "src.utils.models.bundle.legacy", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    told = ["--pixels", "0-1", "--high-means", "human"]
    assert main([str(tmp_path / "old.h5"), "--to", str(tmp_path / "new"), *told]) == 2
    assert capsys.readouterr().err == (
        "error: converting needs keras: run `make setup`, then use its Python.\n"
    )
