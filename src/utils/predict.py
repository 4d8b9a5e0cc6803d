"""Ask a trained model about pictures, from the command line: `python -m src.utils.predict PATH_OR_URL…`."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from src.utils.data.pictures.formats import list_formats
from src.utils.data.pictures.listing import is_image_name, walk_files
from src.utils.data.web.fetch import fetch_image, is_url
from src.utils.datasets import DEMONSTRATION
from src.utils.environment import quiet_start
from src.utils.files import atomic_path
from src.utils.models.bundle.bundle import default_bundle_dir
from src.utils.models.bundle.predictor import COLUMNS, Predictor
from src.utils.settings import Settings, UserError

ALL_READ, SOME_FAILED, WRONG_USAGE = 0, 1, 2

ODD_BYTES = "surrogateescape"
"""A file's name that is not UTF-8 is written into CSV with the bytes it has; JSON gets escapes."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if every picture was read, 1 if some were not, 2 for wrong usage or no model.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    options = _parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace" if options.json else ODD_BYTES)
    try:
        folder = options.model or default_bundle_dir(Settings.from_env())
        with quiet_start():
            predictor = Predictor.load(folder)
        names = [name for argument in options.inputs for name in list_inputs(argument)]
        rows = tqdm(
            predict(predictor, names), "Predicting", len(names), disable=len(names) < 2, unit="picture"
        )
        record = track_record(predictor)
        if options.json:
            rows = (row | {"track_record": record} for row in rows)
        failed = _write_all(rows, options)
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_READ
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    if failed:
        print(f"{failed} of {len(names)} could not be read; the error column says why.", file=sys.stderr)
    if predictor.bundle.calibration is None:
        advice = "notebook 10 (`make reproduce`) calibrates it"
        print(f"This model is uncalibrated, so no verdict is given: {advice}.", file=sys.stderr)
    if not options.json:
        print(*record, sep="\n", end="\n" if record else "", file=sys.stderr)
    if predictor.bundle.facts.get("demonstration"):
        print(DEMONSTRATION, file=sys.stderr)
    return SOME_FAILED if failed else ALL_READ


def list_inputs(argument: str) -> Iterator[str]:
    """Name the pictures an argument stands for: itself, or for a folder all pictures below it, sorted.

    A folder without any stands for itself, so that it ends up in the results with its error.
    """
    folder = Path(argument)
    if is_url(argument) or not folder.is_dir():
        yield argument
        return
    names = [str(folder / name) for name in walk_files(folder) if is_image_name(name)]
    yield from names or [argument]


def track_record(predictor: Predictor) -> list[str]:
    """Sentences on how the model did with sources that it had not met; none where that is not known."""
    calibration = predictor.bundle.calibration
    return calibration.track_record if calibration else []


def predict(predictor: Predictor, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Predict files and links, one row each, in order and in constant memory."""
    return predictor.predict_files(names, load=_load)


def _load(name: str) -> Path | bytes:
    if is_url(name):
        return fetch_image(name).data
    if Path(name).is_dir():
        raise UserError(f"{name} is a folder without pictures: give one with {list_formats('or')} files.")
    return Path(name)


def _write_all(rows: Iterable[dict[str, Any]], options: argparse.Namespace) -> int:
    """Write rows where and as they were asked for; return how many failed."""
    if options.csv:
        with atomic_path(options.csv) as temporary, _open(temporary) as file:
            return _write_csv(rows, file)
    return _write_json(rows) if options.json else _write_csv(rows, sys.stdout)


def _open(path: Path) -> IO[str]:
    return path.open("w", newline="", encoding="utf-8", errors=ODD_BYTES)


def _write_csv(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    careful = csv.DictWriter(file, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    failed = 0
    for row in rows:
        # Python before 3.13 leaves a lone carriage return bare, and readers take it for the end of the row.
        (careful if "\r" in row["file"] else writer).writerow(row)
        failed += bool(row["error"])
    return failed


def _write_json(rows: Iterable[dict[str, Any]]) -> int:
    failed = 0
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))
        failed += bool(row["error"])
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.predict",
        description="Say how likely each picture is to be AI-generated.",
        epilog="Prints CSV with the columns " + ", ".join(COLUMNS) + ". "
        "With --json each object also has track_record, sentences on how the model did with sources that it "
        "had not met. Exit code: 0 all pictures read, 1 some not, 2 wrong usage or no model.",
    )
    parser.add_argument(
        "inputs", nargs="+", metavar="PATH_OR_URL", help="a picture, a folder (read recursively) or a link"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="a folder below models/; by default the best model there is"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object a line instead of CSV")
    form.add_argument(
        "--csv", type=Path, metavar="FILE", help="write the CSV to a file instead of printing it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
