"""Finding pictures and their classes in a dataset as it came, without writing or renaming anything there.

`READERS` is the list of layouts. A reader looks at a folder's contents and returns the rows that it finds, or
None where the layout is another one; the first that finds rows is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from src.utils.data.pictures.formats import list_formats
from src.utils.data.pictures.listing import is_image_name, kind_of_name, say_left_out, walk_files
from src.utils.data.sources.meaning import (
    Meanings,
    class_of,
    classes_to_complete,
    parse_classes,
    plain_name,
    read_folders,
    split_of,
    split_of_path,
)
from src.utils.data.sources.tables import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    MAKER_COLUMNS,
    OPTIONAL_COLUMNS,
    TABLE_SUFFIXES,
    Table,
    choose_files,
    choose_labels,
    is_new,
    read_header,
    read_table,
)
from src.utils.data.sources.train_table import TABLE_NAME
from src.utils.settings import CLASS_NAMES, SPLITS, UserError

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
"""What a table of the pictures in its own folder is called (Hugging Face's imagefolder, ArtiFact)."""

_MOST_SHOWN = 20
_HOW = "call them human and ai (or real and fake, 0 and 1), add a CSV with file_name and label, or complete "

Row = dict[str, str]


class Contents(NamedTuple):
    """What a reader looks at.

    Attributes:
        folder: The dataset's folder.
        files: Every file below it, as `walk_files` lists them.
        classes: What `CLASSES` says.
        skip_missing: Whether rows whose picture is absent are left out, instead of refused.
    """

    folder: Path
    files: list[str]
    classes: Meanings
    skip_missing: bool


class Found(NamedTuple):
    """What a reader found.

    Attributes:
        rows: One row a picture: `path` (below the folder, forward slashes), `label` (`0` or `1`) and
            `OPTIONAL_COLUMNS`, empty where unknown. `split` is the part of the dataset's own split.
        how: Where names and classes come from, in a few words.
        notes: One line each on what was left out.
    """

    rows: list[Row]
    how: str
    notes: list[str]


def read_labelled_folder(
    folder: Path, classes: str = "", skip_missing: bool = False
) -> tuple[list[Row], list[str]]:
    """Find the pictures of a dataset, their classes, and who made them.

    Args:
        folder: In one of the layouts of `READERS`.
        classes: The value of `CLASSES`, see `meaning.parse_classes`.
        skip_missing: Whether rows of a table whose picture is absent are left out, instead of refused.

    Returns:
        The rows, as in `Found`, and notes: one line that says what was understood, then one for each kind of
        file or row that was left out.

    Raises:
        UserError: There are no pictures, or of one class only; a class is not to be told; a table has what
            is not understood. The message names the next step.
        OSError: A folder or a table cannot be read.
    """
    left_out: Counter[str] = Counter()
    contents = Contents(folder, list(walk_files(folder, left_out)), parse_classes(classes), skip_missing)
    found = next(found for reader in READERS if (found := reader(contents)) is not None)
    for label, name in enumerate(CLASS_NAMES):
        if not any(row["label"] == str(label) for row in found.rows):
            raise UserError(
                f"{folder} has no picture of class {label} ({name}), and both classes are needed; understood "
                f"was: {found.how}."
            )
    return found.rows, [_summary(found), *found.notes, *_left_out(contents.files, found.rows, left_out)]


def rows_of_tables(contents: Contents) -> Found | None:
    """One table at the top: `train.csv`, or the only one with a column of names and one of classes.

    `train.csv`, `val.csv` and `test.csv` that all have both are read together, as the dataset's own split.
    """
    tables = _top_tables(contents)
    if len(tables) > 1:
        own = {name: split_of(Path(name).stem) for name in tables}
        return _read_tables(contents, own)
    return _read_tables(contents, dict.fromkeys(tables, "")) if tables else None


def rows_of_metadata(contents: Contents) -> Found | None:
    """`metadata.csv` or `metadata.jsonl` beside the pictures, in any folder that has them.

    The folder names the generator or photo source, as in ArtiFact, unless the table does.
    """
    named = [name for name in contents.files if PurePosixPath(name).name.lower() in METADATA_NAMES]
    tables = [name for name in named if _fits(contents.folder / name)]
    return _read_tables(contents, dict.fromkeys(tables, "")) if tables else None


def rows_of_class_folders(contents: Contents) -> Found | None:
    """Folders at any depth whose name means a class: GenImage, CNNDetection, CIFAKE, one's own."""
    pictures = [name for name in contents.files if is_image_name(name)]
    if not pictures:
        raise UserError(f"{contents.folder} has no pictures ({list_formats('or')}): check DATA_DIR.")
    facts = {place: read_folders(place, contents.classes) for place in {_place(name) for name in pictures}}
    unclear = sorted(place for place, fact in facts.items() if fact.label is None and not fact.skipped)
    if unclear:
        raise UserError(_explain_unclear(contents.folder, unclear))
    kept = [(name, facts[_place(name)]) for name in pictures if not facts[_place(name)].skipped]
    words = Counter((fact.word, str(fact.label)) for _, fact in kept)
    rows = [_row(name, fact.label, fact.source, fact.split) for name, fact in kept]  # pyright: ignore[reportArgumentType]
    return Found(rows, f"classes from folders ({_meanings(words)})", [])


READERS: tuple[Callable[[Contents], Found | None], ...] = (
    rows_of_tables,
    rows_of_metadata,
    rows_of_class_folders,
)
"""The layouts, in the order in which they are tried; the last explains what is missing."""


def _place(name: str) -> str:
    """The folder of a file; pathlib would take seconds for a large dataset."""
    return name.rpartition("/")[0] or "."


def _row(path: str, label: int, source: str, split: str) -> Row:
    """A picture's row: its source is a generator or a photo source, as its class has it."""
    blank = dict.fromkeys(OPTIONAL_COLUMNS, "")
    column = "generator" if label else "origin"
    return {"path": path, "label": str(label), **blank, "split": split, column: source}


def _fits(path: Path) -> bool:
    """Whether a table has a column that may name pictures and one that may tell their class."""
    header = set(read_header(path))
    return bool(header & set(FILE_COLUMNS) and header & set(LABEL_COLUMNS))


def _top_tables(contents: Contents) -> list[str]:
    """The tables at the top that name the pictures; none where folders or metadata do."""
    names = [
        name for name in contents.files if "/" not in name and Path(name).suffix.lower() in TABLE_SUFFIXES
    ]
    fitting = [name for name in names if _fits(contents.folder / name)]
    folders_tell = any(
        class_of(part, contents.classes) is not None
        for place in {_place(name) for name in contents.files}
        for part in PurePosixPath(place).parts
    )
    if folders_tell:  # then a table of something else, which happens to have such columns, is no mistake
        fitting = [name for name in fitting if name == TABLE_NAME or _names_a_picture(contents, name)]
    if TABLE_NAME in names:
        parts = [name for name in fitting if split_of(Path(name).stem) and name != TABLE_NAME]
        return [TABLE_NAME, *parts]
    if len(fitting) > 1 and not all(split_of(Path(name).stem) for name in fitting):
        raise UserError(
            f"{contents.folder} has several tables of pictures ({', '.join(fitting)}): name one {TABLE_NAME}."
        )
    lone = [name for name in names if name.lower().endswith(".csv")]
    nested = any(PurePosixPath(name).name.lower() in METADATA_NAMES for name in contents.files if "/" in name)
    if not fitting and len(lone) == 1 and not folders_tell and not nested:
        return lone  # reading it will say which column it lacks
    return fitting


def _names_a_picture(contents: Contents, name: str) -> bool:
    table = read_table(contents.folder / name)
    return any(len(fit) == 1 for fit in choose_files(table, contents.files, ".")[1])


def _read_tables(contents: Contents, tables: dict[str, str]) -> Found:
    """The rows of some tables (path → part of the split that it stands for); a file counts once."""
    read, seen = [], {}
    for name, part in tables.items():
        read.append(_read_one(contents, read_table(contents.folder / name), _place(name), part, seen))
    rows = [row for one in read for row in one.rows]
    missing = [place for one in read for place in one.missing]
    if missing and not contents.skip_missing:
        raise UserError(
            f"{missing[0]}, which is not in {contents.folder} ({len(missing):,} of "
            f"{len(rows) + len(missing):,} are not): put the pictures there, take the rows out, or go on "
            "without them: MISSING=skip."
        )
    notes = []
    if missing:
        notes.append(f"Rows left out because their picture is absent: {len(missing):,}, first {missing[0]}.")
    if twice := sum(one.twice for one in read):
        notes.append(f"Rows left out because an earlier one says the same of the same picture: {twice:,}.")
    if skipped := sum(one.skipped for one in read):
        notes.append(f"Rows left out because CLASSES says skip: {skipped:,}.")
    names = next(iter(tables)) + (f" and {len(tables) - 1:,} more" if len(tables) > 1 else "")
    columns = "; ".join(dict.fromkeys(one.columns for one in read))
    words = sum((one.words for one in read), Counter())
    return Found(rows, f"{names}, {columns} ({_meanings(words)})", notes)


class _OneTable(NamedTuple):
    """What a table gave: rows, its columns, words that mean a class, where pictures are absent, counts."""

    rows: list[Row]
    columns: str
    words: Counter[tuple[str, str]]
    missing: list[str]
    twice: int
    skipped: int


def _read_one(
    contents: Contents, table: Table, below: str, part: str, seen: dict[str, tuple[int, str]]
) -> _OneTable:
    """The rows of one table; `seen` grows by its pictures."""
    file_column, fits = choose_files(table, contents.files, below)
    label_column, labels = choose_labels(table, contents.classes)
    said = [row[label_column] for row in table.rows]
    skips = [contents.classes.get(plain_name(word)) == "skip" for word in said]
    _refuse_unknown(
        table, label_column, [row for row, label in enumerate(labels) if label is None and not skips[row]]
    )
    source = read_folders(below, contents.classes).source
    rows, missing, words, twice = [], [], Counter(), 0
    for number, (row, fit, label) in enumerate(zip(table.rows, fits, labels, strict=True)):
        where = f"{table.place(number)}: column '{file_column}' says '{row[file_column]}'"
        if skips[number]:
            continue
        if not fit:
            missing.append(where)
        elif len(fit) > 1:
            raise UserError(
                f"{where}, which fits {len(fit):,} files ({fit[0]}, {fit[1]}): write the folder too."
            )
        elif not is_new(table, number, fit[0], str(label), seen):
            twice += 1
        else:
            words[said[number], str(label)] += 1
            split = part or split_of_path(_place(fit[0]))
            rows.append(_row(fit[0], label, source, split) | _told(table, number, label))  # pyright: ignore[reportArgumentType]
    form = f", {table.form}" if table.form else ""
    columns = f"pictures from '{file_column}' and classes from '{label_column}'{form}"
    return _OneTable(rows, columns, words, missing, twice, sum(skips))


def _told(table: Table, number: int, label: int | None) -> Row:
    """What a row itself says in the optional columns, where it says something."""
    told = {name: table.rows[number].get(name, "") for name in OPTIONAL_COLUMNS}
    column = "generator" if label else "origin"
    made_by = (table.rows[number].get(name, "") for name in MAKER_COLUMNS)
    told[column] = told[column] or next((name for name in made_by if name and class_of(name) is None), "")
    if told["split"] and not split_of(told["split"]):
        raise UserError(
            f"{table.place(number)}: column 'split' says '{told['split']}': use {', '.join(SPLITS)}, leave "
            "it empty, or rename the column."
        )
    told["split"] = split_of(told["split"])
    return {name: value for name, value in told.items() if value}


def _refuse_unknown(table: Table, column: str, rows: list[int]) -> None:
    """Stop at a label that is no class, with all such labels in a line to complete."""
    if not rows:
        return
    values = list(dict.fromkeys(table.rows[number][column] for number in rows))
    cure = (
        f"use human or ai (0 or 1), or complete {classes_to_complete(values[:_MOST_SHOWN])}"
        if all(values)
        else "write human or ai (0 or 1)"
    )
    raise UserError(
        f"{table.place(rows[0])}: column '{column}' says '{values[0]}', which is no class "
        f"({len(rows):,} of {len(table.rows):,} rows): {cure}."
    )


def _explain_unclear(folder: Path, unclear: list[str]) -> str:
    """Name the folders that name no class, and the setting that says it for them."""
    shown = ", ".join("its top" if name == "." else f"'{name}'" for name in unclear[:5])
    more = f" and {len(unclear) - 5:,} more" if len(unclear) > 5 else ""
    names = list(dict.fromkeys(_telling_part(name) for name in unclear))
    return (
        f"{folder} has pictures in folders that name no class ({shown}{more}): {_HOW}"
        f"{classes_to_complete(names[:_MOST_SHOWN])} with human, ai or skip."
    )


def _telling_part(folder: str) -> str:
    """The outermost part of a path that is not a part of a split."""
    parts = PurePosixPath(folder).parts or (".",)
    return next((part for part in parts if not split_of(part)), parts[0])


def _meanings(words: Counter[tuple[str, str]]) -> str:
    """Which word was taken for which class, such as `nature is human-made: 120`."""
    names = ("human-made", "AI-generated")
    said = [f"{word} is {names[int(label)]}: {count:,}" for (word, label), count in sorted(words.items())]
    more = f" and {len(said) - 6:,} more words" if len(said) > 6 else ""
    return ", ".join(said[:6]) + more


def _summary(found: Found) -> str:
    """What was understood, in one line."""
    human, ai = (sum(row["label"] == label for row in found.rows) for label in "01")
    said = [f"{human:,} human-made and {ai:,} AI-generated pictures"]
    for column, name in (("generator", "generators"), ("origin", "photo sources")):
        said.append(_counted(name, (row[column] for row in found.rows)))
    own = _counted("own split (for SPLIT=own)", (row["split"] for row in found.rows))
    return f"Understood: {found.how}: {'; '.join(filter(None, [*said, own]))}."


def _counted(name: str, values: Iterable[str]) -> str:
    count = Counter(filter(None, values))
    shown = ", ".join(f"{value} ({number:,})" for value, number in count.most_common(8))
    more = f" and {len(count) - 8:,} more" if len(count) > 8 else ""
    return f"{name} {shown}{more}" if count else ""


def _left_out(files: list[str], rows: list[Row], left_out: Counter[str]) -> list[str]:
    """A line on pictures that are not used, and one on other files; `left_out` is what the walk left out."""
    used = {row["path"] for row in rows}
    unused = [name for name in files if name not in used]
    pictures = [name for name in unused if is_image_name(name)]
    left_out.update(
        kind_of_name(name)
        for name in unused
        if not is_image_name(name) and not name.lower().endswith(TABLE_SUFFIXES)
    )
    first = next(iter(pictures), "")
    notes = [
        f"Pictures left out, which no row names or CLASSES skips: {len(pictures):,}, first {first}."
        if first
        else "",
        say_left_out(left_out),
    ]
    return list(filter(None, notes))
