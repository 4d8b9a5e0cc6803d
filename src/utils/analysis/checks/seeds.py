"""How much of a score is luck: the same network on the same pictures, from several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.scoring.scores import at_temperature, score_pictures, scores_folder
from src.utils.analysis.stats.metrics import headline_statistic
from src.utils.models.bundle.bundle import FACTS_FILE
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import Settings

SPREAD_METRICS = ("auc", "balanced_accuracy", "f1")


def seed_bundles(settings: Settings, name: str) -> dict[int, Path]:
    """Folders of a variant's runs by seed, the run's own seed first; one that is not there is left out.

    Args:
        settings: Seed, number of seeds and where the models are.
        name: `cnn_deck` or `cnn_scaled`.
    """
    from src.utils.models.training.deck_runs import SEEDS_FOLDER

    found = {settings.seed: settings.models_dir / name}
    for seed in range(settings.seed + 1, settings.seed + settings.seeds):
        found[seed] = settings.models_dir / SEEDS_FOLDER / f"{name}-{seed}"
    return {seed: folder for seed, folder in found.items() if (folder / FACTS_FILE).is_file()}


def measure_seeds(settings: Settings, names: Iterable[str], part: Part) -> pd.DataFrame:
    """Score and measure every run of some variants on a part's pictures, see `seed_table`.

    Args:
        settings: Seeds, and where models, pictures and remembered scores are.
        names: Such as `cnn_deck`.
        part: The pictures.
    """
    memory = scores_folder(settings)
    runs = {
        (name, seed): score_pictures(Predictor.load(folder), part.images, settings.raw_dir, memory)
        for name in names
        for seed, folder in seed_bundles(settings, name).items()
    }
    return seed_table(runs, part.label, part.weight)


def auc_spread(spread: pd.DataFrame, model: str) -> dict[str, Any]:
    """One model's row of `spread_table` for its ROC-AUC, as plain values."""
    return spread[(spread["metric"] == "auc") & (spread["model"] == model)].iloc[0].to_dict()


def seed_table(
    scores: Mapping[tuple[str, int], NDArray[np.float64]],
    label: ArrayLike,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure each run on the same pictures.

    Args:
        scores: Log-odds of AI by model and seed, float64 [n] each.
        label: Classes, [n].
        weight: Weights, [n]; one each if not given.

    Returns:
        A row a run: `model`, `seed` and `SPREAD_METRICS`, NaN where not defined.
    """
    weight = np.ones(len(np.asarray(label))) if weight is None else np.asarray(weight, dtype=float)
    rows = []
    for (model, seed), odds in scores.items():
        measured = headline_statistic(label, at_temperature(odds))(weight)
        rows.append({"model": model, "seed": seed} | {name: measured[name] for name in SPREAD_METRICS})
    return pd.DataFrame(rows, columns=["model", "seed", *SPREAD_METRICS])


def spread_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and range over the seeds.

    Args:
        runs: From `seed_table`.

    Returns:
        A row a model and metric: `model`, `metric`, `seeds`, `mean`, `deviation` (divisor n − 1; NaN for one
        seed), `lowest`, `highest`.
    """
    long = runs.melt(["model", "seed"], list(SPREAD_METRICS), "metric", "value")
    grouped = long.groupby(["model", "metric"], sort=False)["value"]
    return grouped.agg(seeds="size", mean="mean", deviation="std", lowest="min", highest="max").reset_index()
