"""What is left of a picture when its content is taken away: the spectrum of the noise residual.

A generator's up-sampling leaves periodic traces, a camera leaves noise, and either is overwritten by the next
compression. So spectra are measured twice, as the pictures are and after all of them went through the same
compression: a difference that does not survive it was the files' history, not their origin. Each picture's
spectrum is divided by its mean first, so that a busy picture counts no more than a calm one and only the
shape is compared: 0 dB everywhere would be white noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.ndimage import median_filter
from tqdm import tqdm

from src.utils.analysis.scoring.scores import Change, content_seed
from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap
from src.utils.data.families import generator_family
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.split import group_weights

SIDE = 256
"""Side of the middle square whose spectrum is taken, in pixels, at the picture's own resolution."""

FLOOR = 1e-6
"""Power below which a spectrum counts as empty: a flat picture has a residual of zero."""


@dataclass
class Spectra:
    """Residual spectra, summed up picture by picture; only `rings` grow with their number, by 512 bytes each.

    Attributes:
        side: Side of the spectra.
        total: Weighted sum of the power spectra by name, float64 [side, side], zero frequency in the middle.
        weight: Sum of the weights by name.
        rings: Power in each ring of equal frequency, one row a picture, float32 [pictures, side / 2].
    """

    side: int
    total: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    weight: dict[str, float] = field(default_factory=dict)
    rings: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, names: Sequence[str], power: NDArray[np.float64], weight: float) -> None:
        """Count the shape of one picture's spectrum under some names."""
        power = power / max(power.mean(), FLOOR)
        for name in names:
            self.total[name] = self.total.get(name, 0) + weight * power
            self.weight[name] = self.weight.get(name, 0) + weight
        self.rings.append(ring_means(power).astype(np.float32))

    def mean(self, name: str) -> NDArray[np.float64]:
        """Mean spectrum under a name, in decibels above or below white noise, float64 [side, side]."""
        return decibels(self.total[name] / self.weight[name])


