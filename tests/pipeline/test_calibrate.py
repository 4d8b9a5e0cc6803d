"""A stand-in for a detector of others goes the whole way: fetched, checked, measured, and then it answers."""

from __future__ import annotations

import pytest

from src.utils.analysis.checks import content_gate
from src.utils.analysis.scoring.scores import score_models
from src.utils.analysis.stats.policy import NOTHING_SUPPORTS
from src.utils.data.manifest import read_manifest, usable_rows, write_manifest
from src.utils.data.pictures.drawn import drawn_pictures
from src.utils.files import read_json
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.detectors.kept import answering_bundle
from src.utils.pipeline import calibrate as module
from src.utils.pipeline.calibrate import calibrate
from src.utils.settings import Settings, UserError
from tests.analysis.bright_model import bright_predictor
from tests.models.detectors.stand_ins import stand_in_offered
from tests.pipeline.bright_dataset import make_dataset, textured

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


@pytest.fixture
def detector(tmp_path, monkeypatch):
    monkeypatch.setattr(content_gate, "drawn_pictures", lambda of_each: drawn_pictures(1))
    with stand_in_offered(tmp_path, monkeypatch) as server:
        yield server


def test_it_is_measured_once_by_the_rules_of_our_own_models(tmp_path, detector, monkeypatch):
    settings = Settings(root=tmp_path)
    make_dataset(settings)
    said = calibrate(settings, "stand_in", progress=False)
    folder = answering_bundle(settings)
    assert folder == settings.models_dir / "detectors/stand_in"
    record = read_json(folder / "calibration.json")
    assert record["measured_on"] == "sample" and set(record["metrics"]) == {"validation", "unseen"}
    assert record["venn_abers"]["groups"] == {"human": 20, "ai": 20}
    assert record["venn_abers"]["left_out"] == "group"
    assert record["policy"]["evidence"]["sources"] == {"human": 4, "ai": 4}
    assert record["track_record"]["missed"]["of"] == 20 and record["track_record"]["missed"]["count"] == 2
    assert record["track_record"]["sentences"][0] in said
    assert record["metrics"]["unseen"]["auc"]["value"] == pytest.approx(0.9, abs=0.1)
    assert record["content_gate"]["limits"]["shorter_side"] == 64
    predictor = Predictor.load(folder)
    (bright,) = predictor.predict_files([textured(0.75, 99)])
    assert (
        bright["probability_low"] > 0.5 and bright["lean"] == "AI" and "uncalibrated" not in bright["reason"]
    )

    def fail(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(Predictor, "predict_pixels", fail)
    images = usable_rows(read_manifest(settings.manifest_path))
    again = score_models({"stand_in": predictor}, images, settings, progress=False)
    assert len(again["stand_in"]) == 80 and len(detector.calls) == 1


def test_without_unseen_pictures_nothing_supports_a_verdict(tmp_path, detector):
    settings = Settings(root=tmp_path)
    make_dataset(settings, unseen=False)
    said = calibrate(settings, "stand_in", progress=False)
    assert said == [NOTHING_SUPPORTS]
    record = read_json(answering_bundle(settings) / "calibration.json")
    assert record["track_record"] is None and record["policy"]["ai_from"] is None


def test_what_cannot_be_calibrated_is_one_sentence(tmp_path, detector, monkeypatch, capsys):
    settings = Settings(root=tmp_path)
    monkeypatch.setattr(module.Settings, "from_env", lambda: settings)
    assert module.main(["stand_in"]) == 2
    assert "images.csv does not exist: run `make reproduce`" in capsys.readouterr().err
    manifest = make_dataset(settings)
    write_manifest(settings.manifest_path, manifest.assign(split="train"))
    with pytest.raises(UserError, match="no validation pictures of both classes"):
        calibrate(settings, "stand_in")
    bright_predictor(settings.models_dir / "best")
    monkeypatch.setattr(module.Predictor, "load", lambda folder: bright_predictor(folder))
    with pytest.raises(UserError, match="best is a model of this project"):
        calibrate(settings, "best")
    assert module.main([""]) == 2 and "MODEL is missing" in capsys.readouterr().err
