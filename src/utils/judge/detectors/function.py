"""Somebody else's detector: a Python function from pictures to probabilities of AI. It is run as it is."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.utils.analysis.scoring.scores import log_odds
from src.utils.files import hash_bytes, hash_file
from src.utils.judge.detectors.detector import Detector
from src.utils.settings import UserError

FEW = 8
"""Pictures given to the function at once: they come at their own size and need memory."""


def load_function(asked: str) -> Detector:
    """Import `module:function`, from the folder the command was started in or from what is installed.

    Args:
        asked: The function takes a list of RGB pictures (Pillow) and gives a probability of AI for each, 0–1.

    Raises:
        UserError: The module cannot be imported, or has no such function.
    """
    name, _, attribute = asked.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # somebody else's code can fail in any way
        raise UserError(f"DETECTOR={asked} cannot be imported ({_said(error)}): check its name.") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise UserError(f"DETECTOR={asked}: {name} has no function {attribute}: check its name.")
    return Detector(
        name=asked,
        key=_key(asked, module),
        read=lambda image: image,
        ask=lambda pictures: log_odds(ask_function(function, pictures, asked)),
        batch=FEW,
        about=f"A function of somebody else: judging it runs the code of {_place(module)}.",
    )


def ask_function(
    function: Callable[[list[Image.Image]], Any], pictures: Sequence[Image.Image], name: str
) -> NDArray[np.float64]:
    """Call the function and hold it to its contract: one probability a picture, float64 [n].

    Raises:
        UserError: It failed, or gave something else.
    """
    try:
        answer = np.asarray(function(list(pictures)), dtype=float)
    except Exception as error:
        raise UserError(f"{name} failed on a picture ({_said(error)}): mend it and start again.") from error
    if answer.shape != (len(pictures),):
        raise UserError(
            f"{name} gave numbers of shape {list(answer.shape)} for {len(pictures)} pictures: "
            "it has to give one probability of AI for each."
        )
    if not ((answer >= 0) & (answer <= 1)).all():
        raise UserError(f"{name} gave {answer[~((answer >= 0) & (answer <= 1))][0]:g}, no probability (0–1).")
    return answer


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .")


def _place(module: ModuleType) -> str:
    path = getattr(module, "__file__", None)
    return module.__name__ if path is None else os.path.relpath(path)


def _key(asked: str, module: ModuleType) -> str:
    """Changes with the module's folder of Python files and with every package that is installed."""
    path = getattr(module, "__file__", None)
    folder = Path(path).parent if path else None
    files = sorted(folder.glob("*.py")) if folder else []
    state = [asked, [[path.name, hash_file(path)] for path in files], _installed()]
    return hash_bytes(json.dumps(state).encode())


@functools.cache
def _installed() -> list[list[str]]:
    """Name and version of every package that is installed."""
    return sorted([one.name, one.version] for one in importlib.metadata.distributions())
