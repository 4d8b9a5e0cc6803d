"""A detector's file on ONNX Runtime, as a bundle's runtime: from the views of pictures to two logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.utils.data.parallel import map_ahead
from src.utils.models.bundle.onnx_session import model_threads, onnx_session
from src.utils.models.detectors.recipe import Recipe

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def load_network(path: Path, size: int) -> Callable[[NDArray[np.float32]], float]:
    """Load a file that gives one number a view.

    Args:
        path: An ONNX file: float32 or float16 [1, 3, size, size] → one number. What it computes in is its
            own affair.
        size: Side of the square it should read, in pixels.

    Returns:
        A function from float32 [1, 3, size, size] to that number; several threads may call it at once.

    Raises:
        UserError: MODEL_THREADS is no number.
        ValueError: The file is no such network; the message is one line.
    """
    session = onnx_session(path)
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
    """The network behind a predictor, asked about several pictures at once so that every core has work."""

    def __init__(self, recipe: Recipe, network: Callable[[NDArray[np.float32]], float]):
        self._recipe = recipe
        self._network = network

    @classmethod
    def load(cls, path: Path, recipe: Recipe) -> DetectorRuntime:
        """Load a detector's file.

        Raises:
            UserError: MODEL_THREADS is no number.
            ValueError: The file is not what the recipe says; the message is one line.
        """
        return cls(recipe, load_network(path, recipe.input_size))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Logits of the two classes by the published calibration.

        Args:
            pixels: uint8 [n, views, size, size, 3], as `Recipe.read` gives them.

        Returns:
            float64 [n, 2]; their difference is the log-odds of AI.
        """
        cores = model_threads() or None
        odds = map_ahead(lambda views: self._recipe.log_odds(views, self._network), pixels, cores)
        half = np.array(list(odds), np.float64).reshape(-1, 1) / 2
        return np.concatenate([-half, half], axis=1)
