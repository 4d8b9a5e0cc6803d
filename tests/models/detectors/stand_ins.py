"""Stand-ins for detectors of others: files with the same inputs and outputs and a score told by hand."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from src.utils.files import sha256_file
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.detectors import kept
from tests.models.calibrations import POLICY, wide_table
from tests.models.detectors.file_server import FileServer

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


@contextlib.contextmanager
def stand_in_offered(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server that offers the stand-in `stand_in`, and a table in `root` that names it, for the block."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = bright_network(root / "made.onnx", half=True, size=32, gain=2.0)
    with FileServer(made.read_bytes()) as server:
        table = write_table(root / "detectors.toml", server.address, sha256_file(made))
        monkeypatch.setattr(kept, "TABLE", table)
        yield server


def calibrate_by_hand(folder: Path, **facts) -> None:
    """Give a bundle intervals of a few percent around what it says, verdicts up to 30 % and from 70 on."""
    write_calibration(folder, load_bundle(folder).served_files, wide_table(), POLICY, **facts)
