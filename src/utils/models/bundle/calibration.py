"""What was measured of a finished model and chosen for it: `calibration.json` beside `bundle.json`.

A bundle is written once, by whoever trains it. Temperature, threshold, uncertain band and the metrics on
pictures that trained nothing come later and live here; notebook 10 alone writes them. The file names the
SHA-256 of the model's files and counts for these files only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.utils.files import read_json, write_json
from src.utils.settings import UserError

SCHEMA = 1
CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """How a model's output is to be read.

    Attributes:
        temperature: What logits are divided by before the softmax.
        threshold: Probability of class 1 from which on a picture is called class 1.
        uncertain_band: Between these two probabilities the verdict is `Uncertain`; None for never.
        facts: The whole of calibration.json: also `metrics` by split, and what else was measured.
    """

    temperature: float
    threshold: float
    uncertain_band: tuple[float, float] | None
    facts: Mapping[str, Any]


def write_calibration(
    folder: Path,
    model_files: Mapping[str, str],
    temperature: float,
    uncertain_band: tuple[float, float] | None,
    threshold: float = 0.5,
    **facts: Any,
) -> None:
    """Write what was chosen and measured for the model in a folder; what was there is replaced.

    Args:
        folder: The bundle.
        model_files: File name → SHA-256, as `Bundle.served_files`.
        temperature: Divides the logits; above 0.
        uncertain_band: Two probabilities, 0–1, or None.
        threshold: Probability, 0–1.
        **facts: More entries, such as `metrics`.
    """
    record = {
        "schema": SCHEMA,
        "model_files": dict(model_files),
        "temperature": float(temperature),
        "threshold": float(threshold),
        "uncertain_band": None if uncertain_band is None else [float(edge) for edge in uncertain_band],
        **facts,
    }
    write_json(folder / CALIBRATION_FILE, record)


def read_calibration(folder: Path, model_files: Mapping[str, str]) -> Calibration | None:
    """Read what was measured of exactly this model.

    Args:
        folder: The bundle.
        model_files: File name → SHA-256, as `Bundle.served_files`.

    Returns:
        None where nothing was measured, or what was measured belongs to another model.

    Raises:
        UserError: The file is damaged or of another schema.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        facts = read_json(path)
        if facts["schema"] != SCHEMA:
            raise ValueError(f"schema {facts['schema']}")
        if dict(facts["model_files"]) != dict(model_files):
            return None
        band = facts["uncertain_band"]
        low, high = (0.0, 0.0) if band is None else map(float, band)
        if not 0 <= low <= high <= 1 or not float(facts["temperature"]) > 0:
            raise ValueError("a value out of range")
        return Calibration(
            temperature=float(facts["temperature"]),
            threshold=float(facts["threshold"]),
            uncertain_band=None if band is None else (low, high),
            facts=facts,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}): delete it and run notebook 10 again with `make reproduce`."
        ) from error
