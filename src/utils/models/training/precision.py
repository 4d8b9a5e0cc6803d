"""Which number format to train in: bfloat16 where the hardware multiplies it natively, float32 elsewhere.

Low precision is for training only: the weights stay float32 under a mixed policy, and the model that is
saved, evaluated and served is built again in float32 from them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from src.utils.processor import CPUINFO, processor_flags

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_BFLOAT16_CAPABILITY = (8, 0)  # NVIDIA Ampere


@dataclass(frozen=True)
class Precision:
    """A Keras dtype policy and, in words, why it was chosen."""

    policy: str
    reason: str


def choose_precision(asked: str = "auto", cpuinfo: Path = CPUINFO) -> Precision:
    """Choose the training precision for the hardware at hand.

    Args:
        asked: `Settings.precision`, which overrules the choice unless it is `auto`.
        cpuinfo: Where Linux lists the processor's features; absent on macOS.

    Returns:
        The policy and the reason.
    """
    if asked != "auto":
        return Precision(asked, f"PRECISION={asked} was asked for")
    capabilities = _gpu_capabilities()
    if capabilities:
        if min(capabilities) >= _BFLOAT16_CAPABILITY:
            return Precision("mixed_bfloat16", "the GPU computes in bfloat16")
        return Precision("float32", "the GPU does not compute in bfloat16")
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return Precision("float32", "oneDNN, which has the fast bfloat16 kernels, is switched off")
    flags = processor_flags(cpuinfo) & _BFLOAT16_FLAGS
    if flags:
        return Precision("mixed_bfloat16", f"the processor computes in bfloat16 ({', '.join(sorted(flags))})")
    return Precision("float32", "this processor has no bfloat16 arithmetic")


def _gpu_capabilities() -> list[tuple[int, int]]:
    """Compute capability of each GPU TensorFlow sees; (0, 0) where it does not tell."""
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [tuple(detail.get("compute_capability", (0, 0))) for detail in details]
