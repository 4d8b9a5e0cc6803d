"""What this machine, or the container the app runs in, has to offer, and how workers share it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container its limits."""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8

_MEMORY_FILES = ("memory.max", "memory/memory.limit_in_bytes")
"""Their names in cgroups of version 2 and 1."""


LARGE_PIXELS = 6_000_000
"""From here on a picture is decoded by one worker at a time."""


def available_cores(cgroup: Path = CGROUP) -> int:
    """Whole processors that this process may use, at least 1."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")  # microseconds in each period, or "max"
    return max(1, min(here, int(quota) // int(period))) if quota.isdigit() else here


def available_memory(cgroup: Path = CGROUP) -> int:
    """Bytes of memory that all processes here may use together."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (_read(cgroup / name) for name in _MEMORY_FILES)
    return min([here, *(int(limit) for limit in limits if limit.isdigit())])


@contextlib.contextmanager
def turn_for_large(pixels: int, folder: Path | None = None) -> Iterator[None]:
    """Wait until no other worker of this user decodes a large picture, and keep others waiting.

    One of 24 megapixels takes up to 280 MB as a JPEG and 500 MB as WebP while it is decoded, turned and
    converted, and a JPEG of 50, which is decoded smaller, up to 250 MB: too much for each worker at the same
    time. Smaller pictures do not wait.

    Args:
        pixels: Width × height.
        folder: Where the lock lies, by default among the temporary files. Where none can be made, nobody
            waits.
    """
    with contextlib.ExitStack() as stack:
        if pixels > LARGE_PIXELS:
            path = (folder or Path(tempfile.gettempdir())) / f"human-or-ai-{os.getuid()}.turn"
            with contextlib.suppress(OSError):
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def keep_memory_small() -> None:
    """Tell the C library (glibc; elsewhere nothing happens) to give back what large pictures needed.

    By default each of many threads gets a pool of memory of its own, which keeps most of what its largest
    picture needed. Now all threads share two pools, and what is large is taken from no pool.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        set_option(_M_ARENA_MAX, 2)
        set_option(_M_MMAP_THRESHOLD, 1 << 20)
