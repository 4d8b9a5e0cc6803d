"""Mild changes to training pictures, on the squares of pixels that the cache holds.

They are made for the speed of training on a processor: two milliseconds a picture. What an upload does to a
picture at its own size is `data.pictures.augment`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from src.utils.data.pictures.augment import blur, crop_random, recompress_jpeg

SIDES = (0.8, 1.0)
BRIGHTNESS = (0.85, 1.15)
BLUR_SIGMAS = (0.3, 1.0)
JPEG_QUALITIES = (60, 95)
"""Ranges that are drawn from, evenly."""

CHANCE_MIRROR, CHANCE_BLUR, CHANCE_JPEG = 0.5, 0.2, 0.5


def vary(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change a square picture a little: cut, lighter or darker, perhaps mirrored, blurred, compressed.

    Args:
        pixels: uint8 [side, side, 3].
        rng: Decides; the same state gives the same pixels.

    Returns:
        uint8 [side, side, 3].
    """
    side = len(pixels)
    image = crop_random(Image.fromarray(pixels), round(side * rng.uniform(*SIDES)), rng)
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    factor = rng.uniform(*BRIGHTNESS)
    image = image.point(lambda value: value * factor)
    if rng.random() < CHANCE_MIRROR:
        image = ImageOps.mirror(image)
    if rng.random() < CHANCE_BLUR:
        image = blur(image, rng.uniform(*BLUR_SIGMAS))
    if rng.random() < CHANCE_JPEG:
        image = recompress_jpeg(image, rng.integers(*JPEG_QUALITIES, endpoint=True))
    return np.asarray(image)


def vary_batch(pixels: NDArray[np.uint8], seeds: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    """Vary every picture of a batch, uint8 [b, side, side, 3], by a seed of its own."""
    return np.stack([vary(one, np.random.default_rng(seed)) for one, seed in zip(pixels, seeds, strict=True)])
