"""Two detectors to set beside any other: one that looks at nothing, and a head on a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.utils.data.pictures.decode import squash
from src.utils.files import hash_bytes
from src.utils.judge.detectors.detector import Detector
from src.utils.judge.detectors.function import load_function
from src.utils.models.encoder.features import read_size
from src.utils.models.encoder.runtime import Encoder, EncoderRuntime, Head


def say_ai(pictures: Sequence[Image.Image]) -> list[float]:
    """Probability 1 of AI for every picture, as `make evaluate DETECTOR=module:function` asks for it."""
    return [1.0] * len(pictures)


def always_ai() -> Detector:
    """The function `say_ai` as a detector, `always_ai` in the tables."""
    return replace(load_function(f"{__name__}:say_ai"), name="always_ai", about="A function: it says AI.")


def head_detector(name: str, encoder: Encoder, head: Head) -> Detector:
    """A head that was fitted on an encoder and is in no bundle, asked as a bundle with both would be.

    Args:
        name: What tables call it, such as `linear_probe`.
        encoder: The encoder.
        head: A head that was fitted on its features of whole pictures.
    """
    runtime = EncoderRuntime(encoder, head)

    def ask(pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        return np.diff(runtime(np.stack(pixels)).astype(np.float64), axis=1)[:, 0]

    return Detector(
        name=name,
        key=_key(encoder, head),
        read=lambda image: squash(image, read_size(encoder.layout.size)),
        ask=ask,
        about="A linear head on a frozen encoder.",
    )


def _key(encoder: Encoder, head: Head) -> str:
    """Changes with the encoder's file and every number of the head."""
    numbers = [np.asarray([head.bias, *head.offsets.values()], np.float64).tobytes()]
    numbers += [name.encode() + weight.tobytes() for name, weight in head.weights.items()]
    return hash_bytes(b"".join([encoder.sha256.encode(), head.crops.encode(), *numbers]))
