"""The `.env` file of this computer: keys and places that are typed once and kept out of git."""

from __future__ import annotations

import os
from pathlib import Path

from src.utils.settings import PROJECT_ROOT

DOTENV = PROJECT_ROOT / ".env"


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
