"""Two clones that share an environment: each run uses the code and the data of the folder it starts in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv

import nbformat
import pytest

from src.utils.settings import PROJECT_ROOT, UserError, require_own_checkout

STAGES = """
[01_where]
question = "Whose code is this?"
reads = []
writes = ["processed/where.txt"]
parameters = []
minutes = 1
"""

CELL = """import src
from src.utils.files import write_text
from src.utils.settings import Settings
write_text(Settings.from_env().processed_dir / "where.txt", src.WHO)"""

PIP = '''"""As much of pip as set-up uses: an editable install is a line in a .pth file."""
import sys
from pathlib import Path

packages = Path(__file__).parents[1]
with (packages / "calls.txt").open("a") as calls:
    print(*sys.argv[1:], file=calls)
if "-e" in sys.argv:
    (packages / "editable.pth").write_text(f"{Path.cwd()}\\n")
'''


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """Two checkouts, whose `src.WHO` is their name, with one environment between them."""
    root = tmp_path_factory.mktemp("two clones")
    venv.create(root / "shared", symlinks=True)
    for name in ("first", "second"):
        clone = root / name
        shutil.copytree(PROJECT_ROOT / "src", clone / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (clone / "src/__init__.py").write_text(f"WHO = {name!r}\n")
        for part in ("Makefile", "scripts", "requirements.txt", "pyproject.toml"):
            copy = shutil.copytree if (PROJECT_ROOT / part).is_dir() else shutil.copy2
            copy(PROJECT_ROOT / part, clone / part)
        (clone / "notebooks").mkdir()
        (clone / "notebooks/stages.toml").write_text(STAGES)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
        nbformat.write(notebook, clone / "notebooks/01_where.ipynb")
        (clone / ".venv").symlink_to(root / "shared")
    packages = packages_of(root)
    (packages / "pip").mkdir()
    (packages / "pip/__init__.py").touch()
    (packages / "pip/__main__.py").write_text(PIP)
    (packages / "real.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return root


def packages_of(root):
    return next((root / "shared").glob("lib/python*/site-packages"))


def call(clone, *command, folder="."):
    left_out = ("PYTHONPATH", "CONDA_PREFIX", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # `make test` sets some
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    env |= {
        "DATA_SOURCE": "sample",
        "PROFILE": "",
        "JUPYTER_PATH": f"{sysconfig.get_path('data')}/share/jupyter",
    }
    done = subprocess.run(command, cwd=clone / folder, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_set_up_takes_the_environment_over_and_says_so_once(clones):
    first, second = clones / "first", clones / "second"
    code, said = call(first, "make", "setup")
    assert code == 0 and "Installing the locked packages" in said and "serves" not in said
    editable = packages_of(clones) / "editable.pth"
    assert editable.read_text() == f"{first}\n"
    assert call(first, "make", "setup") == (0, "")

    code, said = call(second, "make", "setup")
    served, ready = said.splitlines()
    assert code == 0 and served == f".venv served {first}: from now on it serves {second}."
    assert ready.startswith(".venv is ready: 'make reproduce' ")
    assert editable.read_text() == f"{second}\n"
    assert call(second, "make", "setup") == (0, "")
    installs = (packages_of(clones) / "calls.txt").read_text().count("-r requirements.txt")
    assert installs == 1  # the lock is the same


def test_another_lock_is_installed_when_the_environment_is_taken_over(clones):
    first, second = clones / "first", clones / "second"
    call(first, "make", "setup")
    (second / "requirements.txt").open("a").write("# another lock\n")
    code, said = call(second, "make", "setup")
    assert code == 0 and "Installing the locked packages" in said and f"served {first}" in said


def test_results_stay_apart_whichever_clone_the_environment_serves(clones):
    (packages_of(clones) / "editable.pth").write_text(f"{clones / 'first'}\n")
    for name in ("first", "second"):
        code, said = call(clones / name, ".venv/bin/python", "-m", "src.utils.pipeline.run")
        assert code == 0, said
    for name in ("first", "second"):
        assert (clones / name / "data/processed/sample/where.txt").read_text() == name


def test_a_kernel_without_its_own_code_refuses_in_one_line(clones):
    (packages_of(clones) / "editable.pth").write_text(f"{clones / 'first'}\n")
    ask = "from src.utils.settings import Settings; print(Settings.from_env().root)"
    python = str(clones / "shared/bin/python")
    assert call(clones / "first", python, "-c", ask, folder="notebooks") == (0, f"{clones / 'first'}\n")
    code, said = call(clones / "second", python, "-c", ask, folder="notebooks")
    assert code == 1 and said.splitlines()[-1] == (
        f"src.utils.settings.UserError: This is {clones / 'second'}, but the environment runs the code of "
        f"{clones / 'first'}: run `make setup` in {clones / 'second'} and start again."
    )


def test_make_hands_its_own_code_to_whatever_it_starts(clones):
    (packages_of(clones) / "editable.pth").write_text(f"{clones / 'first'}\n")
    rule = 'show:\n\t@cd notebooks && ../.venv/bin/python -c "import src; print(src.WHO)"\n'
    (clones / "second/show.mk").write_text(rule)
    assert call(clones / "second", "make", "-f", "Makefile", "-f", "show.mk", "show") == (0, "second\n")


def test_a_folder_that_is_no_checkout_may_use_any(tmp_path):
    assert require_own_checkout(tmp_path) == PROJECT_ROOT
    assert require_own_checkout(PROJECT_ROOT / "notebooks") == PROJECT_ROOT
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/stages.toml").touch()
    with pytest.raises(UserError, match="run `make setup` in"):
        require_own_checkout(tmp_path / "notebooks")
