"""Pictures inside Parquet files, unpacked once into picture files whose bytes are unchanged.

Hugging Face keeps pictures so: a row has the file's bytes (alone, or in a struct with its old path), a label
in words or numbers, and often the generator. Files are read one row group after the other. A group counts as
done once its rows are noted, which happens after its pictures are on disk; so a second call finishes what a
killed one began. `train.csv` arrives last, and the result is read like any labelled folder.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from src.utils.data.pictures.formats import SNIFF_BYTES, find_format
from src.utils.data.pictures.listing import walk_files
from src.utils.data.sources.meaning import class_of
from src.utils.data.sources.tables import MAKER_COLUMNS, clean_value
from src.utils.data.sources.train_table import TABLE_NAME, write_train_table
from src.utils.files import atomic_path, read_json, write_json
from src.utils.settings import UserError

IMAGE_COLUMNS = ("image", "image_data")
LABEL_COLUMN = "label"
MAKERS = ("generator", *MAKER_COLUMNS)
"""Columns of OpenFake (`image`, `label`, `model`), of Community Forensics (`image_data`, `label` and
`model_name`) and of most others. The maker is a generator, or the photo source of a human-made picture."""

_STATE_NAME = ".parquet.json"
_PARTS = ".parts"
_BATCH = 16  # rows fetched at once


class Shard(NamedTuple):
    """A Parquet file that holds pictures.

    Attributes:
        name: Its path below the folder, with forward slashes.
        image: Where the pictures' bytes are, in SQL.
        maker: Where generators and photo sources are, in SQL; `NULL` for nowhere.
        words: What the numbers of the label mean, as the file itself says; empty where it says nothing.
        groups: Rows of each row group.
        bytes: Length of the pictures, about.
    """

    name: str
    image: str
    maker: str
    words: list[str]
    groups: list[int]
    bytes: int


def unpack_parquet(folder: Path, unpacked: Path, progress: bool = True) -> Path:
    """Unpack the pictures of a folder of Parquet files, unless that was done before.

    Args:
        folder: Where the Parquet files lie, at any depth; nothing is written there.
        unpacked: Where pictures and `train.csv` go; emptied when the Parquet files are others than before.
        progress: Whether to show a progress bar and say what was left out.

    Returns:
        `unpacked`, or `folder` itself if it has no Parquet file with a column of pictures.

    Raises:
        UserError: DuckDB is missing, a file is damaged or has pictures without labels, or the disk is too
            small. The message names the next step.
        OSError: A folder cannot be read or written.
    """
    names = [name for name in walk_files(folder) if name.lower().endswith(".parquet")]
    shards = [shard for name in names if (shard := _look_at(folder, name))]
    if not shards:
        return folder
    _begin(unpacked, folder, shards)
    if not (unpacked / TABLE_NAME).is_file():
        _require_space(unpacked, shards)
        _unpack_all(folder, unpacked, shards, progress)
    return unpacked


def _look_at(folder: Path, name: str) -> Shard | None:
    """What a Parquet file holds; None if it has no pictures."""
    path = folder / name
    columns = {
        column: kind for column, kind, *_ in _query(path, "DESCRIBE SELECT * FROM read_parquet($path)")
    }
    image = next(
        (said for column in IMAGE_COLUMNS if (said := _bytes_of(column, columns.get(column, "")))), ""
    )
    if not image:
        return None
    if LABEL_COLUMN not in columns:
        raise UserError(
            f"{path} has pictures but no column '{LABEL_COLUMN}' (columns found: {', '.join(columns)}): "
            "rename the one that tells human-made from AI-generated, or move the file away."
        )
    groups = list(_query(path, _GROUPS))
    return Shard(
        name=name,
        image=image,
        maker=next((column for column in MAKERS if column in columns), "NULL"),
        words=_label_words(dict(_query(path, "SELECT key, value FROM parquet_kv_metadata($path)"))),
        groups=[rows for _, rows, _ in groups],
        bytes=int(sum(length for *_, length in groups)),
    )


_GROUPS = """
SELECT row_group_id, any_value(row_group_num_rows), sum(total_uncompressed_size)
FROM parquet_metadata($path) GROUP BY row_group_id ORDER BY row_group_id
"""


def _bytes_of(column: str, kind: str) -> str:
    """Where the bytes of a column of pictures are, in SQL; empty if it is no such column."""
    if kind == "BLOB":
        return column
    struct = kind.startswith("STRUCT(") and kind.endswith(")")  # not a list of some
    return f"{column}.bytes" if struct and "bytes BLOB" in kind else ""


def _query(path: Path, sql: str, **parameters: int) -> Iterator[tuple[Any, ...]]:
    """Ask DuckDB about a Parquet file, a few rows at a time in memory.

    DuckDB and not pyarrow, because pandas keeps its text in pyarrow as soon as that is installed, and then
    takes no file name that is not Unicode.

    Raises:
        UserError: DuckDB is missing, or the file is damaged.
    """
    try:
        import duckdb
    except ImportError:
        raise UserError(f"{path} needs duckdb to be read: install it with `make setup`.") from None
    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(config={"threads": 1, **offline}) as connection:
            asked = connection.execute(sql, {"path": str(path), **parameters})
            while rows := asked.fetchmany(_BATCH):
                yield from rows
    except duckdb.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} cannot be read as Parquet ({reason}): download or copy it again.") from None


def _label_words(metadata: Mapping[bytes, bytes]) -> list[str]:
    """The names of a ClassLabel, from what the `datasets` library notes in the file.

    Some datasets number their classes the other way round, which nothing else tells.
    """
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[LABEL_COLUMN]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _begin(unpacked: Path, folder: Path, shards: list[Shard]) -> None:
    """Empty the folder of what was unpacked from other files, and note from which files it is made now."""
    stats = [(folder / shard.name).stat() for shard in shards]
    state = [[shard.name, stat.st_size, stat.st_mtime_ns] for shard, stat in zip(shards, stats, strict=True)]
    noted = unpacked / _STATE_NAME
    if noted.is_file() and read_json(noted) != state:
        shutil.rmtree(unpacked)
    if not noted.is_file():
        write_json(noted, state)


def _require_space(unpacked: Path, shards: list[Shard]) -> None:
    there = sum(path.stat().st_size for path in unpacked.rglob("*") if path.is_file())
    needed, free = sum(shard.bytes for shard in shards) - there, shutil.disk_usage(unpacked).free
    if needed > free:
        raise UserError(
            f"Unpacking the Parquet files takes about {needed / 1e9:.1f} GB in {unpacked}, "
            f"{free / 1e9:.1f} GB are free: make room and run again."
        )


def _unpack_all(folder: Path, unpacked: Path, shards: list[Shard], progress: bool) -> None:
    rows: list[dict[str, str]] = []
    left_out = 0
    total = sum(sum(shard.groups) for shard in shards)
    with tqdm(desc="Unpacking Parquet", total=total, unit="picture", disable=not progress) as bar:
        for number, (shard, place) in enumerate(zip(shards, _places(shards), strict=True)):
            first = 0
            for length in shard.groups:
                part = unpacked / _PARTS / f"{number}-{first}.json"
                if not part.is_file():
                    write_json(part, list(_unpack_rows(folder, unpacked / place, shard, first, length)))
                done = read_json(part)
                first += length
                rows += [row | {"file_name": f"{place}/{row['file_name']}"} for row in done if row]
                left_out += done.count(None)
                bar.update(len(done))
    if left_out and progress:
        print(
            f"Rows left out because they have no picture or no label: {left_out:,} of {total:,}.", flush=True
        )
    if not rows:
        raise UserError(f"The Parquet files in {folder} hold no picture with a label: take another folder.")
    write_train_table(unpacked, pd.DataFrame(rows))


def _places(shards: list[Shard]) -> list[str]:
    """A folder for each file, so named that a part of the dataset's split is a part of the path.

    `data/train-00000-of-00007.parquet` becomes `data/train/00000-of-00007`.
    """
    plain = [shard.name[: -len(".parquet")] for shard in shards]
    split = [re.sub(r"-(\d+-of-\d+)$", r"/\1", name) for name in plain]
    return split if len({name.casefold() for name in split}) == len(split) else plain


def _unpack_rows(
    folder: Path, target: Path, shard: Shard, first: int, length: int
) -> Iterator[dict[str, str] | None]:
    """Write the pictures of a row group; a row of the table for each, None for what is left out.

    Args:
        folder: Where the Parquet files lie.
        target: Where the pictures go.
        shard: The file.
        first: Number of the group's first row within the file.
        length: Its rows.
    """
    sql = (
        f"SELECT file_row_number, {shard.image}, {LABEL_COLUMN}, {shard.maker} "
        "FROM read_parquet($path, file_row_number = true) WHERE file_row_number BETWEEN $first AND $last"
    )
    rows = _query(folder / shard.name, sql, first=first, last=first + length - 1)
    for number, data, value, maker in rows:
        label = _label(value, shard.words)
        if not data or not label:
            yield None
            continue
        name = f"{number:07d}{_suffix(data)}"
        path = target / name
        if not (path.is_file() and path.stat().st_size == len(data)):
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
        yield {"file_name": name, "label": label, **_maker(label, maker)}


def _label(value: Any, words: list[str]) -> str:
    """A label as a word or a number that a labelled folder understands; empty for none."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes):  # a text that the file does not call one
        value = value.decode(errors="replace")
    if isinstance(value, int) and words:
        return words[value] if 0 <= value < len(words) else ""
    return "" if value is None or value == -1 else clean_value(str(value))


def _maker(label: str, value: Any) -> dict[str, str]:
    """Who made a picture, in the column of its class; a word that only repeats the class says nothing."""
    said = "" if value is None else clean_value(str(value))
    if class_of(said) is not None:
        said = ""
    human = class_of(label) == 0
    return {"generator": "" if human else said, "origin": said if human else ""}


def _suffix(data: bytes) -> str:
    """The ending that fits a picture's content."""
    known = find_format(data[:SNIFF_BYTES])
    return known.suffixes[0] if known else ".bin"
