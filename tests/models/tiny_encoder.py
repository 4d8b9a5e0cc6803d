"""An encoder of a few kilobytes with the inputs, outputs and inner names of CLIP's, written by hand.

Its 14 × 14 patch tokens are the mean colours of 16 px squares, its class token is the mean of them all, and
every layer multiplies by `GROWTH`: all its numbers are known without running it.
"""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np

from src.utils.models.encoder.runtime import CLIP_LAYOUT, LAYERS, Encoder, message

GROWTH = 1.1
WIDTH = 3


def write_encoder(path: Path, growth: float = GROWTH) -> Path:
    """Write the encoder as an ONNX file."""
    inner = [f"/vision_model/encoder/layers.{index}/Add_1_output_0" for index in range(LAYERS - 1)]
    last = CLIP_LAYOUT.outputs[-1]
    tokens = ["tokens_0", *inner, last]
    nodes = [
        node("AveragePool", ["pixel_values"], "pooled", kernel_shape=[16, 16], strides=[16, 16]),
        node("Reshape", ["pooled", "shape"], "flat"),
        node("Transpose", ["flat"], "patches", perm=[0, 2, 1]),
        node("ReduceMean", ["patches"], "class_token", axes=[1], keepdims=1),
        node("Concat", ["class_token", "patches"], "tokens_0", axis=1),
        *(node("Mul", [before, "growth"], after) for before, after in itertools.pairwise(tokens)),
        node("ReduceMean", [last], "image_embeds", axes=[1], keepdims=0),
    ]
    graph = b"".join(message(1, one) for one in nodes) + message(2, b"tiny")
    graph += message(5, tensor("shape", np.array([0, 3, 196], np.int64)))
    graph += message(5, tensor("growth", np.array([growth], np.float32)))
    graph += message(11, value("pixel_values", ["batch", 3, 224, 224]))
    graph += message(12, value("image_embeds", ["batch", WIDTH]))
    graph += message(12, value(last, ["batch", 197, WIDTH]))
    opset = message(8, integer(2, 14))
    path.write_bytes(integer(1, 7) + opset + message(7, graph))
    return path


def load_tiny(folder: Path) -> Encoder:
    """Write and load the encoder."""
    return Encoder.load(write_encoder(folder / "tiny.onnx"), threads=1)


def integer(field: int, number: int) -> bytes:
    """A small whole number (0–127) as a field."""
    return bytes([field << 3]) + bytes([number]) if field < 16 else bytes([field << 3 & 127 | 128, 1, number])


def node(kind: str, inputs: list[str], output: str, **attributes) -> bytes:
    """One operation."""
    content = b"".join(message(1, name.encode()) for name in inputs) + message(2, output.encode())
    content += message(4, kind.encode())
    for name, number in attributes.items():
        if isinstance(number, list):
            parts = b"".join(integer(8, one) for one in number) + attribute_type(7)
        else:
            parts = integer(3, number) + attribute_type(2)
        content += message(5, message(1, name.encode()) + parts)
    return content


def attribute_type(number: int) -> bytes:
    """Field 20 of an attribute: 2 is a whole number, 7 a list of them."""
    return bytes([20 << 3 & 127 | 128, 20 << 3 >> 7, number])


def tensor(name: str, values: np.ndarray) -> bytes:
    """A constant."""
    dims = b"".join(integer(1, size) for size in values.shape)
    kind = {"float32": 1, "int64": 7}[values.dtype.name]
    return dims + integer(2, kind) + message(8, name.encode()) + message(9, values.tobytes())


def value(name: str, shape: list[str | int]) -> bytes:
    """Name and shape of an input or output of floats."""
    dims = b""
    for size in shape:
        content = message(2, size.encode()) if isinstance(size, str) else b"\x08" + varint(size)
        dims += message(1, content)
    return message(1, name.encode()) + message(2, message(1, integer(1, 1) + message(2, dims)))


def varint(number: int) -> bytes:
    """A whole number below 2^14."""
    return bytes([number]) if number < 128 else struct.pack("BB", number & 127 | 128, number >> 7)
