"""Time our way beside the deck's and the machine's limit: `python -m benchmarks.run [--quick]`.

Both ways do the same work on the same pictures in the same process, turn by turn, so that whatever else the
machine does meets both, and each turn also measures what the machine could do at most (`benchmarks.limits`).
Only the web servers and commands are processes of their own (`benchmarks.server`, `benchmarks.commands`).
Printed as a table and written to reports/benchmark.json.
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

from benchmarks import commands, detector_cost, evaluating, server
from benchmarks.limits import Need, answering_needs, copying, decoding_need
from benchmarks.timing import Task, measure
from src.utils.data.pictures.listing import is_image_name
from src.utils.environment import quiet_start
from src.utils.files import write_json
from src.utils.models.bundle.bundle import FACTS_FILE, PREFERRED
from src.utils.models.encoder.runtime import ENCODER_FILE
from src.utils.settings import PROJECT_ROOT, Settings

LABELLED = 6
"""Pictures that VGG19 names in a run; the deck's way takes a second each."""

ENCODED = 6
"""Pictures that a network of CLIP's size encodes in a run."""

BUNDLE = "cnn_deck"
RESULT = PROJECT_ROOT / "reports" / "benchmark.json"


def main() -> int:
    """Run all tasks, print the table and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures and repeats")
    quick = parser.parse_args().quick
    pictures, repeats = (64, 2) if quick else (96, 3)
    seconds, turns = (1.5, 1) if quick else (3.0, 2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        origin = collect_pictures(folder, pictures)
        with quiet_start():
            tasks, once = make_tasks(folder, Path(scratch))
        rows = [measure(task, repeats) for task in tqdm(tasks, "Timing", unit="task")]
        uploads = sorted(folder.glob("[01]/*"))
        print("Judging a detector …", flush=True)
        more = Path(scratch) / "judged"
        collect_pictures(more, pictures if quick else evaluating.ORIGINALS)
        most = pictures if quick else evaluating.PICTURES
        judged = evaluating.benchmark_evaluating(more, Path(scratch), best_bundle(), most)
        print("Serving uploads …", flush=True)
        served = server.benchmark_server(Path(scratch) / BUNDLE, uploads, seconds, turns, best_bundle())
        print("Starting commands …", flush=True)
        once |= {
            "seconds": commands.time_commands(best_bundle() or Path(scratch) / BUNDLE, uploads[0], turns)
        }
    print("Asking a detector of others' architecture …", flush=True)
    report = {
        "schema": 2,
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
    """The comparisons, and what our way pays once before the first of them.

    Whatever else is to be timed adds its task at the end: a module of its own here, with one function that
    takes paths of pictures and gives a `Task`.
    """
    from benchmarks import deck_way, encoding, labelling, our_way

    images = our_way.list_images(folder)
    paths = [folder / name for name in images["file_name"]]
    started = time.perf_counter()
    cache = our_way.build_cache(images, folder, scratch / "cache")
    once = {"decoding_pictures_per_second": round(len(images) / (time.perf_counter() - started), 1)}
    examples = our_way.all_examples(images)
    predictor = our_way.make_predictor(scratch / BUNDLE)
    one = cache.gather(np.array([0]))
    few, calls = paths[:: max(1, len(paths) // 64)], 10
    answering = answering_needs(scratch / BUNDLE)
    tasks = [
        Task(
            "feeding one epoch",
            len(paths),
            our_way.make_feed(cache, examples),
            deck_way.make_feed(folder),
            (Need(one.nbytes, copying()),),
        ),
        Task(
            "training one epoch",
            len(paths),
            our_way.make_epoch(cache, examples),
            deck_way.make_epoch(folder),
            our_way.training_needs(),
        ),
        Task(
            "one prediction a call",
            calls,
            repeatedly(calls, lambda: predictor.predict_pixels(one)),
            repeatedly(calls, deck_way.make_predict_pixels(one)),
            answering,
        ),
        Task(
            "a folder of files",
            len(few),
            lambda: list(predictor.predict_files(few)),
            deck_way.make_predict_files(few),
            (*answering, decoding_need(few)),
        ),
        Task(
            "scanning files",
            len(paths),
            lambda: our_way.scan(images, folder),
            needs=(decoding_need(paths),),
        ),
        Task(
            "decoding files",
            len(paths),
            our_way.make_decoding(images, folder, scratch / "decoded"),
            deck_way.make_decoding(paths),
            (decoding_need(paths),),
        ),
        labelling.vgg19_task(few[:LABELLED]),
        labelling.lite0_task(few),
        encoding.clip_task(few[:ENCODED], scratch / "clip"),
    ]
    best = best_bundle()
    if best and (best / ENCODER_FILE).is_file():
        name = "encoding, the improved model's encoder"
        tasks.append(encoding.encoding_task(name, best / ENCODER_FILE, few[: 2 * ENCODED]))
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
        *(f"{name}: {seconds} s" for name, seconds in report["once"].get("seconds", {}).items()),
        "",
        f"{'pictures a second':<40}{'other':>9}{'here':>9}{'faster':>9}{'limit':>9}{'share':>8}{'cores':>7}",
    ]
    for row in report["tasks"]:
        other, ours, limit = row.get("deck", {}), row["ours"], row.get("limit", {})
        share = f"{limit['share']:.0%}" if limit else ""
        lines.append(
            f"{row['name']:<40}{other.get('pictures_per_second', ''):>9}{ours['pictures_per_second']:>9}"
            f"{times_text(row):>9}{limit.get('pictures_per_second', ''):>9}"
            f"{share:>8}{ours['busy_cores']:>7}"
        )
    lines += ["", *detector_cost.as_lines(report["detector"]), *evaluating.as_lines(report["evaluating"])]
    return "\n".join([*lines, "", *server.as_lines(report["server"])])


def times_text(row: dict[str, Any]) -> str:
    """How many times as fast as the other way; empty without one."""
    return f"{row['times_faster']}×" if "times_faster" in row else ""


if __name__ == "__main__":
    sys.exit(main())
