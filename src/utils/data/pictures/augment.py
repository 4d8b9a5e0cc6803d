"""What happens to pictures on their way to a viewer, at exact strengths and always the same for one seed.

Two uses share these functions: training copies with random damage (`augment`), so that a detector does not
lean on traces the next upload wipes out, and robustness curves, which apply one kind of damage at a time
(`PERTURBATIONS`). Everything works on Pillow pictures at their own size, before any resize for a network.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter, ImageOps

Damage = Callable[[Image.Image, float, np.random.Generator], Image.Image]
"""A picture, a strength and a source of chance → a picture; the first is not changed."""

MIN_SIDE = 16
"""No resize or crop makes a picture smaller than this, in pixels."""


def recompress_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Save as baseline JPEG of `quality` (1–100, colour at half resolution) and read it again."""
    return _through_file(image, format="JPEG", quality=int(quality), subsampling="4:2:0")


def recompress_webp(image: Image.Image, quality: int) -> Image.Image:
    """Save as lossy WebP of `quality` (0–100) and read it again."""
    return _through_file(image, format="WEBP", quality=int(quality), method=4)


def resize(
    image: Image.Image, factor: float, resample: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """Scale both sides by `factor`; the picture keeps its new size."""
    size = tuple(max(MIN_SIDE, round(side * factor)) for side in image.size)
    return image.resize(size, resample)


def blur(image: Image.Image, sigma: float) -> Image.Image:
    """Blur with a Gaussian of standard deviation `sigma`, in pixels (Pillow's box approximation of it)."""
    return image.filter(ImageFilter.GaussianBlur(sigma))


def add_noise(image: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    """Add Gaussian noise of standard deviation `sigma` (of 255) to every channel of every pixel."""
    pixels = np.asarray(image, np.float32)
    noisy = pixels + rng.normal(0, sigma, pixels.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def crop_centre(image: Image.Image, share: float) -> Image.Image:
    """Keep the middle: `share` (0–1) of each side."""
    width, height = (max(min(MIN_SIDE, side), round(side * share)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def crop_random(image: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    """Cut a square of `side` pixels at its own resolution, or of the short side where that is less."""
    side = min(side, *image.size)
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    return image.crop((left, top, left + side, top + side))


def screenshot(image: Image.Image, factor: float) -> Image.Image:
    """What a screenshot of a viewer leaves: the picture at `factor` of its size, bilinear, then JPEG 85."""
    return recompress_jpeg(resize(image, factor, Image.Resampling.BILINEAR), 85)


@dataclass(frozen=True)
class Perturbation:
    """One kind of damage, for a robustness curve.

    Attributes:
        name: Short name.
        axis: What the strength is, for a figure's axis.
        levels: Strengths, from mild to severe.
        apply: Does it.
    """

    name: str
    axis: str
    levels: tuple[float, ...]
    apply: Damage


PERTURBATIONS: dict[str, Perturbation] = {
    one.name: one
    for one in (
        Perturbation(
            "jpeg",
            "JPEG quality",
            (95, 85, 70, 50, 30),
            lambda image, level, _: recompress_jpeg(image, level),
        ),
        Perturbation(
            "webp", "WebP quality", (90, 80, 65, 50), lambda image, level, _: recompress_webp(image, level)
        ),
        Perturbation("resize", "Scale", (2.0, 1.5, 0.75, 0.5), lambda image, level, _: resize(image, level)),
        Perturbation("blur", "Blur σ, pixels", (0.5, 1, 2, 3), lambda image, level, _: blur(image, level)),
        Perturbation("noise", "Noise σ, of 255", (2, 5, 10), add_noise),
        Perturbation(
            "crop", "Side kept", (0.9, 0.75, 0.5), lambda image, level, _: crop_centre(image, level)
        ),
        Perturbation(
            "screenshot",
            "Screenshot scale",
            (0.9, 0.7, 0.5),
            lambda image, level, _: screenshot(image, level),
        ),
    )
}
"""The kinds of damage of the robustness curves, by name."""


def perturb(image: Image.Image, name: str, level: float, seed: int = 0) -> Image.Image:
    """Apply one kind of damage.

    Args:
        image: An RGB picture.
        name: A key of `PERTURBATIONS`.
        level: Its strength, best one of its `levels`.
        seed: Makes noise the same again.

    Raises:
        KeyError: There is no such kind.
    """
    return PERTURBATIONS[name].apply(image, level, np.random.default_rng(seed))


SCALES = (0.5, 1.0)
BLUR_SIGMAS = (0.3, 1.5)
NOISE_SIGMAS = (1.0, 8.0)
JPEG_QUALITIES = (40, 95)
WEBP_QUALITIES = (50, 95)
"""Ranges that `augment` draws from, evenly."""

CHANCE_RESIZE, CHANCE_BLUR, CHANCE_NOISE, CHANCE_WEBP = 0.5, 0.3, 0.3, 0.3

_RESAMPLINGS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def augment(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Damage a training picture as the way through the web might.

    With the chances above: shrunk to 0.5–1 of its size, blurred, noisy; then always compressed once, as WebP
    or JPEG; mirrored half of the time. Class and subject stay what they are.

    Args:
        image: An RGB picture.
        rng: Decides; the same state gives the same pixels.

    Returns:
        A new picture, possibly smaller.
    """
    if rng.random() < CHANCE_RESIZE:
        resample = _RESAMPLINGS[rng.integers(len(_RESAMPLINGS))]
        image = resize(image, rng.uniform(*SCALES), resample)
    if rng.random() < CHANCE_BLUR:
        image = blur(image, rng.uniform(*BLUR_SIGMAS))
    if rng.random() < CHANCE_NOISE:
        image = add_noise(image, rng.uniform(*NOISE_SIGMAS), rng)
    if rng.random() < CHANCE_WEBP:
        image = recompress_webp(image, rng.integers(*WEBP_QUALITIES, endpoint=True))
    else:
        image = recompress_jpeg(image, rng.integers(*JPEG_QUALITIES, endpoint=True))
    return ImageOps.mirror(image) if rng.random() < 0.5 else image


def _through_file(image: Image.Image, **options) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    with Image.open(buffer) as compressed:
        return compressed.convert("RGB")
