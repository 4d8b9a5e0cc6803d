"""A detector's file on ONNX Runtime, as a bundle's runtime: from the views of pictures to two logits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.utils.data.parallel import map_ahead
from src.utils.models.bundle.onnx_session import available_threads, onnx_session
from src.utils.models.detectors.recipe import Recipe

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


Network = Callable[[NDArray[np.float32]], float]
"""float32 [1, 3, size, size] → one number; several threads may call it at once."""


def load_network(path: Path, size: int, threads: int | None = None) -> Network:
    """Load a file that gives one number a view.

    Args:
        path: An ONNX file: float32 or float16 [1, 3, size, size] → one number. What it computes in is its
            own affair.
        size: Side of the square it should read, in pixels.
        threads: Processors to use, 0 for all; by default what MODEL_THREADS says.

    Raises:
        UserError: MODEL_THREADS is no number.
        ValueError: The file is no such network; the message is one line.
    """
    session = onnx_session(path, threads)
    given, returned = session.get_inputs(), session.get_outputs()
    shape = [1, 3, size, size]  # a name in place of a number leaves that side free
    fits = len(given) == 1 and len(given[0].shape) == 4 and given[0].type in _TYPES
    if not fits or any(
        one not in (side, None) and not isinstance(one, str)
        for one, side in zip(given[0].shape, shape, strict=True)
    ):
        raise ValueError(f"it reads {[(one.type, one.shape) for one in given]}, not {shape}")
    name, kind = given[0].name, _TYPES[given[0].type]

    def ask(tensor: NDArray[np.float32]) -> float:
        answer = session.run([returned[0].name], {name: tensor.astype(kind, copy=False)})[0]
        return float(np.asarray(answer, np.float64).item())

    try:
        ask(np.zeros(shape, np.float32))
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        raise ValueError(f"it does not give one number: {str(error).partition(chr(10))[0]}") from error
    return ask


class DetectorRuntime:
    """The network behind a predictor: one picture gets all processors, several are shared out, one each."""

    def __init__(self, path: Path, recipe: Recipe):
        """Load a detector's file.

        Raises:
            UserError: MODEL_THREADS is no number.
            ValueError: The file is not what the recipe says; the message is one line.
        """
        self._path = path
        self._recipe = recipe
        self._threads = available_threads()
        self._network = load_network(path, recipe.input_size, self._threads)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Logits of the two classes by the published calibration.

        Args:
            pixels: uint8 [n, views, size, size, 3], as `Recipe.read` gives them.

        Returns:
            float64 [n, 2]; their difference is the log-odds of AI.
        """
        network = self._one_thread if len(pixels) > 1 and self._threads > 1 else self._network
        odds = map_ahead(lambda views: self._recipe.log_odds(views, network), pixels, self._threads)
        half = np.array(list(odds), np.float64).reshape(-1, 1) / 2
        return np.concatenate([-half, half], axis=1)

    @functools.cached_property
    def _one_thread(self) -> Network:
        """The same network on one processor, which several threads ask at once; loaded when first needed."""
        return load_network(self._path, self._recipe.input_size, 1)
