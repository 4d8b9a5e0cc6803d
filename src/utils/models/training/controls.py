"""Two small networks that differ only in their labels: one learns the true ones, the other shuffled ones.

Maps that show what a network learnt should be more like those of the first than like those of the second: the
data randomisation test of Adebayo and others (2018, arXiv 1810.03292) with the control that it lacks. Without
it every network passes, since any other weights give other maps.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, replace

import keras
import numpy as np
import pandas as pd

from src.utils.code import code_digest
from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.files import hash_bytes
from src.utils.models.bundle.bundle import library_versions
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training.deck_runs import VARIANTS, variant_recipe
from src.utils.models.training.feeding import split_examples
from src.utils.models.training.fitting import ResumeFile, train_model
from src.utils.models.training.precision import choose_precision
from src.utils.settings import Settings

TRUE, SHUFFLED = "true labels", "shuffled labels"

MOST_PICTURES = 128
EPOCHS = 5
"""Bounds that keep both trainings below a minute on two cores."""

SEED_APART = 1000
"""Added to the run's seed, so that no control starts from the weights of a network that is looked at."""


def train_controls(
    name: str, images: pd.DataFrame, cache: PixelCache, settings: Settings, progress: bool = True
) -> dict[str, keras.Model]:
    """Train both controls of a variant on the same few training pictures; finished trainings are kept.

    Both keep the epoch of the lowest training loss: on shuffled labels, validation says nothing.

    Args:
        name: `cnn_deck` or `cnn_scaled`.
        images: The readable rows of the manifest, the table `cache` was opened for.
        cache: The pixels.
        settings: Seed, precision and folders.
        progress: Whether to report.

    Returns:
        By `TRUE` and `SHUFFLED`, a network in float32, pixels 0–255 → logits [n, 2].

    Raises:
        UserError: The training split lacks a class.
    """
    few = draw_few(images, MOST_PICTURES, settings.seed)
    return {
        labels: _train(name, labels, rows, cache, settings, progress)
        for labels, rows in ((TRUE, few), (SHUFFLED, shuffle_labels(few, settings.seed)))
    }


def draw_few(images: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Leave at most `most` pictures in the training split: whole groups, half of them of each class.

    Args:
        images: Readable rows of the manifest.
        most: Pictures to keep, at least one group of each class.
        seed: Seed of the draw.

    Returns:
        All rows; those that are not kept have no split.
    """
    training = images[images["split"] == "train"]
    kept: list[str] = []
    for _, mine in training.groupby("label"):
        sizes = mine.groupby("group").size().sample(frac=1, random_state=seed)
        kept += sizes.index[(sizes.cumsum() <= most // 2) | (np.arange(len(sizes)) == 0)].tolist()
    keeps = (images["split"] == "train") & images["group"].isin(kept)
    return images.assign(split=images["split"].where(keeps, ""))


def shuffle_labels(images: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Exchange the labels of half of the training groups of each class, drawn with a seed.

    Pictures of one group change together, so that labels can be learnt as well as before and mean nothing.

    Args:
        images: Rows of the manifest; those outside the training split stay as they are.
        seed: Seed of the draw.
    """
    training = images[images["split"] == "train"]
    first = training.groupby("group")["label"].min()
    drawn = [part.sample(frac=0.5, random_state=seed).index for _, part in first.groupby(first)]
    chosen = (images["split"] == "train") & images["group"].isin(np.concatenate(drawn))
    return images.assign(label=images["label"].where(~chosen, 1 - images["label"]))


def _train(
    name: str, labels: str, images: pd.DataFrame, cache: PixelCache, settings: Settings, progress: bool
) -> keras.Model:
    seed = settings.seed + SEED_APART
    epochs = min(EPOCHS, settings.epochs)
    recipe = replace(variant_recipe(name, epochs, seed), epochs=epochs, keep="loss", patience=None)
    build = functools.partial(build_deck_cnn, scaled=VARIANTS[name], seed=seed, name=name)
    examples = split_examples(images, "train")
    precision = choose_precision(settings.precision)
    pictures = images.loc[images["split"] == "train", ["content", "label"]].to_csv(index=False)
    versions, code = library_versions(), code_digest(__name__)
    facts = [name, pictures, asdict(recipe), precision.policy, versions, code]
    key = hash_bytes(json.dumps(facts, sort_keys=True).encode())
    kept = settings.interim_dir / "controls" / f"{name}-{labels.replace(' ', '-')}.npz"
    run = train_model(
        build, cache, examples, examples, recipe, precision.policy, ResumeFile(kept, key), progress
    )
    model = build(policy="float32")
    model.set_weights(run.best_weights)
    return model
