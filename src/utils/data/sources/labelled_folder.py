"""Finding pictures and their classes in a folder that a user made, without writing there."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path, PurePosixPath

from src.utils.data.pictures.formats import list_formats
from src.utils.data.pictures.listing import is_image_name, walk_files
from src.utils.data.sources.train_table import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    TABLE_NAME,
    check_row,
    clean_value,
    place,
    read_csv_rows,
)
from src.utils.settings import CLASS_NAMES, UserError

CLASS_WORDS = {
    **dict.fromkeys(("0", "0.0", "human", "human-made", "real", "0-real"), 0),
    **dict.fromkeys(("1", "1.0", "ai", "ai-generated", "fake", "1-fake"), 1),
}
"""What a folder or a label may be called, in lower case and with hyphens, and the class it means."""

_HOW = "call them human and ai (or real and fake, 0 and 1), or add a CSV with file_name and label"


def read_labelled_folder(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Find the pictures of a folder and their classes.

    The classes come from a CSV beside the pictures (`train.csv`, or the only CSV with `file_name` and
    `label`); else from the outermost folder on a picture's path that is called like a class.

    Args:
        folder: With class folders at any depth, or with a CSV at its top.

    Returns:
        One row a picture: `path` (below `folder`, forward slashes), `label` (`0` or `1`) and the optional
        columns of `train.csv`, empty where unknown; and notes, one line each, on the files left out.

    Raises:
        UserError: There are no pictures, or of one class only; a class is not to be told; the CSV lacks a
            column or names what is not there. The message names the next step.
        OSError: A folder or the CSV cannot be read.
    """
    files = list(walk_files(folder))
    pictures = [name for name in files if is_image_name(name)]
    table = _find_table(folder, files)
    if not pictures and not table:
        raise UserError(f"{folder} has no pictures ({list_formats('or')}): check the path.")
    rows = _rows_of_table(table, set(files)) if table else _rows_of_class_folders(folder, pictures)
    for label, name in enumerate(CLASS_NAMES):
        if not any(row["label"] == str(label) for row in rows):
            raise UserError(
                f"{table or folder} has no picture of class {label} ({name}): both classes are needed."
            )
    return rows, _notes(files, pictures, {row["path"] for row in rows})


def class_of(word: str) -> int | None:
    """The class that a folder's name or a label means, 0 or 1; None when it means neither."""
    return CLASS_WORDS.get(word.strip().lower().replace("_", "-").replace(" ", "-"))


def _find_table(folder: Path, files: list[str]) -> Path | None:
    """The CSV that names the pictures, or None where folders do."""
    tables = [name for name in files if "/" not in name and name.lower().endswith(".csv")]
    if TABLE_NAME in tables:
        return folder / TABLE_NAME
    fitting = [name for name in tables if _has_columns(folder / name)]
    if len(fitting) > 1:
        raise UserError(
            f"{folder} has several tables of pictures ({', '.join(fitting)}): name one {TABLE_NAME}."
        )
    if not fitting and len(tables) == 1 and not any(_class_of_path(name) is not None for name in files):
        fitting = tables  # reading it will say which column it lacks
    return folder / fitting[0] if fitting else None


def _has_columns(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    return {name.strip() for name in header}.issuperset(REQUIRED_COLUMNS)


def _rows_of_table(path: Path, files: set[str]) -> list[dict[str, str]]:
    rows, missing, seen = [], [], {}
    for number, row in enumerate(read_csv_rows(path, exact=("file_name",))):
        name, label = _existing_name(path.parent, files, row["file_name"]), class_of(row["label"])
        if label is None:
            raise UserError(
                f"{place(path, number)}: label '{row['label']}' of {name} is not known: "
                "use 0 or 1, human or ai, real or fake."
            )
        check_row(path, number, {**row, "file_name": name, "label": str(label)}, seen, files)
        if not (path.parent / name).is_file():
            missing.append(f"{place(path, number)}: {name}")
        known = {column: row.get(column, "") for column in OPTIONAL_COLUMNS}
        rows.append({"path": str(PurePosixPath(name)), "label": str(label), **known})
    if missing:
        raise UserError(
            f"{missing[0]} is not in {path.parent} ({len(missing):,} of {len(rows):,} are not): "
            "put the pictures there or take the rows out."
        )
    return rows


def _existing_name(folder: Path, files: set[str], written: str) -> str:
    """The file that a table means: the one really called so, else the name without what editors add.

    A table made on Windows may have backslashes; they stay only if a file is really called so.
    """
    if written in files:
        return written
    name = clean_value(written)
    return name if name in files or (folder / name).exists() else name.replace("\\", "/")


def _rows_of_class_folders(folder: Path, pictures: list[str]) -> list[dict[str, str]]:
    unclear = sorted({str(PurePosixPath(name).parent) for name in pictures if _class_of_path(name) is None})
    if unclear:
        shown = ", ".join("its top" if name == "." else f"'{name}'" for name in unclear[:5])
        more = f" and {len(unclear) - 5:,} more" if len(unclear) > 5 else ""
        raise UserError(f"{folder} has pictures in folders that name no class ({shown}{more}): {_HOW}.")
    blank = dict.fromkeys(OPTIONAL_COLUMNS, "")
    return [{"path": name, "label": str(_class_of_path(name)), **blank} for name in pictures]


def _class_of_path(name: str) -> int | None:
    classes = (class_of(part) for part in PurePosixPath(name).parts[:-1])
    return next((label for label in classes if label is not None), None)


def _notes(files: list[str], pictures: list[str], used: set[str]) -> list[str]:
    notes = []
    unused = [name for name in pictures if name not in used]
    if unused:
        notes.append(
            f"Pictures left out because the table does not name them: {len(unused):,}, first {unused[0]}."
        )
    others = Counter(PurePosixPath(name).suffix.lower() or name for name in files if not is_image_name(name))
    others.pop(".csv", None)
    if others:
        kinds = ", ".join(f"{kind} ({count:,})" for kind, count in others.most_common(5))
        notes.append(f"Files left out because they are not pictures of a known kind: {kinds}.")
    return notes
