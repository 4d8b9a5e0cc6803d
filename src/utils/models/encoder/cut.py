"""A detector's network as an encoder: its ONNX file without the last layer.

What a detector learnt from the pictures of very many generators (4,803 in Community Forensics, Park and
Owens, CVPR 2025) lies in the numbers that its last layer weighs. A head that is fitted on these numbers here
answers for the data at hand. Such a file keeps its inner tokens to itself: its numbers stand for one token
after every layer, and an evidence map is a single square.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.utils.files import atomic_path
from src.utils.models.bundle.onnx_session import onnx_session
from src.utils.models.encoder.packaged import take_pixels
from src.utils.models.encoder.runtime import EMBEDDING, LAYOUT_KEY, TOKEN_OUTPUTS, Layout
from src.utils.settings import UserError

if TYPE_CHECKING:
    import onnx

LINEAR = ("Gemm", "MatMul", "Conv")
"""ONNX's operators that a last layer can be."""


def cut_detector(
    source: Path,
    target: Path,
    size: int,
    mean: Sequence[float],
    standard_deviation: Sequence[float],
    record: Mapping[str, str],
    resample: str = "bicubic",
) -> None:
    """Make an encoder's file of a detector's.

    Args:
        source: An ONNX file with one input, float32 [1 or n, 3, size, size], and one output that a linear
            layer gives; what is done to its number afterwards (a sigmoid, say) is cut off with it.
        target: Where to write what `Encoder.load` reads.
        size: Side of the square it reads, in pixels.
        mean: Taken from pixels of 0–1, for red, green and blue.
        standard_deviation: What divides them then.
        record: What a bundle says of it; see `Layout`.
        resample: The Pillow filter that brings pictures to `size`.

    Raises:
        UserError: The file cannot be read, or no last layer can be told in it.
    """
    import onnx

    try:
        model = onnx.load(source)
        _keep_features(model.graph, last_layer_input(model.graph))
        take_pixels(model.graph, _input_name(model.graph), size, mean, standard_deviation)
        width = _measure_width(model, size)
    except OSError as error:
        raise UserError(f"{source} cannot be read ({error.strerror}): fetch it again.") from error
    except Exception as error:  # protobuf's and ONNX Runtime's exceptions share no base class
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{source} cannot be cut before its last layer ({reason}).") from error
    for one in model.graph.output:
        one.type.tensor_type.shape.dim[-1].dim_value = width
    layout = Layout("detector", size, 1, 0, resample, (EMBEDDING, *TOKEN_OUTPUTS), record)
    onnx.helper.set_model_props(model, {LAYOUT_KEY: json.dumps(dataclasses.asdict(layout))})
    with atomic_path(target) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def last_layer_input(graph: onnx.GraphProto) -> str:
    """Name of what the last linear layer before the output reads.

    Args:
        graph: A network with one output.

    Raises:
        ValueError: From the output back, the way forks before a linear layer is met.
    """
    follows = {_input_name(graph)}
    made_by = {}
    for node in graph.node:  # stand in the order of their use
        made_by |= dict.fromkeys(node.output, node)
        if follows & set(node.input):
            follows |= set(node.output)
    (name,) = (one.name for one in graph.output)
    while name in made_by:
        read = [one for one in made_by[name].input if one in follows]
        if len(read) != 1:
            break
        if made_by[name].op_type in LINEAR:
            return read[0]
        (name,) = read
    raise ValueError("its output is not that of a linear layer")


def _input_name(graph: onnx.GraphProto) -> str:
    """The network's input; older files list constants among the inputs too."""
    constants = {one.name for one in graph.initializer}
    (name,) = (one.name for one in graph.input if one.name not in constants)
    return name


def _keep_features(graph: onnx.GraphProto, features: str) -> None:
    """Make the features the only output, as embedding and as one token, without what they do not need."""
    from onnx import TensorProto, helper, numpy_helper

    needed = {features}
    for place in reversed(range(len(graph.node))):
        if needed & (set(graph.node[place].output) - {""}):
            needed |= set(graph.node[place].input)
        else:
            del graph.node[place]
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in needed:
            del graph.initializer[place]
    del graph.output[:]
    del graph.value_info[:]
    graph.initializer.append(numpy_helper.from_array(np.array([0, 1, -1], np.int64), "one_token"))
    graph.node.append(helper.make_node("Cast", [features], ["features_32"], to=TensorProto.FLOAT))
    graph.node.append(helper.make_node("Flatten", ["features_32"], [EMBEDDING], axis=1))
    for name in TOKEN_OUTPUTS:
        graph.node.append(helper.make_node("Reshape", [EMBEDDING, "one_token"], [name]))
    shapes = {EMBEDDING: ["batch", "width"]} | {name: ["batch", 1, "width"] for name in TOKEN_OUTPUTS}
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    )


def _measure_width(model: onnx.ModelProto, size: int) -> int:
    """How many features there are, from a black picture."""
    session = onnx_session(model.SerializeToString())
    black = np.zeros((1, size, size, 3), np.float32)
    return session.run([EMBEDDING], {"pixels": black})[0].shape[-1]
