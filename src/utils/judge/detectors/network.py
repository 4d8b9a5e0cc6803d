"""A Keras or ONNX file as a detector, with a small declaration of how it wants to be asked.

The declaration lies beside the file, `detector.toml` beside `detector.onnx`. Nothing in it is guessed, for a
wrong guess gives confident answers that are the wrong way round.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.utils.analysis.checks.shortcuts import cut_square
from src.utils.analysis.scoring.scores import log_odds
from src.utils.data.machines import ModelFiles
from src.utils.data.pictures.decode import squash
from src.utils.environment import quiet_start
from src.utils.files import hash_bytes, hash_file
from src.utils.judge.detectors.detector import Detector
from src.utils.models.bundle.onnx_session import onnx_session
from src.utils.settings import UserError

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
RESIZES = ("squash", "crop", "cut")
"""`squash` the whole picture into the square, `crop` scales the middle square, `cut` takes it unscaled."""

OUTPUTS = ("probability", "logit", "probabilities", "logits")
"""One number or one a class; already a probability or before the sigmoid or softmax."""

_REQUIRED = ("input_size", "resize", "mean", "standard_deviation", "output", "ai")


@dataclass(frozen=True)
class Declaration:
    """How a network is asked.

    Attributes:
        input_size: Side of the square it reads, in pixels.
        resize: One of `RESIZES`.
        mean, standard_deviation: Taken from, and dividing, pixels of 0–1, for red, green and blue.
        output: One of `OUTPUTS`.
        ai: Place of AI among the outputs; of a single output 1 if it speaks for AI, 0 if against it.
        filter: Key of `FILTERS`.
        threshold: Probability of AI from which on a picture is called AI.
    """

    input_size: int
    resize: str
    mean: Sequence[float]
    standard_deviation: Sequence[float]
    output: str
    ai: int
    filter: str = "bilinear"
    threshold: float = 0.5

    def read(self, image: Image.Image) -> NDArray[np.float32]:
        """An RGB picture as the network gets it: float32 [size, size, 3]."""
        pixels = self._square(image).astype(np.float32) / 255
        mean, deviation = (np.asarray(one, np.float32) for one in (self.mean, self.standard_deviation))
        return ((pixels - mean) / deviation).astype(np.float32)

    def _square(self, image: Image.Image) -> NDArray[np.uint8]:
        if self.resize == "cut":
            return np.asarray(cut_square(image, self.input_size))
        if self.resize == "crop":
            image = cut_square(image, min(image.size))
        if self.filter == "bilinear":
            return squash(image, self.input_size)
        return np.asarray(image.resize((self.input_size, self.input_size), FILTERS[self.filter]))

    def log_odds(self, answer: NDArray) -> NDArray[np.float64]:
        """Log-odds of AI from the network's output, [n, outputs] → float64 [n]."""
        answer = answer.astype(np.float64).reshape(len(answer), -1)
        if self.output in ("probability", "logit"):
            odds = log_odds(answer[:, 0]) if self.output == "probability" else answer[:, 0]
            return odds if self.ai else -odds
        if self.output == "probabilities":
            return log_odds(answer[:, self.ai])
        others = np.delete(answer, self.ai, axis=1)
        return answer[:, self.ai] - np.logaddexp.reduce(others, axis=1)


def load_network(path: Path) -> Detector:
    """Load a network's file with the declaration beside it.

    Raises:
        UserError: A file is missing, damaged, or does not fit its declaration.
    """
    if not path.is_file():
        raise UserError(f"DETECTOR={path} does not exist: check the path.")
    beside = path.with_suffix(".toml")
    declared = read_declaration(beside)
    try:
        with quiet_start():
            run = Network(path)
        answer = run(np.zeros((1, declared.input_size, declared.input_size, 3), np.float32))
    except UserError:
        raise
    except Exception as error:  # the runtimes' exceptions share no base class
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} cannot be used as {beside} says ({reason}): mend {beside.name}.") from error
    _check_outputs(answer, declared, path, beside)
    return Detector(
        name=path.stem,
        key=hash_bytes(f"{hash_file(path)} {hash_file(beside)}".encode()),
        read=declared.read,
        ask=lambda pixels: declared.log_odds(np.concatenate([run(one[None]) for one in pixels])),
        threshold=declared.threshold,
        about=f"A network's file, asked as {beside.name} says.",
    )


