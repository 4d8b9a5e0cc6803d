"""Show that 80,000 pictures stay comfortable: `python -m benchmarks.manifest_80k [--pictures N]`.

Makes that many small JPEG files in a temporary folder (one in a thousand cut short), then walks the road from
the files to the split folders and prints seconds and the peak memory of the process after each step.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.duplicates import merge_near_duplicates
from src.utils.data.manifest import read_manifest, scan_images, unreadable_report, write_manifest
from src.utils.data.parallel import map_ahead
from src.utils.data.split import assign_splits, build_split_tree, find_leaks, group_weights

Result = TypeVar("Result")

MEMORY_LIMIT_GB = 2.0


def main() -> None:
    """Run all steps and fail if memory passed the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=80_000)
    parser.add_argument("--side", type=int, default=192, help="of each picture, in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peak = walk(Path(folder), options.pictures, options.side)
    print(f"peak memory {peak:.2f} GB, limit {MEMORY_LIMIT_GB} GB")
    if peak > MEMORY_LIMIT_GB:
        sys.exit(1)


def walk(folder: Path, pictures: int, side: int) -> float:
    """Files, manifest, groups, split and folders; returns the peak memory in GB."""
    raw_dir, processed_dir, cache = folder / "raw", folder / "processed", folder / "interim" / "scan.sqlite"
    table = step("make files", lambda: make_files(raw_dir, pictures, side))
    manifest = step("scan", lambda: scan_images(raw_dir, table, cache))
    step("scan again", lambda: scan_images(raw_dir, table, cache, progress=False))
    manifest = step("merge near-duplicates", lambda: merge_near_duplicates(manifest))
    manifest = step("assign splits", lambda: assign_splits(manifest))
    step("find leaks", lambda: find_leaks(manifest))
    step("group weights", lambda: group_weights(manifest))
    step("write manifest", lambda: write_manifest(processed_dir / "images.csv", manifest))
    step("read manifest", lambda: read_manifest(processed_dir / "images.csv"))
    step("build folders", lambda: build_split_tree(manifest, raw_dir, processed_dir, progress=False))
    step("build folders again", lambda: build_split_tree(manifest, raw_dir, processed_dir, progress=False))
    print(unreadable_report(manifest).to_string(index=False))
    return peak_memory()


def make_files(raw_dir: Path, pictures: int, side: int) -> pd.DataFrame:
    """Random smooth pictures in Kaggle's layout, AI and human in turn; every thousandth is cut short."""
    names = [f"train_data/{row:06d}.jpg" for row in range(pictures)]
    (raw_dir / "train_data").mkdir(parents=True)

    def make(row: int) -> None:
        coarse = np.random.default_rng(row).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        path = raw_dir / names[row]
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)
        if row % 1000 == 999:
            path.write_bytes(path.read_bytes()[:-1000])

    for _ in map_ahead(make, range(pictures)):
        pass
    groups = [f"pair_{row // 2:06d}" for row in range(pictures)]
    return pd.DataFrame({"file_name": names, "label": 1 - np.arange(pictures) % 2, "group": groups})


def step(name: str, work: Callable[[], Result]) -> Result:
    """Do one step and print how long it took."""
    start = time.perf_counter()
    result = work()
    print(f"{name:24}{time.perf_counter() - start:9.1f} s   peak {peak_memory():.2f} GB", flush=True)
    return result


def peak_memory() -> float:
    """The most memory this process ever held, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


if __name__ == "__main__":
    main()
