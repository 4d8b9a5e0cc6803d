"""A dataset of Hugging Face, `DATA_DIR=hf://datasets/OWNER/NAME[@REVISION]`: fetched once, then a folder.

Of its files those are fetched that a folder of pictures may have. A note beside them says which revision they
are, and under which licence; a call that was cut goes on with that revision. A token, where one is needed, is
found by the client itself (`HF_TOKEN`) and never shown.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.formats import IMAGE_SUFFIXES, list_formats
from src.utils.data.pictures.listing import is_plain_relative
from src.utils.files import read_json, write_json
from src.utils.settings import UserError

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo

WANTED_SUFFIXES = IMAGE_SUFFIXES | {".parquet", ".csv", ".tsv", ".jsonl"}
"""Endings, in lower case, of the files that are fetched."""

_ADDRESS = re.compile(r"hf://datasets/([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?")
_NOTE_NAME = ".hub.json"
_FETCHES = 4  # files under way at once
_ONCE_MORE = "run this again later, what has arrived is kept"


class Note(NamedTuple):
    """What was fetched.

    Attributes:
        address: As it was asked for.
        revision: The commit of the dataset's repository.
        licence: As its page states.
        complete: Whether all files are there.
    """

    address: str
    revision: str
    licence: str
    complete: bool


def fetch_hub(address: str, folder: Path, progress: bool = True) -> Note:
    """Fetch a dataset of Hugging Face into a folder, unless it is there.

    Args:
        address: `hf://datasets/OWNER/NAME` or `hf://datasets/OWNER/NAME@REVISION`. HF_ENDPOINT in the
            environment names another hub.
        folder: Where its files go, under their own names.
        progress: Whether to say what is fetched and show a progress bar.

    Returns:
        What was fetched, or had been.

    Raises:
        UserError: The address is not understood; there is no such dataset or revision; it is private or
            gated; it holds nothing that is read; no network; not enough disk. The message names the next
            step, and what was fetched is kept.
    """
    dataset, asked = parse_address(address)
    noted = _read_note(folder)
    if noted and noted.complete:
        return noted
    _require_client(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    with _explain_failures(dataset, asked, folder):
        info = _ask(dataset, noted.revision if noted else asked)
        files = _wanted_files(dataset, info)
        note = Note(address, info.sha, _licence(info), complete=False)  # pyright: ignore[reportArgumentType]
        left = sum(size for name, size in files.items() if not _is_there(folder / name, size))
        if progress:
            sizes = f"{_size(sum(files.values()))}, {_size(left)} of it to be fetched"
            said = f"{_page(dataset)}: {len(files):,} files, {sizes}; licence: {note.licence}; "
            print(f"{said}revision {note.revision}.", flush=True)
        _require_space(folder, files, left)
        write_json(folder / _NOTE_NAME, note._asdict())
        _download(dataset, note.revision, files, folder, progress)
        note = note._replace(complete=True)
        write_json(folder / _NOTE_NAME, note._asdict())
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # what the client remembers until all is there
    return note


def parse_address(address: str) -> tuple[str, str | None]:
    """Take an address apart: `OWNER/NAME`, and the revision or None.

    Raises:
        UserError: It is not understood.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UserError(
            f"DATA_DIR={address} is not understood: write hf://datasets/OWNER/NAME, with @REVISION for a "
            "certain state of it."
        )
    return match[1], match[2]


def _read_note(folder: Path) -> Note | None:
    path = folder / _NOTE_NAME
    return Note(**read_json(path)) if path.is_file() else None


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _page(dataset: str) -> str:
    return f"{_endpoint()}/datasets/{dataset}"


def _require_client(dataset: str) -> None:
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        problem = "needs huggingface_hub to be fetched: install it with `make setup`"
        raise UserError(f"{_page(dataset)} {problem}.") from None


