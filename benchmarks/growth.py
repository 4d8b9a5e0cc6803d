"""Does a step cost a picture the same, however many there are? `python -m benchmarks.growth [PICTURES …]`.

For each number of pictures a process of its own makes as many small JPEG files (one in a thousand cut short),
walks the road from the files to an evaluated split, and tells what each step took. Fails if a step costs more
than `GROWTH` times as much a picture at the largest number as at the one before it, or if a process needed
more memory than `MEMORY_LIMIT_GB`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.analysis.scoring.evaluation import Scores, evaluate_split
from src.utils.analysis.stats.bootstrap import bootstrap
from src.utils.data.duplicates import merge_near_duplicates
from src.utils.data.manifest import read_manifest, scan_images, usable_rows, write_manifest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.pixel_cache import open_pixel_cache
from src.utils.data.split import assign_splits, build_split_tree, find_leaks, group_weights
from src.utils.settings import PROJECT_ROOT

Result = TypeVar("Result")

PICTURES = (800, 8_000, 80_000)
SIDE = 96
"""Of each picture, in pixels: the steps are what is measured, not the decoder."""

CACHED_SIDE = 32

GROWTH = 2.0
"""How many times as much a picture may cost among ten times as many."""

WORTH_COMPARING = 0.5
"""Seconds below which a step is noise."""

MEMORY_LIMIT_GB = 2.0


def main() -> int:
    """Measure every number of pictures, print the table, and say whether costs stay flat."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("pictures", nargs="*", type=int, default=PICTURES)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(walk(Path(folder), options.measure)))
        return 0
    measured = {number: measure_apart(number) for number in sorted(options.pictures)}
    print(as_table(measured))
    problems = find_problems(measured)
    print(*problems or ["Every step costs a picture the same, however many there are."], sep="\n")
    return bool(problems)


def measure_apart(pictures: int) -> dict[str, dict[str, float]]:
    """`walk` in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.growth", "--measure", str(pictures)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def walk(folder: Path, pictures: int) -> dict[str, dict[str, float]]:
    """Files, manifest, groups, split, folders, pixels, intervals.

    Returns:
        For each step `seconds`, and `peak_gb`, the most memory that the process had held by then.
    """
    measured: dict[str, dict[str, float]] = {}

    def step(name: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        measured[name] = {"seconds": time.perf_counter() - start, "peak_gb": peak_memory()}
        return result

    raw_dir, processed_dir, interim = folder / "raw", folder / "processed", folder / "interim"
    table, store = make_files(raw_dir, pictures), interim / "scan.sqlite"
    manifest = step("scan", lambda: scan_images(raw_dir, table, store, progress=False))
    step("scan again", lambda: scan_images(raw_dir, table, store, progress=False))
    manifest = step("merge near-duplicates", lambda: merge_near_duplicates(manifest))
    manifest = step("assign splits", lambda: assign_splits(manifest))
    step("find leaks", lambda: find_leaks(manifest))
    weight = step("group weights", lambda: group_weights(manifest))
    step("write manifest", lambda: write_manifest(processed_dir / "images.csv", manifest))
    step("read manifest", lambda: read_manifest(processed_dir / "images.csv"))
    step("build folders", lambda: build_split_tree(manifest, raw_dir, processed_dir, progress=False))
    step("build folders again", lambda: build_split_tree(manifest, raw_dir, processed_dir, progress=False))
    images = usable_rows(manifest)
    cache = step(
        "fill the pixel cache",
        lambda: open_pixel_cache(images, raw_dir, interim, size=CACHED_SIDE, progress=False),
    )
    step("read the pixel cache", lambda: [cache.gather(rows) for rows in batches(len(cache))])
    score = np.random.default_rng(0).random(len(images))
    label, weight = images["label"].to_numpy(), np.asarray(weight)[images.index]
    mean = step(
        "bootstrap",
        lambda: bootstrap(
            lambda drawn: {"mean": float(np.average(score, weights=drawn))}, images["group"], label, weight
        ),
    )
    assert mean["mean"].low is not None
    step("evaluate", lambda: evaluate_split(images, {"random": Scores(score, None)}, "test", seed=0))
    return measured


def batches(rows: int) -> list[np.ndarray]:
    """Row numbers, 32 at a time, shuffled as in training."""
    order = np.random.default_rng(0).permutation(rows)
    return [order[start : start + 32] for start in range(0, rows, 32)]


def make_files(raw_dir: Path, pictures: int) -> pd.DataFrame:
    """Random smooth pictures in Kaggle's layout, AI and human in turn; every thousandth is cut short."""
    names = [f"train_data/{row:06d}.jpg" for row in range(pictures)]
    (raw_dir / "train_data").mkdir(parents=True)

    def make(row: int) -> None:
        coarse = np.random.default_rng(row).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        path = raw_dir / names[row]
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
        if row % 1000 == 999:
            path.write_bytes(path.read_bytes()[:-1000])

    for _ in map_ahead(make, range(pictures)):
        pass
    groups = [f"pair_{row // 2:06d}" for row in range(pictures)]
    return pd.DataFrame({"file_name": names, "label": 1 - np.arange(pictures) % 2, "group": groups})


def peak_memory() -> float:
    """The most memory this process ever held, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


def as_table(measured: dict[int, dict[str, dict[str, float]]]) -> str:
    """Microseconds a picture for every step and number of pictures, and each process's peak memory."""
    numbers = list(measured)
    lines = [f"{'microseconds a picture':<24}" + "".join(f"{number:>12,}" for number in numbers)]
    for name in measured[numbers[0]]:
        costs = (1e6 * measured[number][name]["seconds"] / number for number in numbers)
        lines.append(f"{name:<24}" + "".join(f"{cost:>12,.1f}" for cost in costs))
    peaks = (max(step["peak_gb"] for step in measured[number].values()) for number in numbers)
    return "\n".join([*lines, f"{'peak memory, GB':<24}" + "".join(f"{peak:>12.2f}" for peak in peaks)])


def find_problems(measured: dict[int, dict[str, dict[str, float]]]) -> list[str]:
    """Steps that grow faster than the pictures, and too much memory, a sentence each."""
    *_, largest = measured
    problems = []
    if len(measured) > 1:
        before = list(measured)[-2]
        for name, now in measured[largest].items():
            growth = now["seconds"] / largest * before / measured[before][name]["seconds"]
            if now["seconds"] >= WORTH_COMPARING and growth > GROWTH:
                problems.append(f"{name}: a picture costs {growth:.1f} times as much as among {before:,}.")
    peak = max(step["peak_gb"] for step in measured[largest].values())
    if peak > MEMORY_LIMIT_GB:
        problems.append(f"{largest:,} pictures took {peak:.1f} GB of memory, more than {MEMORY_LIMIT_GB:g}.")
    return problems


if __name__ == "__main__":
    sys.exit(main())
