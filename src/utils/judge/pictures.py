"""The pictures that detectors are judged on: a dataset, read as `DATA_SOURCE=folder` does, or known ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from src.utils.analysis.scoring.parts import Part, part_of
from src.utils.data.duplicates import merge_near_duplicates
from src.utils.data.manifest import scan_images, usable_rows
from src.utils.data.sources.folder import Opened
from src.utils.settings import CLASS_NAMES, UserError

JUDGED = "judged"
"""The one split that all readable pictures are in: nothing is trained here."""


class Pictures(NamedTuple):
    """Labelled pictures.

    Attributes:
        name: What the dataset is called where people read it: as it was asked for.
        folder: What `file_name` is relative to; it is never written to.
        part: The readable pictures: their manifest, groups (near-duplicates merged) and weights.
        unreadable: Rows of the manifest that could not be read, with their `reason`.
        notes: One line each on the files that were left out.
    """

    name: str
    folder: Path
    part: Part
    unreadable: pd.DataFrame
    notes: list[str]


def read_pictures(name: str, opened: Opened, memory: Path, progress: bool = True) -> Pictures:
    """Look at and group the pictures of a dataset.

    Args:
        name: What it is called where people read it.
        opened: From `folder.open_dataset`.
        memory: Folder that remembers what was seen of each file.
        progress: Whether to show a progress bar.

    Raises:
        UserError: A class has no readable picture.
        OSError: The folder cannot be read.
    """
    folder = opened.folder
    table = pd.DataFrame(opened.rows).rename(columns={"path": "file_name"})
    table["label"] = table["label"].astype("int64")
    manifest = merge_near_duplicates(scan_images(folder, table, memory / "scan.sqlite", progress=progress))
    images = usable_rows(manifest).assign(split=JUDGED)
    for label, class_name in enumerate(CLASS_NAMES):
        if not (images["label"] == label).any():
            first = manifest[manifest["label"] == label].iloc[0]
            raise UserError(
                f"{folder} has no readable picture of class {label} ({class_name}): {first['file_name']} "
                f"and all others failed ({first['reason']})."
            )
    unreadable = manifest[~manifest["readable"]].reset_index(drop=True)
    return Pictures(name, folder, part_of(images, JUDGED), unreadable, opened.notes)


def known_pictures(name: str, part: Part, folder: Path) -> Pictures:
    """Pictures whose manifest is at hand already, with its groups and weights.

    Args:
        name: What they are called where people read it.
        part: Some readable pictures of it.
        folder: What `file_name` is relative to.
    """
    return Pictures(name, folder, part, part.images.iloc[:0], [])
