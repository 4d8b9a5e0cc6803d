"""Training: the pixels that are served, continued after a kill, skipped when nothing changed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.models.bundle.bundle import load_bundle, load_model
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training import fitting
from src.utils.models.training import train as training
from src.utils.models.training.feeding import endless_batches, split_examples
from src.utils.models.training.fitting import Recipe, ResumeFile, TrainingRun, train_model, weighted_score
from src.utils.models.training.precision import choose_precision
from src.utils.models.training.train import data_fingerprint, train_or_load
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.models.tiny import build_tiny, make_project

Project = tuple[Settings, pd.DataFrame, PixelCache]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def test_training_and_serving_read_the_same_bytes(project: Project, tmp_path: Path) -> None:
    settings, images, cache = project
    train_or_load("tiny", build_tiny, images, cache, settings, progress=False)
    predictor = Predictor.load(settings.models_dir / "tiny")
    train = split_examples(images, "train")
    fed = {}
    for pixels, labels, _ in endless_batches(cache, train, 8, seed=1).take(4):
        fed |= {picture.numpy().tobytes(): int(label) for picture, label in zip(pixels, labels, strict=True)}
    served = {
        predictor.read(settings.raw_dir / row.file_name).tobytes(): row.label
        for row in images[images["split"] == "train"].itertuples()
    }
    assert len(served) == 32 and fed == served


def test_every_epoch_has_every_picture_in_its_own_order(project: Project) -> None:
    _, images, cache = project
    train = split_examples(images, "train")
    batches = [labels.numpy() for _, labels, _ in endless_batches(cache, train, 10, seed=1).take(8)]
    assert [len(labels) for labels in batches] == 2 * [10, 10, 10, 2]
    first, second = np.concatenate(batches[:4]), np.concatenate(batches[4:])
    assert sorted(first) == sorted(second) and not np.array_equal(first, second)
    resumed = endless_batches(cache, train, 10, seed=1, first_epoch=1)
    assert np.array_equal(np.concatenate([labels.numpy() for _, labels, _ in resumed.take(4)]), second)


def test_varied_pictures_follow_from_seed_and_epoch(project: Project) -> None:
    _, images, cache = project
    train = split_examples(images, "train")

    def pixels(first_epoch: int = 0, **how) -> np.ndarray:
        batches = endless_batches(cache, train, 32, seed=1, first_epoch=first_epoch, **how)
        return next(iter(batches))[0].numpy()

    varied = pixels(augment=True)
    assert varied.shape == (32, cache.size, cache.size, 3) and varied.dtype == np.uint8
    np.testing.assert_array_equal(varied, pixels(augment=True))
    changed = np.abs(varied.astype(int) - pixels()).mean((1, 2, 3))
    assert (changed > 0).all()
    order = np.argsort(np.random.default_rng([1, 0]).permutation(32))
    later = np.argsort(np.random.default_rng([1, 1]).permutation(32))
    again = pixels(first_epoch=1, augment=True)
    assert (again[later] != varied[order]).any((1, 2, 3)).all()


def test_weights_follow_the_groups(project: Project) -> None:
    _, images, _ = project
    images = images.assign(group=images["group"].replace("0-1", "0-0"))
    train = split_examples(images, "train")
    assert train.weights.mean() == pytest.approx(1)
    assert train.weights[0] == pytest.approx(train.weights[4] / 2)


def test_a_class_without_pictures_is_an_early_error(project: Project) -> None:
    settings, images, cache = project
    one_class = images[(images["label"] == 0) | (images["split"] == "train")]
    with pytest.raises(UserError, match="validation split has no AI-generated picture"):
        train_or_load("tiny", build_tiny, one_class, cache, settings)


def test_bundle_reproduces_its_metric_and_is_not_trained_twice(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, images, cache = project
    first = train_or_load("tiny", build_tiny, images, cache, settings)
    assert first.trained
    measured = ["val_loss", "val_accuracy", "val_auc", "val_called_ai"]
    assert list(first.history) == ["epoch", "loss", "accuracy", *measured, "seconds"]
    assert first.history["epoch"].tolist() == [1, 2, 3]

    folder = settings.models_dir / "tiny"
    bundle, validation = load_bundle(folder), split_examples(images, "validation")
    assert weighted_score(load_model(bundle), cache, validation) == bundle.facts["metrics"]["validation"]
    best = first.history["val_loss"].idxmin()
    assert bundle.facts["training"]["best_epoch"] == best + 1
    assert bundle.facts["metrics"]["validation"]["loss"] == pytest.approx(
        first.history["val_loss"][best], rel=0.02
    )
    assert all(layer.dtype_policy.name == "float32" for layer in load_model(bundle).layers)

    capsys.readouterr()
    second = train_or_load("tiny", build_tiny, images, cache, settings)
    assert not second.trained and "up to date" in capsys.readouterr().out
    pd.testing.assert_frame_equal(second.history, first.history)


@pytest.mark.parametrize(
    "change",
    [
        "epochs",
        "seed",
        "split",
        "network",
        "code",
        "precision",
        "damaged model.keras",
        "damaged model.onnx",
        None,
    ],
)
def test_whatever_the_result_depends_on_makes_it_train_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    settings, images, cache = project
    train_once = partial(train_or_load, "tiny", cache=cache, progress=False)
    train_once(build_tiny, images=images, settings=replace(settings, epochs=1))

    class TrainedAgainError(Exception):
        pass

    def refuse(*_args) -> None:
        raise TrainedAgainError

    monkeypatch.setattr(training, "train_model", refuse)
    build = build_tiny
    settings = replace(settings, epochs=2 if change == "epochs" else 1, seed=8 if change == "seed" else 7)
    if change == "split":
        images = images.assign(split=images["split"].iloc[::-1].to_numpy())
    elif change == "network":
        build = build_deck_cnn
    elif change == "code":
        monkeypatch.setattr(training, "code_digest", lambda *modules: "of other code")
    elif change == "precision":
        other = {"float32": "mixed_bfloat16", "mixed_bfloat16": "float32"}[choose_precision().policy]
        settings = replace(settings, precision=other)
    elif change and change.startswith("damaged"):
        (settings.models_dir / "tiny" / change.split()[1]).write_bytes(b"")
    with pytest.raises(TrainedAgainError) if change else contextlib.nullcontext():
        train_once(build, images=images, settings=settings)


def test_data_fingerprint_follows_what_is_learnt_from(project: Project) -> None:
    _, images, _ = project
    images.loc[0, "split"] = "test"
    key = data_fingerprint(images)
    renamed = images.assign(file_name=images["file_name"] + "x")
    assert data_fingerprint(renamed) == key
    tested = images.copy()
    tested.loc[0, "content"] = "0"
    assert data_fingerprint(tested) == key
    relabelled = images.copy()
    relabelled.loc[1, "label"] = 0
    assert data_fingerprint(relabelled) != key


def test_a_killed_training_continues_as_if_nothing_had_happened(project: Project, tmp_path: Path) -> None:
    _, images, cache = project
    train, validation = split_examples(images, "train"), split_examples(images, "validation")
    recipe = Recipe(epochs=4, seed=7, batch_size=8, augment=True, keep="auc", patience=4)
    whole = train_model(build_tiny, cache, train, validation, recipe, progress=False)

    program = f"""
