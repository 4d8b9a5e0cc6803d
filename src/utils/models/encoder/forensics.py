"""Statistics of the fine grain, blind to the subject: what a camera or a generator leaves between pixels.

Three parts: how the values of a high-pass residual follow each other (Pevny and others 2010, SPAM, and
Fridrich and Kodovsky 2012, spatial rich models), how its energy is spread over spatial frequencies (Durall
and others 2020, arXiv 2003.01826), and how the pixels of each 2 × 2 cell relate, which upsampling ties
together (Tan and others 2024, neighbouring pixel relationships, arXiv 2312.10461). Everything is normalised
by the residual's own strength, since the amount of detail is content.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import convolve2d

SIDE = 256
"""Side, in pixels, of the middle that is looked at, at the picture's own resolution."""

TRUNCATION = 2
"""Residuals are rounded to −2…2 steps."""

BANDS = 24
"""Rings of the spectrum."""

PARTS = {"cooccurrence": 2 * (2 * TRUNCATION + 1) ** 2, "spectrum": BANDS, "neighbours": 3 * 9}
"""Numbers that each part has."""

_HIGH_PASS = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float64) / 4
_EPSILON = 1e-3


def forensic_features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the grain of some pictures.

    Args:
        pixels: uint8 [n, side, side, 3], best uncompressed since they were cut.

    Returns:
        float32 [n, sum of `PARTS`], the parts in order.
    """
    return np.stack([_describe(picture) for picture in pixels]).astype(np.float32)


def middle_view(image: Image.Image) -> NDArray[np.uint8]:
    """Cut the middle `SIDE` × `SIDE` out of an RGB picture; a smaller one goes on as its mirror image."""
    pixels = np.asarray(image)
    short = [max(SIDE - side, 0) for side in pixels.shape[:2]]
    pixels = np.pad(pixels, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric")
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def residual(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """High-pass residual [h − 2, w − 2]: what a pixel differs from what its eight neighbours foretell."""
    return convolve2d(luma, _HIGH_PASS, mode="valid")


def cooccurrence(grain: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often one rounded residual follows another, along rows and along columns; each sums to one."""
    steps = np.clip(np.rint(grain), -TRUNCATION, TRUNCATION).astype(int) + TRUNCATION
    levels = 2 * TRUNCATION + 1
    pairs = ((steps[:, :-1], steps[:, 1:]), (steps[:-1], steps[1:]))
    counts = [np.bincount((levels * one + other).ravel(), minlength=levels**2) for one, other in pairs]
    return np.concatenate([count / count.sum() for count in counts])


def ring_spectrum(grain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-power of `BANDS` rings of frequencies, from the mean to the corner, minus their mean."""
    window = np.hanning(grain.shape[0])[:, None] * np.hanning(grain.shape[1])
    power = np.abs(np.fft.fft2(grain * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in grain.shape), indexing="ij"))
    ring = np.minimum((frequency / np.sqrt(0.5) * BANDS).astype(int), BANDS - 1).ravel()
    mean = np.bincount(ring, power.ravel(), BANDS) / np.maximum(np.bincount(ring, minlength=BANDS), 1)
    level = np.log(mean + _EPSILON)
    return level - level.mean()


def cell_relations(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the other three pixels of every 2 × 2 cell differ from its first: three histograms of nine bins."""
    height, width = (side // 2 * 2 for side in luma.shape)
    cells = luma[:height, :width].reshape(height // 2, 2, width // 2, 2)
    first = cells[:, 0, :, 0]
    others = [cells[:, 0, :, 1] - first, cells[:, 1, :, 0] - first, cells[:, 1, :, 1] - first]
    strength = np.mean(np.abs(others)) + _EPSILON
    edges = np.array([-np.inf, -3, -1.5, -0.75, -0.25, 0.25, 0.75, 1.5, 3, np.inf])
    return np.concatenate([np.histogram(one / strength, edges)[0] / one.size for one in others])


def _describe(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    luma = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    grain = residual(luma)
    grain = grain / (np.abs(grain).mean() + _EPSILON)
    return np.concatenate([cooccurrence(grain), ring_spectrum(grain), cell_relations(luma)])
