"""Which files a notebook opens, seen from inside its process.

IPython runs what lies in its start-up folder first; there a hook of the interpreter writes down every file
that is opened, renamed or linked. Files that compiled libraries open by themselves are not seen.
"""

from __future__ import annotations

import json
from pathlib import Path

_HOOK = """
import json as _json, os as _os, sys as _sys, time as _time

_name = _os.path.join(_os.environ["OPENED_FILES"], f"{_time.time_ns():020d}.jsonl")
_log = _os.open(_name, _os.O_WRONLY | _os.O_APPEND | _os.O_CREAT)
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


def watch_notebooks(folder: Path) -> dict[str, str]:
    """Prepare a folder so that every kernel that is started with it writes down what it opens.

    Args:
        folder: For IPython's profile and the records.

    Returns:
        Variables of the environment for the kernels.
    """
    start_up = folder / "ipython" / "profile_default" / "startup"
    start_up.mkdir(parents=True)
    (start_up / "00-opened-files.py").write_text(_HOOK)
    (folder / "opened").mkdir()
    return {"IPYTHONDIR": str(folder / "ipython"), "OPENED_FILES": str(folder / "opened")}


def read_opened(folder: Path, root: Path) -> list[tuple[set[str], set[str]]]:
    """What each kernel read and wrote below `root`, in the order in which they were started.

    Files and folders whose names begin with a dot are drafts, renamed when they are whole; they are left out
    (`.smoke`, the root of a smoke run, is none).
    """
    return [_opened_by_one(record, root) for record in sorted((folder / "opened").iterdir())]


def _opened_by_one(record: Path, root: Path) -> tuple[set[str], set[str]]:
    opened: dict[str, set[str]] = {"read": set(), "write": set()}
    for kind, name in map(json.loads, record.read_text(encoding="utf-8").splitlines()):
        if not Path(name).is_relative_to(root):
            continue
        path = Path(name).relative_to(root)
        if not any(part.startswith(".") and part != ".smoke" for part in path.parts):
            opened[kind].add(path.as_posix())
    return opened["read"], opened["write"]
