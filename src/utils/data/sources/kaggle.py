"""The full dataset from Kaggle: 79,950 pictures, every photograph with its AI twin.

`fetch_kaggle` fills `data/raw/kaggle` through the `kaggle` package and explains in one line what stops it.
What is under way lies in `data/raw/kaggle/.download` and is continued by the next call; `train.csv` arrives
last, so a folder that has one is complete. An archive that somebody put there is unpacked instead and kept. A
folder that someone filled by hand is never touched.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from src.utils.data.pictures.listing import walk_files
from src.utils.data.sources.archive import DAMAGE, extract, safe_members
from src.utils.data.sources.train_table import TABLE_NAME, read_train_table, require_files
from src.utils.datasets import DATASETS
from src.utils.files import write_text
from src.utils.settings import Settings, UserError

DATASET_URL = DATASETS["kaggle"].origin
DATASET = DATASET_URL.partition("/datasets/")[2]
TOKEN_URL = "https://www.kaggle.com/settings"
NEEDED_BYTES = 40 * 10**9
"""Disk for the archive, the pictures and the pixel cache; the split's hard links take none."""

_DOWNLOAD_FOLDER = ".download"
_BY_HAND = "by-hand"  # says that what lies beside an archive came from it
_OTHER_WAY = "DATA_SOURCE=sample needs no account"


def fetch_kaggle(settings: Settings, progress: bool = True) -> None:
    """Fill `settings.raw_dir` with Kaggle's dataset, unless it has its `train.csv` already.

    Args:
        settings: Of a run whose source is `kaggle`.
        progress: Whether to show progress bars and say what arrived.

    Raises:
        UserError: No token or one that Kaggle refuses, no access, no such dataset, no network, not enough
            disk, a damaged or unsafe archive, pictures missing from it, or a folder somebody began to fill.
            Each message names the next step; what was downloaded is kept.
    """
    raw_dir = settings.raw_dir
    download = raw_dir / _DOWNLOAD_FOLDER
    if (raw_dir / TABLE_NAME).is_file():
        shutil.rmtree(download, ignore_errors=True)
        return
    by_hand = _archive_by_hand(raw_dir)
    if not by_hand and not (download.is_dir() and any(download.iterdir())):
        _refuse_begun_folder(raw_dir)
    archive = by_hand or download / f"{DATASET.partition('/')[2]}.zip"
    with _explain_os_errors(raw_dir):
        _require_disk(raw_dir)
        if by_hand:
            write_text(download / _BY_HAND, f"{by_hand.name} is being unpacked.\n")
        elif not _is_downloaded(archive):
            _download(archive, _require_token(), progress)
        try:
            _unpack(archive, settings, progress)
        except DAMAGE as error:
            raise UserError(_explain_damage(archive, by_hand is not None, error)) from None
        shutil.rmtree(download)


def find_token(env: Mapping[str, str] | None = None) -> str | None:
    """Say where a Kaggle token lies, without the `kaggle` package, which prints and connects on import.

    The order is the client's own: `KAGGLE_API_TOKEN` (a value or a path), `~/.kaggle/access_token`,
    `KAGGLE_USERNAME` with `KAGGLE_KEY` or `kaggle.json`, and what `kaggle auth login` leaves.

    Args:
        env: Environment variables, the process's own by default.

    Returns:
        The place of the token, such as `~/.kaggle/access_token`, never the token; None when there is none.
    """
    env = os.environ if env is None else env
    if env.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN"
    home = _home(env)
    for name in ("access_token", "access_token.txt"):
        if _has_text(home / name):
            return f"~/.kaggle/{name}"
    key_file = _key_file(env)
    stored = _read_keys(key_file)
    user, key = (env.get(f"KAGGLE_{name.upper()}") or stored.get(name) for name in ("username", "key"))
    if user and key:
        return "KAGGLE_KEY" if env.get("KAGGLE_KEY") else str(key_file)
    return (
        "~/.kaggle/credentials.json" if _read_keys(home / "credentials.json").get("refresh_token") else None
    )


