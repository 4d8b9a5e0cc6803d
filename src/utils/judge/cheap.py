"""What something cheap could tell: classifiers on size, codec, sharpness, spectrum and a thumbnail.

A detector that is no better than these on the same pictures has shown nothing, whatever its AUC: a collection
whose photographs are larger than its generated pictures is told apart by their sharpness, even after all were
scaled and saved alike. Each classifier is fitted on groups other than those it ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from src.utils.analysis.checks.file_facts import file_facts
from src.utils.analysis.checks.probes import Fold, grouped_folds
from src.utils.analysis.content.spectra import power_spectrum, residual, ring_means
from src.utils.analysis.scoring.baselines import fit_facts, probability_of_ai
from src.utils.analysis.scoring.parts import Part, sub_part
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.remembered import compute_once
from src.utils.estimate import Estimate
from src.utils.judge.deliveries import Deliveries, answer_keys, deliver

SIZE, CODEC, TEXTURE, SPECTRUM, THUMBNAIL = (
    "format and size",
    "codec and block grid",
    "sharpness and texture",
    "spectrum",
    "32 × 32 thumbnail",
)

LINEAR = (SPECTRUM, THUMBNAIL)
"""Ranked by a logistic regression; the others by small boosted trees, which take categories and gaps."""

SIZE_FACTS = (
    *("width", "height", "aspect", "megapixels", "multiple_of_8", "multiple_of_64"),
    *("format", "mode", "bytes", "bytes_per_pixel"),
)
CODEC_FACTS = ("format", "jpeg_quality", "quantisation", "subsampling", "progressive", "exif", "icc")

MOST = 4000
"""Pictures, in whole groups drawn by the seed, that classifiers are fitted on at most: memory stays flat."""

_MIDDLE = 1024  # pixels: what is measured of a large picture, at its own resolution
_TILE = 32
_SIDE = 32
_RINGS = 128
_EPSILON = 1e-3

_WIDTHS = {CODEC: 16, TEXTURE: 5, SPECTRUM: _RINGS // 4, THUMBNAIL: 3 * _SIDE**2}
"""Numbers measured on pixels, by what they are for, in the order in which they are kept."""


class Explained(NamedTuple):
    """How a detector compares with what is cheap.

    Attributes:
        auc: By cheap classifier, then by detector, the AUC on groups that no classifier was fitted on.
        best: The classifier with the highest AUC; empty where a class has too few groups.
        above: By detector, its AUC minus that of the best classifier.
        pictures: How many were ranked.
    """

    auc: dict[str, Estimate]
    best: str
    above: dict[str, Estimate]
    pictures: int


def choose_pictures(part: Part, seed: int, most: int = MOST) -> Part:
    """The pictures that cheap classifiers are fitted on: all, or whole groups of at most `most` pictures."""
    if len(part.images) <= most:
        return part
    names, row, size = np.unique(part.group, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    kept = order[np.cumsum(size[order]) <= most]
    return sub_part(part.images, part, part.images[np.isin(row, kept)])


def measure_pixels(
    images: pd.DataFrame,
    folder: Path,
    memory: Path,
    deliveries: Deliveries,
    progress: bool = True,
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Measure what a glance at the pixels gives, each picture once in each way.

    Args:
        images: Readable rows of the manifest.
        folder: What `file_name` is relative to.
        memory: Folder of what was measured before.
        deliveries: Applied to each decoded picture; another one has another name.
        progress: Whether to show a progress bar.

    Returns:
        By delivery, then by what they are for, float32 [n, numbers].
    """
    files = [folder / name for name in images["file_name"]]

    def compute(places: list[int]) -> Iterator[NDArray[np.float32]]:
        return deliver(files, deliveries, places, describe)

    keys = answer_keys(images["content"].tolist(), deliveries)
    path, version = memory / "cheap.sqlite", code_digest(__name__)
    rows = np.stack(list(compute_once(path, version, keys, compute, "Cheap facts", progress)))
    ends = np.cumsum(list(_WIDTHS.values()))[:-1]
    return {
        name: dict(zip(_WIDTHS, np.split(rows[number :: len(deliveries)], ends, axis=1), strict=True))
        for number, name in enumerate(deliveries)
    }


