"""One rule for what is out of date: a result belongs to the code that made it.

Code counts by what it does. Comments, docstrings and layout are left out, and so are the ways in which
Python's versions describe the same program, so that 3.11 to 3.13 agree on a digest.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

from src.utils.files import hash_bytes, hash_file

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `src`."""

_SETTINGS = ROOT / "src" / "utils" / "settings.py"


@functools.cache
def code_digest(*modules: str) -> str:
    """Digest of modules and everything of this project that they import, directly or not.

    `settings.py` does not count, since a result's key holds what it was asked for (a size, a seed) as values.
    A process asks once and keeps the answer: it goes on running the code that it began with.

    Args:
        *modules: Their full names, such as `__name__`.

    Returns:
        12 hexadecimal digits.
    """
    files = module_closure((f"import {name}" for name in modules), ROOT)
    return _short(file_digest(file) for file in files if file != _SETTINGS)


@functools.cache
def module_digest(module: str) -> str:
    """Digest of one module's own code: 12 hexadecimal digits."""
    return _short([file_digest(ROOT.joinpath(*module.split(".")).with_suffix(".py"))])


def _short(digests: Iterable[str]) -> str:
    return hash_bytes("\n".join(digests).encode())[:12]


def file_digest(path: Path) -> str:
    """Digest of what a module does, or of another file's content: 32 hexadecimal digits."""
    return meaning(path.read_text(encoding="utf-8")) if path.suffix == ".py" else hash_file(path)


@functools.cache
def meaning(code: str) -> str:
    """Digest of what Python code does, 32 hexadecimal digits: its syntax tree without docstrings."""
    return hash_bytes(repr(_plain(ast.parse(code))).encode())


def _plain(node: object) -> object:
    """A syntax tree as nested lists; empty fields are left out, for each Python has some of its own."""
    if isinstance(node, ast.AST):
        fields = ((name, _plain(value)) for name, value in ast.iter_fields(node))
        return [type(node).__name__, *((name, value) for name, value in fields if value not in (None, []))]
    if isinstance(node, list):
        return [_plain(item) for item in node if not _is_docstring(item)]
    return repr(node) if node is not None else None


def _is_docstring(node: object) -> bool:
    """Whether a statement is only a string: what documents a module, class, function or value."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def module_closure(codes: Iterable[str], root: Path) -> list[Path]:
    """Every project file that some code depends on: modules, directly or not, and the lists they read.

    Args:
        codes: Python sources.
        root: The project's folder, which holds the package `src`.

    Returns:
        Sorted paths.
    """
    closure: set[Path] = set()
    waiting: set[Path] = set()
    for code in codes:
        waiting |= imported_modules(code, root)
    while waiting:
        file = waiting.pop()
        closure.add(file)
        if file.suffix == ".py":
            code = file.read_text(encoding="utf-8")
            waiting |= (imported_modules(code, root) | named_files(code, file.parent)) - closure
    return sorted(closure)


@functools.cache
def imported_modules(code: str, root: Path) -> frozenset[Path]:
    """Modules of this project that some code imports, anywhere in it, and the packages above them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    found: set[Path] = set()
    for parts in (name.split(".") for name in names):
        if parts[0] == "src":
            for length in range(1, len(parts) + 1):
                place = root.joinpath(*parts[:length])
                found |= {place / "__init__.py", place.with_suffix(".py")}
    return frozenset(file for file in found if file.is_file())


@functools.cache
def named_files(code: str, folder: Path) -> frozenset[Path]:
    """Files beside a module that its code names in a string, such as a list of classes it reads."""
    names = {
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".txt")
    }
    return frozenset(folder / name for name in names if (folder / name).is_file())
