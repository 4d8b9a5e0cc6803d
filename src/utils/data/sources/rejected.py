"""Pictures of the sample's packages that are no material for it: logos, drawings, screenshots and the like.

`data/sample_rejected.csv` lists those that were looked at and sorted by kind. They lie beside the sample, in
no manifest, and train nothing: they show what a model's answer must not be trusted on. They are copied while
the packages are open for the sample, so they add nothing to the download.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from src.utils.data.published.package_files import read_list
from src.utils.files import link_or_copy
from src.utils.settings import Settings


def read_rejected(path: Path) -> pd.DataFrame:
    """Read the list, ordered by path.

    Returns:
        Columns package, path, hash (all as in the list of sources) and kind: `drawing`, `grey`, `icon`,
        `logo`, `poster` or `screenshot`.

    Raises:
        UserError: The list is missing.
    """
    return read_list(path)


def copy_rejected(table: pd.DataFrame, folder: Path) -> None:
    """Copy the files of the list into a folder as they are, named by their content.

    Args:
        table: From `read_rejected`, and `file`: where each lies now.
        folder: An empty folder.
    """
    for row in table.itertuples():
        target = folder / row.kind / f"{row.hash}{row.file.suffix.lower()}"
        target.parent.mkdir(exist_ok=True)
        link_or_copy(row.file, target)


def rejected_pictures(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The pictures' kinds and files, in order; none where a dataset has no such folder."""
    for path in sorted(settings.rejected_dir.glob("*/*.*")):
        yield path.parent.name, path
