"""Detectors by what a user calls them: a bundle, a network's file, a function of somebody else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.utils.analysis.scoring.scores import at_temperature, log_odds, model_key
from src.utils.environment import quiet_start
from src.utils.judge.detectors.detector import Detector
from src.utils.judge.detectors.function import load_function
from src.utils.judge.detectors.network import load_network
from src.utils.models.bundle.bundle import Bundle
from src.utils.models.bundle.calibration import point_value
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.detectors import kept
from src.utils.models.detectors.fetch import detector_file
from src.utils.models.detectors.table import read_table
from src.utils.settings import Settings, UserError

NETWORK_SUFFIXES = (".onnx", ".keras", ".h5", ".hdf5")

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load_detectors(asked: Sequence[str]) -> list[Detector]:
    """Load detectors by what a user calls them.

    Args:
        asked: Each a bundle's folder, a network's file with its declaration, or `module:function`.

    Returns:
        Detectors with different names.

    Raises:
        UserError: One is unknown, damaged, or named twice.
    """
    loaded = [load_detector(one) for one in asked]
    count = Counter(one.name for one in loaded)
    named = [
        one if count[one.name] == 1 else replace(one, name=said)
        for one, said in zip(loaded, asked, strict=True)
    ]
    if len({one.name for one in named}) < len(named):
        raise UserError(f"DETECTOR={' '.join(asked)} names one detector twice: name each once.")
    return named


def load_detector(asked: str) -> Detector:
    """Load one detector; see `load_detectors`."""
    path = Path(asked)
    if path.is_dir():
        return load_bundle_detector(path)
    if path.suffix.lower() in NETWORK_SUFFIXES:
        return load_network(path)
    if _FUNCTION.fullmatch(asked):
        return load_function(asked)
    raise UserError(
        f"DETECTOR={asked} is not known: give a bundle's folder (models/…), a name of detectors.toml, a file "
        f"({', '.join(NETWORK_SUFFIXES[:3])}) with its declaration beside it, or module:function."
    )


def load_bundle_detector(folder: Path) -> Detector:
    """A bundle as a detector: it reads and answers as `make predict` does.

    Raises:
        UserError: The bundle is missing, damaged, or of a kind this code does not know.
    """
    with quiet_start():
        predictor = Predictor.load(folder)
    plain, bundle = predictor.uncalibrated(), predictor.bundle
    return Detector(
        name=folder.resolve().name,
        key=model_key(bundle),
        read=plain.read,
        ask=lambda pixels: log_odds(plain.predict_pixels(np.stack(pixels))),
        meaning=partial(bundle_probability, bundle),
        threshold=bundle.threshold,
        calibrated=bundle.calibration is not None,
        about=_about(bundle),
    )


def _about(bundle: Bundle) -> str:
    told = bundle.facts.get("detector")
    if not told:
        return "A bundle of this project."
    state = "calibrated here" if bundle.calibration else "uncalibrated here, so as published"
    return (
        f"A detector of others, asked as detectors.toml says: {told['title']}, by {told['authors']}; licence "
        f"{told['licence']}; {state}."
    )


def load_kept(settings: Settings) -> tuple[list[Detector], dict[str, str]]:
    """The detectors of `detectors.toml` whose files are here; nothing is fetched.

    Args:
        settings: Says where files and bundles lie.

    Returns:
        The detectors, calibrated or not; and by name one clause on each of the others: how to get it, or what
        is wrong with its file.

    Raises:
        UserError: The table is wrong.
    """
    here, absent = [], {}
    for name, entry in read_table(kept.TABLE).items():
        if not detector_file(settings.detectors_dir, name).is_file():
            absent[name] = entry.offer
            continue
        try:
            here.append(load_bundle_detector(kept.keep_detector(settings, entry, progress=False)))
        except UserError as error:
            absent[name] = str(error)
    return here, absent


def bundle_probability(bundle: Bundle, odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that `make predict` gives: the point value of a calibrated bundle's interval.

    Args:
        bundle: The model.
        odds: Log-odds of AI at temperature 1, float64 [n].
    """
    if bundle.calibration is None:
        return at_temperature(odds, bundle.temperature)
    return point_value(*bundle.calibration.venn_abers.interval(odds))
