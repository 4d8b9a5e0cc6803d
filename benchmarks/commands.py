"""How long commands take from their start to their end, as processes of their own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from src.utils.pipeline.stages import load_stages, why_stale
from src.utils.settings import PROJECT_ROOT, Settings

IMPORTING, FIRST_ANSWER, NOTHING_TO_DO = (
    "import src.utils.predict",
    "first answer of make predict",
    "make reproduce, nothing to do",
)


def time_commands(bundle: Path, picture: Path, repeats: int) -> dict[str, float]:
    """Median seconds of each command.

    Args:
        bundle: The model that answers.
        picture: What it is asked about.
        repeats: Runs that count, of each.

    Returns:
        Seconds by `IMPORTING`, `FIRST_ANSWER` and, where a finished run is there, `NOTHING_TO_DO`.
    """
    commands = {
        IMPORTING: ["-c", IMPORTING],
        FIRST_ANSWER: ["-m", "src.utils.predict", "--model", str(bundle), str(picture)],
    }
    settings = Settings.from_env()
    if not any(why_stale(stage, settings) for stage in load_stages(settings.root)):
        commands[NOTHING_TO_DO] = ["-m", "src.utils.pipeline.run"]
    return {name: seconds_of([sys.executable, *rest], repeats) for name, rest in commands.items()}


def seconds_of(command: list[str], repeats: int) -> float:
    """Median wall time of a command, after a run that is not counted.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    runs = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True)
        runs.append(time.perf_counter() - started)
    return round(statistics.median(runs[1:]), 2)
