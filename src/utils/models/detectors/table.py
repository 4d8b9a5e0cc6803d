"""The table of detectors of others, `detectors.toml`: read and checked before anything is fetched."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from src.utils.models.detectors.recipe import Recipe
from src.utils.settings import PROJECT_ROOT, UserError

TABLE = PROJECT_ROOT / "detectors.toml"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REQUIRED = ("address", "licence", "recipe")


@dataclass(frozen=True)
class Entry:
    """One detector of the table.

    Attributes:
        name: What it is called by; also its file's and its bundle's name.
        address: Where its file lies, at a pinned revision.
        licence: Of its weights.
        recipe: How it is asked, as the table has it; see `Recipe`.
        title: Its name for people.
        authors, paper, trained_on: Whose it is, where it is described, what it learned on.
        size: Bytes of its file; 0 where that is not known.
        sha256: Of its file; empty where that is not known.
        published: What others measured, each with `by` and `figures`.
    """

    name: str
    address: str
    licence: str
    recipe: Mapping[str, Any]
    title: str = ""
    authors: str = "not stated"
    paper: str = "none stated"
    trained_on: str = "pictures that its authors do not name"
    size: int = 0
    sha256: str = ""
    published: Sequence[Mapping[str, str]] = ()

    @property
    def megabytes(self) -> str:
        """How much there is to fetch, in words."""
        return f"{self.size / 1e6:.0f} MB" if self.size else "a size that the table does not know"

    @property
    def about(self) -> str:
        """One line: what it is, whose, under which terms, how large and where from."""
        return (
            f"{self.name}: {self.title or self.name}, by {self.authors}; licence {self.licence}; "
            f"{self.megabytes}; from {self.address}"
        )

    @property
    def offer(self) -> str:
        """One clause: how to get it, and what that costs."""
        return f"make detector NAME={self.name} fetches it ({self.megabytes}, licence {self.licence})"

    @property
    def claims(self) -> list[str]:
        """What others say of it, a sentence each, with who says so."""
        return [f"Published by {one['by']}; not run by us: {one['figures']}" for one in self.published]


def read_table(path: Path = TABLE) -> dict[str, Entry]:
    """Read the table of detectors.

    Args:
        path: The file; where there is none, no detector is known.

    Returns:
        Entries by name, in the table's order.

    Raises:
        UserError: It is no TOML, or an entry is incomplete or wrong: one line that names entry and cure.
    """
    if not path.is_file():
        return {}
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML ({error}): mend it.") from error
    return {name: _entry(path, name, values) for name, values in told.items()}


def _entry(path: Path, name: str, values: Any) -> Entry:
    try:
        if not (isinstance(values, dict) and re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name)):
            raise ValueError("a name that is not made of small letters, digits, _ and -, or no entries")
        if unknown := sorted(set(values) - {field.name for field in fields(Entry)[1:]}):
            raise ValueError(f"the unknown entry {unknown[0]}")
        if lacking := [one for one in _REQUIRED if one not in values]:
            raise ValueError(f"no {', '.join(lacking)}")
        entry = Entry(name=name, **values)
        _check(entry)
        Recipe.of(entry.recipe)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}, [{name}] has {error}: mend it (docs/DETECTORS.md shows how).") from error
    return entry


def _check(entry: Entry) -> None:
    address = urlsplit(entry.address)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("an address that is no http or https link")
    if not address.path.endswith(".onnx"):
        raise ValueError("an address that is no .onnx file; nothing else is loaded")
    if not (isinstance(entry.size, int) and entry.size >= 0):
        raise ValueError("a size that is no number of bytes")
    if entry.sha256 and not _SHA256.fullmatch(entry.sha256):
        raise ValueError("a sha256 that is not 64 small hexadecimal digits")
    if not all(set(one) == {"by", "figures"} for one in entry.published):
        raise ValueError("a published entry without by and figures")
