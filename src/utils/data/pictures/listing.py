"""Names and listings of files, the same for every source of pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from src.utils.data.pictures.formats import IMAGE_SUFFIXES


def is_image_name(name: str) -> bool:
    """Whether a file name ends like a picture, in whatever case."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def is_plain_relative(name: str) -> bool:
    """Whether a name with forward slashes stays below the folder it is joined to, on every system.

    Absolute paths, drive letters, backslashes, `..` and NUL bytes are refused: names come from archives and
    tables that strangers wrote.
    """
    path = PureWindowsPath(name)
    return bool(path.name) and not path.anchor and ".." not in path.parts and not {"\\", "\0"} & set(name)


def walk_files(folder: Path) -> Iterator[str]:
    """Every file below a folder, as a path relative to it with forward slashes, in sorted order.

    Hidden names and `__MACOSX` are passed over. Linked folders are followed, each real folder once, so a
    link that points back does not loop.

    Raises:
        OSError: A folder cannot be listed.
    """
    yield from _walk(folder, "", set())


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", seen)
        elif entry.is_file():
            yield f"{prefix}{entry.name}"
