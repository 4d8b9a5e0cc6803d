"""Models of a store on this machine: fetched once, checked always, whoever asks and how often.

The cache holds `<fingerprint>/<name>/`, each a bundle as it was published, and for every store the pointer
that was read last, for days when the store cannot be reached. All of it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from src.utils.files import locked, sha256_bytes, sha256_file, write_json
from src.utils.models.bundle.bundle import FACTS_FILE, load_bundle
from src.utils.models.bundle.calibration import CALIBRATION_FILE
from src.utils.models.store.bucket import (
    ModelStore,
    Unreachable,
    check_pointer,
    explaining,
    open_client,
    read_pointer,
    total_bytes,
)
from src.utils.settings import PROJECT_ROOT, UserError

if TYPE_CHECKING:
    from botocore.client import BaseClient

Result = TypeVar("Result")

PAUSES = (1.0, 2.0)
"""Seconds before asking again for what did not come, or came damaged."""

FETCH_SECONDS = 900
"""Longest time for a whole model."""

PIN_VARIABLE = "MODEL_PIN"
"""Names a file of one running server: once its first worker has written there which version it serves,
workers that start later serve the same one, whatever is published meanwhile. `gunicorn.conf.py` sets it."""

_CHUNK_BYTES = 1 << 20


def fetch_in_child(store: ModelStore) -> tuple[Path, str]:
    """Do what `fetch_model` does in a process that ends with it, so that boto3 does not stay in memory.

    Raises:
        UserError: As `fetch_model`; or the process took too long or was killed.
        RuntimeError: It failed in a way that was not foreseen; with its stack.
    """
    command = [sys.executable, "-m", __name__, json.dumps(asdict(store))]
    try:
        child = subprocess.run(
            command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{store.name} did not arrive within {FETCH_SECONDS // 60} minutes: check the network."
        ) from None
    if child.returncode < 0:
        how = signal.Signals(-child.returncode).name
        raise UserError(f"The process that fetches {store.name} was stopped ({how}): is memory short?")
    if child.returncode > 0:
        raise RuntimeError(f"The process that fetches {store.name} failed:\n{child.stderr}")
    answer = json.loads(child.stdout)
    if "error" in answer:
        raise UserError(answer["error"])
    return Path(answer["folder"]), answer["note"]


def fetch_model(store: ModelStore) -> tuple[Path, str]:
    """Bring the published model to this machine, unless the cache has it; several processes may ask at once.

    Returns:
        The bundle's folder in the cache, every file checked. And if the store could not be reached, so that
        this is the model of last time, a sentence that says so; else an empty text.

    Raises:
        UserError: No model can be had: one line that names the object or the folder and the next step.
    """
    cache = _open_cache(store)
    pin = Path(os.environ[PIN_VARIABLE]) if os.environ.get(PIN_VARIABLE) else None
    if pin and (pinned := _read_pin(pin, cache)):
        return pinned, ""
    last = cache / f"last-{sha256_bytes(store.name.encode())[:16]}.json"
    try:
        client = open_client(store)
        pointer = _insist(lambda: read_pointer(client, store))
        with _explain_disk(cache):
            folder = _hold(client, store, pointer, cache)
            write_json(last, pointer)
        return _pin(pin, pointer, folder, cache), ""
    except Unreachable as error:
        if last.is_file():
            pointer = check_pointer(last.read_bytes(), str(last))
            folder = _place(cache, pointer)
            if _is_whole(folder, pointer):
                return _pin(pin, pointer, folder, cache), f"{error} The model fetched before is used."
        raise


def _read_pin(pin: Path, cache: Path) -> Path | None:
    """The folder of the version that this server serves, if it has begun to and the cache still holds it."""
    if not pin.is_file():
        return None
    pointer = check_pointer(pin.read_bytes(), str(pin))
    folder = _place(cache, pointer)
    return folder if _is_whole(folder, pointer) else None


def _pin(pin: Path | None, pointer: Mapping[str, Any], folder: Path, cache: Path) -> Path:
    """Make this version the server's, unless another worker was faster: then its version it is."""
    if pin is None:
        return folder
    draft = pin.with_name(f"{pin.name}-{os.getpid()}")
    with _explain_disk(pin.parent):
        write_json(draft, pointer)
        with contextlib.suppress(FileExistsError):
            os.link(draft, pin)
        draft.unlink()
    return _read_pin(pin, cache) or folder