def _require_token() -> str:
    token = find_token()
    if token:
        return token
    key_file = _key_file(os.environ)
    reason = f"{key_file} lacks a username or key" if key_file.is_file() else "No Kaggle token was found"
    raise UserError(
        f"{reason}: make one at {TOKEN_URL} (API, 'Generate New Token') and save it in "
        f"~/.kaggle/access_token, or put the .zip from {DATASET_URL} into data/raw/kaggle; {_OTHER_WAY}."
    )


def _home(env: Mapping[str, str]) -> Path:
    return Path(env.get("HOME") or Path.home()) / ".kaggle"


def _key_file(env: Mapping[str, str]) -> Path:
    """Where the client looks for `kaggle.json`: its variable, else `~/.kaggle`, else the XDG folder."""
    home = _home(env)
    xdg = Path(env.get("XDG_CONFIG_HOME") or home.parent / ".config") / "kaggle"
    folder = env.get("KAGGLE_CONFIG_DIR") or (xdg if xdg.exists() and not home.exists() else home)
    return Path(folder) / "kaggle.json"


def _has_text(path: Path) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return bool(path.read_text(encoding="utf-8").strip())
    return False


def _read_keys(path: Path) -> dict[str, Any]:
    """What a JSON file of secrets holds, or nothing."""
    with contextlib.suppress(OSError, ValueError):
        keys = json.loads(path.read_text(encoding="utf-8"))
        return keys if isinstance(keys, dict) else {}
    return {}


def _archive_by_hand(raw_dir: Path) -> Path | None:
    """The archive that somebody put into the folder, where nothing lies there but what came out of it."""
    if not raw_dir.is_dir():
        return None
    archives = [path for path in raw_dir.glob("*.zip") if path.is_file()]
    others = any(not name.endswith(".zip") for name in walk_files(raw_dir))
    begun = (raw_dir / _DOWNLOAD_FOLDER / _BY_HAND).is_file()
    return archives[0] if len(archives) == 1 and (begun or not others) else None


def _refuse_begun_folder(raw_dir: Path) -> None:
    """Stop when the folder holds files that this module did not put there."""
    found = next(walk_files(raw_dir), None) if raw_dir.is_dir() else None
    if found is None:
        return
    nested = [path for path in raw_dir.glob(f"*/{TABLE_NAME}") if path.is_file()]
    if nested:
        step = f"move everything in {nested[0].parent} up into {raw_dir}"
    elif list(raw_dir.glob("*.zip")):
        step = f"leave nothing there but {next(raw_dir.glob('*.zip'))}, which is then unpacked"
    else:
        step = f"finish unzipping {DATASET_URL} there, or empty it to let it be downloaded"
    raise UserError(f"{raw_dir} has files (such as {found}) but no {TABLE_NAME}: {step}.")


def _require_disk(raw_dir: Path) -> None:
    """Compare what is still to be written with what the disk has left."""
    existing = next(folder for folder in (raw_dir, *raw_dir.parents) if folder.is_dir())
    here = sum(path.stat().st_size for path in raw_dir.rglob("*") if path.is_file())
    needed, free = max(NEEDED_BYTES - here, 0), shutil.disk_usage(existing).free
    if free < needed:
        raise UserError(
            f"Not enough disk for Kaggle's dataset: archive, pictures and pixel cache need about "
            f"{needed / 1e9:.0f} GB more at {existing}, {free / 1e9:.1f} GB are free: make room, or make "
            f"{raw_dir} a link to a larger disk; {_OTHER_WAY}."
        )


def _is_downloaded(archive: Path) -> bool:
    """Whether the archive is whole: the client's mark of an unfinished download is gone, its end is there."""
    return not Path(f"{archive}.kaggle-partial").exists() and zipfile.is_zipfile(archive)


