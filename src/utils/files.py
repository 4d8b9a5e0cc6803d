"""Writing and placing files so that a crash leaves the old one or the new one, and checksums of them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it into place when the block succeeds.

    Args:
        path: The final name; its folder is made if needed.

    Yields:
        A path in the same folder, with the same suffix, to write to.

    Raises:
        OSError: The folder cannot be written or the disk is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder; it takes the place of `target` when the block succeeds, or vanishes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        folder = Path(temporary) / "new"
        folder.mkdir()
        yield folder
        replace_folder(folder, target)


def replace_folder(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`, which may exist; both lie on one disk."""
    if folder.exists():
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-old-", dir=folder.parent) as temporary:
            folder.rename(Path(temporary) / folder.name)
            new.rename(folder)
    else:
        new.rename(folder)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, all or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, all or nothing; of a dataclass its fields.

    Raises:
        ValueError: A number is NaN or infinite, which JSON does not have; use None.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=asdict)
    write_text(path, text + "\n")


def read_json(path: Path, objects: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        objects: What to make of each JSON object, such as `estimate.read_estimates`; a dictionary by default.
    """
    return json.loads(path.read_text(encoding="utf-8"), object_hook=objects)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV without its index, all or nothing."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of a folder that exists, and keep others waiting."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` by a hard link or, where that cannot be, an equal copy of it.

    A target that is the very file, or a copy of equal size and time of change, is left alone. A symbolic link
    is followed: what it leads to is linked.

    Args:
        source: A file.
        target: The final name, in a folder that exists.

    Raises:
        FileNotFoundError: There is no such source.
        OSError: The folder cannot be written or the disk is full; nothing is left half-written.
    """
    state = source.stat()
    if target.is_file() and _is_same(state, target.stat()):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without links
        with atomic_path(target) as temporary:
            shutil.copy2(source, temporary)


def _is_same(first: os.stat_result, second: os.stat_result) -> bool:
    unchanged_copy = (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)
    return unchanged_copy or os.path.samestat(first, second)


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of some bytes: 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read in blocks: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_bytes(data: bytes) -> str:
    """Content key of some bytes: 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """Content key of a file, read in blocks: 32 hexadecimal digits of BLAKE2b."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
