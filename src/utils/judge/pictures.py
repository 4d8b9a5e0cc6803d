"""The pictures that detectors are judged on: a labelled folder, read as `DATA_SOURCE=folder` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from src.utils.analysis.scoring.parts import Part, part_of
from src.utils.data.duplicates import merge_near_duplicates
from src.utils.data.manifest import scan_images, usable_rows
from src.utils.data.sources.labelled_folder import read_labelled_folder
from src.utils.settings import CLASS_NAMES, UserError

JUDGED = "judged"
"""The one split that all readable pictures are in: nothing is trained here."""


class Pictures(NamedTuple):
    """A labelled folder.

    Attributes:
        folder: What `file_name` is relative to; it is never written to.
        part: The readable pictures: their manifest, groups (near-duplicates merged) and weights.
        unreadable: Rows of the manifest that could not be read, with their `reason`.
        notes: One line each on the files that were left out.
    """

    folder: Path
    part: Part
    unreadable: pd.DataFrame
    notes: list[str]


def read_pictures(folder: Path, memory: Path, progress: bool = True) -> Pictures:
    """Find, look at and group the pictures of a labelled folder.

    Args:
        folder: With class folders, or with a CSV that may also name `group`, `generator` and `origin`.
        memory: Folder that remembers what was seen of each file.
        progress: Whether to show a progress bar.

    Raises:
        UserError: There is no such folder, a class is not to be told, or one has no readable picture.
        OSError: The folder cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"DIR={folder} is not a folder: give one with pictures in human/ and ai/.")
    rows, notes = read_labelled_folder(folder)
    table = pd.DataFrame(rows).rename(columns={"path": "file_name"})
    table["label"] = table["label"].astype("int64")
    manifest = merge_near_duplicates(scan_images(folder, table, memory / "scan.sqlite", progress=progress))
    images = usable_rows(manifest).assign(split=JUDGED)
    for label, name in enumerate(CLASS_NAMES):
        if not (images["label"] == label).any():
            first = manifest[manifest["label"] == label].iloc[0]
            raise UserError(
                f"{folder} has no readable picture of class {label} ({name}): {first['file_name']} "
                f"and all others failed ({first['reason']})."
            )
    unreadable = manifest[~manifest["readable"]].reset_index(drop=True)
    return Pictures(folder, part_of(images, JUDGED), unreadable, notes)
