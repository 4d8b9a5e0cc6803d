"""A detector's file without its last layer: which features it gives, and which files cannot be cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from src.utils.models.encoder.cut import cut_detector
from src.utils.models.encoder.runtime import BLOCKS, CLASS_BLOCKS, EMBEDDING, PATCH_BLOCK, Encoder
from src.utils.settings import UserError
from tests.models.tiny_detector import LASTS, SIZE, WIDTH, features_of, write_detector

MEAN, DEVIATION = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
RECORD = {"encoder": "a detector", "encoder_licence": "MIT", "encoder_from": "here"}


def cut(source: Path) -> Encoder:
    target = source.with_name("cut.onnx")
    cut_detector(source, target, SIZE, MEAN, DEVIATION, RECORD)
    return Encoder.load(target, threads=1)


@pytest.mark.parametrize("last", LASTS)
@pytest.mark.parametrize(("half", "batch"), [(False, "batch"), (True, "batch"), (False, 1)])
def test_it_gives_what_the_last_layer_reads(tmp_path: Path, last: str, half: bool, batch) -> None:
    encoder = cut(write_detector(tmp_path / "detector.onnx", last, half, batch))
    pixels = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    expected = features_of(pixels, MEAN, DEVIATION)
    assert 0 < np.count_nonzero(expected) < WIDTH
    features, patches = encoder.encode(pixels)
    near = 5e-3 if half else 1e-5
    np.testing.assert_allclose(features[EMBEDDING], expected / np.linalg.norm(expected), atol=near)
    for name in (*CLASS_BLOCKS, PATCH_BLOCK):
        np.testing.assert_allclose(features[name], expected, atol=near)
    assert patches.shape == (1, WIDTH)


def test_the_file_says_how_it_is_used(tmp_path: Path) -> None:
    encoder = cut(write_detector(tmp_path / "detector.onnx"))
    layout = encoder.layout
    assert (layout.family, layout.size, layout.grid, layout.first_patch) == ("detector", SIZE, 1, 0)
    assert (layout.resample, layout.record) == ("bicubic", RECORD)
    assert encoder.widths == dict.fromkeys(BLOCKS, WIDTH)


def test_nothing_of_the_last_layer_is_left(tmp_path: Path) -> None:
    encoder = cut(write_detector(tmp_path / "detector.onnx"))
    graph = onnx.load(encoder.path).graph
    assert not {"last", "bias"} & {one.name for one in graph.initializer}
    assert not {"Sigmoid", "Gemm", "Add"} & {one.op_type for one in graph.node}


def forked(path: Path) -> Path:
    """A network whose output is the sum of two ways from the picture."""
    nodes = [
        helper.make_node("Relu", ["pixels"], ["one"]),
        helper.make_node("Abs", ["pixels"], ["two"]),
        helper.make_node("Add", ["one", "two"], ["sum"]),
    ]
    shape = [1, 3, SIZE, SIZE]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("pixels", "sum")]
    graph = helper.make_graph(nodes, "forked", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_a_network_without_a_last_linear_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"detector\.onnx cannot be cut before its last layer \(its output"):
        cut(forked(tmp_path / "detector.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["detector.onnx"]


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "detector.onnx").write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"detector\.onnx cannot be cut") as caught:
        cut(tmp_path / "detector.onnx")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"detector\.onnx cannot be read"):
        cut(tmp_path / "detector.onnx")
