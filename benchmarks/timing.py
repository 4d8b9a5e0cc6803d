"""Timing two ways of doing the same work turn by turn, beside what the machine could do at most meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.limits import Need, Rates


@dataclass(frozen=True)
class Task:
    """One piece of work, done our way and, where there is one to compare with, in another.

    Attributes:
        name: What is done.
        pictures: How many pictures one run handles.
        ours: Does it our way.
        deck: Does it the other way, if there is one.
        needs: What a picture needs of the machine at the least; empty if no limit is known.
        other: What the other way is, if not the deck's.
    """

    name: str
    pictures: int
    ours: Callable[[], Any]
    deck: Callable[[], Any] | None = None
    needs: tuple[Need, ...] = ()
    other: str = ""


@dataclass(frozen=True)
class Timing:
    """Medians over the repeats of one way.

    Attributes:
        seconds: Wall time of one run.
        pictures_per_second: Its inverse for one picture.
        busy_cores: Processor time per wall time.
        runs: Wall time of every run, in seconds.
    """

    seconds: float
    pictures_per_second: float
    busy_cores: float
    runs: list[float]


def measure(task: Task, repeats: int) -> dict[str, Any]:
    """Time both ways and the machine's limit in turns, after a run of each that is not counted."""
    ways = {"deck": task.deck, "ours": task.ours}
    ways = {name: work for name, work in ways.items() if work}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    rates = Rates(task.needs)
    for repeat in range(repeats + 1):
        for name, work in ways.items():
            timing = time_once(work)
            if repeat:
                runs[name].append(timing)
        if repeat:
            rates.measure()
    timings = {name: summarise(task.pictures, pairs) for name, pairs in runs.items()}
    row = {
        "name": task.name,
        "pictures": task.pictures,
        **{name: asdict(timing) for name, timing in timings.items()},
    }
    if task.other:
        row["other"] = task.other
    if "deck" in timings:
        row["times_faster"] = round(timings["deck"].seconds / timings["ours"].seconds, 2)
    return row | rates.as_limit(task.pictures / timings["ours"].seconds)


def time_once(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def summarise(pictures: int, runs: list[tuple[float, float]]) -> Timing:
    """Medians of (wall, processor) pairs."""
    seconds = statistics.median(wall for wall, _ in runs)
    return Timing(
        seconds=round(seconds, 5),
        pictures_per_second=round(pictures / seconds, 1),
        busy_cores=round(statistics.median(processor / wall for wall, processor in runs), 2),
        runs=[round(wall, 5) for wall, _ in runs],
    )
