"""A name is data wherever it goes: links, Markdown, HTML, figures, tables, the command line, errors."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from nbconvert.filters import markdown2html

from src.utils import predict
from src.utils.data.sources.labelled_folder import read_labelled_folder
from src.utils.data.sources.registry import ensure_raw
from src.utils.data.web.fetch import fetch_image
from src.utils.data.web.serve import link_to, serve_pictures
from src.utils.names import as_it_is, one_line, short_name
from src.utils.notebook import facts_table
from src.utils.pipeline.stages import DETECTORS, SOURCE, load_stages, locate
from src.utils.plots.errors import accuracy_by_plot
from src.utils.plots.explanations import generator_spectra
from src.utils.plots.figure.saving import read_index, save_figure
from src.utils.plots.improve import source_plot
from src.utils.plots.unseen import holdout_plot, unseen_plot
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.odd_names import HIDDEN_NAME, ODD_NAMES, ODD_WORDS, write_odd_folder, write_picture
from tests.pipeline.opened_files import read_opened, watch_notebooks

NOT_UTF8 = os.fsdecode(b"caf\xe9.png")


@pytest.fixture(scope="module")
def odd_pictures(tmp_path_factory) -> Path:
    """A folder with a small picture of every odd name, and a hidden one."""
    folder = tmp_path_factory.mktemp("odd")
    for number, name in enumerate((*ODD_NAMES, NOT_UTF8, HIDDEN_NAME)):
        write_picture(folder / name, number, side=24)
    return folder


def test_a_link_leads_to_the_file_whatever_it_is_called(odd_pictures):
    with serve_pictures(odd_pictures) as address:
        for name in ODD_NAMES:
            found = fetch_image(link_to(address, name), allow_local=True)
            assert found.data == (odd_pictures / name).read_bytes(), name


def test_class_folders_and_a_table_find_every_name(tmp_path, odd_pictures):
    for label in (0, 1):
        shutil.copytree(odd_pictures, tmp_path / "folders" / str(label))
    settings = Settings(source="folder", data_dir=tmp_path / "folders", root=tmp_path / "project")
    table = ensure_raw(settings, progress=False)
    assert len(table) == 2 * (len(ODD_NAMES) + 1)  # the hidden one is passed over
    assert all(one.isprintable() and (settings.raw_dir / one).is_file() for one in table["file_name"])
    assert table["file_name"].is_unique

    labels = write_odd_folder(tmp_path / "tabled", pictures=8)
    rows, notes = read_labelled_folder(tmp_path / "tabled")
    assert {row["path"]: int(row["label"]) for row in rows} == labels and notes[1:] == []
    assert {row["generator"] or row["origin"] for row in rows} == {
        *ODD_WORDS[:2],
        'NA, "none" or  \N{GRINNING FACE}',  # a table's words stay on their line
        ODD_WORDS[3],
    }


def test_the_command_line_gives_every_name_back(odd_pictures, tmp_path, monkeypatch):
    class Model:
        bundle = SimpleNamespace(facts={}, calibration={})

        @staticmethod
        def predict_files(names, load):
            for name in names:
                assert load(name).format in ("PNG", "JPEG")
                yield dict.fromkeys(predict.COLUMNS, "") | {"file": name}

    monkeypatch.setattr(predict.Predictor, "load", lambda folder: Model)
    expected = [str(odd_pictures / name) for name in sorted((*ODD_NAMES, NOT_UTF8))]

    def say(*options: str) -> bytes:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        monkeypatch.setattr("sys.stdout", out)
        assert predict.main(["--model", str(tmp_path), *options, str(odd_pictures)]) == 0
        out.flush()
        return out.buffer.getvalue()

    say("--csv", str(tmp_path / "out.csv"))
    for data in ((tmp_path / "out.csv").read_bytes(), say()):
        table = pd.read_csv(io.BytesIO(data), keep_default_na=False, encoding_errors="surrogateescape")
        assert table["file"].tolist() == expected
    assert [json.loads(line)["file"] for line in say("--json").splitlines()] == expected


@pytest.mark.parametrize("name", [*ODD_NAMES, "https://example.com/a?b=$(id)&c=%20#d"])
def test_make_hands_a_name_over_as_it_is(tmp_path, name):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text('#!/bin/sh\nprintf \'%s\\0\' "$DATA_DIR" "$@"\n')
    python.chmod(0o755)
    for part in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(PROJECT_ROOT / part, tmp_path)
    (tmp_path / ".venv/.human-or-ai-ready").write_text(f"{tmp_path.resolve()}\n")
    known = [] if name.startswith("https:") else ["--"]
    if known:
        (tmp_path / name).touch()
    given = {"IMAGE": name, "DATA_DIR": name}
    for arguments, env in ((given, {}), ({}, given)):
        done = subprocess.run(
            ["make", "predict", *(f"{key}={value}" for key, value in arguments.items())],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **env},  # not what `make test` hands on
            capture_output=True,
        )
        assert done.stdout.decode().split("\0") == [name, "-m", "src.utils.predict", *known, name, ""], (
            done.stderr
        )


@pytest.mark.parametrize("name", [*ODD_NAMES, *ODD_WORDS])
def test_markdown_shows_a_name_as_it_is(name):
    shown = markdown2html(facts_table({"from": name}).data)
    cell = re.findall(r"<td>(.*?)</td>", shown, flags=re.DOTALL)[1]
    text = cell.removeprefix("<code>").removesuffix("</code>")
    assert html.unescape(text) == one_line(name) and "<" not in text
    if "$" in name:
        assert cell.startswith("<code>")  # where no mathematics is looked for
    assert as_it_is("Stable Diffusion 3.5, data/sample_sources.csv") == (
        "Stable Diffusion 3.5, data/sample_sources.csv"
    )


def test_an_error_is_one_line_whatever_the_file_is_called():
    for name in (*ODD_NAMES, NOT_UTF8, "a\N{LINE SEPARATOR}b"):
        sentence = str(UserError(f"{name} is gone: get it again."))
        assert len(sentence.splitlines()) == 1 and "\t" not in sentence
        sentence.encode("utf-8")
    assert str(UserError("a\nb\té \N{GRINNING FACE}")) == "a\\nb\\té \N{GRINNING FACE}"


def test_figures_show_names_as_they_are(tmp_path):
    words = list(ODD_WORDS)
    table = pd.DataFrame({"source": words, "value": words, "label": [0, 1, 0, 1]})
    table = table.assign(groups=6, pictures=9, called_ai=0.5, called_ai_low=0.4, called_ai_high=0.6)
    table = table.assign(met=0.9, left_out=0.8, left_out_low=0.7, left_out_high=0.9, drop=0.1)
    table = table.assign(accuracy=0.5, low=0.4, high=0.6, human=1, ai=2)
    matrix = pd.DataFrame(np.full((4, 4), 0.7), index=words, columns=words)
    figures = {
        "11_makers": unseen_plot(table, (0.5, 0.5), note=words[0]),
        "11_holdout": holdout_plot(table),
        "08_accuracy": accuracy_by_plot(table, "generator", 0.5),
        "09_sources": source_plot(matrix),
        "12_spectra": generator_spectra({"as is": {word: np.ones((4, 4)) for word in words}}),
    }
    for name, figure in figures.items():
        save_figure(figure, name, words[0], words[1], tmp_path, "11_unseen_generators")
        said = [one.get_text() for one in figure.findobj(Text)]
        assert any("$x$" in one for one in said), name
        assert not any(one.get_parse_math() for one in figure.findobj(Text) if "$" in one.get_text())
        assert max(len(line) for one in said for line in one.splitlines()) < 140
    index = read_index(tmp_path)
    assert {one["file"] for one in index} == {f"{name}.png" for name in figures}
    assert {(one["caption"], one["alt"]) for one in index} == {(words[0], words[1])}


def test_short_names():
    assert short_name("Flux.1 dev") == "Flux.1 dev"
    assert short_name("a\tb" * 40, 10) == "a\\tba\\tba…"


def test_all_notebooks_reach_their_end_on_a_folder_of_odd_names(tmp_path):
    """The whole run, in a checkout of its own: it would write into a user's data otherwise."""
    project, pictures = tmp_path / "project", tmp_path / "pictures #1 <b>"
    for part in ("src", "notebooks"):
        shutil.copytree(PROJECT_ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "data/interim").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "data/sample_sources.csv", project / "data")
    shutil.copy(PROJECT_ROOT / "requirements-sample.txt", project)
    # The small encoder and labeller come out of the sample's packages.
    packages = PROJECT_ROOT / "data/interim/sample-packages"
    packages.mkdir(parents=True, exist_ok=True)
    (project / "data/interim/sample-packages").symlink_to(packages.resolve())
    names = write_odd_folder(pictures)

    settings = {"DATA_SOURCE": "folder", "DATA_DIR": str(pictures), "PROFILE": "smoke", "ENCODER": "sample"}
    watched = watch_notebooks(tmp_path)

    def run(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "src.utils.pipeline.run", *options],
            cwd=project,
            env={**os.environ, **settings, **watched, "PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    run()
    look_at_what_was_opened(tmp_path, Settings(source="folder", profile="smoke", root=project.resolve()))
    assert "pictures #1 <b>" in html.unescape(
        (project / ".smoke/reports/folder/notebooks/01_download_data.html").read_text(encoding="utf-8")
    )
    look_at_what_is_stored(project, names)
    run_again(project, run)


def run_again(project: Path, run: Callable[..., str]) -> None:
    """Another word in a notebook's prose, or notebooks on their own, change no number, band or answer."""
    kept = ("models/*/*/*.json", "reports/*/metrics.json", "reports/*/*.csv")

    def results() -> dict[Path, bytes]:
        return {path: path.read_bytes() for one in kept for path in (project / ".smoke").glob(one)}

    before = results()
    assert {path.name for path in before} > {"metrics.json", "link_answers.csv", "predictions.csv"}
    assert sum(path.name == "calibration.json" for path in (project / ".smoke/models").rglob("*.json")) == 3
    path = project / "notebooks/09_improve_model.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["source"].append(" Indeed.")
    path.write_text(json.dumps(notebook), encoding="utf-8")
    log = run()
    ran = re.findall(r"\] (\d\d)_\w+  running", log)
    assert ran == ["09"], log
    assert results() == before
    run("--force", "--only", "05", "06")
    answers = [
        path for path in before if path.name in ("link_answers.csv", "calibration.json", "bundle.json")
    ]
    assert {path: path.read_bytes() for path in answers} == {path: before[path] for path in answers}


def look_at_what_was_opened(record: Path, settings: Settings) -> None:
    """Compare what each notebook read and wrote with `notebooks/stages.toml`."""
    root, stages = settings.root, load_stages(settings.root)
    caches = (f"{settings.interim_dir.relative_to(root)}/", "data/interim/")
    index = (settings.figures_dir / "index.json").relative_to(root).as_posix()  # a line a figure
    opened = read_opened(record, root)
    assert len(opened) == len(stages)
    for stage, (read, written) in zip(stages, opened, strict=True):
        places = {
            kind: [locate(entry, settings) for entry in entries if entry not in (SOURCE, DETECTORS)]
            for kind, entries in (("read", stage.reads), ("write", stage.writes))
        }
        own = [place for place in places["write"] if place.name == "bundle.json"]
        known = [place for place in places["read"] if place.name == "bundle.json"]

        def below(name: str, places: list[Path]) -> bool:
            return any((root / name).is_relative_to(place) for place in places)

        def is_cache(name: str) -> bool:
            return name.startswith(caches) and not name.endswith("/images.csv")

        files = [place.with_name(name) for place in known for name in ("model.keras", "model.onnx")]
        files += [place.with_name(name) for place in known for name in ("head.npz", "encoder.onnx")]
        unnamed = {
            name
            for name in read - written
            if not below(name, [*places["read"], *places["write"], *files, *(one.parent for one in own)])
            and not name.startswith(("data/raw/", "data/sample_", "requirements", "src/", "notebooks/"))
            and not (name == "detectors.toml" and DETECTORS in stage.reads)
            and not is_cache(name)
            and name != index
        }
        assert not unnamed, (stage.name, unnamed)
        split_tree = [settings.processed_dir] if stage.number == "03" else []
        foreign = {
            name
            for name in written
            if not below(name, [*places["write"], *split_tree, *(one.parent for one in own)])
            and not (root / name).match(f"figures/*/{stage.number}_*")
            and not (stage.number == "01" and name.startswith("data/raw/"))
            and not is_cache(name)
            and name != index
        }
        assert not foreign, (stage.name, foreign)


def look_at_what_is_stored(project: Path, names: dict[str, int]) -> None:
    raw, reports = project / "data/raw/folder", project / ".smoke/reports/folder"
    table = read_names(raw / "train.csv")
    assert len(table) == len(names)
    assert all((raw / name).is_file() for name in table["file_name"])
    manifest = read_names(project / ".smoke/data/processed/folder/images.csv").set_index("file_name")
    for file, column in {
        "link_answers.csv": "file",  # 06
        "labels.csv": "file_name",  # 07
        "errors.csv": "file_name",  # 08
        "predictions.csv": "file_name",
        "submission.csv": "id",
    }.items():
        said = read_names(reports / file)[column].unique()
        full = [name if name.startswith("train_data/") else f"train_data/{name}" for name in said]
        assert set(full) <= set(manifest.index), file
        for kind in ODD_PARTS:  # in both the short names of class 0 and the long ones of class 1
            assert set(manifest.loc[[one for one in full if kind in one], "label"]) == {"0", "1"}, (
                file,
                kind,
            )
        assert any(one.startswith("train_data/-a") for one in full), file

    pages = sorted((reports / "notebooks").glob("*.html"))
    assert len(pages) == len(list((PROJECT_ROOT / "notebooks").glob("[0-9]*.ipynb")))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search("<b>(f|Gen|</)|<i>deep", text), page.name
        assert not re.search(r"<(td|th|li|p)(\s[^>]*)?>[^<]*\$x\$", outside_quiet_tables(text)), page.name
    shown = {page.name[:2]: html.unescape(page.read_text(encoding="utf-8")) for page in pages}
    assert "<b>Gen</b> & $\\frac{$ Co" in shown["01"]
    assert "%20c'd\"e&" in shown["07"] and "<b>Gen</b>" in shown["11"]
    index = read_index(project / ".smoke/figures/folder")
    assert {one["notebook"][:2] for one in index} >= {"06", "07", "08", "11"}
    assert all((project / ".smoke/figures/folder" / one["file"]).is_file() for one in index)


ODD_PARTS = (" (35)[1]", "#b", "?%20", "c'd\"e", "&<b>", "$x$", "$(id)", "h_i_j_k", "\N{GRINNING FACE}")
"""What of `odd_names.odd_name` is left where names have no line breaks, tabs and backslashes any more."""


def read_names(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def outside_quiet_tables(page: str) -> str:
    """A page without the tables in which no mathematics is looked for."""
    return re.sub(r"<table[^>]*mathjax_ignore.*?</table>", "", page, flags=re.DOTALL)
