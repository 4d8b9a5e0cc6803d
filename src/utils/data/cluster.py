"""The machines of a Dask cluster, for `machines.compute_values`: function and models are sent once a worker.

A run hands the scheduler a `Job`, the pickled function, and the files of its models by their content
(`SentFiles`). The scheduler gives them to every worker there is and to every one that joins later, so that a
worker that replaces a dead one has all it needs. Items go out in parts. A part whose worker dies goes to
another; when the scheduler itself is lost, the run waits for it and hands in again what had not come back. A
part counts once, however often it was computed.

Whoever reaches the scheduler's port can run code on its workers: they belong in one private network.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import logging
import pickle
import platform
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import cloudpickle
from distributed import Client, Future, KilledWorker, Worker, WorkerPlugin

from src.utils.code import ROOT
from src.utils.data.machines import SCHEDULER_VARIABLE, ModelFiles
from src.utils.files import atomic_path, hash_bytes, hash_file, sha256_bytes
from src.utils.settings import UserError

PART = 64
"""Items that a worker is given at once, and the most that its death loses: a multiple of every batch."""

PARTS_AHEAD = 2
"""Parts handed in for each thread of the workers: one in work, one at hand."""

CONNECT_SECONDS = 30
"""How long a scheduler may take to answer when a run begins."""

PATIENCE_SECONDS = 600
"""How long a run waits for a scheduler that was lost, or for a worker where there is none."""

_LOOK_EVERY = 2.0  # seconds between two looks at whether the cluster is still there
_GOES_ON = "Run again, and it goes on where it stopped."
_ADDRESS = re.compile(r"[a-z]+://\S+")
_PACKAGES = ("numpy", "pillow", "scipy", "onnxruntime", "tensorflow", "keras")


AnyClient = Any
"""A `Client`: it may be asynchronous, and its types say so of every answer."""


class Lost(Exception):
    """The scheduler, or what it kept, is gone."""


class SentFiles(WorkerPlugin):
    """Files of a model on their way to the workers, named by their content and written once a worker."""

    idempotent = True

    def __init__(self, digest: str, contents: dict[str, bytes]):
        self.digest = digest
        self.contents = contents

    def setup(self, worker: Worker) -> None:
        """Write the files into the worker's own folder."""
        folder = Path(worker.local_directory) / "models" / self.digest
        for name, content in self.contents.items():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(content)
        self.contents = {}
        _FOLDERS[self.digest] = folder


class Job(WorkerPlugin):
    """A function on its way to the workers; unpickled where and when its first part arrives."""

    idempotent = True

    def __init__(self, name: str, function: bytes, environment: dict[str, str]):
        self.name = name
        self.environment = environment
        self._pickled = function
        self._lock = threading.Lock()

    def __reduce__(self):
        return Job, (self.name, self._pickled, self.environment)

    def setup(self, worker: Worker) -> None:
        """Make the function known to `run_part`."""
        _JOBS[self.name] = self

    def teardown(self, worker: Worker) -> None:
        """Forget the function, and with it the models that it loaded."""
        _JOBS.pop(self.name, None)

    def load(self) -> Callable[[list[Any]], Iterable[Any]]:
        """The function, loaded once whatever number of threads ask."""
        with self._lock:
            return self._function

    @functools.cached_property
    def _function(self) -> Callable[[list[Any]], Iterable[Any]]:
        return _Unpickler(io.BytesIO(self._pickled)).load()


_FOLDERS: dict[str, Path] = {}
"""On a worker: where the files of each digest lie."""

_JOBS: dict[str, Job] = {}
"""On a worker: the jobs that its scheduler knows."""


def run_part(name: str, items: list[Any]) -> tuple[list[Any], str]:
    """On a worker: the values of some items, up to the first that fails, and what that one failed with."""
    job = _JOBS[name]
    values: list[Any] = []
    try:
        _require_equal(job.environment)
        values.extend(job.load()(items))
    except UserError as error:
        return values, str(error)
    except ImportError as error:
        return values, f"A worker on {platform.node()} cannot import {error.name}: install it there, too."
    return values, ""