def _download(archive: Path, token: str, progress: bool) -> None:
    """Let the `kaggle` package download the archive, continuing what is there; its chatter is dropped."""
    begun = archive.stat().st_size if archive.is_file() else 0
    if progress:
        print(f"Downloading {DATASET_URL} with the token in {token}", end=", ")
        print(f"continuing after {begun / 1e9:.1f} GB." if begun else "about 13 GB.", flush=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with _explain_refusals(token), contextlib.redirect_stdout(io.StringIO()):
        from kaggle import api

        # VERBOSE in the environment would make the client print the token and hold the archive in memory.
        api.args = [argument for argument in api.args if argument != "--verbose"]
        api.authenticate()
        api.dataset_download_files(DATASET, path=str(archive.parent), quiet=not progress)
    Path(f"{archive}.kaggle-partial").unlink(missing_ok=True)


@contextlib.contextmanager
def _explain_refusals(token: str) -> Iterator[None]:
    """Turn what the client raises into one line; the original is dropped, it may hold signed links."""
    refused = f"Kaggle does not accept the token in {token}"
    try:
        yield
    except SystemExit:
        raise UserError(f"{refused}: make a new one at {TOKEN_URL} and replace it; {_OTHER_WAY}.") from None
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        explained = {
            401: f"{refused} (401): make a new one at {TOKEN_URL} and replace it",
            403: f"Kaggle forbids this download (403): sign in at {DATASET_URL} in a browser, accept what it "
            "asks (terms, phone number) and run this again",
            404: f"Kaggle has no dataset {DATASET} (404): see whether {DATASET_URL} still opens in a browser",
            429: "Kaggle asks for patience (429): run this again in a few minutes",
        }
        other = (
            f"Kaggle answered with an error ({status}): run this again later, it continues where it stopped"
        )
        raise UserError(f"{explained.get(status, other)}; {_OTHER_WAY}.") from None
    except requests.exceptions.RequestException as error:
        raise UserError(
            f"Kaggle cannot be reached ({type(error).__name__}): check the network or proxy and run this "
            f"again, it continues where it stopped; {_OTHER_WAY}."
        ) from None
    except ValueError:
        raise UserError("Kaggle's archive arrived with the wrong size: run this again.") from None


@contextlib.contextmanager
def _explain_os_errors(raw_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk of {raw_dir} is full: free some and run this again, it continues."
            ) from None
        raise UserError(f"{error.filename or raw_dir} cannot be used: {error.strerror or error}.") from None


def _unpack(archive: Path, settings: Settings, progress: bool) -> None:
    """Unpack the archive, check what arrived, and put `train.csv` in place as the last thing.

    Raises:
        DAMAGE: The archive is damaged.
        UserError: It is unsafe, or lacks its table or pictures.
    """
    raw_dir, download = settings.raw_dir, settings.raw_dir / _DOWNLOAD_FOLDER
    with zipfile.ZipFile(archive) as opened:
        members = safe_members(opened)
        tables = [member for member in members if member.filename == TABLE_NAME]
        if not tables:
            raise UserError(f"{archive} has no {TABLE_NAME}: delete it, see {DATASET_URL} for news.")
        others = [member for member in members if member.filename != TABLE_NAME]
        extract(opened, others, raw_dir, download / "unpacking", progress)
        extract(opened, tables, download, download / "unpacking", progress=False)
    table = read_train_table(download, pictures=raw_dir)
    missing, extra = require_files(raw_dir, table, settings.missing == "skip")
    if progress:
        print(
            f"{len(table):,} rows arrived ({DATASETS['kaggle'].expected_rows:,} when this was written); "
            f"pictures missing: {len(missing):,}; other files: {len(extra):,}.",
            flush=True,
        )
    (download / TABLE_NAME).replace(raw_dir / TABLE_NAME)


def _explain_damage(archive: Path, by_hand: bool, error: Exception) -> str:
    """What to do about a damaged archive; one that was downloaded here is deleted, somebody's own stays."""
    if by_hand:
        return f"{archive} cannot be unpacked ({error}): download it again from {DATASET_URL}."
    archive.unlink(missing_ok=True)
    return f"{archive} was damaged and is deleted: run this again to download it anew."
