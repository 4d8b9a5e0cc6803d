"""Ask a trained model about pictures, from the command line: `python -m src.utils.predict PATH_OR_URL…`."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import csv
import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from src.utils.code import code_digest
from src.utils.data.machines import SCHEDULER_VARIABLE, compute_values, in_order
from src.utils.data.pictures.bucket import is_in_bucket, read_object, walk_bucket
from src.utils.data.pictures.decode import BYTES_PER_PIXEL, MAX_PIXELS, open_image
from src.utils.data.pictures.formats import list_formats
from src.utils.data.pictures.listing import say_left_out, walk_pictures
from src.utils.data.remembered import compute_once
from src.utils.data.web.fetch import fetch_image, is_url
from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.environment import quiet_start
from src.utils.files import atomic_path, hash_bytes
from src.utils.models.bundle.bundle import Bundle
from src.utils.models.bundle.predictor import COLUMNS, Predictor, Source
from src.utils.models.detectors.kept import answering_bundle, find_model
from src.utils.settings import Settings, UserError

ALL_READ, SOME_FAILED, WRONG_USAGE = 0, 1, 2

STANDARD_INPUT = "-"
"""The name of a picture that is sent to the command instead of being in a file."""

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
        sys.stdout.reconfigure(errors="backslashreplace" if options.json else ODD_BYTES)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        folder = find_model(options.model) if options.model else answering_bundle(Settings.from_env())
        with quiet_start():
            predictor = Predictor.load(folder)
        left_out: Counter[str] = Counter()
        names = [name for argument in options.inputs for name in list_inputs(argument, left_out)]
        if STANDARD_INPUT in names and os.environ.get(SCHEDULER_VARIABLE):
            raise UserError(f"- is read on this machine: unset {SCHEDULER_VARIABLE}, or give a file.")
        record = track_record(predictor)
        failed = _write_all(predictor, names, record, options)
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_READ
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    if failed:
        print(f"{failed} of {len(names)} could not be read; the error column says why.", file=sys.stderr)
    if left_out:
        print(say_left_out(left_out), file=sys.stderr)
    if predictor.bundle.calibration is None:
        print(*_uncalibrated(predictor.bundle), sep="\n", file=sys.stderr)
    if not options.json:
        print(*record, sep="\n", end="\n" if record else "", file=sys.stderr)
    if predictor.bundle.facts.get("demonstration"):
        print(DEMONSTRATION, BETTER_DETECTOR, sep="\n", file=sys.stderr)
    return SOME_FAILED if failed else ALL_READ


def _uncalibrated(bundle: Bundle) -> list[str]:
    """Why no verdict is given and what to do; of a detector of others also what is published of it."""
    told = bundle.facts.get("detector")
    step = f"`make calibrate MODEL={bundle.name}`" if told else "notebook 10 (`make reproduce`)"
    said = f"This model is uncalibrated, so no verdict is given: {step} calibrates it."
    return [said, *(told["published"] if told else ())]


def list_inputs(argument: str, left_out: Counter[str]) -> Iterator[str]:
    """Name the pictures an argument stands for.

    Args:
        argument: A picture, a folder or `s3://bucket/prefix` (all pictures below it, sorted), a link, `-` for
            a picture on standard input, or `@list.txt` for a file that has one of the others on each line.
        left_out: Counts, by kind, what was left out of folders and buckets.

    Yields:
        Names for `predict`. What holds no picture or cannot be listed stands for itself, so that it ends up
        in the results with its error.
    """
    if not _is_list(argument):
        yield from _list_pictures(argument, left_out)
        return
    try:
        lines = _read_list(argument)
    except UserError:
        lines = [argument]
    for line in lines:
        yield from _list_pictures(line, left_out)


def _list_pictures(name: str, left_out: Counter[str]) -> Iterator[str]:
    found = False
    if is_in_bucket(name):
        with contextlib.suppress(UserError):  # `_load` says that it may not be listed
            for picture in walk_bucket(name, left_out):
                found = True
                yield picture
    elif name and not is_url(name) and _is_folder(name):
        with contextlib.suppress(OSError):  # `_load` says that it may not be opened
            for picture in walk_pictures(Path(name), left_out):
                found = True
                yield str(Path(name) / picture)
    if not found:
        yield name


def _is_folder(name: str | Path) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # too long a name, or in a folder that may not be opened: reading it will say so
        return False


def _is_list(name: str) -> bool:
    """Whether a name is `@list.txt`, unless there is a file really called so."""
    return name.startswith("@") and not os.path.lexists(name)


def _read_list(argument: str) -> list[str]:
    """The names in a list, one a line, spaces and odd bytes as they are; empty lines are passed over.

    Raises:
        UserError: There is no such file, it cannot be read, or it names nothing.
    """
    path = Path(argument.removeprefix("@"))
    try:
        if not path.is_file():
            state = "is not a file" if path.exists() else "does not exist"
            raise UserError(f"The list {path} {state}: give a text file with one picture or folder a line.")
        text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise UserError(f"The list {path} cannot be read ({error.strerror}): give another.") from None
    lines = [os.fsdecode(line.removesuffix(b"\r")) for line in text.split(b"\n")]
    names = [line for line in lines if line]
    if not names:
        raise UserError(f"The list {path} names nothing: give one picture or folder a line.")
    return names


def track_record(predictor: Predictor) -> list[str]:
    """Sentences on how the model did with sources that it had not met; none where that is not known."""
    calibration = predictor.bundle.calibration
    return calibration.track_record if calibration else []


def predict(predictor: Predictor, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Predict files and links, one row each, in order and in constant memory."""
    return in_order(compute_values(_asker(predictor), names))


