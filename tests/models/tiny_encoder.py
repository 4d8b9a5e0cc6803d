"""An encoder of a few kilobytes with the inputs, outputs and inner names of CLIP's in the sample's package.

Its 14 × 14 patch tokens are the mean colours of 16 px squares, its class token is the mean of them all, and
every layer multiplies by `GROWTH`: all its numbers are known without running it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from src.utils.models.encoder.packaged import LAST, PIXELS, convert
from src.utils.models.encoder.runtime import LAYERS, Encoder

GROWTH = 1.1
WIDTH = 3


def write_packaged(path: Path, growth: float = GROWTH) -> Path:
    """Write the encoder as it would lie in the package."""
    inner = [f"/vision_model/encoder/layers.{index}/Add_1_output_0" for index in range(LAYERS - 1)]
    tokens = ["tokens_0", *inner, LAST]
    nodes = [
        helper.make_node("AveragePool", [PIXELS], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["patches"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["patches"], ["class_token"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["class_token", "patches"], ["tokens_0"], axis=1),
        *(helper.make_node("Mul", [one, "growth"], [next_]) for one, next_ in itertools.pairwise(tokens)),
        helper.make_node("ReduceMean", [LAST], ["image_embeds"], axes=[1], keepdims=0),
    ]
    constants = {"shape": np.array([0, 3, 196], np.int64), "growth": np.array([growth], np.float32)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [_floats(PIXELS, 3, 224, 224)],
        [_floats("image_embeds", WIDTH), _floats(LAST, 197, WIDTH)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, ir_version=7, opset_imports=[helper.make_opsetid("", 14)]), path)
    return path


def write_encoder(path: Path, growth: float = GROWTH) -> Path:
    """Write the encoder as a bundle holds it."""
    convert(write_packaged(path, growth), path)
    return path


def load_tiny(folder: Path) -> Encoder:
    """Write and load the encoder."""
    return Encoder.load(write_encoder(folder / "tiny.onnx"), threads=1)


def _floats(name: str, *shape: int) -> onnx.ValueInfoProto:
    """An input or output: one array of this shape a picture."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])
