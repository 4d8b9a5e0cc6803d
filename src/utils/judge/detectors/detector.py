"""What every detector comes down to, whatever it is made of.

It has two halves: `read` turns a decoded picture into what it works on, in threads and ahead of time; `ask`
turns a few of these into log-odds of AI. It is named, and its key changes whenever its answers would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.utils.analysis.scoring.scores import at_temperature
from src.utils.models.bundle.predictor import BATCH_SIZE
from src.utils.names import model_name


@dataclass(frozen=True)
class Detector:
    """A detector ready to be asked.

    Attributes:
        name: What tables, files and figures call it; a bundle's by the name of its folder.
        key: Changes whenever its answers would.
        read: A decoded RGB picture → what it works on; called in threads.
        ask: Some of these → log-odds of AI before any calibration, float64 [n].
        meaning: Log-odds as `ask` gives them → probability of AI, as calibrated as it can be, float64 [n].
        threshold: Probability of AI from which on a picture is called AI.
        calibrated: Whether meaning and threshold were measured, and not taken for granted.
        batch: How many are asked at once.
        about: One sentence on what it is.
    """

    name: str
    key: str
    read: Callable[[Image.Image], Any]
    ask: Callable[[Sequence[Any]], NDArray[np.float64]]
    meaning: Callable[[NDArray[np.float64]], NDArray[np.float64]] = at_temperature
    threshold: float = 0.5
    calibrated: bool = False
    batch: int = BATCH_SIZE
    about: str = ""

    @property
    def title(self) -> str:
        """Its name for people."""
        return model_name(self.name)
