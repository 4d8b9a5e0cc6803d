"""How ONNX Runtime is set up, in one place: it runs every model that answers without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.utils.processor import CPUINFO, processor_flags
from src.utils.settings import UserError

if TYPE_CHECKING:
    import onnxruntime

THREADS_VARIABLE = "MODEL_THREADS"

_ERRORS_ONLY = 3

_VNNI = {"avx512_vnni", "avx_vnni"}


def model_threads() -> int:
    """Processors a model may use, from MODEL_THREADS: 0, or unset, means all.

    Raises:
        UserError: The variable is not a whole number of at least 0.
    """
    value = os.environ.get(THREADS_VARIABLE) or "0"
    if not (value.isascii() and value.isdigit()):
        raise UserError(
            f"{THREADS_VARIABLE}={value} is not a whole number of at least 0: "
            "give the number of processors a model may use, or 0 for all."
        )
    return int(value)


def available_threads() -> int:
    """As `model_threads`, with all processors as a number of at least 1.

    Raises:
        UserError: MODEL_THREADS is no number.
    """
    return model_threads() or os.cpu_count() or 1


def products_overflow(cpuinfo: Path = CPUINFO) -> bool:
    """Whether ONNX Runtime's usual 8-bit kernel overflows on this processor; the other takes twice as long.

    Where an x86 processor has no VNNI, sums of 8-bit products overflow, and a network of 8 bits says
    something else: the sample's encoder gave embeddings whose cosine with the exact ones was 0.48 to 0.63.
    With VNNI both kernels are exact: there the slower one encoded 7.7 pictures a second, the usual one 14.

    Args:
        cpuinfo: Where Linux lists the processor's features; without such a list it may overflow.
    """
    return not processor_flags(cpuinfo) & _VNNI


def onnx_session(model: bytes | Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Load a model for the processor, quietly.

    Args:
        model: An ONNX file, or what is in one.
        threads: Processors to use, 0 for all; by default what MODEL_THREADS says.

    Returns:
        A session; several threads may run it at once.

    Raises:
        UserError: MODEL_THREADS is no number.
        ValueError: This is no model that ONNX Runtime can run; the message is one line.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = model_threads() if threads is None else threads
    options.log_severity_level = _ERRORS_ONLY
    # Measured on two cores with the deck's network and the improved model's encoder. Threads that spin while
    # they wait gain nothing for one process and take the cores from another: two side by side need 246 ms a
    # picture for the encoder with spinning, 88 ms without. Planning memory ahead costs 10 MB and saves no
    # time. The arena stays (87 MB, 7.0 ms a picture for the network): without it a picture takes 8.0 ms and
    # the process anything between 93 and 198 MB.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.x64quantprecision", str(int(products_overflow())))
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        reason = str(error).partition("\n")[0].rpartition("failed:")[2]
        raise ValueError(reason) from error


def onnx_runtime(path: Path, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Load an exported network.

    It is given one picture at a time: a batch is no faster here (32 together take 8.4 ms each, alone 7.5 ms),
    needs much more memory (643 MB instead of 94), and an answer cannot depend on what else was asked.

    Args:
        path: An ONNX file: float32 pixels [n, size, size, 3] in 0–255 → float32 logits [n, 2].
        size: Side of the square it should read, in pixels.

    Returns:
        A function from uint8 [n, size, size, 3] to float32 [n, 2].

    Raises:
        UserError: MODEL_THREADS is no number.
        ValueError: The file is no such network; the message is one line.
    """
    session = onnx_session(path)
    given, returned = session.get_inputs(), session.get_outputs()
    shapes = [one.shape[1:] for one in (*given, *returned)]
    if shapes != [[size, size, 3], [2]]:
        raise ValueError(f"its input and output have the shapes {shapes}, not [{size}, {size}, 3] and [2]")

    def ask(picture: np.ndarray) -> np.ndarray:
        return session.run([returned[0].name], {given[0].name: picture[None].astype(np.float32)})[0]

    return lambda pixels: np.concatenate([ask(picture) for picture in pixels])
