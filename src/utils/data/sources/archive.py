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


def _danger(member: zipfile.ZipInfo) -> str:
    if not is_plain_relative(member.filename):
        return "leaves its folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return ""
