"""What counts as another program, and what does not."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from src.utils import code
from src.utils.code import code_digest, imported_modules, meaning, module_closure, module_digest
from src.utils.settings import PROJECT_ROOT

PROGRAM = '''"""Says hello."""
import os

LIMIT = 3
"""How often."""


@property
def greet(name: str, *, loud: bool = False) -> str:
    """Greet."""
    match name:
        case "a" | "b":
            return f"{name!r:>{LIMIT}} {os.sep}" "!"
    # nobody
    return None


class Plain:
    """Nothing."""
'''


def test_comments_docstrings_and_layout_do_not_count() -> None:
    other = PROGRAM.replace("# nobody", "# nobody at all\n")
    other = other.replace('"""Greet."""', '"""Greet somebody."""').replace('"""How often."""\n', "")
    other = other.replace("*, loud: bool = False", "\n    *,\n    loud: bool = False,\n").replace("'", '"')
    assert other != PROGRAM and meaning(other) == meaning(PROGRAM)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("return None", "return"),
        ("= False", "= 0"),
        ("!r", "!s"),
        ('"!"', '" !"'),
        ("import os", "import os as os"),
    ],
)
def test_what_a_program_does_counts(old: str, new: str) -> None:
    assert old in PROGRAM and meaning(PROGRAM.replace(old, new)) != meaning(PROGRAM)


def test_every_python_gives_the_same_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value was made by Python 3.11; later ones have more fields, which are empty here."""
    assert meaning(PROGRAM) == "e4f0a093b896e470637632d5c19e4ae6"
    before = code._plain(ast.parse(PROGRAM))
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "type_params"))
    tree = ast.parse(PROGRAM)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.type_params = []
    assert code._plain(tree) == before


def test_a_digest_follows_what_is_imported_and_not_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    changed, original = set(), code.file_digest
    monkeypatch.setattr(code, "file_digest", lambda path: path.stem in changed or original(path))
    monkeypatch.setattr(code, "_short", lambda digests: tuple(digests))
    digest = code_digest.__wrapped__
    name = "src.utils.models.encoder.features"
    before = digest(name)
    for module, counts in {"decode": True, "features": True, "settings": False, "selection": False}.items():
        changed.clear()
        changed.add(module)
        assert (digest(name) != before) == counts, module


def test_a_digest_of_one_module_is_its_own_code_alone() -> None:
    one, other = (module_digest(f"src.utils.data.pictures.{name}") for name in ("decode", "augment"))
    assert one != other and len(one) == 12 and int(one, 16) >= 0
    assert one != code_digest("src.utils.data.pictures.decode")


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        module_digest("src.utils.nothing")


def test_it_needs_neither_tensorflow_nor_pandas() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from src.utils.code import module_digest;"
            "print(module_digest('src.utils.data.pictures.decode'));"
            "assert not {'tensorflow', 'pandas', 'numpy'} & set(sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == module_digest("src.utils.data.pictures.decode")


def test_lazy_imports_and_packages_are_found() -> None:
    source = "def f():\n    from src.utils.data.pictures import decode\n    import numpy"
    found = {path.relative_to(PROJECT_ROOT).as_posix() for path in imported_modules(source, PROJECT_ROOT)}
    packages = {"src", "src/utils", "src/utils/data", "src/utils/data/pictures"}
    assert found == {f"{name}/__init__.py" for name in packages} | {"src/utils/data/pictures/decode.py"}
    assert set(module_closure([source], PROJECT_ROOT)) > imported_modules(source, PROJECT_ROOT)
