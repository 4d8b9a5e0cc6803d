"""Whether a picture is of a kind that the models learned on, by simple facts about its pixels.

A model answers whatever it is given, and a blank page gets as sure an answer as a photograph. So a picture
that is tiny, blank, drawn, grey or noise gets no verdict but the reason why. The facts are read off a copy of
bounded size in some milliseconds; their limits are chosen on a dataset
(`src.utils.analysis.checks.content_gate`) and come with a model's calibration. NumPy and Pillow only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

LONGEST_SIDE = 320
"""Facts are read off a copy of at most this many pixels on its longer side."""

BLOCK = 8
COMMONEST = 8

Facts = dict[str, float]
Limits = Mapping[str, float]


@dataclass(frozen=True)
class Fact:
    """What is measured of a picture.

    Attributes:
        strictest: The strictest limit, set by what the fact means; what a dataset has can only loosen it.
        lowest: Whether the limit is the lowest value that passes; else it is the highest.
        reason: What is said of a picture beyond the limit; `{value}` is the value.
    """

    strictest: float
    lowest: bool
    reason: str

    def beyond(self, value: float | np.ndarray, limit: float) -> bool | np.ndarray:
        """Whether a value lies outside of the limit; a value at the limit passes."""
        return value < limit if self.lowest else value > limit


FACTS: dict[str, Fact] = {
    "shorter_side": Fact(64, True, "it is only {value:.0f} px on its shorter side"),
    "aspect": Fact(4, False, "it is {value:,.0f} times as long as it is wide"),
    "luma_variance": Fact(25, True, "it is almost blank"),
    "common_colours": Fact(
        0.5,
        False,
        "it looks like a drawing, a text or a screenshot: {value:.0%} of it has one of eight colours",
    ),
    "detail": Fact(24, True, "it is smooth all over, like a gradient of colours"),
    "neighbour_correlation": Fact(
        0.5, True, "its neighbouring pixels have little in common, as in noise or dense patterns"
    ),
    "chroma": Fact(4, True, "it is grey, without colour"),
}
"""Facts by name; the first one beyond its limit is the reason that is given."""


def picture_facts(image: Image.Image) -> Facts:
    """Measure a picture.

    Args:
        image: RGB picture of any size, as `open_image` gives it; it is not changed.

    Returns:
        A finite number for each of `FACTS`: `shorter_side` in pixels and `aspect` (longer over shorter side)
        of the picture itself, and of its copy of bounded size: `luma_variance` (0–16,256); `common_colours`,
        the share of pixels that have one of the eight commonest colours; `detail`, the range of luma (0–255)
        within blocks of 8 × 8 pixels that nine in ten blocks do not exceed; `neighbour_correlation` of luma
        (-1 to 1), across or down, whichever is lower; `chroma`, the difference between a pixel's strongest
        and weakest channel (0–255) that 19 in 20 pixels do not exceed.
    """
    copy = _bounded(image)
    channels, luma = [np.asarray(channel) for channel in copy.split()], np.asarray(copy.convert("L"))
    spread = np.maximum.reduce(channels) - np.minimum.reduce(channels)
    shorter, longer = sorted(image.size)
    return {
        "shorter_side": float(shorter),
        "aspect": longer / shorter,
        "luma_variance": float(luma.var()),
        "common_colours": _common_colours(*channels),
        "detail": float(np.quantile(_block_ranges(luma), 0.9)),
        "neighbour_correlation": _neighbour_correlation(luma.astype(np.float32)),
        "chroma": float(np.quantile(spread, 0.95)),
    }


def why_outside(facts: Facts, limits: Limits | None) -> str:
    """Why a picture is outside of what the models learned on, in words that continue a sentence.

    Args:
        facts: From `picture_facts`.
        limits: By name of a fact; where there is none, the fact is not asked.

    Returns:
        Such as "it is grey, without colour"; empty where it is inside.
    """
    for name, fact in FACTS.items():
        if limits and name in limits and fact.beyond(facts[name], limits[name]):
            return fact.reason.format(value=facts[name]).replace("%", " %")
    return ""


def _bounded(image: Image.Image) -> Image.Image:
    """The picture at a whole fraction of its size, mean by mean: what is exactly flat stays so.

    Of a large picture only every so many pixels are read, four for each one of the copy.
    """
    factor = -(-max(image.size) // LONGEST_SIDE)
    if factor == 1:
        return image
    if factor > 2:
        width, height = (max(1, 2 * side // factor) for side in image.size)
        image = image.resize((width, height), Image.Resampling.NEAREST)
    return image.reduce(2)


def _common_colours(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> float:
    """Share of pixels that have one of the `COMMONEST` colours, exactly."""
    colours = np.sort((red.astype(np.uint32) << 16 | green.astype(np.uint32) << 8 | blue).ravel())
    ends = np.flatnonzero(np.diff(colours, append=colours[-1] + 1))
    counts = np.sort(np.diff(ends, prepend=-1))
    return float(counts[-COMMONEST:].sum() / len(colours))


def _block_ranges(luma: np.ndarray) -> np.ndarray:
    """Range of luma in each whole block, 0–255; blocks of a tiny picture are as small as it is."""
    height, width = (min(BLOCK, side) for side in luma.shape)
    rows, columns = luma.shape[0] // height, luma.shape[1] // width
    blocks = luma[: rows * height, : columns * width].reshape(rows, height, columns, width)
    return np.ptp(blocks, axis=(1, 3))


def _neighbour_correlation(luma: np.ndarray) -> float:
    """Correlation of each pixel with the next, the lower one of both directions; 1 where nothing varies."""
    centred = luma - luma.mean()
    variance = float(np.square(centred).mean())
    if variance < 1e-3:
        return 1.0
    pairs = ((centred[:, :-1], centred[:, 1:]), (centred[:-1], centred[1:]))
    return min((float(np.mean(one * other)) / variance for one, other in pairs if one.size), default=1.0)
