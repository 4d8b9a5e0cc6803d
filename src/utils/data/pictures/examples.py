"""Choosing and reading a few pictures to look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.pictures.decode import open_image

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
