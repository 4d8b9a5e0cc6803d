"""A detector of others is a bundle like any other, and answers before and after it is calibrated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from src.app import __main__ as app
from src.app.model import BundleModel, public_facts
from src.utils import evaluate, predict
from src.utils.judge import report
from src.utils.judge.detectors.load import load_detector, load_kept
from src.utils.models.bundle.bundle import default_bundle_dir, load_bundle
from src.utils.models.bundle.predictor import UNCALIBRATED_HERE, Predictor
from src.utils.models.detectors import __main__ as command
from src.utils.models.detectors import kept
from src.utils.models.detectors.kept import answering_bundle, find_model
from src.utils.models.store.model_cache import fetch_model
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.analysis.bright_model import bright_predictor
from tests.judge.folders import six_pictures
from tests.models.detectors.stand_ins import bright_network, calibrate_by_hand, stand_in_offered
from tests.models.s3_server import S3Server, use_store

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose table names a stand-in on a server of this computer: settings, table and server."""
    settings = Settings(root=tmp_path)
    for module in (kept, predict, command, evaluate):
        monkeypatch.setattr(module, "Settings", _settings_of(settings))
    with stand_in_offered(tmp_path, monkeypatch) as server:
        monkeypatch.setattr(command, "read_table", lambda: kept.read_table(kept.TABLE))
        monkeypatch.setattr(evaluate, "read_table", lambda: kept.read_table(kept.TABLE))
        yield settings, kept.TABLE, server


def _settings_of(settings):
    return type("Fixed", (), {"from_env": staticmethod(lambda: settings)})


def grey(level, size=(50, 40)):
    return Image.new("RGB", size, (level,) * 3)


def said(level):
    """Published probability of a grey picture: every view has the same mean."""
    return 1 / (1 + np.exp(-(2 * (level / 255 - 0.5) / 0.25 + 0.43)))


def test_a_name_is_fetched_once_and_is_a_bundle_then(project, capsys):
    settings, _, server = project
    folder = find_model("stand_in", settings)
    assert folder == settings.models_dir / "detectors" / "stand_in"
    assert "licence MIT" in capsys.readouterr().err
    assert find_model("stand_in", settings) == folder and len(server.calls) == 1
    file = settings.root / "models/detectors/stand_in.onnx"
    assert file.samefile(folder / "stand_in.onnx")
    other = replace(settings, source="kaggle")
    assert find_model("stand_in", other) == other.models_dir / "detectors/stand_in"
    assert len(server.calls) == 1


def test_names_folders_and_what_is_neither(project, tmp_path):
    settings, _, _ = project
    bright_predictor(settings.models_dir / "best")
    assert find_model("best", settings) == settings.models_dir / "best"
    assert find_model("models/sample/best", settings).name == "best"
    with pytest.raises(UserError, match=r"nothing is no model: .*detectors.toml \(stand_in\)"):
        find_model("nothing", settings)


def test_until_it_is_calibrated_it_shows_what_is_published_and_gives_no_verdict(project):
    settings, _, _ = project
    predictor = Predictor.load(find_model("stand_in", settings))
    rows = list(predictor.predict_files([grey(level) for level in (60, 128, 140, 220)]))
    assert [row["probability_ai"] for row in rows] == pytest.approx(
        [said(level) for level in (60, 128, 140, 220)], abs=2e-3
    )
    assert [row["label"] for row in rows] == ["Human-made", "Human-made", "AI-generated", "AI-generated"]
    assert said(128) > 0.5 and said(128) < 0.65 < said(140)  # at the published threshold
    assert {(row["verdict"], row["reason"], row["probability_low"]) for row in rows} == {
        ("Uncertain", UNCALIBRATED_HERE, None)
    }


def test_once_calibrated_it_gives_verdicts_and_answers_where_none_is_named(project):
    settings, _, _ = project
    bright_predictor(settings.models_dir / "best")
    folder = find_model("stand_in", settings)
    assert answering_bundle(settings) == default_bundle_dir(settings) == settings.models_dir / "best"
    calibrate_by_hand(folder)
    assert answering_bundle(settings) == folder
    assert default_bundle_dir(settings) == settings.models_dir / "best"  # what notebooks take
    predictor = Predictor.load(folder)
    low, middle, high = predictor.predict_files([grey(level) for level in (20, 120, 230)])
    assert [row["verdict"] for row in (low, middle, high)] == ["No sign of AI", "Uncertain", "AI-generated"]
    assert high["probability_low"] > 0.7
    (folder / "stand_in.onnx").unlink()
    bright_network(folder / "stand_in.onnx", size=32)
    with pytest.raises(UserError, match=r"is not the file bundle\.json describes"):
        Predictor.load(folder)


def test_of_two_calibrated_ones_the_better_on_validation_answers(project):
    settings, _, _ = project
    first = find_model("stand_in", settings)
    second = first.with_name("another")
    second.mkdir()
    for path in first.iterdir():
        os.link(path, second / path.name)
    calibrate_by_hand(first, metrics={"validation": {"auc": {"value": 0.8}}})
    calibrate_by_hand(second, metrics={"validation": {"auc": {"value": 0.9}}})
    assert answering_bundle(settings) == second


