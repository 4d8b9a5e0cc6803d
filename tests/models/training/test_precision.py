"""The training precision follows the hardware and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.utils.models.training import precision
from src.utils.models.training.precision import choose_precision


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Compute capabilities of the GPUs there seem to be; none at first."""
    capabilities: list[tuple[int, int]] = []
    monkeypatch.setattr(precision, "_gpu_capabilities", lambda: capabilities)
    return capabilities


def cpu(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")
    return path


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ("fpu avx512f avx512_bf16", "mixed_bfloat16"),
        ("fpu amx_bf16", "mixed_bfloat16"),
        ("fpu avx512f", "float32"),
        ("", "float32"),
    ],
)
def test_processor_decides(tmp_path: Path, gpus: list, flags: str, policy: str) -> None:
    choice = choose_precision("auto", cpu(tmp_path, flags))
    assert choice.policy == policy
    assert "processor" in choice.reason


def test_without_a_list_of_features_it_is_float32(tmp_path: Path, gpus: list) -> None:
    assert choose_precision("auto", tmp_path / "absent").policy == "float32"


def test_bfloat16_needs_onednn(tmp_path: Path, gpus: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    choice = choose_precision("auto", cpu(tmp_path, "amx_bf16"))
    assert choice.policy == "float32" and "oneDNN" in choice.reason


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [([(8, 0)], "mixed_bfloat16"), ([(9, 0), (7, 5)], "float32"), ([(0, 0)], "float32")],
)
def test_a_gpu_comes_first(tmp_path: Path, gpus: list, capabilities: list, policy: str) -> None:
    gpus += capabilities
    choice = choose_precision("auto", cpu(tmp_path, "amx_bf16"))
    assert choice.policy == policy and "GPU" in choice.reason


def test_precision_can_be_asked_for(tmp_path: Path, gpus: list) -> None:
    assert choose_precision("float32", cpu(tmp_path, "amx_bf16")).policy == "float32"
    assert choose_precision("mixed_bfloat16", cpu(tmp_path, "")).policy == "mixed_bfloat16"
