"""A detector of a few kilobytes as ONNX: what its last layer reads can be worked out by hand.

The picture is averaged over squares of 8 × 8 pixels, a linear layer and a rectifier make `WIDTH` features of
the averages, and the last layer makes one logit of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, WIDTH = 32, 5
LASTS = ("Gemm", "MatMul", "Conv")


def write_detector(
    path: Path, last: str = "Gemm", half: bool = False, batch: int | str = "batch", seed: int = 0
) -> Path:
    """Write a detector.

    Args:
        path: Where.
        last: Kind of its last layer, one of `LASTS`.
        half: Whether it computes in 16 bits, with inputs and outputs in 32.
        batch: Pictures it takes at once: 1, or a name for any number.
        seed: Of its weights.
    """
    kind = np.float16 if half else np.float32
    first, second = (one.astype(kind) for one in _weights(seed))
    pooled = "pixels_16" if half else "pixel_values"
    nodes = [
        helper.make_node("Cast", ["pixel_values"], ["pixels_16"], to=TensorProto.FLOAT16),
        helper.make_node("AveragePool", [pooled], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["features"]),
        *_last_layer(last),
        helper.make_node("Add", ["weighed", "bias"], ["shifted"]),
        helper.make_node("Cast", ["shifted"], ["logit"], to=TensorProto.FLOAT),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    constants = {
        "first": first,
        "last": second.T[:, :, None, None] if last == "Conv" else second,
        "bias": np.array([0.3], kind),
        "column": np.array([0, WIDTH, 1, 1], np.int64),
        "row": np.array([0, 1], np.int64),
    }
    graph = helper.make_graph(
        nodes if half else nodes[1:],
        "tiny",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [batch, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def features_of(
    pixels: np.ndarray, mean: Sequence[float], standard_deviation: Sequence[float], seed: int = 0
) -> np.ndarray:
    """What the last layer reads of a picture, uint8 [SIZE, SIZE, 3] → float64 [WIDTH]."""
    scaled = (pixels / 255 - np.array(mean)) / np.array(standard_deviation)
    pooled = scaled.reshape(SIZE // 8, 8, SIZE // 8, 8, 3).mean(axis=(1, 3))
    return np.maximum(pooled.transpose(2, 0, 1).ravel() @ _weights(seed)[0], 0)


def _weights(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the first and of the last layer."""
    random = np.random.default_rng(seed)
    return random.normal(size=(3 * (SIZE // 8) ** 2, WIDTH)), random.normal(size=(WIDTH, 1))


def _last_layer(kind: str) -> list[onnx.NodeProto]:
    if kind != "Conv":
        return [helper.make_node(kind, ["features", "last"], ["weighed"])]
    return [
        helper.make_node("Reshape", ["features", "column"], ["columns"]),
        helper.make_node("Conv", ["columns", "last"], ["sums"]),
        helper.make_node("Reshape", ["sums", "row"], ["weighed"]),
    ]