import os, signal
from dataclasses import dataclass
from pathlib import Path
from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.models.training.feeding import split_examples
from src.utils.models.training.fitting import Recipe, ResumeFile, train_model
from tests.models.tiny import build_tiny, make_project

class DeadlyCache(PixelCache):
    reads = []
    def gather(self, positions):
        self.reads.append(1)
        if len(self.reads) > 4 * 2 + 2 * 1 + 3:  # in the third epoch
            os.kill(os.getpid(), signal.SIGKILL)
        return super().gather(positions)

_, images, cache = make_project(Path({str(tmp_path)!r}))
cache = DeadlyCache(cache.path, cache.size, cache.rows)
resume = ResumeFile(Path({str(tmp_path / "state.npz")!r}), "key")
train, validation = split_examples(images, "train"), split_examples(images, "validation")
train_model(build_tiny, cache, train, validation, {recipe!r}, "float32", resume, progress=False)
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    with np.load(tmp_path / "state.npz") as state:
        assert len(json.loads(str(state["history"]))) in (1, 2, 3)
    resume = ResumeFile(tmp_path / "state.npz", "key")
    continued = train_model(build_tiny, cache, train, validation, recipe, "float32", resume, progress=False)
    assert [row["epoch"] for row in continued.history] == [1, 2, 3, 4]
    assert continued.best_epoch == whole.best_epoch
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc"):
        assert [row[name] for row in continued.history] == pytest.approx([row[name] for row in whole.history])
    for found, expected in zip(continued.best_weights, whole.best_weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    unrelated = ResumeFile(tmp_path / "state.npz", "another key")
    fresh = train_model(
        build_tiny, cache, train, validation, replace(recipe, epochs=1), "float32", unrelated, False
    )
    assert len(fresh.history) == 1


def test_timing_before_a_long_training_changes_nothing(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "WORTH_AN_ESTIMATE", 8)
    _, images, cache = project
    train, validation = split_examples(images, "train"), split_examples(images, "validation")
    recipe = Recipe(epochs=2, seed=7, batch_size=8)
    told = train_model(build_tiny, cache, train, validation, recipe)
    assert "About half a minute for 2 epochs of 4 batches" in capsys.readouterr().out
    untold = train_model(build_tiny, cache, train, validation, recipe, progress=False)
    assert [row["loss"] for row in told.history] == pytest.approx([row["loss"] for row in untold.history])


def history(*rows: tuple[float, float, float]) -> list[dict[str, float]]:
    names = ("val_loss", "val_auc", "val_called_ai")
    return [{"epoch": n} | dict(zip(names, row, strict=True)) for n, row in enumerate(rows, 1)]


def test_the_best_epoch_is_that_of_the_lowest_loss_or_of_the_highest_auc_with_both_answers() -> None:
    rows = history((0.7, 0.9, 1.0), (0.6, 0.5, 0.5), (0.9, 0.7, 0.4), (float("nan"), 0.7, 0.6))
    assert TrainingRun("loss", rows).best_epoch == 2
    assert TrainingRun("auc", rows).best_epoch == 3
    assert TrainingRun("auc", rows[:1]).best_epoch == 1


def test_training_ends_with_its_epochs_or_its_patience() -> None:
    recipe = Recipe(epochs=9, seed=0, keep="auc", patience=2)
    rows = history((0.7, 0.6, 0.5), (0.7, 0.5, 0.5), (0.7, 0.5, 0.5))
    ended = [TrainingRun("auc", rows[:done]).has_ended(recipe) for done in range(4)]
    assert ended == [False, False, False, True]
    assert not TrainingRun("auc", rows).has_ended(replace(recipe, patience=None))
    assert TrainingRun("auc", rows).has_ended(replace(recipe, patience=None, epochs=3))


def test_patience_stops_a_training_and_a_stopped_one_is_not_continued(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, images, cache = project
    same = {"loss": 0.7, "accuracy": 0.5, "auc": 0.5, "called_ai": 0.5}
    monkeypatch.setattr(fitting, "validation_metrics", lambda *_: same)
    train, validation = split_examples(images, "train"), split_examples(images, "validation")
    recipe = Recipe(epochs=6, seed=7, keep="auc", patience=2)
    for _ in range(2):
        resume = ResumeFile(tmp_path / "state.npz", "key")
        run = train_model(build_tiny, cache, train, validation, recipe, "float32", resume, progress=False)
        assert (len(run.history), run.best_epoch) == (3, 1)
