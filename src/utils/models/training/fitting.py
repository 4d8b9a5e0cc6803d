"""Fitting a network to the pixel cache: epochs, what is kept of them, and going on after a kill.

Nothing here knows of bundles, so a change in how models are saved or asked trains nothing again.
"""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.files import atomic_path
from src.utils.models.bundle.validated import validation_rank
from src.utils.models.networks.forward import Runtime, cached_logits, trace_model
from src.utils.models.training.feeding import Examples, endless_batches
from src.utils.models.training.validation import validation_metrics

WORTH_AN_ESTIMATE = 60
"""Batches from which on a training is timed before it starts."""

_TIMED_BATCHES = 3

BuildModel = Callable[..., keras.Model]
"""Called with `policy`, a Keras dtype policy: an uncompiled network, pixels 0–255 → float32 logits [n, 2]."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: Passes over the training split, at most.
        seed: Seed of the pictures' order and of everything random in the network.
        batch_size: Pictures a step.
        learning_rate: Adam's; its usual value is what the deck's `optimizer='adam'` means.
        augment: Whether training pictures are varied a little each time.
        keep: Which epoch is best: `loss`, the lowest validation loss, or `auc`, the highest validation AUC,
            after any epoch that gives both answers.
        patience: Epochs without a better one after which training ends; None for never.
    """

    epochs: int
    seed: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    augment: bool = False
    keep: str = "loss"
    patience: int | None = None


@dataclass
class TrainingRun:
    """What came out of the epochs so far.

    Attributes:
        keep: Which epoch is best, as in `Recipe`.
        history: A row an epoch: `epoch` (from 1), `loss`, `accuracy`, `val_loss`, `val_accuracy`, `val_auc`,
            `val_called_ai`, `seconds`.
        best_weights: Weights (float32) after the best epoch.
    """

    keep: str = "loss"
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: list[np.ndarray] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Number of the best epoch, from 1; the first of equals."""
        return int(max(self.history, key=self._rank)["epoch"])

    def has_ended(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or the patience with them."""
        done = len(self.history)
        tired = recipe.patience is not None and done and done - self.best_epoch >= recipe.patience
        return done >= recipe.epochs or bool(tired)

    def _rank(self, row: dict[str, float]) -> tuple:
        if self.keep == "auc":
            return validation_rank({"auc": row["val_auc"], "called_ai": row["val_called_ai"]})
        return (-row["val_loss"] if math.isfinite(row["val_loss"]) else -math.inf,)

    @property
    def seconds(self) -> float:
        """Time all epochs took, validation included, in however many sittings."""
        return sum(row["seconds"] for row in self.history)


