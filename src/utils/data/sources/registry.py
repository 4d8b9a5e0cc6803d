"""Where the pictures come from: three sources behind one door, all leaving the same layout."""

from __future__ import annotations

import pandas as pd

from src.utils.data.sources.folder import fetch_folder, read_memory
from src.utils.data.sources.kaggle import DATASET_URL, EXPECTED_ROWS, fetch_kaggle
from src.utils.data.sources.pairs import pair_groups
from src.utils.data.sources.train_table import missing_and_extra, read_train_table, require_files
from src.utils.settings import CLASS_NAMES, Settings

__all__ = ["describe_source", "ensure_raw", "missing_and_extra", "read_train_table", "with_groups"]


def ensure_raw(settings: Settings, progress: bool = True) -> pd.DataFrame:
    """Fill `settings.raw_dir` from its source if it is not filled yet, and read its table.

    Args:
        settings: Says which source, and for `folder` from where.
        progress: Whether to show progress bars and say what arrived.

    Returns:
        One row a picture as from `read_train_table`, with `group` as from `with_groups`.

    Raises:
        UserError: The source cannot be had, or what it left is not as it should be; with the next step.
    """
    _fetch(settings, progress)
    table = read_train_table(settings.raw_dir)
    missing, _ = require_files(settings.raw_dir, table)
    if missing and progress:
        print(f"Pictures missing and left out: {len(missing):,} of {len(table):,}, first {missing[0]}.")
    return with_groups(settings, table)


def with_groups(settings: Settings, table: pd.DataFrame) -> pd.DataFrame:
    """Give each row the group that must not cross a split.

    On Kaggle that is its pair, checked first. Elsewhere it is the source's own `group`, which may be empty:
    near-duplicates are merged later, when the pictures have been read.

    Raises:
        UserError: Kaggle's rows are not pairs; it names the row where that begins.
    """
    return table.assign(group=pair_groups(table)) if settings.source == "kaggle" else table


def describe_source(settings: Settings) -> dict[str, str | int]:
    """Facts about a filled source, to show as a table.

    Args:
        settings: Says which source.

    Returns:
        Label → value: name, origin and licence of the pictures, and counts.

    Raises:
        UserError: The source has not been filled, or not as it should be.
    """
    table = with_groups(settings, read_train_table(settings.raw_dir))
    missing, extra = missing_and_extra(settings.raw_dir, table)
    facts: dict[str, str | int] = {**_provenance(settings), "pictures": len(table)}
    if settings.source == "kaggle":
        facts["pictures when this was written"] = EXPECTED_ROWS
    for label, name in enumerate(CLASS_NAMES):
        facts[f"{name} (label {label})"] = int((table["label"] == label).sum())
    return facts | {
        "groups": int(table["group"].replace("", pd.NA).nunique()),
        "pictures for the unseen split": int((table["split"] == "unseen").sum()),
        "named but missing files": len(missing),
        "extra files": len(extra),
    }


def _fetch(settings: Settings, progress: bool) -> None:
    if settings.source == "kaggle":
        fetch_kaggle(settings, progress)
    elif settings.source == "folder":
        fetch_folder(settings, progress)
    else:
        from src.utils.data.sources.sample import fetch_sample

        fetch_sample(settings, progress)


def _provenance(settings: Settings) -> dict[str, str]:
    if settings.source == "kaggle":
        return {
            "source": "kaggle",
            "name": "AI vs. Human-Generated Images (Kaggle, 2025)",
            "from": DATASET_URL,
            "licence": "Apache 2.0, as its page states; the photographs come from Shutterstock",
        }
    if settings.source == "folder":
        made_from = read_memory(settings.raw_dir).get("data_dir", "filled by hand")
        return {
            "source": "folder",
            "name": "your own pictures",
            "from": made_from,
            "licence": "yours to know",
        }
    return {
        "source": "sample",
        "name": "the embedded sample",
        "from": "Python packages that carry pictures, pinned in requirements-sample.txt",
        "licence": "picture by picture, as far as known: data/sample_sources.csv",
    }
