"""What keeps a change sound before anybody reads it: checks, pre-commit, stored outputs, commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pkgutil import resolve_name

import nbformat
import pytest
import yaml

from scripts.check_notebooks import list_faults, main
from src.utils.settings import PROJECT_ROOT
from tests.test_repository import NOTEBOOKS, locked

WORKFLOW = PROJECT_ROOT / ".github/workflows/checks.yml"
PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
SCRIPTS = PROJECT["project"]["scripts"]


def workflow():
    return yaml.safe_load(WORKFLOW.read_text())


def steps():
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def make_targets():
    return set(re.findall(r"^([a-z-]+):.*## ", (PROJECT_ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def assert_exists(command):
    """A line of shell starts something that this checkout or any such machine has."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    if words[0] == "make":
        assert set(words[1:]) <= make_targets(), command
    elif words[0] == "docker":
        assert words[1] == "build" and words[-1] == "." and (PROJECT_ROOT / "Dockerfile").is_file()
    elif words[:2] == [".venv/bin/python", "-m"]:
        assert PROJECT_ROOT.joinpath(*words[2].split(".")).with_suffix(".py").is_file(), command
    elif "/" in words[0]:
        assert os.access(PROJECT_ROOT / words[0], os.X_OK), command
    else:
        assert words[0] in {"git", "cd", "set", "[", "apt-get"}, command


def test_the_forge_runs_the_commands_that_this_checkout_has():
    commands = [line for step in steps() if "run" in step for line in step["run"].splitlines()]
    assert {".ci/run", "make test", "docker build -t human-or-ai ."} <= set(commands)
    for command in commands:
        assert_exists(command)


def test_the_forge_runs_each_command_where_it_is_meant_to_run():
    jobs = workflow()["jobs"]
    where = {step["run"]: job for job in jobs.values() for step in job["steps"] if "run" in step}
    assert where[".ci/run"]["runs-on"].startswith("ubuntu") and "bookworm" in where[".ci/run"]["container"]
    assert where["make test"]["runs-on"] in {"macos-14", "macos-15", "macos-26"}  # those are arm64
    assert all(job["timeout-minutes"] <= 120 for job in jobs.values())


