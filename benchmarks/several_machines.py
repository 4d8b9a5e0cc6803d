"""Measure workers beside this machine alone: `python -m benchmarks.several_machines [--pictures N]`.

Each worker is a process of one thread; on Linux it is held to one processor, in turn. As many workers as
there are processors show what dividing the work costs. More than that share processors: they show only that
nothing breaks, and what the engine itself takes. A real cluster's network and storage are not in these
numbers. Printed as a table and written to reports/several_machines.json.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.run import best_bundle, describe_machine, make_picture
from src.utils.data.machines import SCHEDULER_VARIABLE
from src.utils.data.manifest import scan_images
from src.utils.files import write_json
from src.utils.predict import predict
from src.utils.settings import PROJECT_ROOT

WORKERS = (1, 2, 4)
RESULT = PROJECT_ROOT / "reports" / "several_machines.json"

Work = Callable[[list[Path]], Any]
"""Looks at some pictures."""


def main() -> int:
    """Run every piece of work on every number of workers, print the table and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.several_machines")
    parser.add_argument("--pictures", type=int, default=1024)
    pictures = parser.parse_args().pictures
    os.environ.pop(SCHEDULER_VARIABLE, None)
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / f"{number}.jpg" for number in range(pictures)]
        for number, path in enumerate(paths):
            make_picture(path, number)
        works = make_works()
        rows = [measure(works, paths, 0)]
        for workers in WORKERS:
            with start_workers(workers):
                rows.append(measure(works, paths, workers))
    report = {
        "schema": 1,
        "machine": describe_machine(),
        "pictures": f"{pictures} pictures, generated, 768 × 768 JPEG",
        "rows": rows,
    }
    write_json(RESULT, report)
    for row in rows:
        print(row["workers"] or "alone", row["pictures_per_second"])
    print(f"Written to {RESULT.relative_to(PROJECT_ROOT)}.")
    return 0


def make_works() -> dict[str, Work]:
    """What is timed: looking at files, and the best model's answers where there is one."""
    works: dict[str, Work] = {"looking at files": scan}
    if folder := best_bundle():
        from src.utils.models.bundle.predictor import Predictor

        predictor = Predictor.load(folder)
        works["predictions by best"] = lambda paths: list(predict(predictor, [str(path) for path in paths]))
    return works


def scan(paths: list[Path]) -> pd.DataFrame:
    """Make the manifest of some pictures, remembering nothing."""
    table = pd.DataFrame({"file_name": [path.name for path in paths], "label": 0})
    return scan_images(paths[0].parent, table, progress=False)


def measure(works: dict[str, Work], paths: list[Path], workers: int) -> dict[str, Any]:
    """Pictures a second of each piece of work, after a tenth of them that does not count."""
    rates = {}
    for name, work in works.items():
        work(paths[: len(paths) // 10])
        began = time.perf_counter()
        work(paths)
        rates[name] = round(len(paths) / (time.perf_counter() - began), 1)
    return {"workers": workers, "pictures_per_second": rates}


@contextlib.contextmanager
def start_workers(number: int) -> Iterator[None]:
    """Set SCHEDULER to that of so many workers while the block lasts."""
    from distributed import Client, LocalCluster

    environment = {"MODEL_THREADS": "1"}
    with (
        LocalCluster(
            n_workers=number, threads_per_worker=1, dashboard_address=None, env=environment
        ) as cluster,
        Client(cluster) as client,
    ):
        for place, address in enumerate(client.scheduler_info(n_workers=-1)["workers"]):
            client.run(partial(hold_to_one_processor, place), workers=[address])
        os.environ[SCHEDULER_VARIABLE] = cluster.scheduler_address
        try:
            yield
        finally:
            del os.environ[SCHEDULER_VARIABLE]


def hold_to_one_processor(place: int) -> None:
    """Hold this process and all its threads to one of the machine's processors, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return
    processors = sorted(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processors[place % len(processors)]})


if __name__ == "__main__":
    sys.exit(main())
