"""Anything that says how likely a picture is AI-generated: a bundle, a network's file, a function.

A detector has two halves: `read` turns a decoded picture into what it works on, in threads and ahead of time;
`ask` turns a few of these into log-odds of AI. It is named, and its key changes whenever its answers would.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.utils.analysis.scoring.scores import at_temperature, log_odds, model_key
from src.utils.environment import quiet_start
from src.utils.models.bundle.predictor import BATCH_SIZE, Predictor
from src.utils.names import model_name
from src.utils.settings import UserError

NETWORK_SUFFIXES = (".onnx", ".keras", ".h5", ".hdf5")

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Detector:
    """A detector ready to be asked.

    Attributes:
        name: What tables, files and figures call it; a bundle's by the name of its folder.
        key: Changes whenever its answers would.
        read: A decoded RGB picture → what it works on; called in threads.
        ask: Some of these → log-odds of AI before any calibration, float64 [n].
        temperature: What the log-odds are divided by.
        threshold: Probability of AI from which on a picture is called AI.
        calibrated: Whether temperature and threshold were measured, and not taken for granted.
        batch: How many are asked at once.
        about: One sentence on what it is.
    """

    name: str
    key: str
    read: Callable[[Image.Image], Any]
    ask: Callable[[Sequence[Any]], NDArray[np.float64]]
    temperature: float = 1.0
    threshold: float = 0.5
    calibrated: bool = False
    batch: int = BATCH_SIZE
    about: str = ""

    @property
    def title(self) -> str:
        """Its name for people."""
        return model_name(self.name)

    def probability(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of AI, as calibrated as it can be, from what `ask` gives: float64 [n], 0–1."""
        return at_temperature(odds, self.temperature)


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
        from src.utils.judge.network import load_network

        return load_network(path)
    if _FUNCTION.fullmatch(asked):
        from src.utils.judge.function import load_function

        return load_function(asked)
    raise UserError(
        f"DETECTOR={asked} is not known: give a bundle's folder (models/…), a file "
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
        read=predictor.read,
        ask=lambda pixels: log_odds(plain.predict_pixels(np.stack(pixels))),
        temperature=bundle.temperature,
        threshold=bundle.threshold,
        calibrated=bundle.calibration is not None,
        about="A bundle of this project.",
    )
