"""Scoring finished models and baselines on the manifest's pictures, for the notebooks that report it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from src.utils.analysis.content.explained import by_confidence
from src.utils.analysis.scoring.baselines import always_ai, metadata_only
from src.utils.analysis.stats.metrics import THRESHOLD, evaluate, roc_band
from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.data.split import group_weights
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import Settings


class Scores(NamedTuple):
    """One model's answers.

    Attributes:
        probability: Probability of class 1 for every row, float64 [n].
        seconds: How long it took to get them.
    """

    probability: np.ndarray
    seconds: float


def score_bundle(folder: Path, cache: PixelCache) -> Scores:
    """Score every picture of a pixel cache with a saved model, reloaded from its bundle.

    Raises:
        UserError: The bundle is missing or damaged.
    """
    predictor = Predictor.load(folder)
    began = time.perf_counter()
    probability = predictor.predict_cached(cache, np.arange(len(cache)), progress=True)
    return Scores(probability, time.perf_counter() - began)


def score_baselines(images: pd.DataFrame, seed: int) -> dict[str, Scores]:
    """Score every picture with `always_ai` and `metadata_only`, the latter learnt on the training split.

    Args:
        images: Readable rows of the manifest.
        seed: Seed of the model on file facts.
    """
    began = time.perf_counter()
    facts = metadata_only(images, group_weights(images), seed)
    return {
        "always_ai": Scores(always_ai(len(images)), 0.0),
        "metadata_only": Scores(facts, time.perf_counter() - began),
    }


def evaluate_split(
    images: pd.DataFrame, scores: Mapping[str, Scores], split: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Headline metrics of each model on one split, as `metrics.json` wants them.

    Args:
        images: Readable rows of the manifest.
        scores: By model, a probability for each of these rows.
        split: Such as `test`.
        seed: Seed of the bootstrap.

    Returns:
        By model, what `metrics.evaluate` gives; empty where the split has no pictures.
    """
    chosen = (images["split"] == split).to_numpy()
    if not chosen.any():
        return {}
    rows, weight = images[chosen], group_weights(images)[chosen]
    return {
        model: evaluate(
            rows["label"], score.probability[chosen], rows["group"], weight, seed=seed, seconds=score.seconds
        )
        for model, score in scores.items()
    }


def roc_bands(
    images: pd.DataFrame, scores: Mapping[str, Scores], split: str, seed: int
) -> dict[str, pd.DataFrame]:
    """ROC curve with its interval of each model on one split; see `metrics.roc_band`."""
    chosen = (images["split"] == split).to_numpy()
    rows, weight = images[chosen], group_weights(images)[chosen]
    return {
        model: roc_band(rows["label"], score.probability[chosen], rows["group"], weight, seed=seed)
        for model, score in scores.items()
    }


def run_header(settings: Settings, images: pd.DataFrame) -> dict[str, Any]:
    """The part of `metrics.json` that says which run it is."""
    counts = images["split"].value_counts()
    return {
        "source": settings.source,
        "split": settings.split_method,
        "seed": settings.seed,
        **{f"n_{split}": int(counts.get(split, 0)) for split in ("train", "validation", "test")},
    }


def wrong_answers(
    images: pd.DataFrame, probability: np.ndarray, split: str, threshold: float = THRESHOLD
) -> pd.DataFrame:
    """The wrongly answered pictures of a split, most confident first, one of each original before a second.

    Args:
        images: Readable rows of the manifest.
        probability: Probability of class 1 for each row, [n].
        split: Such as `test`.
        threshold: A picture is called AI from this probability on.

    Returns:
        Rows of `images` with `probability_ai`.
    """
    rows = images.assign(probability_ai=probability)[(images["split"] == split).to_numpy()]
    wrong = rows[(rows["probability_ai"] >= threshold) != (rows["label"] == 1)]
    return by_confidence(wrong)
