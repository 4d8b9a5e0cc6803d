"""What human-made and AI-generated pictures are of, in the words of an ImageNet network: the deck's tables.

A row of the labelled table is a picture with its three likeliest labels (`predict_1`, `conf_1` … `conf_3`) joined
with what the manifest knows of it. Crops of one original are no independent pictures, so means count every
group of a class the same, and tests compare groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from src.utils.analysis.bootstrap import RESAMPLES, bootstrap
from src.utils.analysis.content_store import compute_once
from src.utils.files import atomic_path
from src.utils.models.imagenet import TOP, Label, Labeller, imagenet_classes

LIMIT = 2000
"""Pictures that are labelled at most, as in the deck."""

JOINED = ("file_name", "label", "group", "split", "generator", "origin", "subject")
LABEL_COLUMNS = tuple(f"{kind}_{place}" for place in range(1, TOP + 1) for kind in ("predict", "conf"))
CONFIDENCES = tuple(f"conf_{place}" for place in range(1, TOP + 1))

DECK_CONFIDENCES = {"conf_1": (0.385334, 0.434599), "conf_2": (0.131992, 0.131992), "conf_3": (0.0, 0.0)}

MEANINGS_FILE = Path(__file__).with_name("category_meanings.txt")

_KINDS = (
    (0, 6, "a fish"),
    (7, 24, "a bird"),
    (25, 32, "an amphibian"),
    (33, 37, "a turtle"),
    (38, 51, "a reptile"),
    (52, 68, "a snake"),
    (69, 79, "a spider or another small animal with many legs"),
    (80, 100, "a bird"),
    (101, 117, "an animal"),
    (118, 126, "an animal with a shell"),
    (127, 146, "a bird"),
    (147, 150, "an animal of the sea"),
    (151, 268, "a breed of dog"),
    (269, 280, "a wild animal of the dogs' family"),
    (281, 285, "a house cat"),
    (286, 299, "a beast of prey"),
    (300, 326, "an insect"),
    (327, 329, "an animal of the sea"),
    (330, 388, "a mammal"),
    (389, 397, "a fish"),
    (398, 923, "a thing made by people"),
    (924, 969, "something to eat or drink"),
    (970, 980, "a landscape or something in it"),
    (981, 983, "a person"),
    (984, 990, "a plant or its fruit"),
    (991, 997, "a fungus"),
    (998, 998, "a plant or its fruit"),
    (999, 999, "a thing made by people"),
)
"""What ImageNet's classes are, by their number: it sorts them by kind."""


def choose_pictures(rows: pd.DataFrame, limit: int = LIMIT, seed: int = 42) -> pd.DataFrame:
    """Draw pictures to label: all if they are few, else as many of each class.

    Args:
        rows: Readable rows of the manifest.
        limit: Pictures at most.
        seed: Seed of the draw.

    Returns:
        The rows drawn, in their order. Balanced unless all are taken: `limit` is shared by the two classes, and
        the rarer one, if it has less than its half, decides.
    """
    if len(rows) <= limit:
        return rows
    each = min([limit // 2, *(count for count in rows["label"].value_counts())])
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(index, each, replace=False) for _, index in sorted(rows.groupby("label").indices.items())]
    return rows.iloc[np.sort(np.concatenate(drawn))]


def label_pictures(
    rows: pd.DataFrame, labeller: Labeller, raw_dir: Path, store_dir: Path, progress: bool = True
) -> pd.DataFrame:
    """Name what is in every picture, once per content.

    Args:
        rows: Rows of the manifest, with `content`.
        labeller: See `imagenet.load_labeller`.
        raw_dir: Where `file_name` starts.
        store_dir: Keeps what was computed, in a file of this labeller's.
        progress: Show a progress bar.

    Returns:
        The deck's `df_merged`: columns `JOINED`, then `LABEL_COLUMNS`, then `labeller` (its title).

    Raises:
        ImageError: A file cannot be read.
    """
    paths = [raw_dir / name for name in rows["file_name"]]

    def compute(positions: list[int]) -> Iterator[dict[str, object]]:
        return _as_columns(labeller.predict_files(paths[i] for i in positions))

    path = store_dir / f"labels-{labeller.key}.csv"
    labels = compute_once(path, list(rows["content"]), compute, f"Labels by {labeller.title}", progress)
    merged = rows[list(JOINED)].reset_index(drop=True).join(labels.reindex(columns=list(LABEL_COLUMNS)))
    return merged.assign(labeller=labeller.title)


def _as_columns(labels: Iterable[list[Label]]) -> Iterator[dict[str, object]]:
    for picture in labels:
        yield dict(zip(LABEL_COLUMNS, (value for label in picture for value in label), strict=True))


def write_table(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write a table of a report as CSV, all or nothing, and give it back."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return table


def class_weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Weights with which every group counts the same within its class: 1 / (its pictures of that class)."""
    pictures = table.groupby(["group", "label"])["label"].transform("size")
    return 1 / pictures.to_numpy(dtype=float)
