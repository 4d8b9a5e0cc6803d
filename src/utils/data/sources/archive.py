"""Unpacking an archive that a stranger made, so that a kill in the middle costs nothing."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from src.utils.data.pictures.listing import is_plain_relative
from src.utils.data.sources.meaning import class_of, split_of
from src.utils.files import hash_bytes
from src.utils.settings import UserError

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What `zipfile` raises when an archive is cut, altered, encrypted or compressed in an unknown way."""


def safe_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, after a look at all their names; hidden files and folders are passed over.

    Args:
        archive: An open archive.

    Returns:
        The members to unpack, in the archive's order.

    Raises:
        UserError: A name leaves the folder (absolute, drive, `..`, backslash), is a link, or comes twice.
            Nothing has been written then.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        reason = _danger(member) or ("comes twice" if name in members else "")
        if reason:
            raise UserError(
                f"{archive.filename} is not to be trusted, nothing was unpacked: '{name}' {reason}. "
                "Delete it and get the archive from its own page."
            )
        if not member.is_dir() and not any(part.startswith(".") for part in Path(name).parts):
            members[name] = member
    return list(members.values())


def extract(
    archive: zipfile.ZipFile,
    members: Iterable[zipfile.ZipInfo],
    folder: Path,
    temporary: Path,
    progress: bool = True,
) -> None:
    """Unpack members below a folder; each appears under its name complete and checked, or not at all.

    A file that is already there with its full size is not written again, so a second call finishes what a
    killed one began.

    Args:
        archive: An open archive.
        members: What `safe_members` gave, or some of it.
        folder: Where the members' names begin.
        temporary: A file name on the same disk that may be overwritten.
        progress: Whether to show a progress bar.

    Raises:
        OSError: The disk is full or the folder cannot be written.
        DAMAGE: The archive is damaged; a member whose checksum is wrong does not appear.
    """
    members = list(members)
    total = sum(member.file_size for member in members)
    with tqdm(total=total, unit="B", unit_scale=True, desc="Unpacking", disable=not progress) as bar:
        for member in members:
            target = folder / member.filename
            if not (target.is_file() and target.stat().st_size == member.file_size):
                with archive.open(member) as packed, temporary.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(target)
            bar.update(member.file_size)


def unpack_once(path: Path, store: Path, progress: bool = True) -> Path:
    """Unpack an archive into a hidden folder; the next call for the same archive finds it there.

    Args:
        path: A `.zip`; only read.
        store: Where the hidden folder is made. What an older archive left there is removed.
        progress: Whether to show a progress bar.

    Returns:
        The folder with the archive's files; where all of them lie in one folder that names no class and no
        part of a split, that one.

    Raises:
        UserError: The archive is damaged, encrypted or unsafe, or larger than what the disk has left.
        OSError: The folder cannot be written.
    """
    status = path.stat()
    key = hash_bytes(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())[:16]
    done, begun = store / f".unpacked-{key}", store / f".unpacking-{key}"
    if not done.is_dir():
        for old in store.glob(".unpack*"):
            if old.is_dir() and old != begun:
                shutil.rmtree(old)
        begun.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(path) as archive:
                members = safe_members(archive)
                _require_disk(path, members, begun)
                extract(archive, members, begun, store / ".unpacking-file", progress)
        except DAMAGE as error:
            raise UserError(
                f"{path} cannot be unpacked ({error}): get it again or unpack it by hand."
            ) from None
        begun.replace(done)
    top = [entry for entry in done.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    if len(top) == 1 and top[0].is_dir() and class_of(top[0].name) is None and not split_of(top[0].name):
        return top[0]
    return done


def _require_disk(path: Path, members: Iterable[zipfile.ZipInfo], begun: Path) -> None:
    here = sum(file.stat().st_size for file in begun.rglob("*") if file.is_file())
    needed = sum(member.file_size for member in members) - here
    free = shutil.disk_usage(begun).free
    if needed > free:
        raise UserError(
            f"{path} needs {needed / 1e9:.1f} GB more where it is unpacked ({begun.parent}), "
            f"{free / 1e9:.1f} GB are free: make room, or unpack it elsewhere and use that folder."
        )


def _danger(member: zipfile.ZipInfo) -> str:
    if not is_plain_relative(member.filename):
        return "leaves its folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return ""
