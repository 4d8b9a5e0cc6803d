"""Say which notebooks hold outputs that do not belong in git: `scripts/check_notebooks.py [NOTEBOOK …]`.

Looks for paths of a machine, for what was written to stderr, for errors, and for files of 1 MB or more,
which are not shown on the web. Needs nothing but Python, so that it also runs before a commit.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"

MAX_BYTES = 1_000_000

MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:root|home|Users|tmp|private|var/folders|content|workspaces)/[\w.]"
    r"|\b[A-Za-z]:\\+Users\b"
)
"""Folders in which people have files, on Linux, macOS, Windows and hosted notebooks; not in an address."""

_TEXT = ("text/plain", "text/html", "text/markdown", "text/latex", "application/json")


def list_faults(path: Path) -> list[str]:
    """Say what is wrong with a notebook's file and its stored outputs.

    Args:
        path: A notebook.

    Returns:
        A line a fault, such as `04_train_cnn.ipynb, cell 3: stderr is stored`; empty if there is none.
    """
    size = path.stat().st_size
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return [f"{path.name}: not a notebook of format 4."]
    faults = [
        f"{path.name}, cell {number}: {fault}"
        for number, cell in enumerate(cells, start=1)
        for output in cell.get("outputs", [])
        for fault in _faults_of(output)
    ]
    if size >= MAX_BYTES:
        faults.append(f"{path.name}: {size / 1e6:.1f} MB, and from 1 MB on it is not shown on the web")
    return faults


def _faults_of(output: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one output."""
    if output.get("output_type") == "error":
        yield "an error is stored"
    if output.get("name") == "stderr":
        yield "stderr is stored"
    data = output.get("data", {})
    for text in (output.get("text"), output.get("traceback"), *(data.get(kind) for kind in _TEXT)):
        found = MACHINE_PATH.search(_joined(text))
        if found:
            yield f"a path of the machine is stored ({found[0]}…)"


def _joined(text: Any) -> str:
    """A notebook's text is a string, a list of strings, or nothing; JSON's is anything."""
    if isinstance(text, str):
        return text
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return "" if text is None else json.dumps(text, ensure_ascii=False)


def main(names: list[str]) -> int:
    """Print every fault of the notebooks named, or of all in `notebooks/`.

    Returns:
        Exit code: 0 if there is no fault, 1 if there are some.
    """
    paths = [Path(name) for name in names] or sorted(NOTEBOOKS.glob("*.ipynb"))
    faults = [fault for path in paths for fault in list_faults(path)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("Next: clear these outputs, or store a run's with `make publish`.", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
