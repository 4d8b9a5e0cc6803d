"""Your own pictures as a data source: `DATA_SOURCE=folder DATA_DIR=…`, a folder or a `.zip`.

The result is `data/raw/folder` in Kaggle's layout, made of hard links where the disk allows and else of
copies; nothing in `DATA_DIR` is ever written. A `.zip` and Parquet files are unpacked once, beside it.
`source.json` there remembers from what, in which state, it was made. `train.csv` arrives last, so a folder
that has one is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from src.utils.data.pictures.listing import walk_files
from src.utils.data.published.hub import fetch_hub
from src.utils.data.published.parquet import unpack_parquet
from src.utils.data.sources.archive import unpack_once
from src.utils.data.sources.labelled_folder import Row, read_labelled_folder
from src.utils.data.sources.train_table import TABLE_NAME, write_train_table
from src.utils.files import hash_bytes, link_or_copy, read_json, write_json
from src.utils.names import one_line
from src.utils.settings import Settings, UserError

MEMORY_NAME = "source.json"
"""What `data/raw/folder` was made from: `data_dir`, `fingerprint` (None while it is being filled), and of a
dataset of Hugging Face where it is `from` and its `licence`."""

_LONGEST_NAME = 150  # bytes; systems end at 255


class Opened(NamedTuple):
    """A dataset of somebody's own, unpacked and understood.

    Attributes:
        folder: What the rows' `path` is relative to: the dataset's own folder, or where its archive or its
            Parquet files were unpacked.
        rows: One row a picture, as `labelled_folder.Found` has them.
        notes: One line each: what was understood, then what was left out.
        origin: Of a dataset of Hugging Face, where it is `from` and its `licence`; else empty.
    """

    folder: Path
    rows: list[Row]
    notes: list[str]
    origin: dict[str, str]


def open_dataset(settings: Settings, progress: bool = True) -> Opened:
    """Fetch, unpack and understand the dataset that `DATA_DIR` names, without copying its pictures.

    Args:
        settings: `data_dir` and `data_address` say where it is, `classes` and `missing` how it is read, and
            `root` where archives and Parquet files are unpacked, each once.
        progress: Whether to show progress bars.

    Raises:
        UserError: It is neither a folder nor a `.zip`, cannot be fetched or is not safe to unpack; a class is
            not to be told or has no picture; a table has what is not understood. The message names the next
            step.
    """
    data_dir, origin = settings.data_dir, {}
    if data_dir is None:
        raise UserError("DATA_DIR is missing: give the folder with your pictures.")
    if settings.data_address:
        note = fetch_hub(settings.data_address, data_dir, progress)
        origin = {"from": f"{note.address}, revision {note.revision}", "licence": note.licence}
    if not _is_dataset(data_dir):
        raise UserError(f"{data_dir} is neither a folder nor a .zip: check the path.")
    with _explain_os_errors(data_dir):
        folder = _unpacked(data_dir, settings.root, progress)
        rows, notes = read_labelled_folder(folder, settings.classes, settings.missing == "skip")
    return Opened(folder, rows, [one_line(note) for note in notes], origin)


def fetch_folder(settings: Settings, progress: bool = True) -> None:
    """Fill `settings.raw_dir` from `settings.data_dir`, or bring it up to date with it.

    Nothing is done when `DATA_DIR` is as it was. When pictures were added, removed or exchanged there, the
    links follow. Without `DATA_DIR`, what the folder holds already is used as it is. A call that was cut is
    finished by the next.

    Args:
        settings: Of a run whose source is `folder`.
        progress: Whether to show a progress bar and say what was left out or has changed.

    Raises:
        UserError: `DATA_DIR` is missing, empty, an unsafe archive or another one than before; a class is not
            to be told or has no picture; a table has what is not understood. The message names the next step.
    """
    raw_dir = settings.raw_dir
    memory = read_memory(raw_dir)
    if settings.data_dir is None:
        _require_filled(raw_dir, memory)
        return
    data_dir = settings.data_dir.resolve()
    if settings.data_address:
        data_dir.mkdir(parents=True, exist_ok=True)
    _require_usable(data_dir, raw_dir, memory)
    folder, rows, notes, origin = open_dataset(replace(settings, data_dir=data_dir), progress)
    provenance = {"data_dir": str(data_dir)} | origin
    with _explain_os_errors(data_dir):
        fingerprint = _fingerprint(folder, rows)
        if (raw_dir / TABLE_NAME).is_file() and memory.get("fingerprint") == fingerprint:
            return
        if memory.get("fingerprint"):
            notes.insert(0, one_line(f"{data_dir} has changed: {raw_dir} follows it."))
        if progress:
            print("".join(f"{note}\n" for note in notes), end="", flush=True)
        write_json(raw_dir / MEMORY_NAME, provenance | {"fingerprint": None})
        (raw_dir / TABLE_NAME).unlink(missing_ok=True)
        names = flat_names([row["path"] for row in rows])
        _place_all(folder, raw_dir, dict(zip(names, (row["path"] for row in rows), strict=True)), progress)
        write_train_table(raw_dir, pd.DataFrame(rows).drop(columns="path").assign(file_name=names))
        write_json(raw_dir / MEMORY_NAME, provenance | {"fingerprint": fingerprint})


def read_memory(raw_dir: Path) -> dict[str, Any]:
    """What `source.json` remembers; nothing when there is none."""
    path = raw_dir / MEMORY_NAME
    return read_json(path) if path.is_file() else {}


def flat_names(paths: list[str]) -> list[str]:
    """Names for one flat folder that stay readable and never collide, even where case does not count.

    Args:
        paths: Distinct relative paths with forward slashes.

    Returns:
        `train_data/<name>` for each: the path's parts joined by `__`, without characters that cannot be
        printed, led by a hash of the path where that alone would be too long or not unique.
    """
    plain = [_printable("__".join(PurePosixPath(path).parts)) for path in paths]
    count = Counter(name.casefold() for name in plain)
    fits = [count[name.casefold()] == 1 and len(name.encode()) <= _LONGEST_NAME for name in plain]
    return [
        f"train_data/{name if fit else _hashed(name, path)}"
        for name, path, fit in zip(plain, paths, fits, strict=True)
    ]


def _unpacked(data_dir: Path, root: Path, progress: bool) -> Path:
    """The folder with the pictures: the user's own, or what an archive or Parquet files hold."""
    folder = data_dir
    if not data_dir.is_dir():
        folder = unpack_once(data_dir, _unpacked_dir(root, data_dir), progress)
    return unpack_parquet(folder, _unpacked_dir(root, folder), progress)


