"""Stand-ins for detectors of others: files with the same inputs and outputs and a score told by hand."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

SIZE = 384


def bright_network(path: Path, half: bool = False, size: int = SIZE, gain: float = 1.0) -> Path:
    """Save a network whose logit is `gain` × the mean of its input, float32 [1, 3, size, size] → [1, 1].

    Args:
        path: Where to.
        half: Whether it computes in float16 inside.
        size: Side of what it reads.
        gain: Factor.
    """
    inside = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["x"], ["inside"], to=inside),
        helper.make_node("ReduceMean", ["inside", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["one"]),
        helper.make_node("Cast", ["one"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("gain", inside, [], [gain]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
