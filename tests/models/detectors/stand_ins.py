"""Stand-ins for detectors of others: files with the same inputs and outputs and a score told by hand."""

from __future__ import annotations

import json
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


def write_table(path: Path, address: str, sha256: str, size: int = 32) -> Path:
    """Write a table with one detector, `stand_in`: log-odds of AI are the network's + 0.43."""
    recipe = {
        "input_size": size,
        "views": ["crop", "native"],
        "shorter_side": size + 4,
        "mean": [0.5] * 3,
        "standard_deviation": [0.25] * 3,
        "combine": "logits",
        "second_view_between": [0.25, 0.85],
        "threshold": 0.65,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in recipe.items()]
    path.write_text(
        f"""
[stand_in]
title = "Stand-in"
authors = "the tests"
licence = "MIT"
trained_on = "nothing"
address = "{address}"
sha256 = "{sha256}"
[[stand_in.published]]
by = "the tests"
figures = "none."
[stand_in.recipe]
calibration = {{ scale = 1.0, offset = 0.43 }}
"""
        + "\n".join(lines)
    )
    return path