def residual(image: Image.Image, side: int = SIDE) -> NDArray[np.float64]:
    """What a 3 × 3 median filter takes away: noise, traces of resampling and compression, fine edges.

    Args:
        image: RGB picture.
        side: Side of the middle square; a picture that is smaller is mirrored at its borders to fill it.

    Returns:
        Luma minus filtered luma, float64 [side, side], in steps of 0–255.
    """
    luma = np.asarray(image.convert("L"), dtype=float)
    missing = [max(side - length, 0) for length in luma.shape]
    luma = np.pad(luma, [(gap // 2, gap - gap // 2) for gap in missing], mode="symmetric")
    top, left = ((length - side) // 2 for length in luma.shape)
    luma = luma[top : top + side, left : left + side]
    return luma - median_filter(luma, size=3, mode="nearest")


def power_spectrum(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power by frequency under a Hann window, zero frequency in the middle.

    White noise of variance v has a power of v at every frequency.
    """
    window = np.hanning(len(noise) + 2)[1:-1]
    window = np.outer(window, window)
    return np.abs(np.fft.fftshift(np.fft.fft2(noise * window))) ** 2 / (window**2).sum()


def ring_means(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power in rings of one cycle a square each, from 0 to half the side: float64 [side / 2]."""
    side = len(power)
    place = np.arange(side) - side // 2
    ring = np.rint(np.hypot(*np.meshgrid(place, place))).astype(int)
    inside = ring < side // 2
    sums = np.bincount(ring[inside], weights=power[inside])
    return sums / np.bincount(ring[inside])


def decibels(power: ArrayLike) -> NDArray[np.float64]:
    """Power as decibels: 10 more is ten times the power."""
    return 10 * np.log10(np.maximum(power, FLOOR))


def measure_spectra(
    pictures: pd.DataFrame,
    raw_dir: Path,
    names: Sequence[Sequence[str]],
    weight: ArrayLike,
    change: Change | None = None,
    side: int = SIDE,
    progress: bool = True,
) -> Spectra:
    """Add up the residual spectra of pictures, read in threads.

    Args:
        pictures: Rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        names: Under which names each picture counts, such as its class and its generator, [n].
        weight: Weight of each picture, [n].
        change: Applied to each picture first, such as the same compression.
        side: Side of the spectra.
        progress: Whether to show a progress bar.
    """

    def measure(row: tuple[str, str]) -> NDArray[np.float64]:
        file_name, content = row
        image = open_image(raw_dir / file_name)
        return power_spectrum(residual(change(image, content_seed(content)) if change else image, side))

    spectra = Spectra(side)
    rows = zip(pictures["file_name"], pictures["content"], strict=True)
    measured = tqdm(
        map_ahead(measure, rows), "Residual spectra", len(pictures), disable=not progress, unit="picture"
    )
    for power, own_names, own_weight in zip(measured, names, np.asarray(weight, dtype=float), strict=True):
        spectra.add(own_names, power, float(own_weight))
    return spectra


def measure_treatments(
    pictures: pd.DataFrame, raw_dir: Path, treatments: Mapping[str, Change | None], progress: bool = True
) -> dict[str, Spectra]:
    """Measure spectra after each treatment; every picture counts for its class and its generator family.

    Args:
        pictures: Rows of the manifest.
        raw_dir: What `file_name` is relative to.
        treatments: By name, what is done to each picture first; None leaves it as it is.
        progress: Whether to show a progress bar.
    """
    family = pictures["generator"].map(generator_family)
    names = [[class_key(label), name] for label, name in zip(pictures["label"], family, strict=True)]
    weight = group_weights(pictures)
    return {
        name: measure_spectra(pictures, raw_dir, names, weight, change, progress=progress)
        for name, change in treatments.items()
    }


def class_key(label: int) -> str:
    """Under which name the pictures of a class are summed up in `measure_treatments`."""
    return f"class {label}"


def class_means(spectra: Mapping[str, Spectra]) -> dict[str, tuple[NDArray, NDArray]]:
    """Mean spectra of human-made and of AI-generated pictures by treatment, in decibels."""
    return {name: (one.mean(class_key(0)), one.mean(class_key(1))) for name, one in spectra.items()}


def family_gaps(
    spectra: Mapping[str, Spectra], pictures: pd.DataFrame
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """By treatment, then by frequent generator family, its mean spectrum minus that of human-made pictures.

    Args:
        spectra: From `measure_treatments`.
        pictures: The rows measured.

    Returns:
        Decibels, float64 [side, side] each; nothing by family where none is frequent enough.
    """
    families = frequent_families(pictures["generator"].map(generator_family), pictures["group"])
    return {
        name: {one: total.mean(one) - total.mean(class_key(0)) for one in families}
        for name, total in spectra.items()
    }


def curves_by_treatment(
    spectra: Mapping[str, Spectra], pictures: pd.DataFrame, seed: int
) -> dict[str, pd.DataFrame]:
    """`ring_curves` of each treatment, every group counting the same."""
    weight = group_weights(pictures)
    return {name: ring_curves(one.rings, pictures, weight, seed=seed) for name, one in spectra.items()}


def residual_record(curves: Mapping[str, pd.DataFrame], pictures: int) -> dict[str, Any]:
    """What `metrics.json` keeps of the residuals: pictures, rings, and by treatment how many are apart.

    Besides, how far: the largest difference in decibels, the mean brightness left out; None where there is
    none.
    """
    largest = {name: table["difference"].iloc[1:].abs().max() for name, table in curves.items()}
    return {
        "pictures": pictures,
        "rings": len(next(iter(curves.values()))),
        "rings_apart": {name: rings_apart(table) for name, table in curves.items()},
        "largest_decibels": {name: float(one) if np.isfinite(one) else None for name, one in largest.items()},
    }


def ring_curves(
    rings: ArrayLike,
    pictures: pd.DataFrame,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean power by frequency of each class, and by how much AI lies above human-made.

    Args:
        rings: `Spectra.rings`, [n, side / 2].
        pictures: Their rows: `label` and `group`.
        weight: Weights, [n]; one each if not given.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        A row a ring: `frequency` (cycles a pixel, 0–0.5), and in decibels `human`, `ai` and `difference`
        (AI minus human-made), each with `_low` and `_high`, NaN where not estimable.
    """
    rings, label = np.asarray(rings, dtype=float), pictures["label"].to_numpy(dtype=int)

    def levels(row_weight: NDArray[np.float64]) -> dict[str, float]:
        human, ai = (_mean_level(rings, row_weight * (label == one)) for one in (0, 1))
        columns = {"human": human, "ai": ai, "difference": ai - human}
        return {f"{name} {ring}": value for name, row in columns.items() for ring, value in enumerate(row)}

    entries = bootstrap(levels, pictures["group"], label, weight, resamples, seed)
    table = {"frequency": np.arange(rings.shape[1]) / (2 * rings.shape[1])}
    for name in ("human", "ai", "difference"):
        columns = pd.DataFrame(entries[f"{name} {ring}"].columns(name) for ring in range(rings.shape[1]))
        table |= columns.to_dict("series")
    return pd.DataFrame(table)


def rings_apart(curves: pd.DataFrame) -> int | None:
    """How many rings have an interval of the difference without zero; None where none is estimable.

    One ring in twenty does so by chance.
    """
    known = curves.dropna(subset=["difference_low", "difference_high"])
    if known.empty:
        return None
    return int(((known["difference_low"] > 0) | (known["difference_high"] < 0)).sum())


def frequent_families(family: ArrayLike, group: ArrayLike, least_groups: int = 5, most: int = 6) -> list[str]:
    """The families with the most groups, for a row of pictures.

    Args:
        family: Family of each picture, empty where it has none, [n].
        group: Groups, [n].
        least_groups: Families with fewer groups are left out.
        most: Families at most.
    """
    groups = pd.Series(np.asarray(group)).groupby(np.asarray(family)).nunique().drop("", errors="ignore")
    enough = groups[groups >= least_groups]
    return enough.sort_values(ascending=False, kind="stable").head(most).index.tolist()


def _mean_level(rings: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weight.sum()
    return decibels(weight @ rings / total) if total > 0 else np.full(rings.shape[1], np.nan)