def predict_once(predictor: Predictor, names: Sequence[str], memory: Path) -> Iterator[dict[str, Any]]:
    """The same, with a progress bar, going on where a run that was cut stopped.

    Args:
        predictor: The model.
        names: Files and links.
        memory: Keeps the rows so far, of this model and of files that did not change; made if needed.
    """
    ask, version = _asker(predictor), _answers_key(predictor.bundle)

    def compute(positions: list[int]) -> Iterator[dict[str, Any]]:
        return ask([names[position] for position in positions])

    return compute_once(memory, version, [_stamp(name) for name in names], compute, "Predicting")


def _asker(predictor: Predictor) -> Callable[[list[str]], Iterator[dict[str, Any]]]:
    """A function from names, as they are meant here, to rows; it may run on another machine."""
    load = functools.partial(_load, start=Path.cwd())
    return lambda names: predictor.predict_files(names, load)


def _answers_key(bundle: Bundle) -> str:
    """Changes whenever a model's answers would."""
    facts = json.dumps([bundle.facts, bundle.calibration and bundle.calibration.facts], sort_keys=True)
    return f"{hash_bytes(facts.encode())} {code_digest(Predictor.__module__)}"


def _stamp(name: str) -> str:
    """A name, and of a file its length and time of change; what standard input gives is never the same."""
    if name == STANDARD_INPUT:
        return f"{name} {time.time_ns()}"
    with contextlib.suppress(OSError, ValueError):
        status = Path(name).stat()
        return ascii((name, status.st_size, status.st_mtime_ns))
    return ascii(name)


def _load(name: str, start: Path) -> Source:
    if not name:
        raise UserError("This name is empty: give a picture, a folder or a link.")
    if name == STANDARD_INPUT:
        return _read_standard_input()
    if is_url(name):
        return fetch_image(name).data
    if is_in_bucket(name):
        return open_image(read_object(name), name=name)
    path = start / name
    if name.startswith("@") and not os.path.lexists(path):
        _read_list(name)  # it was tried before: this says why it failed
    if _is_folder(path):
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"{name} is a folder that may not be opened: change its permissions.")
        raise UserError(f"{name} is a folder without pictures: give one with {list_formats('or')} files.")
    return open_image(path, name=name)


def _read_standard_input() -> bytes:
    longest = MAX_PIXELS * BYTES_PER_PIXEL
    data = sys.stdin.buffer.read(longest + 1)
    if len(data) > longest:
        raise UserError(f"Standard input has more than {longest / 1e6:,.0f} MB: make the picture smaller.")
    return data


def _write_all(predictor: Predictor, names: list[str], record: list[str], options: argparse.Namespace) -> int:
    """Predict, and write rows where and as they were asked for; return how many failed."""
    if options.csv:
        memory = options.csv.with_name(f"{options.csv.name}.unfinished")
        with atomic_path(options.csv) as temporary, _open(temporary) as file:
            failed = _write_csv(predict_once(predictor, names, memory), file)
        memory.unlink(missing_ok=True)
        return failed
    rows = predict(predictor, names)
    rows = tqdm(rows, "Predicting", len(names), disable=len(names) < 2, unit="picture")
    if options.json:
        return _write_json(row | {"track_record": record} for row in rows)
    return _write_csv(rows, sys.stdout)


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
        "inputs",
        nargs="+",
        metavar="PATH_OR_URL",
        help="a picture, a folder or s3://bucket/prefix (read recursively), a link, - for a picture on "
        "standard input, "
        "or @list.txt for a file with one of these a line",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a folder below models/, or a detector of detectors.toml such as sieve, which is fetched when "
        "it is missing; by default the best model there is",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object a line instead of CSV")
    form.add_argument(
        "--csv", type=Path, metavar="FILE", help="write the CSV to a file instead of printing it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
