"""Run every numbered notebook headless, in order, and only those that are not up to date.

`make reproduce` calls `python -m src.utils.pipeline.run`. Each executed copy, with its outputs, goes to
`reports/<source>/notebooks/` as a notebook and as a web page; `notebooks/` itself stays as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.utils.files import write_text
from src.utils.names import interval_text, model_name
from src.utils.pipeline.stages import Stage, load_stages, mark_done, stage_inputs, why_stale
from src.utils.settings import PROJECT_ROOT, Settings, UserError

CELL_SECONDS = None
"""No time limit for a cell: training on the full dataset takes hours."""

ESTIMATE = re.compile(r"(?:At most about|About) ")
"""How a printed estimate begins; a log shows these lines, a terminal shows everything as it comes."""

_TRAINING = re.compile(r"(\S+): training in ")
"""What is printed before a training starts: the estimate that follows is its own."""

BEST_FIGURES = ("11_makers", "05_roc", "05_confusion_matrix", "02_examples")
"""The figure to look at first: the first of these that there is."""

ANSWER = "13_kaggle_submission"
"""The notebook that closes with the answer."""

_NOTES = re.compile(
    r"WARNING: All log messages before absl|[IWEF]0000 |To enable the following instr|Downloading data from "
    r"|[^\r\n]*\d%\||\r"
)
"""What TensorFlow writes while it starts, before any of its settings is read, what Keras says of downloads,
and progress bars: a terminal shows them, a stored notebook does not."""


class StageFailed(Exception):
    """A notebook stopped with an error; the message says where and why."""


class Console:
    """The run's lines on the terminal: one that is redrawn while a notebook runs, plain lines in a log."""

    def __init__(self) -> None:
        self.stream = sys.stderr
        self.live = self.stream.isatty()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        print(("\r\x1b[K" if self.live else "") + text, file=self.stream, flush=True)

    def status(self, text: str) -> None:
        """Redraw the status line; a log shows none."""
        if self.live:
            print(f"\r\x1b[K{text[:110]}", end="", file=self.stream, flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, such as `4:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def last_words(text: str) -> str:
    """The newest non-empty line of some output, as a terminal would show it (a bar overwrites itself)."""
    lines = [line.strip() for line in re.split(r"[\r\n]", text)]
    return next((line for line in reversed(lines) if line), "")


def without_notes(content: Mapping[str, Any]) -> dict[str, Any]:
    """Take the notes of libraries out of a stream message's text."""
    lines = content["text"].splitlines(keepends=True)
    return {**content, "text": "".join(line for line in lines if not _NOTES.match(line))}


def estimates(text: str, training: str = "") -> tuple[list[str], str]:
    """Find the estimates in what was printed, each with the training that it belongs to.

    Args:
        text: What was printed.
        training: The training that was said to begin before; empty for none.

    Returns:
        Lines such as `cnn_deck: About 2 minutes …`, and the training that was said to begin last.
    """
    found = []
    for line in text.splitlines():
        if begins := _TRAINING.match(line):
            training = begins[1]
        elif ESTIMATE.match(line):
            found.append(f"{training}: {line}" if training else line)
            training = ""
    return found, training


def execute(stage: Stage, settings: Settings, console: Console, title: str) -> None:
    """Execute one notebook in a fresh kernel and keep the executed copy, finished or not.

    Args:
        stage: The notebook.
        settings: This run's parameters; the kernel gets `kernel_environment()`.
        console: Where progress is shown.
        title: Opens every status line, such as `[4/13] 04_train_cnn`.

    Raises:
        StageFailed: A cell raised an error.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbconvert import HTMLExporter

    notebook = nbformat.read(stage.path, as_version=4)
    began = time.monotonic()
    count = len(notebook.cells)

    class Client(NotebookClient):
        training = ""

        def output(self, outs, msg, display_id, cell_index):
            if msg["msg_type"] == "stream":
                text = msg["content"]["text"]
                if words := last_words(text):
                    where = f"{title}  {clock(time.monotonic() - began)}  cell {cell_index + 1}/{count}"
                    console.status(f"{where}  {words}")
                found, self.training = estimates(text, self.training)
                for estimate in [] if console.live else found:
                    console.line(f"      {settings.source}, {estimate}")
                msg = {**msg, "content": without_notes(msg["content"])}
                if not msg["content"]["text"]:
                    return None
            return super().output(outs, msg, display_id, cell_index)

    def started(cell, cell_index) -> None:
        console.status(f"{title}  {clock(time.monotonic() - began)}  cell {cell_index + 1}/{count}")

    client = Client(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(stage.path.parent)}},
        on_cell_start=started,
        coalesce_streams=True,
    )
    try:
        # What matters of stderr arrives as output.
        client.execute(stderr=subprocess.DEVNULL, env=kernel_environment())
    except CellExecutionError as error:
        raise StageFailed(failure(stage, notebook, f"{error.ename}: {error.evalue}")) from None
    except DeadKernelError:
        reason = "its Python process died, usually because the memory ran out"
        raise StageFailed(failure(stage, notebook, reason)) from None
    finally:
        folder = settings.reports_dir / "notebooks"
        write_text(folder / f"{stage.name}.ipynb", nbformat.writes(notebook) + "\n")
        page, _ = HTMLExporter(embed_images=True).from_notebook_node(
            notebook, resources={"metadata": {"name": stage.name}}
        )
        write_text(folder / f"{stage.name}.html", page)


def kernel_environment() -> dict[str, str]:
    """This process's environment, with the code of this very checkout before any that is installed."""
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT_ROOT), before)))}


def failure(stage: Stage, notebook, reason: str) -> str:
    """Name the notebook, the cell and the reason in one line."""
    ran = [index for index, cell in enumerate(notebook.cells, 1) if cell.get("execution_count")]
    cell = f", cell {ran[-1]}" if ran else ""
    return f"{stage.name}{cell}: {last_words(reason)}"


def run_stage(stage: Stage, settings: Settings, console: Console, title: str) -> float:
    """Run one stage, merge its results with the others' and remember its inputs; return the seconds it took.

    Raises:
        StageFailed: A cell raised an error, or a promised file was not written.
    """
    began = time.monotonic()
    before = stage_inputs(stage, settings)
    execute(stage, settings, console, title)
    after = stage_inputs(stage, settings)
    # What was missing before, the stage made itself (01 fills data/raw, which it also reads).
    inputs = {name: after.get(name, value) if value == "missing" else value for name, value in before.items()}
    seconds = time.monotonic() - began
    merge_results(settings)  # before the stage counts as done: what is up to date is merged
    try:
        mark_done(stage, settings, inputs, seconds)
    except FileNotFoundError as error:
        raise StageFailed(str(error)) from None
    return seconds


def run_all(settings: Settings, stages: list[Stage], force: bool, console: Console) -> int:
    """Run the stages that are not up to date, in order.

    Args:
        settings: This run's parameters.
        stages: The notebooks, in order.
        force: Run all of them, up to date or not.
        console: Where progress is shown.

    Returns:
        How many stages ran.

    Raises:
        StageFailed: A notebook stopped; the ones before it are done and will be skipped next time.
    """
    ran = 0
    for index, stage in enumerate(stages, 1):
        title = f"[{index}/{len(stages)}] {stage.name}"
        reason = "asked for" if force else why_stale(stage, settings)
        if reason is None:
            console.line(f"{title}  up to date")
            continue
        console.line(f"{title}  running ({reason}; about {stage.minutes:g} min on the sample)")
        seconds = run_stage(stage, settings, console, title)
        console.line(f"{title}  done in {clock(seconds)}")
        ran += 1
    return ran


def merge_results(settings: Settings) -> None:
    """Write what stands for the run as a whole: all numbers in one file, all answers, the model to use."""
    from src.utils.analysis.scoring.predictions import merge_predictions
    from src.utils.analysis.scoring.results import merge_metrics
    from src.utils.models.bundle.bundle import FACTS_FILE, write_default

    merge_metrics(settings.reports_dir)
    merge_predictions(settings.reports_dir)
    if any(settings.models_dir.glob(f"[!.]*/{FACTS_FILE}")):
        write_default(settings.models_dir)


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.pipeline.run", description="Run every numbered notebook headless, in order."
    )
    parser.add_argument("--only", nargs="+", metavar="NN", help="run these notebooks only, by number")
    parser.add_argument("--force", action="store_true", help="run also what is up to date")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the notebooks; exit 0 when all are up to date afterwards, 1 on failure, 130 when interrupted."""
    options = arguments().parse_args(argv)
    console = Console()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # keeps start-up chatter out of the executed notebooks
    began = time.monotonic()
    try:
        settings = Settings.from_env()
        stages = load_stages(settings.root)
        if options.only:
            stages = [stage for stage in stages if stage.number in options.only]
        if not stages:
            raise UserError(f"no notebook has a number among {', '.join(options.only)}.")
        console.line(f"Dataset: {settings.source} ({settings.source_reason})")
        console.line(
            f"Profile {settings.profile}, seed {settings.seed}, {settings.split_method} split, "
            f"EPOCHS={settings.epochs}, SEEDS={settings.seeds}."
        )
        ran = run_all(settings, stages, options.force, console)
    except UserError as error:
        console.line(f"Stopped: {error}")
        return 1
    except StageFailed as error:
        console.line(f"Stopped: {error}")
        console.line("What was finished is kept: run the same command again to continue from here.")
        return 1
    except KeyboardInterrupt:
        console.line("Interrupted. Run the same command again to continue from here.")
        return 130
    if not (settings.reports_dir / "metrics.json").is_file():
        merge_results(settings)
    did = f"{ran} of {len(stages)} notebooks ran" if ran else "everything was up to date"
    console.line(f"Done in {clock(time.monotonic() - began)}: {did}.")
    for line in closing(settings):
        console.line(line)
    return 0


def closing(settings: Settings) -> list[str]:
    """Say what a finished run found, the figure to look at first, and the page to open."""
    reports = Path(os.path.relpath(settings.reports_dir))
    figures = Path(os.path.relpath(settings.figures_dir))
    drawn = [figures / f"{name}.{kind}" for name in BEST_FIGURES for kind in ("png", "jpg")]
    figure = next((path for path in drawn if path.is_file()), None)
    page = reports / "notebooks" / f"{ANSWER}.html"
    return [
        *headline(settings),
        *([f"Look first at: {figure}"] if figure else []),
        *([f"Open: {page} (the answer), or ask it about a picture: make app"] if page.is_file() else []),
        f"Figures: {figures}   numbers: {reports}/metrics.json   notebooks: {reports}/notebooks",
    ]


def headline(settings: Settings) -> list[str]:
    """The headline result in a line: ROC-AUC of the model in use, on the test and on unseen sources."""
    from src.utils.analysis.scoring.results import read_finished
    from src.utils.models.bundle.bundle import default_bundle_dir

    try:
        metrics, model = read_finished(settings, "a headline"), default_bundle_dir(settings).name
    except UserError:
        return []
    areas = {
        where: metrics.get(part, {}).get(model, {}).get("auc")
        for where, part in (("on the test", "models"), ("on unseen sources", "unseen"))
    }
    said = ", ".join(f"{interval_text(area)} {where}" for where, area in areas.items() if area)
    return [f"{model_name(model)} ({model}) has a ROC-AUC of {said}."] if said else []


if __name__ == "__main__":
    sys.exit(main())