def _unpacked_dir(root: Path, data_dir: Path) -> Path:
    """Where the pictures of an archive or of a folder of Parquet files go; `make clean` leaves it alone."""
    return root / "data" / "raw" / "unpacked" / f"{data_dir.name}-{hash_bytes(os.fsencode(data_dir))[:8]}"


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() and letter != "\\" else "_" for letter in name)


def _hashed(name: str, path: str) -> str:
    tail = name.encode()[-_LONGEST_NAME + 17 :].decode(errors="ignore")
    return f"{hash_bytes(os.fsencode(path))[:16]}-{tail}"


def _require_filled(raw_dir: Path, memory: dict[str, Any]) -> None:
    if (raw_dir / TABLE_NAME).is_file():
        return
    if memory:
        raise UserError(
            f"{raw_dir} is unfinished: run again with DATA_DIR={memory['data_dir']} to complete it."
        )
    raise UserError(
        "DATA_SOURCE=folder needs DATA_DIR=<your folder or .zip>: pictures in human/ and ai/, a CSV beside "
        "them, or what else data/README.md lists."
    )


def _require_usable(data_dir: Path, raw_dir: Path, memory: dict[str, Any]) -> None:
    filled = (raw_dir / TABLE_NAME).is_file()
    if not _is_dataset(data_dir):
        state = "is neither a folder nor a .zip" if data_dir.exists() else "does not exist"
        keep = f", or unset DATA_DIR to go on with what {raw_dir} holds" if filled else ""
        raise UserError(f"DATA_DIR={data_dir} {state}: check the path{keep}.")
    inside = raw_dir.resolve()
    if inside.is_relative_to(data_dir) or data_dir.is_relative_to(inside):
        raise UserError(
            f"DATA_DIR={data_dir} overlaps {raw_dir}, which is made from it: unset it or take another."
        )
    before = memory.get("data_dir")
    if before and before != str(data_dir):
        raise UserError(
            f"{raw_dir} was made from {before}, but DATA_DIR is {data_dir}: delete {raw_dir} to change over "
            "(the pictures it was made from stay), or unset DATA_DIR to keep it."
        )
    if not before and raw_dir.is_dir() and next(walk_files(raw_dir), None):
        raise UserError(
            f"{raw_dir} was filled by hand, not from DATA_DIR={data_dir}: move it away, "
            "or unset DATA_DIR to use it."
        )


def _is_dataset(path: Path) -> bool:
    """Whether this can hold a dataset: a folder or a `.zip`."""
    return path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


@contextlib.contextmanager
def _explain_os_errors(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or data_dir} cannot be used: {error.strerror or error}.") from None


def _fingerprint(data_dir: Path, rows: list[dict[str, str]]) -> str:
    """Changes whenever a picture comes, goes, gets another size, date or row."""
    stats = [(data_dir / row["path"]).stat() for row in rows]
    state = [[*row.values(), stat.st_size, stat.st_mtime_ns] for row, stat in zip(rows, stats, strict=True)]
    return hash_bytes(json.dumps(state).encode())


def _place_all(data_dir: Path, raw_dir: Path, sources: dict[str, str], progress: bool) -> None:
    """Make the folder hold exactly `sources` (name in Kaggle's layout → path in the user's folder)."""
    pictures = raw_dir / "train_data"
    pictures.mkdir(parents=True, exist_ok=True)
    for path in pictures.iterdir():  # hidden ones too, which a killed copy may have left
        if f"train_data/{path.name}" not in sources and not path.is_dir():
            path.unlink()
    for name, path in tqdm(sources.items(), desc="Linking pictures", unit="picture", disable=not progress):
        link_or_copy(data_dir / path, raw_dir / name)
