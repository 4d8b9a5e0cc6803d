"""From a Keras model to an ONNX file that answers the same without TensorFlow.

ONNX Runtime is the one runtime of everything that answers, because the improved model's encoder is an ONNX
file already. Keras converts by itself (`Model.export`, through tf2onnx).
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from src.utils.environment import quiet_start
from src.utils.files import atomic_path
from src.utils.models.bundle.onnx_session import onnx_runtime
from src.utils.settings import UserError

TOLERANCE = 0.001
"""By how much a probability may differ between Keras and the exported file."""

INPUT_NAME = "pixels"

_LOW_PRECISION = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


class CannotExport(Exception):
    """A model that could not be brought to ONNX; the message is one line."""


def export_onnx(model: keras.Model, path: Path) -> None:
    """Write a network as an ONNX file, in float32 whatever it was built in, once both answer the same.

    Args:
        model: Pixels [n, size, size, 3] in 0–255 → logits [n, 2].
        path: The file to write. It takes `pixels`, float32, of any number of pictures.

    Raises:
        CannotExport: A layer cannot be converted, or ONNX Runtime cannot run what came out.
        UserError: The exported network answers otherwise than Keras does; nothing is written.
    """
    with atomic_path(path) as temporary:
        network = _convert(model, temporary)
        try:
            exported = onnx_runtime(temporary, network.input_shape[1])
        except ValueError as error:
            raise CannotExport(str(error)) from error
        pixels = probe_pictures(network.input_shape[1])
        before = _log_odds(keras.ops.convert_to_numpy(network(pixels.astype(np.float32), training=False)))
        after = _log_odds(exported(pixels))
        # A probability moves by at most a quarter of what its log-odds move by. Unlike a probability they
        # still differ where a network is sure of itself, so they are what is compared.
        if not np.allclose(after, before, rtol=TOLERANCE, atol=4 * TOLERANCE, equal_nan=True):
            raise UserError(
                f"{model.name} answers otherwise once exported to ONNX (log-odds {before.round(3).tolist()} "
                f"became {after.round(3).tolist()}): install requirements.txt again with `make setup`."
            )


def float32_copy(model: keras.Model) -> keras.Model:
    """Build a model again with every layer in float32, with the same weights.

    Args:
        model: Made of layers that can be described by their configuration.

    Returns:
        The model itself, if all its layers are in float32 already.
    """
    described = model.get_config()
    plain = _without_low_precision(described)
    if plain == described:
        return model
    copy = type(model).from_config(plain)
    copy.set_weights(model.get_weights())
    return copy


def probe_pictures(size: int) -> np.ndarray:
    """Make pictures to compare two networks on: random colours in squares, from one square to single pixels.

    Args:
        size: Side, in pixels.

    Returns:
        uint8 [6, size, size, 3], always the same.
    """
    random = np.random.default_rng(0)
    pictures = []
    for squares in (1, 2, 5, 16, 64, size):
        colours = random.integers(0, 256, (squares, squares, 3), dtype=np.uint8)
        place = np.arange(size) * squares // size
        pictures.append(colours[place][:, place])
    return np.stack(pictures)


def _convert(model: keras.Model, path: Path) -> keras.Model:
    """Write the ONNX file; return the float32 network that is in it."""
    problem = None
    with _quiet():
        try:
            network = float32_copy(model)
            pixels = keras.Input(network.input_shape[1:], dtype="float32", name=INPUT_NAME)
            # Keras exports layers as a call without `training` runs them, and then a RandomFlip does flip.
            asked = keras.Model(pixels, network(pixels, training=False))
            asked.export(str(path), format="onnx", verbose=False, input_signature=asked.inputs)
        except Exception as error:  # a conversion fails in as many ways as there are layers
            problem = error
    if problem:
        reason = str(problem).strip().partition("\n")[0]
        raise CannotExport(f"{type(problem).__name__}: {reason}") from problem
    return network


def _without_low_precision(described: Any) -> Any:
    """A copy of a model's configuration with float32 in place of every shorter or mixed type."""
    if isinstance(described, dict):
        if described.get("class_name") == "DTypePolicy":
            return described | {"config": {"name": "float32"}}
        return {key: _without_low_precision(value) for key, value in described.items()}
    if isinstance(described, list | tuple):
        return type(described)(_without_low_precision(value) for value in described)
    return "float32" if isinstance(described, str) and described in _LOW_PRECISION else described


def _log_odds(logits: np.ndarray) -> np.ndarray:
    """Log-odds of class 1, float64 [n]."""
    return np.diff(logits.astype(np.float64), axis=1)[:, 0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what TensorFlow and tf2onnx print, log and warn of while they convert."""
    logged = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            quiet_start(),
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        logging.disable(logged)
