"""Which files a notebook opens, seen from inside its process.

IPython runs what lies in its start-up folder first; there a hook of the interpreter writes down every file
that is opened, renamed or linked. Files that compiled libraries open by themselves are not seen.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

_HOOK = """
import json as _json, os as _os, sys as _sys

_log = _os.open(_os.environ["OPENED_FILES"], _os.O_WRONLY | _os.O_APPEND | _os.O_CREAT)
_writing = _os.O_WRONLY | _os.O_RDWR | _os.O_CREAT | _os.O_TRUNC

def _hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        kind = "write" if (mode and set(mode) & set("wax+")) or (flags or 0) & _writing else "read"
    elif event in ("os.rename", "os.link"):
        path, kind = arguments[1], "write"
    elif event == "sqlite3.connect":
        path, kind = arguments[0], "write"
    else:
        return
    if isinstance(path, (str, bytes)) or hasattr(path, "__fspath__"):
        _os.write(_log, (_json.dumps([kind, _os.path.abspath(_os.fsdecode(path))]) + "\\n").encode())

_sys.addaudithook(_hook)
"""


def watch_notebooks(folder: Path, monkeypatch) -> Path:
    """Have every kernel that starts from now on write down what it opens.

    Args:
        folder: An empty folder for IPython's profile and the record.
        monkeypatch: Sets the environment of the kernels.

    Returns:
        The record, for `read_opened`.
    """
    start_up = folder / "ipython" / "profile_default" / "startup"
    start_up.mkdir(parents=True)
    (start_up / "00-opened-files.py").write_text(_HOOK)
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("OPENED_FILES", str(folder / "opened.jsonl"))
    return folder / "opened.jsonl"


def read_opened(record: Path, root: Path) -> tuple[set[str], set[str]]:
    """Files below `root` that were read, and that were written, since the last call; relative to `root`."""
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    record.unlink(missing_ok=True)
    opened: dict[str, set[str]] = {"read": set(), "write": set()}
    for kind, name in map(json.loads, lines):
        if name.startswith(f"{root}{os.sep}"):
            opened[kind].add(Path(name).relative_to(root).as_posix())
    return opened["read"], opened["write"]
