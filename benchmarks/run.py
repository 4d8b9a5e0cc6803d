"""Time our way beside the deck's: `python -m benchmarks.run [--quick]`.

Both ways do the same work on the same pictures in the same process, turn by turn, so that whatever else the
machine does meets both; only the two web servers are processes of their own (`benchmarks.server`). Printed as
a table and written to reports/benchmark.json.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks import detector_cost, evaluating, server
from benchmarks.timing import Task, measure
from src.utils.data.pictures.listing import is_image_name
from src.utils.environment import quiet_start
from src.utils.files import write_json
from src.utils.models.bundle.bundle import FACTS_FILE, PREFERRED
from src.utils.settings import PROJECT_ROOT, Settings

LABELLED = 16
"""Pictures that VGG19 names in a run; the deck's way takes a second each."""

BUNDLE = "cnn_deck"
RESULT = PROJECT_ROOT / "reports" / "benchmark.json"


def main() -> int:
    """Run all tasks, print the table and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures and repeats: about two minutes")
    quick = parser.parse_args().quick
    pictures, repeats = (64, 3) if quick else (192, 5)
    seconds, turns = (1.5, 1) if quick else (5.0, 3)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        origin = collect_pictures(folder, pictures)
        with quiet_start():
            tasks, once = make_tasks(folder, Path(scratch))
        rows = [measure(task, repeats) for task in tqdm(tasks, "Timing", unit="task")]
        print("Judging a detector …", flush=True)
        most = len(list(folder.glob("[01]/*"))) if quick else evaluating.PICTURES
        judged = evaluating.benchmark_evaluating(folder, Path(scratch), best_bundle(), most)
        print("Serving uploads …", flush=True)
        uploads = sorted(folder.glob("[01]/*"))
        served = server.benchmark_server(Path(scratch) / BUNDLE, uploads, seconds, turns, best_bundle())
    print("Asking a detector of others' architecture …", flush=True)
    report = {
        "schema": 1,
        "machine": describe_machine(),
        "pictures": origin,
        "repeats": repeats,
        "once": once,
        "tasks": rows,
        "evaluating": judged,
        "server": served,
        "detector": detector_cost.measure_all(quick),
    }
    write_json(RESULT, report)
    print(as_table(report))
    print(f"Written to {RESULT.relative_to(PROJECT_ROOT)}.")
    return 0


def collect_pictures(folder: Path, number: int) -> str:
    """Link some pictures of the training split into `folder`/{0,1}, or make them up; say which."""
    settings = Settings.from_env()
    split = settings.processed_dir / "train"
    found = {
        label: sorted(filter(lambda path: is_image_name(path.name), split.glob(f"{label}/*")))
        for label in "01"
    }
    per_class = number // 2
    enough = all(len(paths) >= per_class for paths in found.values())
    for label, paths in found.items():
        (folder / label).mkdir(parents=True)
        for index in range(per_class):
            if enough:
                path = paths[index * len(paths) // per_class]
                (folder / label / path.name).symlink_to(path.resolve())
            else:
                make_picture(folder / label / f"{index}.jpg", seed=2 * index + int(label))
    kind = f"of the {settings.source} source's training split" if enough else "generated, 768 × 768 JPEG"
    return f"{2 * per_class} pictures {kind}"


def make_picture(path: Path, seed: int) -> None:
    """A smooth random picture of the size Kaggle's have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((768, 768), Image.Resampling.BICUBIC).save(path, quality=90)


def make_tasks(folder: Path, scratch: Path) -> tuple[list[Task], dict[str, float]]:
    """The comparisons, and what our way pays once before the first of them."""
    from benchmarks import deck_way, labelling, our_way

    images = our_way.list_images(folder)
    started = time.perf_counter()
    cache = our_way.build_cache(images, folder, scratch / "cache")
    once = {"decoding_pictures_per_second": round(len(images) / (time.perf_counter() - started), 1)}
    examples, paths = our_way.all_examples(images), [folder / name for name in images["file_name"]]
    predictor = our_way.make_predictor(scratch / BUNDLE)
    one = cache.gather(np.array([0]))
    few = paths[:: max(1, len(paths) // 64)]
    number, calls = len(images), 10
    tasks = [
        Task("feeding one epoch", number, deck_way.make_feed(folder), our_way.make_feed(cache, examples)),
        Task("training one epoch", number, deck_way.make_epoch(folder), our_way.make_epoch(cache, examples)),
        Task(
            "one prediction a call",
            calls,
            repeatedly(calls, deck_way.make_predict_pixels(one)),
            repeatedly(calls, lambda: predictor.predict_pixels(one)),
        ),
        Task(
            "a folder of files",
            len(few),
            deck_way.make_predict_files(few),
            lambda: list(predictor.predict_files(few)),
        ),
        labelling.labelling_task(few[:LABELLED]),
    ]
    return tasks, once


def best_bundle() -> Path | None:
    """Folder of the best model, if it has been trained."""
    folder = Settings.from_env().models_dir / PREFERRED
    return folder if (folder / FACTS_FILE).is_file() else None


def repeatedly(times: int, work: Callable[[], Any]) -> Callable[[], None]:
    """The same call some times over, for work too short to time alone."""

    def run() -> None:
        for _ in range(times):
            work()

    return run


def describe_machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    from src.utils.models.bundle.bundle import library_versions
    from src.utils.models.training.precision import choose_precision

    precision = choose_precision(Settings.from_env().precision)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "peak_memory_mb": round(peak / (2**20 if sys.platform == "darwin" else 2**10)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": library_versions(),
        "training_precision": f"{precision.policy}, because {precision.reason}",
    }


def processor_name() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def as_table(report: dict[str, Any]) -> str:
    """The report as lines of text."""
    machine = report["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}",
        report["pictures"],
        f"training in {machine['training_precision']}",
        f"decoding into the cache, once: {report['once']['decoding_pictures_per_second']} pictures/s",
        "",
        f"{'pictures a second':<24}{'the deck':>10}{'here':>10}{'faster':>9}{'cores: deck':>13}{'here':>6}",
    ]
    for row in report["tasks"]:
        deck, ours = row["deck"], row["ours"]
        lines.append(
            f"{row['name']:<24}{deck['pictures_per_second']:>10}{ours['pictures_per_second']:>10}"
            f"{row['times_faster']:>8}×{deck['busy_cores']:>13}{ours['busy_cores']:>6}"
        )
    lines += ["", *detector_cost.as_lines(report["detector"]), *evaluating.as_lines(report["evaluating"])]
    return "\n".join([*lines, "", *server.as_lines(report["server"])])


if __name__ == "__main__":
    sys.exit(main())
