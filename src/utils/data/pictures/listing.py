"""Names and listings of files, the same for every source of pictures."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from src.utils.data.pictures.formats import IMAGE_SUFFIXES, UNREAD

BROKEN = "links that lead nowhere"
REPEATED = "links to folders listed already"
UNOPENED = "folders that may not be opened"
SPECIAL = "pipes, sockets and devices"
"""What a walk leaves out, besides files that are no pictures."""

_FILE, _FOLDER = "file", "folder"
_KINDS_SAID = 8
_CURES = {kind.name: kind.cure for kind in UNREAD}
_UNREAD_SUFFIXES = {suffix: kind.name for kind in UNREAD for suffix in kind.suffixes}


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


def walk_files(folder: Path, left_out: Counter[str] | None = None) -> Iterator[str]:
    """Every regular file below a folder, as a path relative to it with forward slashes, in sorted order.

    Hidden names and `__MACOSX` are passed over. Links are followed, each real folder once and by its own name
    where it has one here, so that a link that points back does not loop. Whatever cannot be listed or opened
    is left out and never ends the rest.

    Args:
        folder: Where to begin.
        left_out: Counts, by kind, what was left out: links that lead nowhere or to what is listed already,
            folders that may not be opened, pipes, sockets and devices.

    Raises:
        OSError: The folder itself cannot be listed.
    """
    left_out = Counter() if left_out is None else left_out
    files: list[str] = []
    seen: set[tuple[int, int]] = set()
    folders, linked = [""], []  # prefixes; a list instead of recursion, which deep nesting would exhaust
    while folders or linked:
        prefix = folders.pop() if folders else linked.pop(0)
        try:
            entries = _list_new(os.path.join(folder, prefix), seen)  # noqa: PTH118 (a Path drops the last slash)
        except OSError:
            if not prefix:
                raise
            left_out[UNOPENED] += 1
            continue
        if entries is None:
            left_out[REPEATED] += 1
            continue
        for entry in entries:
            name, kind = prefix + entry.name, _kind(entry)
            if kind == _FILE:
                files.append(name)
            elif kind == _FOLDER:
                (linked if entry.is_symlink() else folders).append(f"{name}/")
            else:
                left_out[kind] += 1
        linked.sort()
    yield from sorted(files, key=lambda name: name.split("/"))


def walk_pictures(folder: Path, left_out: Counter[str]) -> Iterator[str]:
    """The files of `walk_files` that are named like pictures; `left_out` counts the others too.

    Raises:
        OSError: The folder itself cannot be listed.
    """
    for name in walk_files(folder, left_out):
        if is_image_name(name):
            yield name
        else:
            left_out[kind_of_name(name)] += 1


def kind_of_name(name: str) -> str:
    """What a file that is no picture counts as: a kind of `UNREAD`, else the ending of its name."""
    suffix = Path(name).suffix.lower()
    return _UNREAD_SUFFIXES.get(suffix) or suffix or "without an ending"


def say_left_out(left_out: Counter[str]) -> str:
    """One sentence on what a walk left out, and what to do with pictures of kinds that are not read.

    Returns:
        An empty text if nothing was left out.
    """
    if not left_out:
        return ""
    kinds = sorted(left_out, key=lambda kind: (kind not in _CURES, -left_out[kind], kind))
    counts = ", ".join(f"{kind} ({left_out[kind]:,})" for kind in kinds[:_KINDS_SAID])
    more = f" and {len(kinds) - _KINDS_SAID:,} kinds more" if len(kinds) > _KINDS_SAID else ""
    cures = "".join(f" To read {kind}, {_CURES[kind]}." for kind in kinds if kind in _CURES)
    return f"Left out: {counts}{more}.{cures}"


def _list_new(folder: str, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]] | None:
    """Entries of a folder, sorted, but for hidden ones; None if it is in `seen`, which grows by it."""
    status = os.stat(folder)  # noqa: PTH116
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return None
    with os.scandir(folder) as scan:
        entries = [entry for entry in scan if not entry.name.startswith(".") and entry.name != "__MACOSX"]
    seen.add(identity)
    return sorted(entries, key=lambda entry: entry.name)


def _kind(entry: os.DirEntry[str]) -> str:
    with contextlib.suppress(OSError):  # a link to itself, or into a folder that may not be opened
        if entry.is_dir():
            return _FOLDER
        if entry.is_file():
            return _FILE
        if not entry.is_symlink() or Path(entry.path).exists():
            return SPECIAL
    return BROKEN
