"""Scoring finished models and baselines on the manifest's pictures, for the notebooks that report it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from src.utils.analysis.content.explained import by_confidence
from src.utils.analysis.scoring.baselines import always_ai, metadata_only
from src.utils.analysis.scoring.parts import Part, part_of
from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.metrics import RESAMPLES, THRESHOLD, evaluate, paired_differences, roc_band
from src.utils.data.pictures.pixel_cache import PixelCache, open_pixel_cache
from src.utils.data.split import group_weights
from src.utils.estimate import Estimate
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.encoder.best import Design, head_probability, out_of_fold
from src.utils.models.encoder.heads import has_folds
from src.utils.models.encoder.runtime import Features, Head
from src.utils.settings import Settings


class Scores(NamedTuple):
    """One model's answers.

    Attributes:
        probability: Probability of class 1 for every row, float64 [n].
        seconds: How long it took to get them; None where that was not timed.
    """

    probability: np.ndarray
    seconds: float | None


def score_bundle(folder: Path, cache: PixelCache) -> Scores:
    """Score every picture of a pixel cache with a saved model, reloaded from its bundle, at temperature 1.

    Raises:
        UserError: The bundle is missing or damaged.
    """
    predictor = Predictor.load(folder).uncalibrated()
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


def evaluate_parts(
    log_odds: Mapping[str, np.ndarray], parts: Sequence[Part], seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Headline metrics of each model on several parts of the pictures.

    Args:
        log_odds: By model, log-odds of AI of all pictures, [all].
        parts: Parts of them; one without pictures is left out.
        seed: Seed of the bootstrap.

    Returns:
        By part, then by model, what `metrics.evaluate` gives.
    """
    return {
        part.name: {
            name: evaluate(part.label, at_temperature(odds[part.rows]), part.group, part.weight, seed=seed)
            for name, odds in log_odds.items()
        }
        for part in parts
        if len(part.images)
    }


def evaluate_bundles(
    folders: Mapping[str, Path], images: pd.DataFrame, split: str, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Headline metrics of saved models on one split, scored from its pixel cache.

    Args:
        folders: The bundles, by what they are called.
        images: Readable rows of the manifest.
        split: Such as `validation`.
        settings: Where pictures and cache lie, and the seed of the bootstrap.

    Raises:
        UserError: A bundle is missing or damaged.
    """
    rows = images[images["split"] == split]
    cache = open_pixel_cache(rows, settings.raw_dir, settings.interim_dir / "pixels")
    scores = {name: score_bundle(folder, cache) for name, folder in folders.items()}
    return evaluate_split(rows, scores, split, settings.seed)


def score_heads(heads: Mapping[str, Head], features: Features) -> dict[str, Scores]:
    """Score pictures whose encodings are at hand with heads on that encoder, by name; untimed."""
    return {name: Scores(head_probability(head, features), None) for name, head in heads.items()}


def largest_difference(
    predictor: Predictor, raw_dir: Path, file_names: Iterable[str], probability: ArrayLike
) -> float:
    """How far a served model's answers, from the files, are from those measured before.

    Args:
        predictor: The model as it is served.
        raw_dir: What the names are relative to.
        file_names: As in the manifest, at least one.
        probability: Probability of AI of each, as measured, [n].
    """
    served = predictor.predict_pixels(predictor.read_all(raw_dir, file_names))
    return float(np.abs(served - np.asarray(probability, dtype=float)).max())


def compare_models(
    part: Part, probability_a: ArrayLike, probability_b: ArrayLike, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Estimate]:
    """Balanced accuracy and AUC of model A minus those of model B, paired over the same groups.

    Args:
        part: The pictures.
        probability_a: Probabilities of class 1 by model A, [n].
        probability_b: The same by model B, [n].
        seed: Seed of the bootstrap.
        resamples: Number of its resamples.
    """
    return paired_differences(
        part.label, probability_a, probability_b, part.group, part.weight, resamples=resamples, seed=seed
    )


def comparison(
    images: pd.DataFrame, scores: Mapping[str, Scores], better: str, other: str, seed: int
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Compare two models on test and on unseen sources, as `comparisons` in `metrics.json`.

    Args:
        images: Readable rows of the manifest.
        scores: By model, a probability for each of these rows.
        better: The model that is expected to be better.
        other: The model it is compared with.
        seed: Seed of the bootstrap.

    Returns:
        `{"A_minus_B": {"test": …, "unseen": …}}`, what `compare_models` gives for each; a split without
        pictures is left out.
    """
    first, second = scores[better].probability, scores[other].probability
    parts = [part for part in (part_of(images, "test"), part_of(images, "unseen")) if len(part.images)]
    return {
        f"{better}_minus_{other}": {
            part.name: compare_models(part, first[part.rows], second[part.rows], seed) for part in parts
        }
    }


def evaluate_out_of_fold(
    designs: Mapping[str, Design], images: pd.DataFrame, views: Mapping[str, Features], seed: int
) -> dict[str, dict[str, Any]]:
    """Headline metrics of heads over all groups that may be trained on, by five grouped folds.

    Every picture is scored once, by a head that met nothing of its group. There are more groups than in one
    test split, so intervals are narrower; sources are known, as they are there.

    Args:
        designs: By model, its design.
        images: Rows of the manifest without unseen ones, as many as every view has.
        views: Features by name: `whole` and what the designs are fitted on.
        seed: Seed of folds and bootstrap.

    Returns:
        By model, what `metrics.evaluate` gives; empty where a class has fewer groups than folds.
    """
    label, group, weight = images["label"].to_numpy(int), images["group"], group_weights(images)
    if not has_folds(label, group):
        return {}
    return {
        name: evaluate(label, out_of_fold(design, images, views, seed), group, weight, seed=seed)
        for name, design in designs.items()
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