def read_declaration(path: Path) -> Declaration:
    """Read the declaration of a network.

    Raises:
        UserError: It is missing, damaged, or lacks an entry.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: write {', '.join(_REQUIRED)} into it (docs/EVALUATE.md shows how)."
        )
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML ({error}): mend it.") from error
    lacking = [name for name in _REQUIRED if name not in told]
    if lacking:
        raise UserError(f"{path} has no {', '.join(lacking)}: add what the detector's authors say.")
    unknown = sorted(set(told) - set(Declaration.__dataclass_fields__))
    if unknown:
        raise UserError(f"{path} has the unknown entry {unknown[0]}: take it out.")
    declared = Declaration(**told)
    _check(declared, path)
    return declared


def _check(declared: Declaration, path: Path) -> None:
    for name, choices in (("resize", RESIZES), ("output", OUTPUTS), ("filter", tuple(FILTERS))):
        value = getattr(declared, name)
        if value not in choices:
            raise UserError(f"{path} has {name} = {value!r}: use one of {', '.join(choices)}.")
    for name in ("mean", "standard_deviation"):
        values = getattr(declared, name)
        if not (isinstance(values, list) and len(values) == 3):
            raise UserError(f"{path} has {name} = {values!r}: give three numbers, for red, green and blue.")
    size, ai, threshold = declared.input_size, declared.ai, declared.threshold
    if not (isinstance(size, int) and size > 0 and isinstance(ai, int) and ai >= 0 and 0 <= threshold <= 1):
        raise UserError(f"{path} needs input_size above 0, ai of at least 0 and a threshold of 0–1.")
    if not all(declared.standard_deviation):
        raise UserError(f"{path} has a standard_deviation of 0: give what pixels are divided by.")


def _check_outputs(answer: NDArray, declared: Declaration, path: Path, beside: Path) -> None:
    outputs = int(np.prod(np.shape(answer)[1:]))
    wanted = "one" if declared.output in ("probability", "logit") else "several"
    if (outputs == 1) != (wanted == "one") or (declared.ai >= max(outputs, 2)):
        raise UserError(
            f"{path} gives {outputs} numbers a picture, but {beside.name} says output = "
            f"{declared.output!r} with ai = {declared.ai}: mend {beside.name}."
        )


class Network:
    """A function from float32 [1, size, size, 3] to a file's first output."""

    def __init__(self, path: Path):
        self._path = path
        self._run = _load_onnx(path) if path.suffix.lower() == ".onnx" else _load_keras(path)

    def __reduce__(self):
        return Network, (ModelFiles(self._path),)

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray:
        """What the network gives for one picture, [1, outputs]."""
        return self._run(pixels)


def _load_onnx(path: Path) -> Callable[[NDArray[np.float32]], NDArray]:
    session = onnx_session(path)
    given, returned = session.get_inputs()[0], session.get_outputs()[0]
    channels_first = len(given.shape) == 4 and given.shape[1] == 3

    def run(pixels: NDArray[np.float32]) -> NDArray:
        ready = pixels.transpose(0, 3, 1, 2) if channels_first else pixels
        return session.run([returned.name], {given.name: np.ascontiguousarray(ready)})[0]

    return run


def _load_keras(path: Path) -> Callable[[NDArray[np.float32]], NDArray]:
    import keras

    from src.utils.models.bundle.legacy import load_legacy

    model = load_legacy(path)
    return lambda pixels: keras.ops.convert_to_numpy(model(pixels, training=False))
