"""The deck's network in both variants and with several seeds, and how far the seeds lie apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training.fitting import Recipe
from src.utils.models.training.train import TrainedModel, train_or_load
from src.utils.settings import Settings

VARIANTS = {"cnn_deck": False, "cnn_scaled": True}
"""Bundle name → whether the network scales its pixels; `cnn_deck` is fed 0–255, as the deck did."""

FAIR_EPOCHS = 2
"""The fair run's epochs, as a multiple of the deck's: varied pictures take longer to learn."""

PATIENCE = 8
"""Epochs without a better validation AUC after which the fair run ends."""

FAIR_RATE = 5e-4

SEEDS_FOLDER = "seeds"
"""Below the models' folder: the runs with other seeds, which no prediction uses."""


def variant_recipe(name: str, epochs: int, seed: int) -> Recipe:
    """How a variant is trained: `cnn_deck` as the deck did, `cnn_scaled` as one would today.

    Args:
        name: `cnn_deck` or `cnn_scaled`.
        epochs: The deck's number of epochs.
        seed: The run's seed.

    Returns:
        For the deck's, Adam's defaults and the epoch of the lowest validation loss. For the fair one, varied
        pictures, a smaller learning rate, more epochs, and the epoch of the highest validation AUC.
    """
    if name == "cnn_deck":
        return Recipe(epochs, seed)
    return Recipe(
        FAIR_EPOCHS * epochs, seed, learning_rate=FAIR_RATE, augment=True, keep="auc", patience=PATIENCE
    )


def train_variant(
    name: str, images: pd.DataFrame, cache: PixelCache, settings: Settings
) -> dict[int, TrainedModel]:
    """Train one variant with every seed of this run; what is up to date is loaded.

    The first seed makes the bundle `models/<source>/<name>`, the others lie beside it in `seeds/`.

    Args:
        name: `cnn_deck` or `cnn_scaled`.
        images: The readable rows of the manifest, the table `cache` was opened for.
        cache: The pixels.
        settings: Seeds, epochs and folders.

    Returns:
        The trained model of each seed, the run's own seed first.

    Raises:
        UserError: A split lacks a class.
    """
    runs = {}
    for seed in range(settings.seed, settings.seed + settings.seeds):
        bundle_name = name if seed == settings.seed else f"{SEEDS_FOLDER}/{name}-{seed}"
        build = functools.partial(build_deck_cnn, scaled=VARIANTS[name], seed=seed, name=name)
        recipe = variant_recipe(name, settings.epochs, seed)
        runs[seed] = train_or_load(bundle_name, build, images, cache, settings, recipe)
    return runs


def all_epochs(runs: Mapping[str, Mapping[int, TrainedModel]]) -> pd.DataFrame:
    """Join the histories: `model`, `seed`, whether it was `kept`, and the history, a row an epoch."""
    return pd.concat(
        [
            model.history.assign(
                model=name,
                seed=seed,
                kept=model.history["epoch"] == model.bundle.facts["training"]["best_epoch"],
            )
            for name, seeds in runs.items()
            for seed, model in seeds.items()
        ],
        ignore_index=True,
    )


def best_epochs(runs: Mapping[str, Mapping[int, TrainedModel]]) -> pd.DataFrame:
    """Each run's best epoch: `model`, `seed`, `epoch`; on validation `value` (accuracy), `auc`, `loss`."""
    rows = []
    for name, seeds in runs.items():
        for seed, model in seeds.items():
            training, validation = model.bundle.facts["training"], model.bundle.facts["metrics"]["validation"]
            rows.append(
                {
                    "model": name,
                    "seed": seed,
                    "epoch": training["best_epoch"],
                    "value": validation["accuracy"],
                    "auc": validation["auc"],
                    "loss": validation["loss"],
                    "minutes": round(training["seconds"] / 60, 1),
                }
            )
    return pd.DataFrame(rows)
