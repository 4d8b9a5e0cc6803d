"""The deck's network in both variants and with several seeds, and how far the seeds lie apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training.train import Recipe, TrainedModel, train_or_load
from src.utils.settings import Settings

VARIANTS = {"cnn_deck": False, "cnn_scaled": True}
"""Bundle name → whether the network scales its pixels; `cnn_deck` is fed 0–255, as the deck did."""

SEEDS_FOLDER = "seeds"
"""Below the models' folder: the runs with other seeds, which no prediction uses."""


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
        recipe = Recipe(settings.epochs, seed)
        runs[seed] = train_or_load(bundle_name, build, images, cache, settings, recipe)
    return runs


def all_epochs(runs: Mapping[str, Mapping[int, TrainedModel]]) -> pd.DataFrame:
    """Join the histories: `model`, `seed`, and what `TrainedModel.history` has, a row an epoch."""
    return pd.concat(
        [
            model.history.assign(model=name, seed=seed)
            for name, seeds in runs.items()
            for seed, model in seeds.items()
        ],
        ignore_index=True,
    )


def best_epochs(runs: Mapping[str, Mapping[int, TrainedModel]]) -> pd.DataFrame:
    """Give each run's best epoch by validation: `model`, `seed`, `epoch`, `value` (accuracy) and so on."""
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
                    "loss": validation["loss"],
                    "minutes": round(training["seconds"] / 60, 1),
                }
            )
    return pd.DataFrame(rows)
