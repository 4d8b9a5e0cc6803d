"""Tables of pictures as people keep them: which file, column and value means what.

A table is a CSV with any of the usual separators, in UTF-8 or as Excel writes "Unicode text" (UTF-16), or
JSON lines. Its columns are known by name, in any case. Names are looked up among the files that are there.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import json
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from src.utils.data.pictures.listing import is_image_name
from src.utils.data.sources.meaning import Meanings, class_of
from src.utils.settings import UserError

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl")
FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_path", "id")
LABEL_COLUMNS = ("label", "target", "class", "is_ai", "generated")
OPTIONAL_COLUMNS = ("group", "generator", "origin", "subject", "split")
MAKER_COLUMNS = ("model", "model_name")
"""Who made a picture, in one column for both classes: a generator, or the source of a human-made picture."""

_KNOWN_COLUMNS = {*FILE_COLUMNS, *LABEL_COLUMNS, *OPTIONAL_COLUMNS, *MAKER_COLUMNS}
_ANSWERS = {**dict.fromkeys(("true", "yes"), 1), **dict.fromkeys(("false", "no"), 0)}
_ANSWERED_COLUMNS = ("is_ai", "generated")  # their names ask a question
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SURPLUS = "\0surplus"  # where the CSV reader puts values beyond the last column


class Table(NamedTuple):
    """A table as it was read.

    Attributes:
        path: Its file.
        header: Its columns as they are written.
        rows: One dictionary a row, by `column_name`; every value a string.
        form: How it is written: `semicolons, UTF-16`; empty for commas and UTF-8.
    """

    path: Path
    header: list[str]
    rows: list[dict[str, str]]
    form: str

    def place(self, number: int) -> str:
        """Words for a row, see `place`."""
        return place(self.path, number, lines=self.path.suffix.lower() == ".jsonl")

    def has(self, columns: Iterable[str]) -> list[str]:
        """Those of some columns that the table has, in the order given."""
        names = {column_name(name) for name in self.header}
        return [name for name in columns if name in names]


def read_table(path: Path) -> Table:
    """Read a table; what its columns mean is not looked at.

    Raises:
        UserError: No such file, no readable table, a known column double, or a row longer than the header.
    """
    text, encoding = _read_text(path)
    if path.suffix.lower() == ".jsonl":
        return _read_json_lines(path, text)
    try:
        return _read_csv(path, text, encoding)
    except csv.Error as error:
        raise UserError(f"{path} is not a readable CSV ({error}): save it again as 'CSV UTF-8'.") from None


def read_header(path: Path) -> list[str]:
    """The columns of a table, as `column_name` has them; none where it cannot be read."""
    try:
        text, _ = _read_text(path, 1 << 16)
        if path.suffix.lower() == ".jsonl":
            return [column_name(name) for name in _json_object(text.splitlines()[0])]
        return [column_name(name) for name in _split_header(text)[1]]
    except (UserError, csv.Error, ValueError, IndexError, RecursionError):
        return []


def column_name(name: str) -> str:
    """A column's name as it is compared: in lower case, with underscores for spaces and hyphens."""
    return "_".join(name.strip().casefold().replace("-", " ").replace("_", " ").split())


def place(path: Path, number: int, lines: bool = False) -> str:
    """Words for a row of a table: counted from 0 as in an index column, and its line in an editor.

    Args:
        path: The table.
        number: The row.
        lines: Whether it has no header.
    """
    return f"{path}, row {number} (line {number + (1 if lines else 2)})"


def clean_value(value: str) -> str:
    """A value on one line, without outer spaces: line breaks and other control characters become spaces."""
    if value.isprintable():  # the usual, at once
        return value.strip()
    line = " ".join(value.splitlines())
    return "".join(" " if unicodedata.category(one) == "Cc" else one for one in line).strip()


def is_new(table: Table, number: int, name: str, label: str, seen: dict[str, tuple[int, str]]) -> bool:
    """Whether a row is the first of its file; `seen` (file → row and label) grows by it.

    Raises:
        UserError: An earlier row gives the same file another label.
    """
    first, before = seen.setdefault(posixpath.normpath(name), (number, label))
    if before != label:
        raise UserError(
            f"{table.place(number)}: {name} is already named in row {first} with label {before}, here with "
            f"{label}; remove one of them."
        )
    return first == number


