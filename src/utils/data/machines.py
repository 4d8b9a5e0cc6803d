"""Work that grows with the pictures, done here or, with SCHEDULER set, on the machines of a cluster.

Everything that looks at pictures one by one is a function from a list of items to one value each.
`compute_values` is the one place that decides where such a function runs. `cluster` knows the other machines:
it, and the engine behind it (Dask), is imported only when SCHEDULER is set.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from src.utils.settings import UserError

SCHEDULER_VARIABLE = "SCHEDULER"

# By name, not by an import statement: stored results belong to the code that made them, and which machine ran
# that code is no part of it.
_CLUSTER = "src.utils.data.cluster"

Item = TypeVar("Item")
Value = TypeVar("Value")


class ModelFiles(NamedTuple):
    """Files that a function needs on whichever machine it runs: in its pickle they stand for their content.

    Where it arrives, this is the path of the same file, or of a folder of that name with these files.

    Attributes:
        path: A file, or a folder.
        names: Of a folder, which of its files.
    """

    path: Path
    names: tuple[str, ...] = ()


def compute_values(
    function: Callable[[list[Item]], Iterable[Value]], items: Sequence[Item]
) -> Iterator[tuple[int, Value]]:
    """Apply a function to items, here or part by part on the machines of SCHEDULER.

    Args:
        function: Gives the value of each item in turn. It may run on another machine, so it reads files that
            all machines see under one name, and what it holds can be pickled; models say how (`ModelFiles`).
        items: Such as file names, or positions in lists that `function` knows.

    Yields:
        Place of an item among `items`, and its value: here in order, from a cluster as parts are finished.

    Raises:
        UserError: What `function` raised, after the values before it; or the cluster cannot be used.
    """
    if not items:
        return
    if address := os.environ.get(SCHEDULER_VARIABLE):
        yield from _cluster().compute_values(address, function, items)
    else:
        yield from enumerate(function(list(items)))


def in_order(values: Iterable[tuple[int, Value]]) -> Iterator[Value]:
    """Values from `compute_values` in the order of their items; those that come early wait."""
    early: dict[int, Value] = {}
    turn = 0
    for place, value in values:
        early[place] = value
        while turn in early:
            yield early.pop(turn)
            turn += 1


def _cluster() -> Any:
    try:
        return importlib.import_module(_CLUSTER)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{SCHEDULER_VARIABLE} is set, but {error.name} is not installed: run "
            '`.venv/bin/python -m pip install -e ".[cluster]"`, here and on every worker.'
        ) from error
