"""Work in threads with an ordered result and a bounded queue."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    ahead: int | None = None,
) -> Iterator[Result]:
    """Apply `function` in threads and yield the results in the order of `items`.

    Unlike `Executor.map` it takes items only as results are consumed, so a million items need no more
    memory than a few. Threads are enough for pictures: Pillow decodes and resizes without the interpreter
    lock.

    Args:
        function: Called once per item, in another thread.
        items: Any iterable; may be endless.
        workers: Threads; one per processor by default.
        ahead: Results computed or waiting at any moment; four per worker by default.

    Yields:
        One result per item, in order.

    Raises:
        Exception: Whatever `function` raised, at that item's turn; what waits is dropped.
    """
    workers = workers or os.cpu_count() or 1
    remaining = iter(items)
    pool = ThreadPoolExecutor(workers)
    try:
        pending = deque(pool.submit(function, item) for item in islice(remaining, ahead or 4 * workers))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
