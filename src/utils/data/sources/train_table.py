"""`train.csv`, the table that every source leaves beside its pictures, as Kaggle laid it out.

An unnamed index column, `file_name` (such as `train_data/<name>.jpg`, relative to the table's folder) and
`label` (0 or 1); then, where a source knows them, `group`, `generator`, `origin`, `subject` and `split`.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Container
from pathlib import Path, PurePosixPath

import pandas as pd

from src.utils.data.pictures.listing import is_plain_relative, walk_files
from src.utils.files import atomic_path
from src.utils.settings import UserError

TABLE_NAME = "train.csv"
REQUIRED_COLUMNS = ("file_name", "label")
OPTIONAL_COLUMNS = ("group", "generator", "origin", "subject", "split")
TABLE_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS

_SURPLUS = "\0surplus"  # where the CSV reader puts values beyond the last column

TOLERATED_MISSING = 0.01
"""Share of the named files that may be missing before the data counts as incomplete."""


def read_csv_rows(path: Path, exact: Container[str] = ()) -> list[dict[str, str]]:
    """Read a CSV file as one dict of strings a row, with the columns every table of pictures needs.

    Args:
        path: A CSV file in UTF-8 (with or without a byte-order mark) that has `file_name` and `label`.
        exact: Columns whose values stay as they are.

    Returns:
        The rows in the file's order; `clean_value` of every value else.

    Raises:
        UserError: No such file, not a readable CSV, a needed column missing or double, a row longer than the
            header, or no rows at all.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey=_SURPLUS, restval="")
            header = [name.strip() for name in reader.fieldnames or []]
            _check_header(path, header)
            reader.fieldnames = header
            rows = [_clean_row(path, number, row, exact) for number, row in enumerate(reader)]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: it must name the pictures and their labels.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it again as 'CSV UTF-8'.") from None
    except csv.Error as error:
        raise UserError(f"{path} is not a readable CSV ({error}): save it again as 'CSV UTF-8'.") from None
    if not rows:
        raise UserError(f"{path} has no rows: it must name the pictures and their labels.")
    return rows


def read_train_table(raw_dir: Path) -> pd.DataFrame:
    """Read and validate the `train.csv` of a filled source.

    Args:
        raw_dir: Folder of a source, such as `data/raw/kaggle`.

    Returns:
        One row a picture in the file's order, columns `TABLE_COLUMNS`: `label` is int64 (0 or 1), the others
        are strings, empty where unknown.

    Raises:
        UserError: A column, label, name or split is not as it should be; the message names file and row.
    """
    path = raw_dir / TABLE_NAME
    rows = read_csv_rows(path)
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        check_row(path, number, row, seen)
    table = pd.DataFrame({name: [row.get(name, "") for row in rows] for name in TABLE_COLUMNS}, dtype="str")
    return table.assign(label=table["label"].astype("int64"))


def write_train_table(raw_dir: Path, table: pd.DataFrame) -> None:
    """Write `train.csv` with an unnamed index column, all or nothing; columns that say nothing are left out.

    Args:
        raw_dir: Folder of the source.
        table: `file_name` and `label`, and any of the optional columns; no line breaks in them.
    """
    told = [name for name in OPTIONAL_COLUMNS if name in table and (table[name] != "").any()]
    with atomic_path(raw_dir / TABLE_NAME) as temporary:
        table[[*REQUIRED_COLUMNS, *told]].reset_index(drop=True).to_csv(temporary, lineterminator="\n")


def place(path: Path, number: int) -> str:
    """Words for a row of a table: counted from 0 as in the index column, and its line in an editor."""
    return f"{path}, row {number} (line {number + 2})"


def check_row(
    path: Path, number: int, row: dict[str, str], seen: dict[str, int], files: Container[str] = ()
) -> None:
    """Check one row of a table of pictures; `seen` (name → row) grows by it.

    Names in `files`, which are known to lie in the table's folder, may hold any character.

    Raises:
        UserError: The name leaves the table's folder or came before, the label is not 0 or 1, or the split
            is something else than `unseen`.
    """
    where, name = place(path, number), row["file_name"]
    if name not in files and not is_plain_relative(name):
        raise UserError(f"{where}: file_name '{name}' must be a path relative to {path.parent}.")
    if row["label"] not in ("0", "1"):
        raise UserError(f"{where}: label '{row['label']}' of {name} must be 0 (human) or 1 (AI).")
    if row.get("split", "") not in ("", "unseen"):
        raise UserError(f"{where}: split '{row['split']}' must be 'unseen' or empty; rename the column.")
    first = seen.setdefault(str(PurePosixPath(name)), number)
    if first != number:
        raise UserError(f"{where}: {name} is already named in row {first}; remove one of them.")


def missing_and_extra(raw_dir: Path, table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Compare the files in a source's folder with those that its table names.

    Args:
        raw_dir: Folder of the source.
        table: What `read_train_table` gave.

    Returns:
        Names that the table has and the folder lacks, in the table's order; and files that the table does
        not name, sorted. Tables and notes at the top and Kaggle's test pictures (`test_data*/`), which have
        no label, are not extra.
    """
    present = set(walk_files(raw_dir))
    missing = [name for name in table["file_name"] if name not in present and not (raw_dir / name).is_file()]
    extra = present.difference(table["file_name"])
    return missing, sorted(name for name in extra if not _is_companion(name))


def require_files(raw_dir: Path, table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Make sure that the pictures a table names are there, give or take a few.

    Returns:
        What `missing_and_extra` says. The few missing ones are pictures that cannot be read, downstream.

    Raises:
        UserError: More than `TOLERATED_MISSING` of them are missing.
    """
    missing, extra = missing_and_extra(raw_dir, table)
    if len(missing) > TOLERATED_MISSING * len(table):
        raise UserError(
            f"{raw_dir} lacks {len(missing):,} of the {len(table):,} pictures that {TABLE_NAME} names, first "
            f"{missing[0]}: put them there (unzip the archive again), or delete the folder and start anew."
        )
    return missing, extra


def _check_header(path: Path, header: list[str]) -> None:
    found = ", ".join(name for name in header if name) or "none"
    for name in REQUIRED_COLUMNS:
        if name not in header:
            raise UserError(f"{path} has no column '{name}' (columns found: {found}): add it.")
    for name in TABLE_COLUMNS:
        if header.count(name) > 1:
            raise UserError(f"{path} has the column '{name}' more than once: remove one of them.")


def clean_value(value: str) -> str:
    """A value on one line, without outer spaces: line breaks and other control characters become spaces."""
    line = " ".join(value.splitlines())
    return "".join(" " if unicodedata.category(one) == "Cc" else one for one in line).strip()


def _clean_row(path: Path, number: int, row: dict[str, str], exact: Container[str]) -> dict[str, str]:
    if _SURPLUS in row:
        raise UserError(
            f"{place(path, number)} has more values than the header has columns: quote its commas."
        )
    return {name: value if name in exact else clean_value(value) for name, value in row.items()}


def _is_companion(name: str) -> bool:
    folder = PurePosixPath(name).parts[0]
    return folder.startswith("test_data") or (folder == name and name.endswith((".csv", ".json")))
