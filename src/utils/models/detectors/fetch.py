"""Fetching a detector's file: resumed after a break, checked before it is put in place, or refused in words.

The address comes from `detectors.toml` or from whoever runs the command, so unlike links to pictures
(`data/web/fetch.py`) it may lie on a private network or behind the proxy that the environment names.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import certifi
from tqdm import tqdm

from src.utils.files import locked, sha256_bytes, sha256_file, write_text
from src.utils.models.detectors.table import Entry
from src.utils.settings import UserError

STALL_SECONDS = 30.0
"""How long nothing may come."""

PAUSES = (1.0, 3.0)
"""Seconds before going on after a break; an attempt that brought something begins them anew."""

MOST_BYTES = 2**31
"""An ONNX file without others beside it is no longer than this."""

_CHUNK_BYTES = 1 << 20

Confirm = Callable[[str], bool]
"""Asked whether a SHA-256 is the right one."""


class _Broken(Exception):
    """It stopped for a reason that may pass; the message goes on after the address."""


@dataclass(frozen=True)
class _Source:
    """Where a file comes from, what it should be and where it goes."""

    entry: Entry
    address: str
    sha256: str
    path: Path

    def refusal(self, problem: str) -> UserError:
        """The one sentence: what is wrong, the address, the hash, the path, and the way out."""
        known = f"SHA-256 {self.sha256}" if self.sha256 else "the SHA-256 that its authors publish"
        return UserError(
            f"{self.address} {problem}: run `make detector NAME={self.entry.name}` again later (it goes on "
            f"where it stopped), name a mirror with MIRROR=…, or put the file with {known} at {self.path}."
        )


def detector_file(folder: Path, name: str) -> Path:
    """Where a detector's file lies once it is fetched, or put there by hand."""
    return folder / f"{name}.onnx"


def fetch_detector(
    entry: Entry,
    folder: Path,
    sha256: str = "",
    mirror: str = "",
    confirm: Confirm | None = None,
    progress: bool = True,
) -> tuple[Path, str]:
    """Have a detector's file: as it lies there, or fetched; several processes may ask at once.

    Args:
        entry: What to fetch.
        folder: `models/detectors`.
        sha256: Its hash, where the table has none.
        mirror: Another address of the file, or with a closing slash of the folder it lies in.
        confirm: Asked about the hash of what came where none is known; None refuses to fetch then.
        progress: Whether to say what is fetched and show a progress bar.

    Returns:
        The file, whose content has the hash, and that hash.

    Raises:
        UserError: It cannot be had: one sentence with address, hash and path. What had come is kept, unless
            it is another file.
    """
    path = detector_file(folder, entry.name)
    wanted = _known_hash(entry, path, sha256.lower())
    source = _Source(entry, _address(entry, mirror), wanted, path)
    with _explain_disk(source):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if path.is_file():
                return path, _verify(source, path, path, confirm)
            if not wanted and confirm is None:
                raise UserError(_without_hash(source))
            if progress:
                print(f"Fetching {entry.about}", *entry.claims, sep="\n", file=sys.stderr)
            return path, _place(source, _download(source, progress), confirm)


def _known_hash(entry: Entry, path: Path, given: str) -> str:
    """The hash of the table, else the given one, else the one that was confirmed before; empty for none."""
    if given and not re.fullmatch(r"[0-9a-f]{64}", given):
        raise UserError(f"HASH={given} is no SHA-256: give its 64 hexadecimal digits.")
    if given and entry.sha256 and given != entry.sha256:
        raise UserError(
            f"HASH={given} is not the SHA-256 of {entry.name} in detectors.toml, {entry.sha256}: leave it "
            "out, or change the entry."
        )
    note = _note(path)
    return entry.sha256 or given or (note.read_text("utf-8").split()[0] if note.is_file() else "")


def _note(path: Path) -> Path:
    """Where a confirmed hash is kept, as `sha256sum -c` reads it."""
    return path.with_name(f"{path.name}.sha256")


def _address(entry: Entry, mirror: str) -> str:
    if not mirror:
        return entry.address
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise UserError(f"MIRROR={mirror} is no http or https link: give the file's, or its folder's with /.")
    return mirror + urlsplit(entry.address).path.rpartition("/")[2] if mirror.endswith("/") else mirror


def _without_hash(source: _Source) -> str:
    return (
        f"{source.entry.name} has no sha256 in detectors.toml, so {source.address} is not fetched unasked: "
        f"run `make detector NAME={source.entry.name} HASH=…` with the hash that its authors publish, which "
        f"puts it at {source.path}."
    )


def _verify(source: _Source, file: Path, named: object, confirm: Confirm | None) -> str:
    """The hash of a file, if it is the right one; one that was confirmed, or given, is noted."""
    found = sha256_file(file)
    if source.sha256 and found != source.sha256:
        raise UserError(
            f"{named} has SHA-256 {found}, not {source.sha256}: it is another file than {source.address} "
            f"should be; delete {source.path} if it is there, and fetch it again or put the right one there."
        )
    if not source.sha256 and not (confirm and confirm(found)):
        raise UserError(
            f"{named} has SHA-256 {found}, which nobody confirmed: run `make detector "
            f"NAME={source.entry.name} HASH=…` with the hash that its authors publish; it goes to "
            f"{source.path}."
        )
    if not source.entry.sha256:
        write_text(_note(source.path), f"{found}  {source.path.name}\n")
    return found