def compute_values(
    address: str, function: Callable[[list[Any]], Iterable[Any]], items: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    """Apply a function to items on the workers of a cluster, see `machines.compute_values`.

    Args:
        address: The scheduler's, such as `tcp://10.0.0.1:8786`.
        function: Gives the value of each item in turn.
        items: Any number.

    Yields:
        Place and value of each item, as parts are finished.

    Raises:
        UserError: The scheduler does not answer, has no worker, or a worker has other code; or what
            `function` raised, after the values before it.
    """
    job, files = pack(function)
    left = {start: list(items[start : start + PART]) for start in range(0, len(items), PART)}
    client = connect(address, CONNECT_SECONDS)
    while left:
        try:
            _hand_in(client, job, files)
            for start, (values, failure) in _finished_parts(client, job.name, left):
                yield from enumerate(values, start)
                if failure:
                    raise UserError(failure)
        except (Lost, OSError):
            print(f"{address} was lost: waiting for it, with {len(left):,} parts to go.", file=sys.stderr)
            _leave(client)
            client = connect(address, PATIENCE_SECONDS)
        finally:
            _take_back(client, job.name)


def pack(function: Callable) -> tuple[Job, list[SentFiles]]:
    """What has to be sent of a function: a job, and the files of models that its pickle only names."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        pickler.dump(function)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UserError(
            f"What this asks cannot be sent to other machines ({error}): unset {SCHEDULER_VARIABLE}."
        ) from error
    return Job(f"job-{uuid.uuid4().hex}", buffer.getvalue(), describe_environment()), pickler.files


def connect(address: str, seconds: float) -> AnyClient:
    """The scheduler's client, one a process, waiting for the scheduler as long as is allowed.

    Raises:
        UserError: It does not answer, or this is no address.
    """
    if not _ADDRESS.fullmatch(address):
        raise UserError(
            f"{SCHEDULER_VARIABLE}={address} is no address: give one such as tcp://10.0.0.1:8786."
        )
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a sentence of ours says it
    deadline = time.monotonic() + seconds
    while True:
        known = _CLIENTS.get(address)
        if known is not None and known.status == "running":
            return known
        try:
            _CLIENTS[address] = Client(address, timeout=min(seconds, CONNECT_SECONDS), set_as_default=False)
        except (OSError, ValueError) as error:
            if time.monotonic() > deadline or isinstance(error, ValueError):
                raise UserError(
                    f"{SCHEDULER_VARIABLE}={address} does not answer ({error}): start `dask scheduler` "
                    f"there, or unset {SCHEDULER_VARIABLE} to use this machine alone. {_GOES_ON}"
                ) from error
            time.sleep(_LOOK_EVERY)


_CLIENTS: dict[str, AnyClient] = {}


def _hand_in(client: AnyClient, job: Job, files: list[SentFiles]) -> None:
    """Give the scheduler what its workers need; files that it has had are not sent again."""
    known = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.worker_plugins))
    for one in files:
        if one.digest not in known:
            client.register_plugin(one, name=one.digest)
    client.register_plugin(job, name=job.name)


def _leave(client: AnyClient) -> None:
    """Close a client whose scheduler is gone, which takes no leave."""
    with contextlib.suppress(OSError):
        client.close(timeout=_LOOK_EVERY)


def _take_back(client: AnyClient, name: str) -> None:
    """Let the workers forget a job; a scheduler that is gone has forgotten it already."""
    if client.status == "running":
        with contextlib.suppress(OSError, ValueError):
            client.sync(client.scheduler.unregister_worker_plugin, name=name)


def _finished_parts(
    client: AnyClient, job: str, left: dict[int, list[Any]]
) -> Iterator[tuple[int, tuple[list[Any], str]]]:
    """Have parts computed, taking each out of `left` when it is there."""
    done: SimpleQueue[Future] = SimpleQueue()
    waiting = iter(list(left))
    running: dict[Any, tuple[int, Future]] = {}
    attempt = uuid.uuid4().hex[:8]
    seen = time.monotonic()
    try:
        while left:
            workers = _threads(client)
            while len(running) < PARTS_AHEAD * max(workers, 1) and (start := next(waiting, None)) is not None:
                future = client.submit(run_part, job, left[start], key=f"{job}-{attempt}-{start}", pure=False)
                running[future.key] = start, future
                future.add_done_callback(done.put)
            try:
                future = done.get(timeout=_LOOK_EVERY)
            except Empty:
                seen = time.monotonic() if workers else seen
                if time.monotonic() - seen > PATIENCE_SECONDS:
                    raise UserError(_NO_WORKER.format(address=client.scheduler.address)) from None
                continue
            start, _ = running.pop(future.key)
            yield start, _result(future, left[start])
            del left[start]
    finally:
        if client.status == "running":
            client.cancel([future for _, future in running.values()], force=True)


_NO_WORKER = "{address} has no worker: start some with `dask worker {address}`. " + _GOES_ON


def _threads(client: AnyClient) -> int:
    """Threads of all workers.

    Raises:
        Lost: The scheduler is gone.
    """
    if client.status != "running":
        raise Lost
    return sum(client.nthreads().values())


def _result(future: Future, items: list[Any]) -> tuple[list[Any], str]:
    """What `run_part` gave.

    Raises:
        Lost: It was lost with the scheduler.
        UserError: The part ended several workers, or there is no such job on one.
    """
    if future.status in ("cancelled", "lost"):
        raise Lost
    try:
        return future.result()
    except KilledWorker as error:
        raise UserError(
            f"Workers died on the items from {items[0]} to {items[-1]}, {error.allowed_failures + 1} in a "
            f"row: see why in their output, and mend or remove what ends them. {_GOES_ON}"
        ) from error


@functools.cache
def describe_environment() -> dict[str, str]:
    """What answers depend on besides pictures and models: this project's code, Python, and packages."""
    versions = {"Python": platform.python_version(), "this project": _code()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "none"
    return versions


@functools.cache
def _code() -> str:
    """Digest of all code of this project."""
    files = sorted((ROOT / "src").rglob("*.py"))
    return hash_bytes(" ".join(hash_file(path) for path in files).encode())[:12]


def _require_equal(environment: dict[str, str]) -> None:
    """Refuse to answer for a machine that would have answered otherwise.

    Raises:
        UserError: This worker's code or packages are others.
    """
    here = describe_environment()
    other = [f"{name} {here[name]}, not {said}" for name, said in environment.items() if here[name] != said]
    if other:
        raise UserError(
            f"A worker on {platform.node()} has {'; '.join(other)}: bring both to the same commit and "
            "requirements.txt, start the worker again and run again."
        )


class _Pickler(cloudpickle.Pickler):
    """Pickles functions, and instead of `ModelFiles` the digest by which the worker finds them."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.files: list[SentFiles] = []

    def persistent_id(self, obj: Any) -> tuple[str, str] | None:
        """Digest and name of files that go by themselves; None for everything else."""
        if not isinstance(obj, ModelFiles):
            return None
        contents = {
            f"{obj.path.name}/{name}" if name else obj.path.name: (obj.path / name).read_bytes()
            for name in obj.names or ("",)
        }
        listed = "\n".join(f"{name} {sha256_bytes(content)}" for name, content in contents.items())
        digest = sha256_bytes(listed.encode())
        if digest not in (one.digest for one in self.files):
            self.files.append(SentFiles(digest, contents))
        return digest, obj.path.name


class _Unpickler(pickle.Unpickler):
    """Reads what `_Pickler` wrote, on a worker."""

    def persistent_load(self, pid: tuple[str, str]) -> Path:
        """Where the files of a model lie on this worker."""
        digest, name = pid
        return _FOLDERS[digest] / name