def choose_files(table: Table, files: Collection[str], below: str) -> tuple[str, list[list[str]]]:
    """Find the column that names the pictures, and the files that each of its values fits.

    Args:
        table: With at least one row.
        files: Every file there is, relative to one folder.
        below: The table's own folder, relative to the same and `.` for it; only files below it are meant.

    Returns:
        The column, and for each row the files that fit: one, none, or several.

    Raises:
        UserError: No column for it, or two that name different files.
    """
    columns = table.has(FILE_COLUMNS)
    _require(table, columns, "names the pictures", FILE_COLUMNS)
    find = FileFinder(files, below)
    found = {column: find.all([row[column] for row in table.rows]) for column in columns}
    known = {column: [one[0] if len(one) == 1 else None for one in found[column]] for column in columns}
    column = _choose(table, known, "file_name")
    return column, found[column]


def choose_labels(table: Table, classes: Meanings) -> tuple[str, list[int | None]]:
    """Find the column that tells the class, and what each of its values means.

    Words mean what `meaning.class_of` says, `true` and `yes` count where the column's name is a question. In
    ArtiFact's `metadata.csv` (columns `image_path`, `target`) every number but 0 is a generator.

    Returns:
        The column, and for each row 0, 1 or None where the value is not known.

    Raises:
        UserError: No column for it, or two that contradict each other.
    """
    columns = table.has(LABEL_COLUMNS)
    _require(table, columns, "tells the class", LABEL_COLUMNS)
    numbered = table.path.stem == "metadata" and bool(table.has(("image_path",)))

    def label(column: str, value: str) -> int | None:
        known = class_of(value, classes)
        if known is None and column in _ANSWERED_COLUMNS:
            return _ANSWERS.get(value.lower())
        if known is None and column == "target" and numbered and value.isdecimal():
            return 1
        return known

    known = {column: [label(column, row[column]) for row in table.rows] for column in columns}
    column = _choose(table, known, "label")
    return column, known[column]