def _ask(dataset: str, revision: str | None) -> DatasetInfo:
    """What the hub says about a dataset: commit, licence, files and their lengths."""
    from huggingface_hub import HfApi

    return HfApi(_endpoint()).dataset_info(dataset, revision=revision, files_metadata=True, timeout=30)


def _licence(info: DatasetInfo) -> str:
    stated = info.card_data.get("license") if info.card_data else None
    return " ".join(stated if isinstance(stated, list) else [str(stated)]) if stated else "not stated"


def _wanted_files(dataset: str, info: DatasetInfo) -> dict[str, int]:
    """Name → length in bytes of the files to fetch."""
    files = {file.rfilename: file.size or 0 for file in info.siblings or []}
    wanted = {name: size for name, size in files.items() if _is_wanted(name)}
    if not any(not name.lower().endswith((".csv", ".tsv", ".jsonl")) for name in wanted):
        kinds = Counter(PurePosixPath(name).suffix.lower() or name for name in files)
        found = ", ".join(f"{kind} ({count:,})" for kind, count in kinds.most_common(5)) or "nothing"
        raise UserError(
            f"{_page(dataset)} has no Parquet files and no pictures ({list_formats('or')}), but {found}: "
            "take another dataset, or its revision refs/convert/parquet."
        )
    return wanted


def _is_wanted(name: str) -> bool:
    hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
    return not hidden and is_plain_relative(name) and Path(name).suffix.lower() in WANTED_SUFFIXES


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _require_space(folder: Path, files: dict[str, int], left: int) -> None:
    """Compare what is to be written with what the disk has left; Parquet files are unpacked beside."""
    unpacked = sum(size for name, size in files.items() if name.lower().endswith(".parquet"))
    free = shutil.disk_usage(folder).free
    if left + unpacked > free:
        more = f" and {_size(unpacked)} for the pictures in them" if unpacked else ""
        raise UserError(
            f"Not enough disk in {folder}: the files take {_size(left)}{more}, {_size(free)} are free: make "
            "room and run again."
        )


def _size(length: int) -> str:
    return f"{length / 1e9:,.1f} GB" if length >= 1e9 else f"{length / 1e6:,.1f} MB"


def _download(dataset: str, revision: str, files: dict[str, int], folder: Path, progress: bool) -> None:
    """Fetch files, all that are not there; one whose connection breaks goes on where it stopped."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import disable_progress_bars, logging

    disable_progress_bars()  # one bar for all is enough
    logging.set_verbosity_error()  # its warnings show signed links

    def fetch(name: str) -> int:
        hf_hub_download(
            dataset, name, repo_type="dataset", revision=revision, local_dir=folder, endpoint=_endpoint()
        )
        return files[name]

    total = sum(files.values())
    with tqdm(desc="Downloading", total=total, unit="B", unit_scale=True, disable=not progress) as bar:
        for length in map_ahead(fetch, files, _FETCHES, _FETCHES):
            bar.update(length)


@contextlib.contextmanager
def _explain_failures(dataset: str, revision: str | None, folder: Path) -> Iterator[None]:
    """Turn what the client raises into one line; the original is dropped, it may hold signed links."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        problem = "wants its terms accepted: do so in a browser, then set HF_TOKEN to a token of yours"
    except errors.RepositoryNotFoundError:
        problem = "is not there, or is private: check the name, or set HF_TOKEN to a token that may read it"
    except errors.RevisionNotFoundError:
        problem = f"has no revision {revision}: take one that its page lists, or leave it out"
    except errors.HfHubHTTPError as error:
        problem = f"is refused by the hub ({error.response.status_code}): {_ONCE_MORE}"
    except (errors.HTTPError, OSError) as error:  # pyright: ignore[reportPrivateImportUsage]
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            problem = f"does not fit, the disk of {folder} is full: make room and {_ONCE_MORE}"
        else:
            problem = (
                f"cannot be reached ({type(error).__name__}): check the network or proxy and {_ONCE_MORE}"
            )
    else:
        return
    raise UserError(f"{_page(dataset)} {problem}.")
