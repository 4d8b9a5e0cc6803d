"""How a detector of others reads a picture and what its output means, as its authors publish it.

A detector looks at one picture in one or more square views. They are kept as 8-bit pixels until it is asked,
so that a picture waits in a quarter of the memory. NumPy and Pillow only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
OUTPUTS = ("logit", "probability")
COMBINATIONS = ("probabilities", "logits")


@dataclass(frozen=True)
class Recipe:
    """How a detector is asked.

    Attributes:
        input_size: Side of the square it reads, in pixels.
        views: Names of `VIEWS`, in order.
        mean, standard_deviation: Taken from, and dividing, pixels of 0–1, for red, green and blue.
        filter: A key of `FILTERS`, for every view that is scaled.
        shorter_side: What `crop` scales the shorter side to, in pixels; 0 for `input_size`.
        output: What the network's one number a view is, for AI: a `logit` or a `probability`.
        combine: Whether the mean of several views is taken of their `probabilities` or of their `logits`.
        second_view_between: The second view is asked only where the published calibration of the first says
            something between these two, ends included, and the picture's shorter side is at least
            `input_size`; None to ask all views always.
        scale, offset: The published calibration: log-odds of AI are scale × logit + offset.
        threshold: Published probability from which on a picture is called AI.
    """

    input_size: int
    views: Sequence[str]
    mean: Sequence[float]
    standard_deviation: Sequence[float]
    filter: str = "bilinear"
    shorter_side: int = 0
    output: str = "logit"
    combine: str = "probabilities"
    second_view_between: Sequence[float] | None = None
    scale: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Recipe:
        """Take a recipe from a table of TOML or JSON, where `calibration` holds `scale` and `offset`.

        Raises:
            ValueError: An entry is missing, unknown or out of range; the message names it.
        """
        told = {**told, **told.get("calibration", {})}
        told.pop("calibration", None)
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(told) - known):
            raise ValueError(f"the unknown entry {unknown[0]}")
        lacking = [name for name in ("input_size", "views", "mean", "standard_deviation") if name not in told]
        if lacking:
            raise ValueError(f"no {', '.join(lacking)}")
        recipe = cls(**told)
        recipe._check()
        return recipe

    def _check(self) -> None:
        for name, value, choices in (
            ("filter", self.filter, FILTERS),
            ("output", self.output, OUTPUTS),
            ("combine", self.combine, COMBINATIONS),
            *(("views", view, VIEWS) for view in self.views or [""]),
        ):
            if value not in choices:
                raise ValueError(f"{name} = {value!r}, which is none of {', '.join(choices)}")
        for name in ("mean", "standard_deviation"):
            values = getattr(self, name)
            if not (len(values) == 3 and all(isinstance(one, int | float) for one in values)):
                raise ValueError(f"{name} = {values!r}, which is not three numbers")
        band = self.second_view_between
        if band is not None and not (len(self.views) == 2 and 0 <= band[0] <= band[1] <= 1):
            raise ValueError("a second_view_between that is not two probabilities, or not two views")
        if not all(one > 0 for one in (self.input_size, self.scale, *self.standard_deviation)):
            raise ValueError("a size, scale or standard deviation that is not above 0")
        if not 0 <= self.threshold <= 1 or (self.shorter_side and self.shorter_side < self.input_size):
            raise ValueError("a threshold outside of 0–1, or a shorter_side below input_size")

    def read(self, image: Image.Image) -> NDArray[np.uint8]:
        """The views of an RGB picture, uint8 [views, size, size, 3].

        Where a second view is not to be asked because the picture is too small for it, it is the first one
        again: a mean of twice the same changes nothing.
        """
        views = [VIEWS[view](image, self) for view in self.views]
        if self.second_view_between is not None and min(image.size) < self.input_size:
            views[1] = views[0]
        return np.stack(views)

    def tensor(self, view: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A view as the network takes it: float32 [1, 3, size, size]."""
        pixels = view.astype(np.float32) / np.float32(255)
        mean, deviation = (np.asarray(one, np.float32) for one in (self.mean, self.standard_deviation))
        ready = (pixels - mean) / deviation
        return np.ascontiguousarray(ready.transpose(2, 0, 1)[None])

    def log_odds(self, views: NDArray[np.uint8], ask: Callable[[NDArray[np.float32]], float]) -> float:
        """Log-odds of AI of one picture by the published calibration.

        Args:
            views: As `read` gives them.
            ask: The network: a tensor → its one number.
        """

        def logit(view: NDArray[np.uint8]) -> float:
            said = ask(self.tensor(view))
            return said if self.output == "logit" else _logit(said)

        first, *others = views
        logits = [logit(first)]
        if self.second_view_between is None:
            logits += [logit(view) for view in others]
        elif self._asks_again(logits[0]) and not np.array_equal(first, others[0]):
            logits.append(logit(others[0]))
        return self.scale * self._mean(logits) + self.offset

    def _asks_again(self, first: float) -> bool:
        low, high = self.second_view_between or (0, 0)
        return low <= _sigmoid(self.scale * first + self.offset) <= high

    def _mean(self, logits: Sequence[float]) -> float:
        if self.combine == "logits" or len(logits) == 1:
            return float(np.mean(logits))
        return _logit(float(np.mean([_sigmoid(one) for one in logits])))


def squash(image: Image.Image, recipe: Recipe) -> NDArray[np.uint8]:
    """The whole picture, whatever its shape, scaled to the square."""
    side = recipe.input_size
    return np.asarray(image.resize((side, side), FILTERS[recipe.filter]))


def crop(image: Image.Image, recipe: Recipe) -> NDArray[np.uint8]:
    """The middle square of the picture whose shorter side was scaled to `shorter_side`."""
    scale = (recipe.shorter_side or recipe.input_size) / min(image.size)
    width, height = (max(recipe.input_size, round(side * scale)) for side in image.size)
    return _middle(np.asarray(image.resize((width, height), FILTERS[recipe.filter])), recipe.input_size)


def native(image: Image.Image, recipe: Recipe) -> NDArray[np.uint8]:
    """The middle square at the picture's own resolution; a smaller picture is reflected out to its size.

    The edge pixel itself is not repeated, and where one reflection is not enough another follows.
    """
    pixels, side = np.asarray(image), recipe.input_size
    short = [max(0, side - length) for length in pixels.shape[:2]]
    padding = [(gap // 2, gap - gap // 2) for gap in short]
    return _middle(np.pad(pixels, (*padding, (0, 0)), mode="reflect"), side)


VIEWS: dict[str, Callable[[Image.Image, Recipe], NDArray[np.uint8]]] = {
    "squash": squash,
    "crop": crop,
    "native": native,
}
"""How an RGB picture becomes a square, uint8 [size, size, 3], by name."""


def _middle(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _sigmoid(logit: float) -> float:
    return float(np.exp(-np.logaddexp(0, -logit)))


def _logit(probability: float) -> float:
    """Log-odds, finite also for 0 and 1."""
    probability = float(np.clip(probability, 1e-15, 1 - 1e-15))
    return float(np.log(probability) - np.log1p(-probability))
