"""`train.csv`, the table that every source leaves beside its pictures, as Kaggle laid it out.

An unnamed index column, `file_name` (such as `train_data/<name>.jpg`, relative to the table's folder) and
`label` (0 or 1); then, where a source knows them, `group`, `generator`, `origin`, `subject` and `split`:
`unseen`, or the part of the dataset's own split, which counts where `SPLIT=own` asks for it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from src.utils.data.pictures.listing import is_plain_relative, walk_files
from src.utils.data.sources.tables import (
    OPTIONAL_COLUMNS,
    FileFinder,
    Table,
    clean_value,
    is_new,
    read_table,
)
from src.utils.files import atomic_path
from src.utils.settings import SPLITS, UserError

TABLE_NAME = "train.csv"
REQUIRED_COLUMNS = ("file_name", "label")
TABLE_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS

TOLERATED_MISSING = 0.01
"""Share of the named files that may be missing before the data counts as incomplete."""


def read_train_table(raw_dir: Path, pictures: Path | None = None) -> pd.DataFrame:
    """Read and validate the `train.csv` of a filled source.

    Args:
        raw_dir: Folder of a source, such as `data/raw/kaggle`.
        pictures: Where the pictures lie; `raw_dir` by default.

    Returns:
        One row a picture in the file's order, columns `TABLE_COLUMNS`: `label` is int64 (0 or 1), the others
        are strings, empty where unknown. A picture that is named twice, with one label, counts once.

    Raises:
        UserError: A column, label, name or split is not as it should be; the message names file and row.
    """
    table = read_table(raw_dir / TABLE_NAME)
    for name in REQUIRED_COLUMNS:
        if not table.has([name]):
            found = ", ".join(filter(None, table.header)) or "none"
            raise UserError(f"{table.path} has no column '{name}' (columns found: {found}): add it.")
    seen: dict[str, tuple[int, str]] = {}
    rows = []
    for number, row in enumerate(table.rows):
        row = row | {"file_name": clean_value(row["file_name"])}
        _check_row(table, number, row)
        if is_new(table, number, row["file_name"], row["label"], seen):
            rows.append([row.get(name, "") for name in TABLE_COLUMNS])
    read = pd.DataFrame(rows, columns=list(TABLE_COLUMNS), dtype="str").astype({"label": "int64"})
    return read.assign(file_name=_where_they_lie(pictures or raw_dir, list(read["file_name"])))


def write_train_table(raw_dir: Path, table: pd.DataFrame) -> None:
    """Write `train.csv` with an unnamed index column, all or nothing; columns that say nothing are left out.

    Args:
        raw_dir: Folder of the source.
        table: `file_name` and `label`, and any of the optional columns; no line breaks in them.
    """
    told = [name for name in OPTIONAL_COLUMNS if name in table and (table[name] != "").any()]
    with atomic_path(raw_dir / TABLE_NAME) as temporary:
        table[[*REQUIRED_COLUMNS, *told]].reset_index(drop=True).to_csv(temporary, lineterminator="\n")


def missing_and_extra(raw_dir: Path, table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Compare the files in a source's folder with those that its table names.

    Args:
        raw_dir: Folder of the source.
        table: What `read_train_table` gave.

    Returns:
        Names that the table has and the folder lacks, in the table's order; and files that the table does
        not name, sorted. Tables, notes and archives at the top and Kaggle's test pictures (`test_data*/`),
        which have no label, are not extra.
    """
    present = set(walk_files(raw_dir))
    missing = [name for name in table["file_name"] if name not in present and not (raw_dir / name).is_file()]
    extra = present.difference(table["file_name"])
    return missing, sorted(name for name in extra if not _is_companion(name))


def require_files(
    raw_dir: Path, table: pd.DataFrame, skip_missing: bool = False
) -> tuple[list[str], list[str]]:
    """Make sure that the pictures a table names are there, give or take a few.

    Args:
        raw_dir: Folder of the source.
        table: What `read_train_table` gave.
        skip_missing: Whether any number of them may be missing.

    Returns:
        What `missing_and_extra` says. The few missing ones are pictures that cannot be read, downstream.

    Raises:
        UserError: More than `TOLERATED_MISSING` of them are missing.
    """
    missing, extra = missing_and_extra(raw_dir, table)
    if len(missing) > TOLERATED_MISSING * len(table) and not skip_missing:
        raise UserError(
            f"{raw_dir} lacks {len(missing):,} of the {len(table):,} pictures that {TABLE_NAME} names, first "
            f"{missing[0]}: put them there (unzip the archive again), go on without them (MISSING=skip), or "
            "delete the folder and start anew."
        )
    return missing, extra


def _check_row(table: Table, number: int, row: dict[str, str]) -> None:
    where, name = table.place(number), row["file_name"]
    if not is_plain_relative(name):
        raise UserError(f"{where}: file_name '{name}' must be a path relative to {table.path.parent}.")
    if row["label"] not in ("0", "1"):
        raise UserError(f"{where}: label '{row['label']}' of {name} must be 0 (human) or 1 (AI).")
    if row.get("split", "") not in ("", *SPLITS):
        raise UserError(
            f"{where}: split '{row['split']}' must be {', '.join(SPLITS)} or empty; rename the column."
        )


def _where_they_lie(raw_dir: Path, names: list[str]) -> list[str]:
    """The names, but where a file is not there and just one other fits it, that one's.

    Some unzip Kaggle's archive to `train_data/train_data/…`, while its table says `train_data/…`.
    """
    lost = {name for name in names if not (raw_dir / name).is_file()}
    if not lost:
        return names
    taken = set(names)
    pictures = [file for file in walk_files(raw_dir) if file not in taken and not _is_companion(file)]
    found = FileFinder(pictures).all(names)
    moved = {name: fit[0] for name, fit in zip(names, found, strict=True) if name in lost and len(fit) == 1}
    once = Counter(moved.values())
    return [moved[name] if name in moved and once[moved[name]] == 1 else name for name in names]


def _is_companion(name: str) -> bool:
    folder = PurePosixPath(name).parts[0]
    return folder.startswith("test_data") or (folder == name and name.endswith((".csv", ".json", ".zip")))