def _hold(client: BaseClient, store: ModelStore, pointer: Mapping[str, Any], cache: Path) -> Path:
    """The model in the cache, downloaded if it is not there or damaged; one process at a time."""
    folder = _place(cache, pointer)
    with locked(cache):
        if not _is_whole(folder, pointer):
            for rest in (folder.parent, *cache.glob(".partial-*")):  # what a killed download left
                shutil.rmtree(rest, ignore_errors=True)
            _check_space(cache, total_bytes(pointer))
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
            try:
                _download(client, store, pointer, partial / folder.name)
                partial.rename(folder.parent)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


# --- downloading ------------------------------------------------------------------------------------------


class _Damaged(UserError):
    """Other bytes came than were published; asking again may help."""


def _insist(work: Callable[[], Result]) -> Result:
    """Do something again, after growing pauses, while it fails for a reason that may pass."""
    for pause in PAUSES:
        try:
            return work()
        except (Unreachable, _Damaged):
            time.sleep(pause)
    return work()


def _download(client: BaseClient, store: ModelStore, pointer: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir()
    for name, entry in pointer["files"].items():
        key, path = store.key(pointer["fingerprint"], name), folder / name
        _insist(lambda key=key, entry=entry, path=path: _download_file(client, store, key, entry, path))
    if set(load_bundle(folder).served_files) != set(pointer["files"]) - {FACTS_FILE, CALIBRATION_FILE}:
        raise UserError(
            f"{store.name} holds other files than its {FACTS_FILE} names: publish the model again."
        )


def _download_file(
    client: BaseClient, store: ModelStore, key: str, entry: Mapping[str, Any], path: Path
) -> None:
    """Write one object to a file, if it is what the pointer says."""
    with explaining(store, key), path.open("wb") as file:
        answer = client.get_object(Bucket=store.bucket, Key=key)
        if answer.get("ContentLength") == entry["bytes"]:
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)
    if sha256_file(path) != entry["sha256"]:
        raise _Damaged(
            f"{store.describe(key)} is not what was published (size or checksum differ): delete it there and "
            "run `make publish-model` again."
        )


# --- the folder -------------------------------------------------------------------------------------------


def _open_cache(store: ModelStore) -> Path:
    """The cache's folder, made if needed.

    By default it lies among the temporary files, where the user of any container may write; a folder that
    somebody else made there is not trusted.
    """
    cache = Path(store.cache or f"{tempfile.gettempdir()}/human-or-ai-{os.getuid()}")
    with _explain_disk(cache):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not store.cache and cache.stat().st_uid != os.getuid():
            raise UserError(f"{cache} belongs to another user: set MODEL_CACHE to a folder of your own.")
    return cache


def _place(cache: Path, pointer: Mapping[str, Any]) -> Path:
    return cache / pointer["fingerprint"] / pointer["name"]


def _is_whole(folder: Path, pointer: Mapping[str, Any]) -> bool:
    return all(
        (folder / name).is_file() and sha256_file(folder / name) == entry["sha256"]
        for name, entry in pointer["files"].items()
    )


def _check_space(cache: Path, needed: int) -> None:
    free = shutil.disk_usage(cache).free
    if needed > free:
        detail = f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise UserError(f"The disk of {cache} is too full for the model ({detail}): make room.")


@contextlib.contextmanager
def _explain_disk(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk of {cache} became full while the model was fetched: make room."
            ) from None
        reason = error.strerror or type(error).__name__
        raise UserError(
            f"No model can be kept in {cache} ({reason}): set MODEL_CACHE to a folder that may be written."
        ) from None


def _main() -> None:
    """Be the process of `fetch_in_child`: the store as JSON in, the answer as JSON out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        folder, note = fetch_model(ModelStore(**json.loads(sys.argv[1])))
        answer = {"folder": str(folder), "note": note}
    except UserError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    _main()
