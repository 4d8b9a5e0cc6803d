"""Slow things are computed once: an SQLite file of values by key, begun anew when their code changes.

A key is a string that changes whenever the value would: mostly the content of a picture's file, so that a
renamed, copied or re-split picture is not computed again. Values are written as they come, so that an
interrupted or killed run goes on where it stopped, and are never held all at once by this module.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from src.utils.data.machines import compute_values
from src.utils.settings import UserError

FLUSH_EVERY = 64
"""Values between two writes: the most that a kill loses."""

WAIT_SECONDS = 60
"""How long another run may be writing to the same file."""

_TABLE = "CREATE TABLE IF NOT EXISTS remembered (version, key, value, PRIMARY KEY (version, key))"

Compute = Callable[[list[int]], Iterable[Any]]
"""Takes positions and yields the value of each of them in turn; with SCHEDULER it runs on other machines."""


class Store:
    """Values by key on disk. Several threads may use one; several processes may open one file.

    A value is a float32 array, which comes back with one dimension, or anything that JSON has.
    """

    def __init__(self, connection: sqlite3.Connection, version: str) -> None:
        """Use `open_store`."""
        self._connection, self._version = connection, version

    def keys(self) -> set[str]:
        """All keys."""
        rows = self._connection.execute("SELECT key FROM remembered WHERE version = ?", (self._version,))
        return {key for (key,) in rows}

    def get(self, key: str) -> Any | None:
        """The value of a key, None if there is none."""
        which = "SELECT value FROM remembered WHERE version = ? AND key = ?"
        row = self._connection.execute(which, (self._version, key)).fetchone()
        return None if row is None else _unpack(row[0])

    def put(self, values: Iterable[tuple[str, Any]]) -> None:
        """Keep values under their keys, all of them or none."""
        entries = [(self._version, key, _pack(value)) for key, value in values]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", entries)


@contextlib.contextmanager
def open_store(path: Path | None, version: str) -> Iterator[Store]:
    """Open what is remembered; what another version left is deleted, and a damaged file begun anew.

    Args:
        path: The file; made if needed. None remembers nothing beyond the block.
        version: Whatever all values depend on besides their keys, above all `code.code_digest`.

    Yields:
        The store.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        with contextlib.closing(_connect(path, version)) as connection:
            yield Store(connection, version)
    except sqlite3.OperationalError as error:
        raise UserError(f"{path} cannot be written ({error}): end the other run or free space.") from error


def compute_once(
    path: Path, version: str, keys: Sequence[str], compute: Compute, task: str, progress: bool = True
) -> Iterator[Any]:
    """Values of some keys, computing only those that are not remembered.

    Args:
        path: As for `open_store`.
        version: As for `open_store`.
        keys: Such as the content key of each picture (`files.hash_bytes`); equal ones are computed once.
        compute: Called with the positions of what is missing, if anything is; see `machines.compute_values`.
        task: What the progress bar says.
        progress: Show a progress bar if there is anything to compute.

    Yields:
        The value of each key, in their order.

    Raises:
        UserError: The file cannot be written.
        Exception: Whatever `compute` raises; what was computed before it is kept.
    """
    if not len(keys):
        return
    with open_store(path, version) as store:
        known, first = store.keys(), {}
        for position, key in enumerate(keys):
            if key not in known:
                first.setdefault(key, position)
        if first:
            missing = list(first)
            values = compute_values(compute, list(first.values()))
            bar = tqdm(values, desc=task, total=len(first), unit="picture", disable=not progress)
            put_as_they_come(store, ((missing[place], value) for place, value in bar))
        yield from map(store.get, keys)


def put_as_they_come(store: Store, values: Iterable[tuple[str, Any]]) -> None:
    """Keep values every now and then, and in any case at the end, whatever ends it."""
    waiting: list[tuple[str, Any]] = []
    try:
        for entry in values:
            waiting.append(entry)
            if len(waiting) == FLUSH_EVERY:
                store.put(waiting)
                waiting.clear()
    finally:
        store.put(waiting)


def _connect(path: Path | None, version: str) -> sqlite3.Connection:
    """Open the file without what other versions left there; what is no database is replaced."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path or ":memory:", timeout=WAIT_SECONDS, check_same_thread=False)
    try:
        with connection:
            connection.execute(_TABLE)
            connection.execute("DELETE FROM remembered WHERE version != ?", (version,))
        return connection
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError:  # damaged, or not SQLite's: it can be made again
        connection.close()
        path.unlink()
        return _connect(path, version)


def _pack(value: Any) -> bytes | str:
    """Arrays as their bytes, everything else as JSON text: SQLite remembers which it was."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32, copy=False).tobytes()
    return json.dumps(value)


def _unpack(stored: bytes | str) -> Any:
    return np.frombuffer(stored, np.float32) if isinstance(stored, bytes) else json.loads(stored)
