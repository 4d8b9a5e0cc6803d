"""A detector of others as a bundle like any other, and the one way to say which model is meant.

Its file lies once in `models/detectors/`. For each dataset `models/<source>/detectors/<name>/` is its bundle:
the same file (a hard link), a `bundle.json` made from the table, and the `calibration.json` that
`make calibrate` measures on that dataset.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from src.utils.files import link_or_copy, read_json, write_json
from src.utils.models.bundle.bundle import (
    FACTS_FILE,
    SCHEMA,
    Bundle,
    default_bundle_dir,
    library_versions,
    load_bundle,
)
from src.utils.models.bundle.calibration import CALIBRATION_FILE
from src.utils.models.detectors.fetch import Confirm, fetch_detector
from src.utils.models.detectors.table import TABLE, Entry, read_table
from src.utils.settings import CLASS_NAMES, Settings, UserError

FOLDER = "detectors"
"""Below a dataset's models, the bundles of detectors of others."""

HASH_VARIABLE, MIRROR_VARIABLE = "HASH", "MIRROR"


def find_model(asked: str, settings: Settings | None = None) -> Path:
    """The bundle's folder that a user means; a detector of the table is fetched when it is missing.

    Args:
        asked: A bundle's folder, the name of one of the dataset's models, or of a detector of the table.
        settings: Which dataset; read from the environment where a name is asked for.

    Raises:
        UserError: The name is unknown, or the detector cannot be had.
    """
    if (Path(asked) / FACTS_FILE).is_file() or Path(asked).name != asked:
        return Path(asked)
    settings = settings or Settings.from_env()
    if (settings.models_dir / asked / FACTS_FILE).is_file():
        return settings.models_dir / asked
    entries = read_table(TABLE)
    if asked in entries:
        return keep_detector(settings, entries[asked])
    known = ", ".join(entries) or "none, detectors.toml is missing"
    raise UserError(
        f"{asked} is no model: give a folder below models/, or a detector of detectors.toml ({known})."
    )


def keep_detector(
    settings: Settings,
    entry: Entry,
    sha256: str | None = None,
    mirror: str | None = None,
    confirm: Confirm | None = None,
    progress: bool = True,
) -> Path:
    """The bundle of a detector for the run's dataset, made if needed; its file is fetched when it is missing.

    Args:
        settings: Which dataset.
        entry: The detector.
        sha256: As for `fetch_detector`; by default what HASH says.
        mirror: As for `fetch_detector`; by default what MIRROR says.
        confirm: As for `fetch_detector`.
        progress: As for `fetch_detector`.

    Raises:
        UserError: The file cannot be had.
    """
    given = os.environ.get(HASH_VARIABLE, "") if sha256 is None else sha256
    place = os.environ.get(MIRROR_VARIABLE, "") if mirror is None else mirror
    file, found = fetch_detector(entry, settings.detectors_dir, given, place, confirm, progress)
    folder = settings.models_dir / FOLDER / entry.name
    folder.mkdir(parents=True, exist_ok=True)
    link_or_copy(file, folder / file.name)
    facts = detector_facts(entry, file.name, found)
    path = folder / FACTS_FILE
    if not (path.is_file() and read_json(path) == facts):
        write_json(path, facts)
    return folder


def detector_facts(entry: Entry, file_name: str, sha256: str) -> dict[str, Any]:
    """What `bundle.json` says of a detector of others.

    Args:
        entry: Its entry of the table.
        file_name: Its file beside `bundle.json`.
        sha256: That file's.
    """
    return {
        "schema": SCHEMA,
        "name": entry.name,
        "class_names": list(CLASS_NAMES),
        "input_size": entry.recipe["input_size"],
        "resize": "views",
        "output": "logits",
        "recipe": dict(entry.recipe),
        "detector": {
            "title": entry.title or entry.name,
            "authors": entry.authors,
            "licence": entry.licence,
            "paper": entry.paper,
            "trained_on": entry.trained_on,
            "address": entry.address,
            "published": entry.claims,
        },
        "metrics": {},
        "versions": library_versions(),
        "model_file": file_name,
        "model_sha256": sha256,
        "served_file": file_name,
        "served_files": {file_name: sha256},
    }


def answering_bundle(settings: Settings) -> Path:
    """The model to answer with where none is named: a calibrated detector of others, else the dataset's own.

    Of several detectors, the one that ranks the validation pictures best.

    Raises:
        UserError: There is neither.
    """
    paths = sorted(settings.models_dir.glob(f"{FOLDER}/[!.]*/{CALIBRATION_FILE}"))
    bundles = [load_bundle(path.parent) for path in paths if (path.parent / FACTS_FILE).is_file()]
    calibrated = [one for one in bundles if one.calibration is not None]
    return max(calibrated, key=_rank).folder if calibrated else default_bundle_dir(settings)


def _rank(bundle: Bundle) -> float:
    """How well a calibrated detector ranked the validation pictures: its AUC there; -1 if it has none."""
    auc = bundle.card["metrics"].get("validation", {}).get("auc", {}).get("value")
    return -1.0 if auc is None else auc
