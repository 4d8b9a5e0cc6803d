"""Which notebooks are up to date: same inputs, same answer.

A stage is one numbered notebook. Its inputs are its own cells, every project module that those cells import
(directly or not; `code.py` says what of it counts), the parameters of `Settings` that it uses, the files
`notebooks/stages.toml` says it reads, and the versions of the libraries whose minor releases change results.
Each input is reduced to a digest; a stage whose digests are those of its last finished run, and whose outputs
are still there, is skipped. Dates play no part, except that a folder of raw pictures is compared by names,
sizes and times: reading 80,000 files to learn that nothing happened would cost minutes, and the scan that
follows compares their contents anyway.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.utils.code import file_digest, module_closure
from src.utils.files import hash_bytes, hash_file, read_json, write_json
from src.utils.settings import Settings

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "pillow", "onnxruntime", "scikit-learn", "matplotlib")
"""Their versions are inputs of every stage."""

SOURCE = "source/"
"""Entry of stages.toml for what the dataset is made from."""

DETECTORS = "detectors/"
"""Entry of stages.toml for detectors of others that are here."""


@dataclass(frozen=True)
class Stage:
    """One numbered notebook: its file, and what it reads and writes beyond its code."""

    name: str
    path: Path
    question: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    parameters: tuple[str, ...]
    minutes: float

    @property
    def number(self) -> str:
        """The two digits that open the notebook's name, figures and metrics."""
        return self.name[:2]


def load_stages(root: Path) -> list[Stage]:
    """Read `notebooks/stages.toml`.

    Args:
        root: The project's folder.

    Returns:
        One `Stage` per notebook, in the order of `in_order`.

    Raises:
        ValueError: Two stages write one file, or wait for each other.
    """
    table = tomllib.loads((root / "notebooks" / "stages.toml").read_text(encoding="utf-8"))
    stages = [
        Stage(
            name=name,
            path=root / "notebooks" / f"{name}.ipynb",
            question=facts["question"],
            reads=tuple(facts["reads"]),
            writes=tuple(facts["writes"]),
            parameters=tuple(facts["parameters"]),
            minutes=facts["minutes"],
        )
        for name, facts in sorted(table.items())
    ]
    return in_order(stages)


def in_order(stages: Sequence[Stage]) -> list[Stage]:
    """Sort stages so that each comes after those whose files it reads; otherwise by their numbers.

    Raises:
        ValueError: Two stages write one file, or wait for each other.
    """
    writer: dict[str, Stage] = {}
    for stage in stages:
        for entry in stage.writes:
            if entry in writer:
                raise ValueError(f"{entry} is written by both {writer[entry].name} and {stage.name}")
            writer[entry] = stage
    waits_for = {
        stage.name: {
            writer[entry].name for entry in stage.reads if entry in writer and writer[entry] is not stage
        }
        for stage in stages
    }
    waiting, done = sorted(stages, key=lambda stage: stage.name), []
    while waiting:
        ready = (stage for stage in waiting if waits_for[stage.name] <= {one.name for one in done})
        following = next(ready, None)
        if following is None:
            raise ValueError(f"these wait for each other: {', '.join(stage.name for stage in waiting)}")
        waiting.remove(following)
        done.append(following)
    return done


def notebook_cells(path: Path) -> list[dict[str, str]]:
    """Kind and source of each cell of a notebook; stored outputs are not part of what it says."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [{"kind": cell["cell_type"], "source": "".join(cell["source"])} for cell in notebook["cells"]]


def locate(entry: str, settings: Settings) -> Path:
    """Turn an entry of stages.toml, such as `processed/images.csv`, into this run's path."""
    folder, _, rest = entry.partition("/")
    folders = {
        "raw": settings.raw_dir,
        "rejected": settings.rejected_dir,
        "interim": settings.interim_dir,
        "processed": settings.processed_dir,
        "models": settings.models_dir,
        "figures": settings.figures_dir,
        "reports": settings.reports_dir,
    }
    return folders[folder] / rest


def source_files(settings: Settings) -> list[Path]:
    """What the dataset itself is made from, for the stage that fills `data/raw`."""
    if settings.dataset.takes_data_dir and settings.data_dir is not None:
        return [settings.data_dir]
    return [settings.root / name for name in settings.dataset.inputs]


def detector_files(settings: Settings) -> list[Path]:
    """Of detectors of others: the table, the files that are here, and what was measured of them."""
    return [
        settings.root / "detectors.toml",
        *sorted(settings.detectors_dir.glob("*.onnx")),
        *sorted(settings.models_dir.glob("detectors/*/calibration.json")),
    ]


