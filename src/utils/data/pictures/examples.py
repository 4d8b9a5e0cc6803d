"""Choosing and reading a few pictures to look at."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.pictures.decode import ImageError, open_image
from src.utils.settings import CLASS_NAMES

PREVIEW_SIDE = 480
"""Longest side of a picture in a gallery, in pixels: enough for a slide."""


def choose_examples(images: pd.DataFrame, label: int, count: int, seed: int) -> pd.DataFrame:
    """Draw pictures of one class, each from another group while there are enough groups.

    Args:
        images: Readable rows of the manifest.
        label: 0 or 1.
        count: How many; fewer if there are not as many.
        seed: Seed of the draw.

    Returns:
        The rows drawn.
    """
    mine = images[images["label"] == label].sample(frac=1, random_state=seed)
    nth_of_its_group = mine.groupby("group").cumcount()
    return mine.assign(nth=nth_of_its_group).sort_values("nth", kind="stable").drop(columns="nth").head(count)


def choose_of_both(images: pd.DataFrame, each: int, seed: int) -> pd.DataFrame:
    """Draw as many pictures of either class, human-made ones first; see `choose_examples`."""
    return pd.concat([choose_examples(images, label, each, seed) for label in (0, 1)])


def class_previews(
    images: pd.DataFrame, raw_dir: Path, each: int, seed: int, side: int = PREVIEW_SIDE
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw and read pictures of either class to show them.

    Args:
        images: Readable rows of the manifest.
        raw_dir: The folder that `file_name` is relative to.
        each: How many of each class; fewer if there are not as many.
        seed: Seed of the draw.
        side: Longest side in pixels.

    Returns:
        Human-made and AI-generated pictures, as from `read_previews`.

    Raises:
        ImageError: A picture cannot be read.
    """
    drawn = [choose_examples(images, label, each, seed)["file_name"] for label in (0, 1)]
    human, ai = (read_previews(raw_dir, names, side) for names in drawn)
    return human, ai


def read_previews(raw_dir: Path, file_names: Iterable[str], side: int = PREVIEW_SIDE) -> list[np.ndarray]:
    """Read pictures to show them, whole and in their own shape.

    Args:
        raw_dir: The folder that the names are relative to.
        file_names: As in the manifest.
        side: Longest side in pixels; smaller pictures stay as they are.

    Returns:
        uint8 [height, width, 3] each.

    Raises:
        ImageError: A picture cannot be read.
    """
    return [read_preview(raw_dir / name, side) for name in file_names]


def read_preview(source: Path | bytes, side: int = PREVIEW_SIDE) -> np.ndarray:
    """Read one picture, a file or the bytes of one, as `read_previews` does.

    Raises:
        ImageError: The picture cannot be read.
    """
    image = open_image(source)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def mixed_previews(
    images: pd.DataFrame, raw_dir: Path, each: int, seed: int, side: int = PREVIEW_SIDE
) -> tuple[list[np.ndarray], list[int]]:
    """Draw and read pictures of both classes, in an order that does not tell them apart.

    Nothing has to be known of the pictures yet: one that cannot be read makes room for the next.

    Args:
        images: A row a picture: `file_name`, `label` and `group` (may be empty).
        raw_dir: The folder that `file_name` is relative to.
        each: How many of each class; fewer if there are not as many.
        seed: Seed of the draw and of the order.
        side: Longest side in pixels.

    Returns:
        The pictures, as from `read_previews`, and their classes.
    """
    known = images.assign(group=images["group"].where(images["group"] != "", images["file_name"]))
    read = []
    for label in (0, 1):
        candidates = choose_examples(known, label, len(known), seed)["file_name"]
        previews = (_preview_or_none(raw_dir / name, side) for name in candidates)
        found = (picture for picture in previews if picture is not None)
        read += [(picture, label) for picture in islice(found, each)]
    order = np.random.default_rng(seed).permutation(len(read))
    return [read[place][0] for place in order], [read[place][1] for place in order]


def answer_table(labels: Iterable[int]) -> pd.DataFrame:
    """Lay the answers to `mixed_previews` out: the number of each picture over its class."""
    answers = [CLASS_NAMES[label] for label in labels]
    return pd.DataFrame([answers], index=["made"], columns=[str(n + 1) for n in range(len(answers))])


def _preview_or_none(source: Path, side: int) -> np.ndarray | None:
    try:
        return read_preview(source, side)
    except ImageError:
        return None
