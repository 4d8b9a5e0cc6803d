"""What a command does to its process first: read `.env`, keep TensorFlow's start-up notes off the screen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from src.utils.settings import PROJECT_ROOT

DOTENV = PROJECT_ROOT / ".env"
"""Keys and places that are typed once and kept out of git."""


def read_dotenv(path: Path = DOTENV) -> None:
    """Put the variables of a `.env` file into the environment; those that are there already win.

    For commands on a developer's computer: a deployed server reads its own environment and no file. An entry
    without a value is left out.

    Args:
        path: The file; nothing happens if there is none.
    """
    from dotenv import dotenv_values

    for name, value in dotenv_values(path, interpolate=False).items():
        if value:
            os.environ.setdefault(name, value)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what TensorFlow's C++ writes to stderr while it starts, unless that start fails.

    It logs before any of its settings is read, so only the file descriptor itself can be quietened.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notes:
        stderr = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except Exception:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