def digest(path: Path) -> str:
    """Content digest of a file; of a folder, a digest of its files' names, sizes and times."""
    if path.is_dir():
        listing = [
            f"{file.relative_to(path).as_posix()} {state.st_size} {state.st_mtime_ns}"
            for file in sorted(path.rglob("*"))
            if file.is_file() and (state := file.stat())
        ]
        return hash_bytes(os.fsencode("\n".join(listing)))
    return hash_file(path) if path.is_file() else "missing"


def stage_modules(stage: Stage, settings: Settings) -> list[Path]:
    """Every module of the project that a stage's cells import, directly or not."""
    codes = [cell["source"] for cell in notebook_cells(stage.path) if cell["kind"] == "code"]
    if SOURCE in stage.reads:  # the code that fetches the dataset is found by name: no import leads to it
        codes.append(f"import {settings.dataset.module}")
    return module_closure(codes, settings.root)


def code_commit(stage: Stage, settings: Settings) -> str:
    """Name the commit that a stage's code comes from: the last one that touched its notebook or modules.

    The checkout's newest commit would be another one after every edit anywhere, and give equal runs
    different figures. This one stands as long as the stage's own code does, as the stage's results do.

    Returns:
        Such as `1a2b3c4d5e`, or `1a2b3c4d5e with changes` if these files are not as committed; empty where
        there is no git, or no commit of them.
    """
    files = [stage.path, *stage_modules(stage, settings)]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(settings.root), *arguments, "--", *files]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    try:
        commit, changes = git("log", "-1", "--format=%H"), git("status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit[:10]} with changes" if commit and changes else commit[:10]


def stage_inputs(stage: Stage, settings: Settings) -> dict[str, str]:
    """Everything that decides what a stage produces.

    Args:
        stage: The notebook.
        settings: This run's parameters.

    Returns:
        A digest (or a plain value, for parameters and versions) under a name that a reader understands.
    """
    cells = notebook_cells(stage.path)
    text = json.dumps(cells, ensure_ascii=False).encode()
    inputs = {f"notebooks/{stage.name}.ipynb": hash_bytes(text)}
    for module in stage_modules(stage, settings):
        inputs[module.relative_to(settings.root).as_posix()] = file_digest(module)
    for name in stage.parameters:
        inputs[f"parameter {name}"] = str(getattr(settings, name))
    for entry in stage.reads:
        if entry == SOURCE:
            inputs.update({f"source {path.name}": digest(path) for path in source_files(settings)})
        elif entry == DETECTORS:
            files = detector_files(settings)
            inputs.update({path.relative_to(settings.root).as_posix(): digest(path) for path in files})
        else:
            inputs[entry] = digest(locate(entry, settings))
    for library in LIBRARIES:
        inputs[f"version of {library}"] = importlib.metadata.version(library)
    return inputs


def stamp_path(stage: Stage, settings: Settings) -> Path:
    """Where the digests of a stage's last finished run are kept."""
    return settings.reports_dir / "stages" / f"{stage.name}.json"


def why_stale(stage: Stage, settings: Settings) -> str | None:
    """Say why a stage has to run, or None when it is up to date.

    Args:
        stage: The notebook.
        settings: This run's parameters.

    Returns:
        A short reason, such as `changed: src/utils/data/split.py`.
    """
    try:
        stamp = read_json(stamp_path(stage, settings))
        then, outputs = stamp["inputs"], stamp["outputs"]
    except (OSError, ValueError, KeyError):
        return "not run yet"
    now = stage_inputs(stage, settings)
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        return f"changed: {', '.join(changed[:2])}{more}"
    missing = [name for name in outputs if not (settings.root / name).exists()]
    return f"missing: {missing[0]}" if missing else None


def stage_outputs(stage: Stage, settings: Settings) -> list[Path]:
    """Files a finished stage left: those it declares and its figures.

    Raises:
        FileNotFoundError: A file that stages.toml promises was not written.
    """
    declared = [locate(entry, settings) for entry in stage.writes]
    for path in declared:
        if not path.exists():
            raise FileNotFoundError(f"{stage.name} ended without writing {path.relative_to(settings.root)}.")
    return declared + sorted(settings.figures_dir.glob(f"{stage.number}_*"))


def mark_done(stage: Stage, settings: Settings, inputs: dict[str, str], seconds: float) -> None:
    """Remember that a stage finished with these inputs.

    Args:
        stage: The notebook.
        settings: This run's parameters.
        inputs: From `stage_inputs`, taken before the run: what changes meanwhile counts as a change.
        seconds: How long it took.

    Raises:
        FileNotFoundError: A promised output is missing.
    """
    outputs = [path.relative_to(settings.root).as_posix() for path in stage_outputs(stage, settings)]
    write_json(
        stamp_path(stage, settings), {"inputs": inputs, "outputs": outputs, "seconds": round(seconds, 1)}
    )