def test_a_changed_table_changes_the_bundle(project):
    settings, table, server = project
    folder = find_model("stand_in", settings)
    table.write_text(table.read_text().replace("offset = 0.43", "offset = 0.3"))
    find_model("stand_in", settings)
    assert load_bundle(folder).facts["recipe"]["calibration"]["offset"] == 0.3
    assert len(server.calls) == 1


def test_predict_takes_the_name(project, tmp_path, capsys):
    grey(220).save(tmp_path / "bright.png")
    assert predict.main(["--json", "--model", "stand_in", str(tmp_path / "bright.png")]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["probability_ai"] == pytest.approx(said(220), abs=1e-4)
    assert "`make calibrate MODEL=stand_in` calibrates it" in err
    assert "Published by the tests; not run by us: none." in err


def test_the_command_lists_and_fetches(project, capsys):
    settings, _, _ = project
    assert command.main([]) == 0 and "stand_in: Stand-in, by the tests" in capsys.readouterr().out
    assert command.main(["stand_in"]) == 0
    assert str(settings.models_dir / "detectors/stand_in") in capsys.readouterr().out
    assert command.main(["other"]) == 2
    assert "NAME=other is no detector of detectors.toml: use one of stand_in." in capsys.readouterr().err


def test_the_page_and_the_judge_take_it(project):
    settings, _, _ = project
    folder = find_model("stand_in", settings)
    model = BundleModel.load(folder)
    answer = model.predict(grey(220, (300, 200)))
    assert answer.probability_ai == pytest.approx(said(220), abs=1e-4) and answer.evidence is None
    facts = public_facts(model)
    assert facts["title"] == "Stand-in" and facts["trained_on"] == "nothing" and not facts["calibrated"]
    assert facts["detector"]["published"] == ["Published by the tests; not run by us: none."]
    assert "the middle of the scaled picture and the middle at full resolution" in facts["reading"]
    detector = load_detector(str(folder))
    assert (detector.name, detector.threshold, detector.calibrated) == ("stand_in", 0.65, False)
    odds = detector.ask([detector.read(grey(220)), detector.read(grey(60))])
    assert detector.meaning(odds) == pytest.approx([said(220), said(60)], abs=2e-3)


def test_the_notebook_takes_those_that_are_here_and_fetches_none(project):
    settings, _, server = project
    here, absent = load_kept(settings)
    assert here == [] and absent == {
        "stand_in": "make detector NAME=stand_in fetches it (a size that the table does not know, "
        "licence MIT)"
    }
    folder = find_model("stand_in", settings)
    for path in folder.iterdir():  # the file alone is here, as after a fetch for another dataset
        path.unlink()
    folder.rmdir()
    (detector,), absent = load_kept(settings)
    assert (detector.name, detector.threshold, detector.calibrated) == (
        "stand_in",
        0.65,
        False,
    ) and not absent
    assert "Stand-in, by the tests; licence MIT; uncalibrated here, so as published." in detector.about
    calibrate_by_hand(folder)
    (detector,), _ = load_kept(settings)
    assert detector.calibrated and detector.about.endswith("calibrated here.") and len(server.calls) == 1
    (settings.detectors_dir / "stand_in.onnx").write_bytes(b"another file")
    here, absent = load_kept(settings)
    assert here == [] and "has SHA-256" in absent["stand_in"]


def test_it_is_judged_by_its_name(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "save_figures", lambda *_: [])  # they take longest
    code = evaluate.main([str(six_pictures(tmp_path / "six")), "--detector", "stand_in"])
    assert code == 0 and "stand_in: A detector of others" in capsys.readouterr().err
    metrics = json.loads((tmp_path / "reports/evaluate/six-stand_in/metrics.json").read_text())
    found = metrics["detectors"]["stand_in"]
    assert found["threshold"] == 0.65 and found["deliveries"]["as_it_is"]["confusion_matrix"] == [
        [2, 1],
        [1, 2],
    ]


def test_it_is_published_and_served_elsewhere_without_the_table(project, tmp_path, monkeypatch):
    settings, _, _ = project
    folder = find_model("stand_in", settings)
    calibrate_by_hand(folder)
    with S3Server() as s3:
        store = use_store(monkeypatch, tmp_path / "cache", s3.url)
        s3.put_model(load_bundle(folder), store)
        kept.TABLE.unlink()
        fetched, _ = fetch_model(store)
    here, there = (Predictor.load(one).row("", said(230)) for one in (folder, fetched))
    assert fetched != folder and here == there and there["verdict"] == "AI-generated"
    assert Predictor.load(fetched).predict_pixels(
        Predictor.load(folder).read(grey(230))[None]
    ) == pytest.approx([said(230)], abs=1e-3)


def test_the_server_is_told_which_bundle_to_serve(project, monkeypatch, capsys):
    settings, _, _ = project
    monkeypatch.setenv("MODEL_DIR", "elsewhere")
    monkeypatch.setattr(app, "read_dotenv", lambda: None)
    monkeypatch.setattr(app._Server, "run", lambda self: None)
    assert app.main(["--model", "stand_in"]) == 0
    assert os.environ["MODEL_DIR"] == str((settings.models_dir / "detectors/stand_in").resolve())
    assert app.main(["--model", "nothing"]) == 2 and "is no model" in capsys.readouterr().err


def test_serving_needs_no_research_code():
    code = (
        "import sys, src.utils.models.detectors.kept, src.utils.models.detectors.__main__\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