def _place(source: _Source, part: Path, confirm: Confirm | None) -> str:
    """Put what came in its place and return its hash; what is another file is deleted."""
    try:
        found = _verify(source, part, source.address, confirm)
    except UserError:
        part.unlink()
        raise
    part.chmod(0o644)
    part.replace(source.path)
    return found


def _download(source: _Source, progress: bool) -> Path:
    """Fetch into a hidden file, going on after breaks; return it whole."""
    key = sha256_bytes((source.sha256 or source.address).encode())[:16]
    part = source.path.with_name(f".{source.entry.name}-{key}.part")
    for old in source.path.parent.glob(f".{source.entry.name}-*.part"):  # of another release
        if old != part:
            old.unlink()
    tries = 0
    while True:
        before = _length(part)
        try:
            _continue(source, part, progress)
            return part
        except _Broken as error:
            tries = 1 if _length(part) > before else tries + 1
            if tries > len(PAUSES):
                raise source.refusal(str(error)) from None
            time.sleep(PAUSES[tries - 1])


def _continue(source: _Source, part: Path, progress: bool) -> None:
    """Ask for what is missing and write it; raises _Broken where asking again may help."""
    have = _length(part)
    if have and source.sha256 and sha256_file(part) == source.sha256:
        return
    with _explain_break(), _open(source, part, have) as answer:
        have, total = _placed(source, answer, part, have)
        _check_space(source, part, total - have)
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(
                desc=f"Fetching {source.entry.name}",
                total=total or None,
                initial=have,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            while chunk := answer.read(_CHUNK_BYTES):
                if not file.tell() and chunk.lstrip()[:1] == b"<":
                    raise source.refusal("sends a page of HTML instead of the file")
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > (total or source.entry.size or MOST_BYTES):
                    raise source.refusal("sends more than the file should have")
    if _length(part) < total:
        raise _Broken(f"broke off after {_length(part):,} of {total:,} bytes")


def _open(source: _Source, part: Path, have: int) -> HTTPResponse:
    headers = {"User-Agent": "human-or-ai"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        return _opener(source).open(Request(source.address, headers=headers), timeout=STALL_SECONDS)
    except HTTPError as error:
        with error:
            if error.code == 416:  # what came before is not the beginning of that file
                part.unlink(missing_ok=True)
                raise _Broken("has less than what came before (416)") from None
            if error.code == 429 or error.code >= 500:
                raise _Broken(f"answers with an error ({error.code})") from None
            said = {404: "is not there (404)", 410: "is no longer there (410)"}
            refused = "redirects in a circle" if 300 <= error.code < 400 else f"is refused ({error.code})"
            raise source.refusal(said.get(error.code, refused)) from None


def _placed(source: _Source, answer: HTTPResponse, part: Path, have: int) -> tuple[int, int]:
    """Where in the file the answer begins, and how long the file is (0 where it does not say)."""
    if answer.headers.get_content_type() == "text/html":
        raise source.refusal("sends a page of HTML instead of the file")
    total = int(answer.headers.get("Content-Length") or 0)
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        if not match or int(match[1]) != have:
            part.unlink(missing_ok=True)
            raise _Broken("goes on at another place than it was asked to")
        total = int(match[2])
    else:
        have = 0  # it does not know how to go on: from the start
    if source.entry.size and total and total != source.entry.size:
        raise source.refusal(f"has {total:,} bytes, not {source.entry.size:,}")
    return have, total


def _check_space(source: _Source, part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise source.refusal(
            f"needs {needed / 1e6:,.0f} MB, but {free / 1e6:,.0f} MB are free in {part.parent}, make room"
        )


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _opener(source: _Source):
    """Opens http and https only, and follows no redirect from https to anything less."""

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, request, fp, code, msg, headers, newurl):
            allowed = ("https",) if request.type == "https" else ("http", "https")
            if urlsplit(newurl).scheme not in allowed:
                raise source.refusal(f"leads to {urlsplit(newurl).scheme}://, which is not followed")
            return super().redirect_request(request, fp, code, msg, headers, newurl)

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return build_opener(Redirects, HTTPSHandler(context=context))


@contextlib.contextmanager
def _explain_break() -> Iterator[None]:
    """What networks do to connections, as a reason to go on later."""
    try:
        yield
    except URLError as error:
        raise _Broken(f"cannot be reached ({error.reason})") from None
    except TimeoutError:
        raise _Broken(f"sent nothing for {STALL_SECONDS:.0f} s") from None
    except (ConnectionError, HTTPException, ssl.SSLError) as error:
        raise _Broken(f"broke off ({type(error).__name__})") from None


@contextlib.contextmanager
def _explain_disk(source: _Source) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise source.refusal(
                f"does not fit, the disk of {source.path.parent} is full, make room"
            ) from None
        raise source.refusal(
            f"cannot be kept in {source.path.parent} ({error.strerror or type(error).__name__})"
        ) from None
