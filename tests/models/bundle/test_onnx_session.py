"""Sessions of ONNX Runtime: on the processor, with the threads asked for, and one line when they fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from src.utils.models.bundle.onnx_session import (
    model_threads,
    onnx_runtime,
    onnx_session,
    products_overflow,
)
from src.utils.settings import UserError
from tests.models.tiny_encoder import write_encoder


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_THREADS", raising=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "tiny.onnx")


def threads_of(session) -> int:
    return session.get_session_options().intra_op_num_threads


def test_a_file_and_its_content_are_the_same_model(model: Path) -> None:
    pixels = {"pixels": np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32)}
    from_file, from_bytes = (onnx_session(one).run(None, pixels) for one in (model, model.read_bytes()))
    for one, other in zip(from_file, from_bytes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("value", "threads"), [(None, 0), ("", 0), ("0", 0), ("1", 1), ("12", 12)])
def test_threads_come_from_the_environment(monkeypatch, model: Path, value, threads) -> None:
    if value is not None:
        monkeypatch.setenv("MODEL_THREADS", value)
    assert model_threads() == threads
    assert threads_of(onnx_session(model)) == threads


def test_threads_that_are_asked_for_come_first(monkeypatch, model: Path) -> None:
    monkeypatch.setenv("MODEL_THREADS", "2")
    assert threads_of(onnx_session(model, threads=1)) == 1
    assert threads_of(onnx_session(model, threads=0)) == 0


@pytest.mark.parametrize("value", ["-1", "two", "1.5", " ", "²", "1e3"])
def test_a_wrong_number_of_threads_is_one_line(monkeypatch, model: Path, value: str) -> None:
    monkeypatch.setenv("MODEL_THREADS", value)
    with pytest.raises(UserError, match=f"MODEL_THREADS={value} is not a whole number") as problem:
        onnx_session(model)
    assert "\n" not in str(problem.value)


def test_it_runs_on_the_processor_without_spinning(model: Path) -> None:
    session = onnx_session(model)
    assert session.get_providers() == ["CPUExecutionProvider"]
    options = session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert (options.enable_mem_pattern, options.enable_cpu_mem_arena) == (False, True)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_what_is_no_model_is_a_value_error_of_one_line(tmp_path: Path, content: bytes, capfd) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    for model in (tmp_path / "bad.onnx", content):
        with pytest.raises(ValueError) as problem:
            onnx_session(model)
        assert str(problem.value) and "\n" not in str(problem.value)
    with pytest.raises(ValueError, match=r"absent\.onnx"):
        onnx_session(tmp_path / "absent.onnx")
    assert capfd.readouterr().err == ""


def test_a_model_of_another_shape_is_no_network_of_ours(model: Path) -> None:
    with pytest.raises(
        ValueError, match=r"shapes \[\[224, 224, 3\], \[3\], \[197, 3\], .*\], not \[224, 224, 3\]"
    ):
        onnx_runtime(model, 224)


@pytest.mark.parametrize(
    ("flags", "overflow"),
    [("fpu avx2", True), ("avx2 avx512f avx512_vnni", False), ("avx2 avx_vnni", False), ("", True)],
)
def test_the_slower_kernel_is_for_processors_without_vnni(tmp_path, flags, overflow):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert products_overflow(tmp_path / "cpuinfo") is overflow
    assert products_overflow(tmp_path / "absent")


def test_products_of_8_bit_numbers_do_not_overflow():
    """With AVX2 and no VNNI they do by default, and every network of 8 bits is wrong."""
    weights = numpy_helper.from_array(np.full((64, 32), 127, np.int8), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["pixels", "weights"], ["sums"])],
        "largest",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 64])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [1, 32])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (sums,) = onnx_session(model.SerializeToString()).run(None, {"pixels": np.full((1, 64), 255, np.uint8)})
    assert (sums == 255 * 127 * 64).all()
