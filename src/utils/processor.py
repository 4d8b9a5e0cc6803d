"""What the processor can compute, as Linux lists it."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
"""Absent on macOS."""


def processor_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Features of the first processor, such as `avx2` and `avx512_vnni`; none where there is no such list.

    Args:
        cpuinfo: The list.
    """
    if not cpuinfo.is_file():
        return frozenset()
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
