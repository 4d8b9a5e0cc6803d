"""End to end through the command line."""

from __future__ import annotations

import csv
import html
import json
import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from src.utils import evaluate
from src.utils.data.pictures.deliveries import DELIVERIES
from src.utils.data.published import hub
from src.utils.data.sources import folder as sources_folder
from src.utils.evaluate import main
from src.utils.judge import figures, report
from src.utils.judge.judgement import TOGETHER
from src.utils.plots.figure.saving import save_figure
from src.utils.plots.figure.style import new_figure
from src.utils.settings import Settings
from tests.judge.folders import BRIGHT, flat, noise_pictures, six_pictures


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own, with a module of detectors in the folder that the command is started in."""
    from_env = Settings.from_env
    monkeypatch.setattr(evaluate.Settings, "from_env", classmethod(lambda cls: from_env(root=tmp_path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*os.sys.path])
    (tmp_path / "toy_detectors.py").write_text(BRIGHT)
    yield tmp_path
    os.sys.modules.pop("toy_detectors", None)


def run(capsys, *arguments):
    code = main([str(one) for one in arguments])
    return code, *capsys.readouterr()


def rows_of(folder):
    with (folder / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_a_folder_to_scores_metrics_figures_and_a_page(project, capsys):
    six_pictures(project / "six")
    (project / "six/human/bad.jpg").write_bytes(b"nothing")
    code, out, err = run(capsys, "six", "--detector", "toy_detectors:bright")
    assert code == 1 and "runs the code of toy_detectors.py" in err and "1 files could not be read" in err
    folder = project / "reports/evaluate/six-toy_detectors-bright"
    assert out.splitlines()[-1] == str(folder / "report.html")
    rows = rows_of(folder)
    assert len(rows) == 6 * 2 + 1
    first = next(row for row in rows if row["file_name"] == "ai/1.png")
    assert (float(first["probability_ai"]), first["predicted"]) == (pytest.approx(0.8, abs=1e-3), "1")
    assert rows[-1]["file_name"] == "human/bad.jpg" and rows[-1]["error"].startswith("not_image")
    metrics = json.loads((folder / "metrics.json").read_text())
    found = metrics["detectors"]["toy_detectors:bright"]["deliveries"]
    assert list(found) == ["as_it_is", "alike-20"]
    assert found["as_it_is"]["auc"] == {"value": pytest.approx(8 / 9), "low": None, "high": None}
    assert found["as_it_is"]["confusion_matrix"] == [[2, 1], [1, 2]]
    assert metrics["detectors"]["toy_detectors:bright"]["sources"][0]["source"] == "not known"
    page = (folder / "report.html").read_text()
    assert "human/bad.jpg" in page and 'src="data:image/png;base64,' in page
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page
    assert "too few groups" in out
    assert sorted(path.stem for path in (folder / "figures").glob("*.png")) == [
        *("01_metrics", "03_roc", "04_probabilities_0")
    ]
    assert not (project / "six/.cache").exists() and len(list((project / "six").rglob("*"))) == 9


def test_what_was_understood_is_said_first_and_classes_and_missing_count(project, capsys, monkeypatch):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])
    six_pictures(project / "six")
    (project / "six/human").rename(project / "six/laion")
    (project / "six/ai").rename(project / "six/sdxl")
    names = ("six", "--detector", "toy_detectors:bright")
    code, _, err = run(capsys, *names)
    assert code == 2 and "CLASSES" in err
    monkeypatch.setenv("CLASSES", "laion=human,sdxl=ai")
    code, _, err = run(capsys, *names)
    assert code == 0 and err.splitlines()[0].startswith(
        "Understood: classes from folders (laion is human-made: 3"
    )
    table = "file_name,label\nlaion/0.png,0\nsdxl/0.png,1\nsdxl/lost.png,1\n"
    (project / "six/train.csv").write_text(table)
    code, _, err = run(capsys, *names)
    assert code == 2 and "MISSING=skip" in err
    monkeypatch.setenv("MISSING", "skip")
    code, _, err = run(capsys, *names)
    assert code == 0 and "picture is absent: 1, first" in err


def test_an_archive_parquet_files_and_a_dataset_of_a_hub_are_read_as_a_folder_is(
    project, capsys, monkeypatch
):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])
    six_pictures(project / "six")
    expected = {row["content"] for row in scores_of(project, capsys, "six")}
    shutil.make_archive(str(project / "packed"), "zip", project / "six")
    assert {row["content"] for row in scores_of(project, capsys, "packed.zip")} == expected
    assert (project / "reports/evaluate/packed-toy_detectors-bright/metrics.json").is_file()

    write_parquet(project / "shards/data.parquet", project / "six")
    assert {row["content"] for row in scores_of(project, capsys, "shards")} == expected

    def fetch(address: str, folder, progress):
        shutil.copytree(project / "six", folder)
        return hub.Note(address, "abc", "mit", True)

    monkeypatch.setattr(sources_folder, "fetch_hub", fetch)
    rows = scores_of(project, capsys, "hf://datasets/owner/name@v1")
    assert {row["content"] for row in rows} == expected
    metrics = json.loads((project / "reports/evaluate/scored/metrics.json").read_text())
    assert metrics["folder"] == "hf://datasets/owner/name@v1"


def test_the_worst_delivery_is_named(project, capsys, monkeypatch):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])
    for number in range(2):
        flat(project / f"sizes/human/{number}.png", 0.2 + 0.1 * number, side=8)
        flat(project / f"sizes/ai/{number}.png", 0.6 + 0.1 * number, side=20)  # 18 px after "To 90 %": missed
    asked = ("sizes", "--detector", "toy_detectors:wide", "--delivery", "all", "--name", "sent")
    code, out, _ = run(capsys, *asked)
    record = json.loads((project / "reports/evaluate/sent/metrics.json").read_text())
    found = record["worst_delivery"]["toy_detectors:wide"]
    assert code == 0 and (found["delivery"], found["among"]) == ("scale_90", len(DELIVERIES) - 1)
    assert (found["costs"]["balanced_accuracy"]["value"], found["costs"]["recall"]["value"]) == (0.5, 1)
    said = next(line for line in out.splitlines() if "worst of 10 deliveries, To 90 %, bicubic" in line)
    assert "recall 0.00" in said and "as they are, recall 1.00" in said and "costs 0.50" in said
    assert said in html.unescape((project / "reports/evaluate/sent/report.html").read_text())


def scores_of(project, capsys, asked):
    """Rows of an evaluation under a name that follows from the dataset, or is `scored` for an address."""
    named = ("--name", "scored") if ":" in asked else ()
    code, out, err = run(capsys, asked, "--detector", "toy_detectors:bright", *named)
    assert code == 0 and "Understood: " in err, err
    return rows_of(Path(out.splitlines()[-1]).parent)


def write_parquet(path, folder):
    """The six pictures as one Parquet file with a column of bytes and one of words."""
    path.parent.mkdir()
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE pictures (image STRUCT(bytes BLOB, path VARCHAR), label VARCHAR)")
        for one in sorted(folder.rglob("*.png")):
            picture = {"bytes": one.read_bytes(), "path": one.name}
            connection.execute("INSERT INTO pictures VALUES (?, ?)", [picture, one.parent.name])
        connection.execute(f"COPY pictures TO '{path}' (FORMAT parquet)")


def test_several_are_compared_and_an_earlier_evaluation_too(project, capsys, monkeypatch):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])  # they take longest, and are seen above
    noise_pictures(project / "noise", 30)
    code, *_ = run(capsys, "noise", "--detector", "toy_detectors:bright", "--name", "first")
    assert code == 0
    both = ("--detector", "toy_detectors:bright toy_detectors:dark", "--name", "second")
    (project / "noise" / "0.png").write_bytes((project / "noise" / "2.png").read_bytes())
    code, out, _ = run(capsys, "noise", *both, "--reference", "first")
    metrics = json.loads((project / "reports/evaluate/second/metrics.json").read_text())
    bright, dark = (metrics["detectors"][f"toy_detectors:{one}"]["deliveries"] for one in ("bright", "dark"))
    difference = metrics["differences"]["toy_detectors:bright_minus_toy_detectors:dark"]["as_it_is"]["auc"]
    assert difference["value"] == pytest.approx(
        bright["as_it_is"]["auc"]["value"] - dark["as_it_is"]["auc"]["value"]
    )
    together = metrics["detectors"][TOGETHER]["deliveries"]["as_it_is"]
    assert together["auc"]["value"] == pytest.approx(0.5)  # the two say opposite things of every picture
    said = [row for row in rows_of(project / "reports/evaluate/second") if row["detector"] == TOGETHER]
    np.testing.assert_allclose([float(row["probability_ai"]) for row in said], 0.5)
    reference = metrics["reference"]
    assert (reference["name"], reference["pictures"], reference["only_there"]) == ("first", 30, 1)
    assert list(reference["differences"]) == ["toy_detectors:bright_minus_toy_detectors:bright"]
    same = reference["differences"]["toy_detectors:bright_minus_toy_detectors:bright"]["as_it_is"]
    assert all(numbers["value"] == 0 for numbers in same.values())
    assert "minus the best cheap classifier" in out


def test_names_are_data(project, capsys, monkeypatch):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])
    folder = noise_pictures(project / "odd <i> $ folder", 8)
    table = (folder / "train.csv").read_text().replace("Flux", "<script>alert(1)</script>")
    (folder / "train.csv").write_text(table.replace("2.png", "<b>&.png"))
    (folder / "2.png").rename(folder / "<b>&.png")
    (folder / "0.png").write_bytes(b"")
    code, *_ = run(capsys, folder, "--detector", "toy_detectors:bright", "--name", "odd")
    page = (project / "reports/evaluate/odd/report.html").read_text()
    assert code == 1 and "<script" not in page and "&lt;script&gt;alert(1)" in page and "0.png" in page
    assert "<b>&.png" in {row["file_name"] for row in rows_of(project / "reports/evaluate/odd")}
    odd = os.fsdecode(b"human/\xff.png")
    six_pictures(project / "six")
    (project / "six/human/0.png").rename(project / "six" / odd)
    assert (
        run(capsys, "six", "--detector", "toy_detectors:bright", "--name", "bytes", "--delivery", "grey")[0]
        == 0
    )
    record = json.loads((project / "reports/evaluate/bytes/metrics.json").read_text())
    assert list(record["detectors"]["toy_detectors:bright"]["deliveries"]) == ["as_it_is", "alike-20", "grey"]
    assert list(record["cheap"]) == ["as_it_is", "alike-20"]
    assert (
        odd.encode(errors="surrogateescape") in (project / "reports/evaluate/bytes/scores.csv").read_bytes()
    )


def test_figures_of_detectors_that_are_no_longer_judged_go(tmp_path):
    save_figure(new_figure("old"), "05_sources_7", "Old.", "Old.", tmp_path, "evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_figures", lambda *_: iter([("01_metrics", new_figure("new"), "New.")]))
        figures.save_figures(None, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"01_metrics.png", "01_metrics.svg", "index.json"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "--detector", "toy_detectors:bright"), "DIR=nowhere does not exist: check the path"),
        (("toy_detectors.py", "--detector", "toy_detectors:bright"), "neither a folder nor a .zip"),
        (("hf://nothing", "--detector", "toy_detectors:bright"), "write hf://datasets/OWNER/NAME"),
        (("six", "--detector", "nonsense"), "DETECTOR=nonsense is not known"),
        (("six", "--detector", "no_such_module:f"), "cannot be imported"),
        (("six", "--detector", "toy_detectors:missing"), "has no function missing"),
        (("six", "--detector", "models/none.onnx"), "does not exist"),
        (("six", "--detector", "six"), "holds no trained model"),
        (("six", "--detector", "toy_detectors:three"), "one probability of AI for each"),
        (("six", "--detector", "toy_detectors:sure"), "gave 1.5, no probability"),
        (("six", "--detector", "toy_detectors:broken"), "failed on a picture (KeyError: 'weights')"),
        (("six", "--detector", "toy_detectors:bright toy_detectors:bright"), "names one detector twice"),
        (("six", "--detector", "toy_detectors:bright", "--reference", "x"), "no evaluation in"),
        (("six", "--detector", "toy_detectors:bright", "--name", "../x"), "no name for a folder"),
        (("six", "--detector", "toy_detectors:bright", "--delivery", "fax"), "DELIVERY=fax is not known"),
        (("",), "DIR is missing"),
        (("six",), "no trained model"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(project, capsys, arguments, sentence):
    six_pictures(project / "six")
    code, out, err = run(capsys, *arguments)
    last = err.strip().splitlines()[-1]
    assert code == 2 and out == "" and last.startswith("error: ") and sentence in last
    assert not (project / "reports").exists()


def test_another_folders_evaluation_is_not_overwritten(project, capsys):
    path = project / "reports/evaluate/mine/metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"folder": "elsewhere"}')
    six_pictures(project / "six")
    code, _, err = run(capsys, "six", "--detector", "toy_detectors:bright", "--name", "mine")
    assert code == 2 and "holds an evaluation of elsewhere: give a NAME" in err
