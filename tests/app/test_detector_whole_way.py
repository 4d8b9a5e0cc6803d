"""A stand-in for a detector of others goes the whole way, each step by the command that a person runs."""

from __future__ import annotations

import io
import json

import pytest
from playwright.sync_api import expect

from src.app.model import BundleModel, chosen_folder
from src.utils import evaluate
from src.utils.analysis.checks import content_gate
from src.utils.data.pictures.drawn import drawn_pictures
from src.utils.files import read_json, sha256_file
from src.utils.judge import report
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.detectors import __main__ as detector
from src.utils.models.detectors import kept
from src.utils.models.store import publish_model
from src.utils.pipeline import calibrate
from src.utils.settings import Settings
from tests.app.browser import give, ready, serving, wait_for
from tests.judge.folders import six_pictures
from tests.models.detectors.stand_ins import stand_in_offered
from tests.models.s3_server import S3Server, use_store
from tests.pipeline.bright_dataset import make_dataset, textured

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:.*trained with other versions")]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A project with a split dataset and no model, in which every command works."""
    settings = Settings(root=tmp_path)
    make_dataset(settings)
    monkeypatch.setattr(Settings, "from_env", lambda: settings)
    for module in (detector, evaluate):
        monkeypatch.setattr(module, "read_table", lambda: kept.read_table(kept.TABLE))
    monkeypatch.setattr(content_gate, "drawn_pictures", lambda of_each: drawn_pictures(1))
    monkeypatch.setattr(report, "save_figures", lambda *_: [])  # these two take longest
    return settings


def test_from_its_authors_server_to_a_page_that_loads_it_from_a_bucket(
    settings, tmp_path, monkeypatch, capsys, open_page
):
    folder = settings.models_dir / "detectors/stand_in"
    with stand_in_offered(tmp_path, monkeypatch) as server:
        assert detector.main(["stand_in"]) == 0 and "licence MIT" in capsys.readouterr().err
    assert server.calls == [("/model.onnx", None)]  # from here on it is not there any more
    fetched = sha256_file(settings.detectors_dir / "stand_in.onnx")
    assert fetched == kept.read_table(kept.TABLE)["stand_in"].sha256

    assert calibrate.main(["stand_in"]) == 0
    assert "stand_in is calibrated on the demonstration sample:" in capsys.readouterr().out
    record = read_json(folder / "calibration.json")
    assert record["model_files"] == {"stand_in.onnx": fetched}
    assert record["track_record"]["missed"]["count"] == 2 and record["track_record"]["missed"]["of"] == 20

    assert evaluate.main([str(six_pictures(tmp_path / "six")), "--detector", "stand_in"]) == 0
    judged = json.loads((tmp_path / "reports/evaluate/six-stand_in/metrics.json").read_text())
    found = judged["detectors"]["stand_in"]
    assert found["calibrated"] and found["threshold"] == record["threshold"]
    assert found["deliveries"]["as_it_is"]["auc"]["value"] == pytest.approx(8 / 9)

    with S3Server() as s3:
        use_store(monkeypatch, tmp_path / "cache", s3.url)
        monkeypatch.setattr(publish_model, "read_dotenv", lambda: None)
        assert publish_model.main(["stand_in"]) == 0
        kept.TABLE.unlink()  # a server needs neither the table nor the project
        served = chosen_folder()
        assert served.is_relative_to(tmp_path / "cache") and len(s3.gets(".onnx")) == 1
    picture = io.BytesIO()
    textured(0.75, 99).save(picture, "PNG")
    (expected,) = Predictor.load(folder).predict_files([picture.getvalue()])
    assert expected["lean"] == "AI" and expected["probability_low"] > 0.5
    with serving(ready(BundleModel.load(served))) as url:
        page = open_page(url)
        give(page, ("a.png", picture.getvalue()))
        wait_for(page, 1)
        expect(page.locator(".verdict")).to_contain_text(expected["verdict"])
        expect(page.locator(".record")).to_contain_text("it missed 2 of 20 pictures")
        page.goto(f"{url}/card")
        expect(page.locator(".facts").nth(1)).to_contain_text("unseen pictures of the embedded sample")
        page.goto("about:blank")  # which asks for nothing once the server has gone