class FileFinder:
    """Finds the files that a table means, however it writes their names.

    A name fits the file really called so; else, cleaned and with forward slashes, the files whose path ends
    with it, with or without their extension. Where no file fits the whole name, folders are taken off its
    front, as far as all names of the table share them: another root, of another machine.
    """

    def __init__(self, files: Collection[str], below: str = "."):
        self.prefix = "" if below == "." else f"{below}/"
        self.files = {name for name in files if name.startswith(self.prefix)}

    @functools.cached_property
    def _by_end(self) -> dict[str, list[str]]:
        """The files by their name, pictures also by their name without extension."""
        ends: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.files):
            last = name.rpartition("/")[2]
            ends[last].append(name)
            if is_image_name(name):
                ends[posixpath.splitext(last)[0]].append(name)
        return ends

    def all(self, names: Sequence[str]) -> list[list[str]]:
        """The files that fit each of a table's names."""
        if all(self.prefix + name in self.files for name in names):
            return [[self.prefix + name] for name in names]
        paths = [_parts(name) for name in names]
        roots = [parts[:-1] for parts in paths if parts]
        shared = 0
        while roots and len({root[: shared + 1] for root in roots}) == 1 and len(roots[0]) > shared:
            shared += 1
        return [self._fitting(name, parts, shared) for name, parts in zip(names, paths, strict=True)]

    def _fitting(self, name: str, parts: tuple[str, ...], shared: int) -> list[str]:
        for exact in (name, clean_value(name), "/".join(parts)):
            if self.prefix + exact in self.files:
                return [self.prefix + exact]
        for start in range(min(shared + 1, len(parts))):
            tail = "/".join(parts[start:])
            ending = [file for file in self._by_end.get(parts[-1], ()) if _ends_with(file, tail)]
            fitting = [file for file in ending if file.endswith(tail)] or ending
            if fitting:
                return fitting
        return []


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a name as any system writes it."""
    parts = clean_value(name).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", "."))


def _ends_with(file: str, tail: str) -> bool:
    """Whether a path ends with another, extension or not, at the border of a folder."""
    return any(f"/{one}".endswith(f"/{tail}") for one in (file, posixpath.splitext(file)[0]))


def _choose(table: Table, known: dict[str, list[Any]], usual: str) -> str:
    """The column whose every value is understood; else the one of which most are, to say what is not."""
    whole = [column for column, values in known.items() if None not in values]
    for other in whole[1:]:
        for number, (one, two) in enumerate(zip(known[whole[0]], known[other], strict=True)):
            if one != two:
                row = table.rows[number]
                raise UserError(
                    f"{table.place(number)}: column '{whole[0]}' says '{row[whole[0]]}' and column '{other}' "
                    f"says '{row[other]}', which is not the same: rename the one that is not '{usual}'."
                )
    return max(whole or known, key=lambda column: len(known[column]) - known[column].count(None))


def _require(table: Table, columns: list[str], role: str, names: Sequence[str]) -> None:
    if not columns:
        found = ", ".join(name for name in table.header if name) or "none"
        raise UserError(
            f"{table.path} has no column '{names[0]}' (columns found: {found}): add it, or call the one that "
            f"{role} {names[0]}."
        )


def _read_text(path: Path, size: int = -1) -> tuple[str, str]:
    """Text of a file, or its first bytes, and the name of its encoding."""
    try:
        with path.open("rb") as file:
            data = file.read(size)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: it must name the pictures and their labels.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
        return decoder.decode(data, final=size < 0), "UTF-16" if wide else "UTF-8"
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it again as 'CSV UTF-8'.") from None


def _split_header(text: str) -> tuple[str, list[str]]:
    """The separator under which the header has most known columns, and its names."""

    def names(separator: str) -> list[str]:
        return [name.strip() for name in next(csv.reader(io.StringIO(text, ""), delimiter=separator), [])]

    def fit(separator: str) -> tuple[int, int]:
        header = names(separator)
        return len({column_name(name) for name in header} & _KNOWN_COLUMNS), len(header)

    separator = max(_SEPARATORS, key=fit)
    return separator, names(separator)


def _read_csv(path: Path, text: str, encoding: str) -> Table:
    separator, header = _split_header(text)
    columns = _column_names(path, header)
    reader = csv.DictReader(io.StringIO(text, ""), columns, _SURPLUS, "", delimiter=separator)
    next(reader, None)  # the header
    rows = []
    for number, row in enumerate(reader):
        if _SURPLUS in row:
            raise UserError(
                f"{place(path, number)} has more values than the header has columns: quote its "
                f"{_SEPARATORS[separator]}."
            )
        rows.append({name: _value(name, value) for name, value in row.items()})
    unusual = [_SEPARATORS[separator]] * (separator != ",") + [encoding] * (encoding != "UTF-8")
    return _with_rows(Table(path, header, rows, ", ".join(unusual)))


def _read_json_lines(path: Path, text: str) -> Table:
    header: dict[str, None] = {}
    rows = []
    for number, line in enumerate(filter(str.strip, text.split("\n"))):
        try:
            values = _json_object(line)
        except (ValueError, RecursionError):
            raise UserError(f"{place(path, number, True)} is no JSON object: mend that line.") from None
        header.update(dict.fromkeys(values))
        rows.append({column_name(name): _json_text(value) for name, value in values.items()})
    blank = dict.fromkeys(_column_names(path, header), "")
    return _with_rows(Table(path, list(header), [blank | row for row in rows], ""))


def _value(column: str, value: str) -> str:
    """A value as it is kept; a file may really be called with what `clean_value` takes away."""
    return value if column in FILE_COLUMNS else clean_value(value)


def _column_names(path: Path, header: Iterable[str]) -> list[str]:
    columns = [column_name(name) for name in header]
    for column in columns:
        if column in _KNOWN_COLUMNS and columns.count(column) > 1:
            raise UserError(f"{path} has the column '{column}' more than once: remove one of them.")
    return columns


def _with_rows(table: Table) -> Table:
    if not table.rows and table.has(FILE_COLUMNS) and table.has(LABEL_COLUMNS):
        raise UserError(f"{table.path} has no rows: it must name the pictures and their labels.")
    return table


def _json_object(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _json_text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