def describe(image: Image.Image) -> NDArray[np.float32]:
    """Measure an RGB picture: block grid, texture, spectrum and thumbnail, float32 [sum of widths]."""
    left, top = (max(0, (side - _MIDDLE) // 2) // 8 * 8 for side in image.size)  # the grid stays where it is
    middle = image.crop((left, top, min(image.width, left + _MIDDLE), min(image.height, top + _MIDDLE)))
    luma = np.asarray(middle.convert("L"), dtype=np.float32)
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    spectrum = np.log(ring_means(power_spectrum(residual(middle, 2 * _RINGS))) + _EPSILON)
    rings = spectrum.reshape(-1, 4).mean(axis=1)
    return np.concatenate(
        [block_grid(luma), texture(image, luma), rings - rings.mean(), small.ravel() / 255]
    ).astype(np.float32)


def block_grid(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much neighbours differ at each place of an 8 × 8 grid, against their mean: float32 [16]."""
    found = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        phases = np.array([steps[start::8].mean() if len(steps) > start else 0.0 for start in range(8)])
        found.append(phases / (phases.mean() + _EPSILON))
    return np.concatenate(found).astype(np.float32)


def texture(image: Image.Image, luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sharpness, the sharpness of the calmer parts, contrast, brightness, saturation: float32 [5].

    Sharpness is the logarithm of the variance of the Laplacian, over the whole and at the lower quartile of
    tiles of 32 pixels.
    """
    edges = ndimage.laplace(luma)
    height, width = (max(side // _TILE, 1) * min(_TILE, side) for side in edges.shape)
    rows, columns = max(height // _TILE, 1), max(width // _TILE, 1)
    tiles = edges[:height, :width].reshape(rows, height // rows, columns, width // columns)
    calm = np.quantile(tiles.var(axis=(1, 3)), 0.25)
    small = image.resize((64, 64), Image.Resampling.BOX)
    saturation = np.asarray(small.convert("HSV"))[..., 1].mean()
    numbers = (np.log1p(edges.var()), np.log1p(calm), luma.std(), luma.mean(), saturation)
    return np.array(numbers, np.float32)


def rank_cheaply(
    part: Part, pixels: Mapping[str, NDArray[np.float32]], files: bool, folds: list[Fold], seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Rank every picture by classifiers that were fitted on other groups.

    Args:
        part: The pictures.
        pixels: From `measure_pixels`.
        files: Whether facts about files may be used; they mean nothing once all were made alike.
        folds: Rows to fit on and rows to rank.
        seed: Seed of the classifiers.

    Returns:
        By classifier a score, higher for AI, float64 [n]; comparable within a fold only.
    """
    facts = file_facts(part.images)
    grid = pd.DataFrame(pixels[CODEC]).add_prefix("grid ")
    codec = [facts[[name for name in CODEC_FACTS if name in facts]], grid] if files else [grid]
    blocks = {SIZE: facts[[name for name in SIZE_FACTS if name in facts]]} if files else {}
    blocks |= {CODEC: pd.concat(codec, axis=1), TEXTURE: pd.DataFrame(pixels[TEXTURE]).add_prefix("number ")}
    tables: dict[str, pd.DataFrame] = blocks | {name: pd.DataFrame(pixels[name]) for name in LINEAR}

    def rank(task: tuple[str, Fold]) -> NDArray[np.float64]:
        name, (fit, others) = task
        return (_by_line if name in LINEAR else _by_trees)(tables[name], part, fit, others, seed)

    scores = {name: np.empty(len(part.label)) for name in tables}
    tasks = [(name, fold) for name in tables for fold in folds]
    for (name, (_, others)), ranked in zip(tasks, map_ahead(rank, tasks), strict=True):
        scores[name][others] = ranked
    return scores


def explain(
    part: Part,
    cheap: Mapping[str, NDArray[np.float64]],
    detectors: Mapping[str, NDArray[np.float64]],
    folds: list[Fold],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Explained:
    """Compare detectors with the best cheap classifier on the same pictures, over the same resamples.

    Args:
        part: The pictures.
        cheap: From `rank_cheaply`.
        detectors: By detector, any score that is higher for AI, [n].
        folds: The same folds; none where a class has too few groups.
        seed: Seed of the bootstrap.
        resamples: Number of its resamples.

    Returns:
        AUCs are means over the folds, for detectors too: a classifier's scores do not compare across folds.
    """
    if not folds:
        return Explained({}, "", {}, len(part.images))
    ranked = {name: _within_folds(part.label, score, folds) for name, score in {**cheap, **detectors}.items()}
    best = max(cheap, key=lambda name: ranked[name](part.weight))

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        auc = {name: one(weight) for name, one in ranked.items()}
        return auc | {f"above {name}": auc[name] - auc[best] for name in detectors}

    entries = bootstrap(statistic, part.group, part.label, part.weight, resamples, seed)
    smallest = sort_groups(part.group, part.label).smallest
    return Explained(
        {name: never_certain(entries[name], smallest) for name in ranked},
        best,
        {name: entries[f"above {name}"] for name in detectors},
        len(part.images),
    )


def folds_of(part: Part, seed: int) -> list[Fold]:
    """Folds that no group crosses; none where a class has fewer groups than folds."""
    return grouped_folds(part.label, part.group, seed)


def _within_folds(label: NDArray, score: NDArray, folds: list[Fold]):
    """A function from row weights to the mean AUC of the folds that hold both classes."""
    ranked: list[tuple[NDArray, Statistic]] = [
        (rows, ranking_statistic(label[rows], score[rows])) for _, rows in folds
    ]

    def auc(weight: NDArray[np.float64]) -> float:
        values = np.array([one(weight[rows])["auc"] for rows, one in ranked])
        known = values[np.isfinite(values)]
        return float(known.mean()) if len(known) else np.nan

    return auc


def _by_trees(table: pd.DataFrame, part: Part, fit: NDArray, rank: NDArray, seed: int) -> NDArray[np.float64]:
    model = fit_facts(table.iloc[fit], part.label[fit], part.weight[fit], seed)
    return probability_of_ai(model, table.iloc[rank])


def _by_line(table: pd.DataFrame, part: Part, fit: NDArray, rank: NDArray, _: int) -> NDArray[np.float64]:
    numbers = table.to_numpy()
    strength = 0.1 * min(1.0, 32 / numbers.shape[1])  # more numbers than pictures need a firmer hand
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
    model.fit(numbers[fit], part.label[fit], logisticregression__sample_weight=part.weight[fit])
    return model.decision_function(numbers[rank])
