"""Where the pictures come from: every dataset behind one door, all leaving the same layout."""

from __future__ import annotations

import pkgutil

import pandas as pd

from src.utils.data.sources.folder import read_memory
from src.utils.data.sources.pairs import pair_groups, pair_table
from src.utils.data.sources.train_table import missing_and_extra, read_train_table, require_files
from src.utils.settings import CLASS_NAMES, Settings

__all__ = [
    "describe_source",
    "ensure_raw",
    "first_pairs",
    "missing_and_extra",
    "read_train_table",
    "with_groups",
]


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
    pkgutil.resolve_name(settings.dataset.fetch)(settings, progress)
    table = read_train_table(settings.raw_dir)
    missing, _ = require_files(settings.raw_dir, table, settings.missing == "skip")
    if missing and progress:
        print(f"Pictures missing and left out: {len(missing):,} of {len(table):,}, first {missing[0]}.")
    return with_groups(settings, table)


def with_groups(settings: Settings, table: pd.DataFrame) -> pd.DataFrame:
    """Give each row the group that must not cross a split.

    Where rows come in pairs (Kaggle's) that is the pair, checked first. Elsewhere it is the dataset's own
    `group`, which may be empty: near-duplicates are merged later, when the pictures have been read.

    Raises:
        UserError: Rows that should be pairs are not; it names the row where that begins.
    """
    return table.assign(group=pair_groups(table)) if settings.dataset.paired else table


def first_pairs(settings: Settings, table: pd.DataFrame) -> pd.DataFrame | str:
    """The first pairs side by side, see `pair_table`; a sentence for a dataset without pairs.

    Raises:
        UserError: Rows that should be pairs are not; it names the row where that begins.
    """
    if not settings.dataset.paired:
        return "This dataset has no pairs; its rows carry their group."
    return pair_table(table)


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
    dataset, memory = settings.dataset, read_memory(settings.raw_dir)
    facts: dict[str, str | int] = {
        "source": dataset.name,
        "name": dataset.full_name,
        "from": memory.get("from") or memory.get("data_dir", dataset.origin),
        "licence": memory.get("licence", dataset.licence),
        "pictures": len(table),
    }
    if dataset.expected_rows:
        facts["pictures when this was written"] = dataset.expected_rows
    for label, name in enumerate(CLASS_NAMES):
        facts[f"{name} (label {label})"] = int((table["label"] == label).sum())
    return facts | {
        "groups": int(table["group"].replace("", pd.NA).nunique()),
        "pictures for the unseen split": int((table["split"] == "unseen").sum()),
        "named but missing files": len(missing),
        "extra files": len(extra),
    }
