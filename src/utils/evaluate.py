"""Judge any detector on any labelled folder, without training: `python -m src.utils.evaluate DIR …`."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from src.utils.data.sources.folder import open_dataset
from src.utils.files import hash_bytes, read_json
from src.utils.judge.deliveries import chosen_deliveries
from src.utils.judge.detectors.detector import Detector
from src.utils.judge.detectors.load import load_detectors
from src.utils.judge.judgement import judge
from src.utils.judge.pictures import read_pictures
from src.utils.judge.reference import METRICS_FILE, compare_with, read_reference
from src.utils.judge.report import headline, write_report
from src.utils.models.bundle.bundle import default_bundle_dir
from src.utils.models.detectors.kept import keep_detector
from src.utils.models.detectors.table import read_table
from src.utils.names import one_line
from src.utils.settings import Settings, UserError, place_data

DONE, SOME_FAILED, WRONG_USAGE = 0, 1, 2

_DESCRIPTION = """\
Ask detectors about every picture of a labelled dataset, as it is and made alike, and write
reports/evaluate/NAME/: scores.csv, metrics.json, figures and report.html. Nothing is trained.
"""

_EPILOG = """\
DIR is read as DATA_SOURCE=folder reads DATA_DIR: a folder in any layout of data/README.md, a .zip, Parquet
files, or hf://datasets/OWNER/NAME; CLASSES and MISSING in the environment say what its names mean.
A detector is a bundle's folder (models/sample/best), one of detectors.toml (sieve; fetched when it is
missing), an .onnx or .keras file with a declaration beside it (detector.toml), or module:function: a list of
Pillow pictures -> probabilities of AI. The last runs the module's code, so take it only from people you
trust. docs/EVALUATE.md has examples.
A run that was cut goes on where it stopped.
Exit code: 0 done, 1 done but some files could not be read, 2 wrong usage.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if all was judged, 1 if some files could not be read, 2 for wrong usage.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    options = _parser().parse_args(arguments)
    try:
        return evaluate(options, Settings.from_env())
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE


def evaluate(options: argparse.Namespace, settings: Settings) -> int:
    """Judge what was asked for and say where the report is; see `main`."""
    reports, memory = (
        settings.work_root / "reports" / "evaluate",
        settings.work_root / "data/interim/evaluate",
    )
    if not options.folder:
        raise UserError("DIR is missing: give a folder with pictures in human/ and ai/.")
    start = settings.root if options.folder.startswith("hf://") else Path.cwd()
    place, address = place_data(options.folder, start)
    if place is None or not (address or place.exists()):
        raise UserError(f"DIR={options.folder} does not exist: check the path.")
    entries = read_table()
    asked = [one for said in options.detector for one in split_names(said)]
    asked = [str(keep_detector(settings, entries[one])) if one in entries else one for one in asked]
    detectors = load_detectors(asked or [str(default_bundle_dir(settings))])
    name = options.name or default_name(place, detectors)
    _check_name(name, reports / name, options.folder, options.reference)
    deliveries = chosen_deliveries([name for said in options.delivery for name in said.split()])
    reference = read_reference(reports, options.reference) if options.reference else None
    with contextlib.redirect_stdout(sys.stderr):  # what is said on the way is no result
        opened = open_dataset(replace(settings, data_dir=place, data_address=address))
    about = [*opened.notes, *(f"{one.name}: {one.about}" for one in detectors)]
    print("\n".join(about), file=sys.stderr, flush=True)
    own = hash_bytes(os.fsencode(place))
    pictures = read_pictures(options.folder, opened, memory / "folders" / own)
    judgement = judge(pictures, detectors, memory / "scores", settings.seed, asked=deliveries)
    compared = compare_with(reference, judgement, settings.seed) if reference else None
    page = write_report(judgement, compared, reports / name, settings.seed)
    print("\n".join([*headline(judgement), str(page)]))
    failed = len(pictures.unreadable)
    if failed:
        print(f"{failed:,} files could not be read; scores.csv and the page say why.", file=sys.stderr)
    return SOME_FAILED if failed else DONE


def split_names(said: str) -> list[str]:
    """The detectors that one argument names: a path as it is, else its words."""
    return [said] if said and Path(said).exists() else said.split()


def default_name(place: Path, detectors: list[Detector]) -> str:
    """Name an evaluation after its dataset and its detectors."""
    plain = "-".join([place.name.removesuffix(".zip"), *(one.name for one in detectors)])
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain)[:80].strip("-.") or "pictures"


def _check_name(name: str, target: Path, folder: str, reference: str | None) -> None:
    if Path(name).name != name or name.startswith("."):
        raise UserError(f"NAME={name} is no name for a folder: take letters, digits and hyphens.")
    if name == reference:
        raise UserError(f"REFERENCE={name} would be overwritten by this evaluation: give this one a NAME.")
    path = target / METRICS_FILE
    if path.is_file() and read_json(path).get("folder") != one_line(folder):
        raise UserError(f"{target} holds an evaluation of {read_json(path).get('folder')}: give a NAME.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.evaluate",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", help="a folder, a .zip, or hf://datasets/…")
    parser.add_argument(
        "--detector",
        "--model",
        action="append",
        default=[],
        metavar="WHAT",
        help="what to judge, one or several; by default the best model there is",
    )
    parser.add_argument(
        "--delivery",
        action="append",
        default=[],
        metavar="NAME",
        help="score once more after this happened to every picture, such as jpeg_75; all for everything",
    )
    parser.add_argument("--reference", metavar="NAME", help="an earlier evaluation of the same pictures")
    parser.add_argument(
        "--name", help="what this evaluation is called; by default after folder and detectors"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