def test_the_forges_actions_are_pinned_and_may_only_read():
    assert workflow()["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow()["jobs"].values())
    used = [step for step in steps() if "uses" in step]
    assert len(used) >= 3
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step
        if "checkout" in step["uses"]:
            assert step["with"]["persist-credentials"] is False


def test_pre_commit_uses_the_locks_ruff():
    hooks = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    wanted = [f"ruff=={locked('requirements.txt')['ruff']}"]
    ruff = [hook for hook in hooks if hook["entry"].startswith("ruff ")]
    assert [hook["id"] for hook in ruff] == ["ruff-check", "ruff-format"]
    assert all(hook["additional_dependencies"] == wanted for hook in ruff)
    (outputs,) = [hook for hook in hooks if hook not in ruff]
    assert (PROJECT_ROOT / outputs["entry"].removeprefix("python ")).is_file()


def test_lint_and_test_check_the_types_too():
    assert "-m pyright" in (PROJECT_ROOT / "scripts/test.sh").read_text()
    recipe = re.search(r"^lint:.*\n\t(.*)", (PROJECT_ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1]
    assert recipe.count("-m ruff") == 2 and recipe.endswith("-m pyright --pythonpath $(PY)")
    assert PROJECT["tool"]["pyright"]["include"] == ["src"]
    for part in PROJECT["tool"]["pyright"]["executionEnvironments"]:
        assert (PROJECT_ROOT / part["root"]).exists(), part


def test_coverage_is_measured_where_it_is_asked_for_and_nowhere_else():
    assert 'COVERAGE: "1"' in (PROJECT_ROOT / ".github/workflows/checks.yml").read_text()
    assert "cov" not in PROJECT["tool"]["pytest"]["ini_options"]["addopts"]
    script = (PROJECT_ROOT / "scripts/test.sh").read_text()
    lines = re.search(r"^run=(?:.*\n)*?PROFILE= (?=\"\$python\")", script, flags=re.MULTILINE)[0]
    for value, said in (
        ("", "pytest -n auto --dist loadfile"),
        ("1", "coverage run --source=src -m pytest"),
    ):
        done = subprocess.run(
            ["sh", "-euc", f"{lines.removesuffix('PROFILE= ')}echo $run"],
            env={"COVERAGE": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == said


def notebook(path, *outputs):
    cell = nbformat.v4.new_code_cell("1", outputs=list(outputs), execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# What?"), cell]), path)
    return path


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    "text",
    [
        "saved to /ho" + "me/ada/pictures/a.png",
        "'/Users/ada/x.png'",
        "in (/tmp/x)",
        "C:\\Users\\ada\\x.png",
        "/content/human-or-ai/x",
    ],
)
def test_a_stored_path_of_a_machine_is_found(tmp_path, text):
    (fault,) = list_faults(notebook(tmp_path / "01_a.ipynb", printed(text)))
    assert fault.startswith("01_a.ipynb, cell 2: a path of the machine is stored (")
    shown = nbformat.v4.new_output("execute_result", {"text/html": f"<b>{text}</b>"}, execution_count=1)
    assert len(list_faults(notebook(tmp_path / "02_b.ipynb", shown))) == 1


@pytest.mark.parametrize(
    "text",
    ["https://example.com/ho" + "me/ada/a.png", "models/sample/best", "reports/tmp/a", "and/or", "~/a"],
)
def test_what_is_no_path_of_a_machine_is_let_pass(tmp_path, text):
    assert list_faults(notebook(tmp_path / "01_a.ipynb", printed(text))) == []


def test_stderr_and_errors_are_found(tmp_path, capsys):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
    path = notebook(tmp_path / "01_a.ipynb", printed("fine"), printed("W0000 noise", "stderr"), error)
    assert list_faults(path) == [
        "01_a.ipynb, cell 2: stderr is stored",
        "01_a.ipynb, cell 2: an error is stored",
    ]
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("Next: ")


def test_size_counts_and_what_is_no_notebook_is_said(tmp_path):
    (fault,) = list_faults(notebook(tmp_path / "01_a.ipynb", printed("x" * 1_000_000)))
    assert fault.startswith("01_a.ipynb: 1.0 MB")
    assert list_faults(notebook(tmp_path / "01_b.ipynb", printed("x" * 990_000))) == []
    for text in ("", "[]", '{"worksheets": []}'):
        (tmp_path / "old.ipynb").write_text(text)
        assert list_faults(tmp_path / "old.ipynb") == ["old.ipynb: not a notebook of format 4."]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_in_git_have_no_such_fault(path):
    assert list_faults(path) == []


def test_installed_commands_have_names_of_their_own():
    assert set(SCRIPTS) == {"human-or-ai-predict", "human-or-ai-evaluate"}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_an_installed_command_starts_as_an_installer_starts_it(name):
    module, function = SCRIPTS[name].split(":")
    assert resolve_name(SCRIPTS[name]).__name__ == "main"
    code = f"import sys; from {module} import {function}; sys.argv[0] = {name!r}; sys.exit({function}())"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    told = subprocess.run([*command, "--help"], env=environment, capture_output=True, text=True)
    assert told.returncode == 0 and told.stdout.startswith("usage: ")
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 2


def test_a_container_for_editors_sets_the_project_up():
    container = json.loads((PROJECT_ROOT / ".devcontainer/devcontainer.json").read_text())
    assert_exists(container["postCreateCommand"])
    assert re.search(r"/python:3\.1[123]-", container["image"])
    assert container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(
        "/.venv/bin/python"
    )


def test_the_cell_for_colab_runs_what_this_checkout_has():
    text = (PROJECT_ROOT / "docs/START_ON_THE_WEB.md").read_text()
    cell = re.search(r"```\n%%bash\n(.*?)```", text, flags=re.DOTALL)[1]
    subprocess.run(["bash", "-n"], input=cell, text=True, check=True)
    commands = [line for line in cell.splitlines() if not re.match(r"[A-Z]+=", line)]
    for command in commands:
        assert_exists(command.split(">")[0])
    assert commands[-1].endswith("src.utils.pipeline.run --only 01 02 03 04")
    assert commands[-1] in text.split("## Colab")[0]


def test_the_changelog_names_what_exists_newest_first():
    text = (PROJECT_ROOT / "CHANGELOG.md").read_text()
    dates = re.findall(r"^## (\d{4}-\d\d-\d\d)", text, flags=re.MULTILINE)
    assert len(dates) >= 2 and dates == sorted(dates, reverse=True)
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= make_targets()
