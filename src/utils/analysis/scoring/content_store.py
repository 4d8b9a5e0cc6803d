"""Slow things are computed once per picture: a table on disk whose key is the content of the file.

A renamed, copied or re-split picture is not computed again, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from src.utils.files import atomic_path

FLUSH_EVERY = 256
"""Pictures between two writes: the most that an interruption loses."""

KEY = "content"

Compute = Callable[[list[int]], Iterable[Mapping[str, object]]]
"""Takes positions of pictures and yields, for each of them in turn, its columns."""


def compute_once(
    path: Path, contents: Sequence[str], compute: Compute, task: str, progress: bool = True
) -> pd.DataFrame:
    """Columns of every picture, computing only those that the table at `path` does not have.

    Args:
        path: A CSV file; its name must tell apart whatever the columns depend on besides the picture, such as
            the version of the code. A file that cannot be read is made again.
        contents: Content key of each picture (`files.hash_bytes`); equal ones are computed once.
        compute: Called once with the positions of the pictures that are missing.
        task: What the progress bar says.
        progress: Show a progress bar if there is anything to compute.

    Returns:
        One row a picture, in the order of `contents`, without the key.

    Raises:
        Exception: Whatever `compute` raises; what was computed before it is kept.
    """
    known = _read(path)
    first: dict[str, int] = {}
    for position, key in enumerate(contents):
        if key not in known:
            first.setdefault(key, position)
    if first:
        missing = list(first.values())
        rows = tqdm(compute(missing), desc=task, total=len(missing), unit="picture", disable=not progress)
        _collect(path, known, iter(first), rows)
    return pd.DataFrame([known[key] for key in contents])


def _collect(
    path: Path, known: dict[str, dict], keys: Iterator[str], rows: Iterable[Mapping[str, object]]
) -> None:
    """Add rows to what is known, writing it down every now and then and in any case at the end."""
    since = 0
    try:
        for key, row in zip(keys, rows, strict=True):
            known[key] = dict(row)
            since += 1
            if since == FLUSH_EVERY:
                _write(path, known)
                since = 0
    finally:
        if since:
            _write(path, known)


def _read(path: Path) -> dict[str, dict]:
    try:
        table = pd.read_csv(path, dtype={KEY: str}, index_col=KEY)
    except (OSError, ValueError):
        return {}
    return table.to_dict("index")


def _write(path: Path, known: Mapping[str, Mapping[str, object]]) -> None:
    with atomic_path(path) as temporary:
        table = pd.DataFrame.from_dict(known, orient="index").rename_axis(KEY)
        table.to_csv(temporary, lineterminator="\n")