def train_model(
    build: BuildModel,
    cache: PixelCache,
    train: Examples,
    validation: Examples,
    recipe: Recipe,
    policy: str = "float32",
    resume: ResumeFile | None = None,
    progress: bool = True,
) -> TrainingRun:
    """Train with Adam on the cross-entropy of the logits, validating after each epoch.

    Seeds Python, NumPy and TensorFlow. Several GPUs share each batch. Before a long training a few batches
    are timed (and undone), so that the wait is known.

    Args:
        build: Builds the network.
        cache: The pixels.
        train: What to learn from.
        validation: What decides which epoch was best.
        recipe: How to train.
        policy: Keras dtype policy.
        resume: Where each epoch is saved, and found again by the next sitting.
        progress: Whether to show a progress bar and the estimate.

    Returns:
        History and best weights over all epochs, those of earlier sittings included.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = build_and_compile(build, recipe, policy)
    run = (resume.load(model, recipe.keep) if resume else None) or TrainingRun(recipe.keep)
    done = len(run.history)
    steps = math.ceil(len(train) / recipe.batch_size)
    if done:
        report(progress, f"Continuing after epoch {done} of {recipe.epochs}.")
    if run.has_ended(recipe):
        return run
    batches = functools.partial(
        endless_batches, cache, train, recipe.batch_size, recipe.seed, augment=recipe.augment
    )
    if progress and (recipe.epochs - done) * steps >= WORTH_AN_ESTIMATE:
        seconds = _seconds_per_batch(model, batches()) * steps * (recipe.epochs - done)
        seconds *= 1 + len(validation) / len(train) / 3  # the forward pass is a third of the work
        most = "At most about" if recipe.patience else "About"
        print(f"{most} {_in_words(seconds)} for {recipe.epochs - done} epochs of {steps} batches.")
    model.fit(
        batches(first_epoch=done),
        steps_per_epoch=steps,
        initial_epoch=done,
        epochs=recipe.epochs,
        callbacks=[
            _KeepEpochs(run, recipe, resume, cache, validation),
            _ProgressBar((recipe.epochs - done) * steps, progress),
        ],
        shuffle=False,  # the batches are shuffled already
        verbose=0,
    )
    return run


def build_and_compile(build: BuildModel, recipe: Recipe, policy: str) -> keras.Model:
    """Build a network ready for `fit` with sample weights, on all GPUs where there are several."""
    with _strategy().scope():
        model = build(policy=policy)
        model.compile(
            keras.optimizers.Adam(recipe.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            weighted_metrics=["accuracy"],
        )
        model.optimizer.build(model.trainable_variables)
    return model


@dataclass(frozen=True)
class ResumeFile:
    """Where a training's state waits between epochs: one file, so that its parts always belong together.

    Keras's BackupAndRestore, ModelCheckpoint and CSVLogger write four files in turn: after a kill between two
    of them an epoch runs twice (20 steps instead of 16 in four epochs, and another network). Nor do they keep
    the training's fingerprint, or the lowest loss so far.

    Attributes:
        path: An .npz file.
        key: Fingerprint of the training; the state of another one is not used.
    """

    path: Path
    key: str

    def save(self, model: keras.Model, run: TrainingRun) -> None:
        """Write weights, optimizer state and the run so far, all or nothing."""
        arrays = {f"variable_{i}": variable.numpy() for i, variable in enumerate(_variables(model))}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(run.best_weights)}
        with atomic_path(self.path) as temporary:
            np.savez(temporary, key=self.key, history=json.dumps(run.history), **arrays)

    def load(self, model: keras.Model, keep: str = "loss") -> TrainingRun | None:
        """Put a saved state back into the model, if there is one of the same training.

        Args:
            model: Built and compiled as the one that was saved.
            keep: Which epoch is best, as in `Recipe`.
        """
        if not self.path.is_file():
            return None
        with np.load(self.path) as saved:
            if saved["key"] != self.key:
                return None
            _assign(model, [saved[f"variable_{i}"] for i in range(len(_variables(model)))])
            best = [saved[f"best_{i}"] for i in range(len(model.weights))]
            return TrainingRun(keep, json.loads(str(saved["history"])), best)

    def remove(self) -> None:
        """Forget the state."""
        self.path.unlink(missing_ok=True)


class _KeepEpochs(keras.callbacks.Callback):
    """After each epoch: measure on validation, keep the best weights, save the state, perhaps end."""

    def __init__(
        self,
        run: TrainingRun,
        recipe: Recipe,
        resume: ResumeFile | None,
        cache: PixelCache,
        validation: Examples,
    ):
        super().__init__()
        self.run, self.recipe, self.resume = run, recipe, resume
        self.cache, self.validation = cache, validation

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.runtime = trace_model(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        measured = _score(self.runtime, self.cache, self.validation)
        numbers = {name: float(logs[name]) for name in ("loss", "accuracy")}
        numbers |= {f"val_{name}": value for name, value in measured.items()}
        seconds = time.perf_counter() - self.started
        self.run.history.append({"epoch": epoch + 1, **numbers, "seconds": seconds})
        if self.run.best_epoch == epoch + 1:
            self.run.best_weights = self.model.get_weights()
        if self.resume:
            self.resume.save(self.model, self.run)
        self.model.stop_training = self.run.has_ended(self.recipe)


class _ProgressBar(keras.callbacks.Callback):
    """One bar for all epochs, with the running loss and accuracy."""

    def __init__(self, batches: int, visible: bool):
        super().__init__()
        self.bar = tqdm(total=batches, desc="Training", unit="batch", disable=not visible)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}", refresh=False)
        self.bar.update()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.bar.close()


def weighted_score(model: keras.Model, cache: PixelCache, examples: Examples) -> dict[str, float]:
    """`validation_metrics` of a network on some pictures, each weighted by its group."""
    return _score(trace_model(model), cache, examples)


def _score(runtime: Runtime, cache: PixelCache, examples: Examples) -> dict[str, float]:
    logits = cached_logits(runtime, cache, examples.rows)
    return validation_metrics(examples.labels, logits[:, 1] - logits[:, 0], examples.weights)


def _strategy() -> tf.distribute.Strategy:
    """Spread the work over the GPUs where there are several."""
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()


def _variables(model: keras.Model) -> list:
    """All that changes in training: weights, seeds of random layers, the optimizer's moments and step."""
    return [*model.variables, *model.optimizer.variables]


def _assign(model: keras.Model, values: list[np.ndarray]) -> None:
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)


def _seconds_per_batch(model: keras.Model, batches: tf.data.Dataset) -> float:
    """Time a few training steps, then put the model back as it was."""
    before = [variable.numpy() for variable in _variables(model)]
    model.fit(batches, steps_per_epoch=1, verbose=0, shuffle=False)  # traces the step
    started = time.perf_counter()
    model.fit(batches, steps_per_epoch=_TIMED_BATCHES, verbose=0, shuffle=False)
    seconds = time.perf_counter() - started
    _assign(model, before)
    return seconds / _TIMED_BATCHES


def _in_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "half a minute"
    if minutes < 100:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{minutes / 60:.1f} hours"


def report(visible: bool, sentence: str) -> None:
    """Print a sentence, if anybody is to see it."""
    if visible:
        print(sentence)
