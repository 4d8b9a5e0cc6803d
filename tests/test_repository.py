"""What must hold for the checkout as a whole: one lock, one direction of imports, notebooks in order."""

import ast
import json
import re
import statistics
import subprocess
import sys
import tomllib

import pytest
import yaml

from src.utils.code import imported_modules
from src.utils.pipeline.stages import load_stages, notebook_cells
from src.utils.settings import PROJECT_ROOT

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
MODULES = sorted((PROJECT_ROOT / "src").rglob("*.py"))


def locked(name):
    text = (PROJECT_ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", text, flags=re.MULTILINE))


def declared():
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return project["dependencies"] + [line for extra in extras for line in extra]


def test_the_lock_satisfies_the_one_list():
    versions = locked("requirements.txt")
    for requirement in declared():
        name, version = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==([\d.]+?)(?:\.\*)?", requirement).groups()
        assert versions[name.lower()].startswith(version), requirement


def test_the_apps_lock_is_part_of_the_lock():
    everything, app = locked("requirements.txt"), locked("requirements-app.txt")
    assert {"flask", "gunicorn", "numpy", "pillow"} <= app.keys()
    assert "tensorflow" not in app
    assert app.items() <= everything.items()


def test_conda_environment_takes_its_packages_from_the_lock():
    environment = yaml.safe_load((PROJECT_ROOT / "environment.yml").read_text())
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    assert f"ENV_NAME := {environment['name']}\n" in makefile
    assert environment["dependencies"][-1] == {"pip": ["-r requirements.txt"]}
    python = environment["dependencies"][0].removeprefix("python=")
    supported = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert supported == ">=3.11,<3.14"
    assert python in {"3.11", "3.12", "3.13"}


def test_every_package_is_locked_by_hash_and_from_no_named_host():
    for name in ("requirements.txt", "requirements-app.txt", "requirements-sample.txt"):
        text = (PROJECT_ROOT / name).read_text()
        assert "://" not in text.replace("# ", ""), name
        for block in re.split(r"\n(?=[a-z0-9])", text):
            if re.match(r"[a-z0-9._-]+==", block):
                assert "--hash=sha256:" in block, block[:60]


def test_readme_names_only_commands_that_exist():
    targets = set(
        re.findall(r"^([a-z-]+):.*## ", (PROJECT_ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    )
    for name in ("README.md", "CONTRIBUTING.md", "notebooks/README.md", "data/README.md"):
        text = (PROJECT_ROOT / name).read_text()
        used = set(re.findall(r"\bmake ([a-z-]+)(?=[\s`]|$)", "\n".join(re.findall(r"`[^`\n]+`", text))))
        blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
        used |= set(re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)", "\n".join(blocks), flags=re.MULTILINE))
        assert used <= targets, name
        for module in re.findall(r"python -m ((?:src|benchmarks)[\w.]*)", text):
            place = PROJECT_ROOT.joinpath(*module.split("."))
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module


def test_links_and_pictures_of_the_documents_exist():
    for document in [*PROJECT_ROOT.glob("*.md"), *PROJECT_ROOT.glob("[dn]*/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def role(path):
    parts = path.relative_to(PROJECT_ROOT / "src").with_suffix("").parts
    if parts[0] == "app":
        return "app"
    return parts[1] if len(parts) > 2 else "top"


ALLOWED = {
    "data": {"data", "top"},
    "models": {"data", "models", "top"},
    "analysis": {"data", "models", "analysis", "top"},
    "plots": {"plots", "top"},
    "story": {"plots", "story", "top"},  # of plots, how they write a number where there is little room
    "judge": {"data", "models", "analysis", "plots", "story", "judge", "top"},
    "slides": {"models", "analysis", "plots", "story", "slides", "top"},
    "site": {"analysis", "pipeline", "plots", "site", "top"},
    "app": {"app", "data", "models", "analysis", "plots", "top"},
}


@pytest.mark.parametrize("path", [path for path in MODULES if role(path) in ALLOWED], ids=str)
def test_imports_go_one_way(path):
    packages = {folder / "__init__.py" for folder in (PROJECT_ROOT / "src").rglob("*") if folder.is_dir()}
    used = imported_modules(path.read_text(), PROJECT_ROOT) - packages - {PROJECT_ROOT / "src/__init__.py"}
    assert {role(module) for module in used} <= ALLOWED[role(path)]


def test_no_cycle_between_modules():
    packages = {path for path in MODULES if path.name == "__init__.py"}  # reached by importing what they hold
    graph = {path: imported_modules(path.read_text(), PROJECT_ROOT) - {path} - packages for path in MODULES}
    done, trail = set(), []

    def visit(path):
        assert path not in trail, " → ".join(str(p.relative_to(PROJECT_ROOT)) for p in [*trail, path])
        if path in done:
            return
        trail.append(path)
        for other in graph[path]:
            visit(other)
        trail.pop()
        done.add(path)

    for path in MODULES:
        visit(path)


def test_no_folder_has_more_modules_than_a_reader_takes_in():
    for folder in {path.parent for path in (PROJECT_ROOT / "src").rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= 12, folder


def test_what_needs_no_tensors_imports_no_tensorflow():
    code = """
import importlib, pathlib, sys
for pattern in ("src/utils/*.py", "src/utils/[!m]*/**/*.py", "src/app/*.py"):
    for file in sorted(pathlib.Path().glob(pattern)):
        if file.stem not in {"__init__", "__main__"}:
            importlib.import_module(".".join([*file.parts[:-1], file.stem]))
heavy = {"tensorflow", "keras"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_notebook_is_a_stage_with_a_row_in_the_table():
    names = [path.stem for path in NOTEBOOKS]
    stages = load_stages(PROJECT_ROOT)
    assert sorted(stage.name for stage in stages) == names
    table = (PROJECT_ROOT / "notebooks" / "README.md").read_text()
    for stage in stages:
        assert re.search(rf"\[{stage.name}\]\({stage.name}\.ipynb\) \| {re.escape(stage.question)} \|", table)


def code_lines(source):
    return len([line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_shape_that_readers_know(path):
    notebook = json.loads(path.read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert path.stat().st_size < 1_000_000
    cells = notebook_cells(path)
    title = cells[0]["source"].splitlines()[0]
    assert title.startswith("# ") and title.endswith("?"), title
    prose = "\n".join(cell["source"] for cell in cells if cell["kind"] == "markdown")
    assert "## Takeaways" in prose
    assert "**Reads**" not in prose and "**Writes**" not in prose  # `Run.facts` says them, from stages.toml
    sizes = []
    for cell in cells:
        if cell["kind"] != "code":
            continue
        tree = ast.parse(cell["source"])
        assert not any(
            isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(tree)
        )
        sizes.append(code_lines(cell["source"]))
        assert sizes[-1] <= (14 if "import " in cell["source"].split("\n")[0] else 15), cell["source"]
        assert not any(
            isinstance(node, ast.IfExp) and "save(" in ast.unparse(node) for node in ast.walk(tree)
        ), cell["source"]
    assert statistics.median(sizes) <= 5
    code = "\n".join(cell["source"] for cell in cells if cell["kind"] == "code")
    assert "open_notebook(" in code and "run.facts()" in code
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            if cell["outputs"]:
                assert cell["execution_count"] is not None


def test_nothing_committed_names_a_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = PROJECT_ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".yml", ".sh", ".ipynb", ".json", ".csv", ".txt"}
            and path.exists()
        ):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/(?:root|home)/[a-z]", text), name
