"""The app with a real bundle behind it: in this process, and as `python -m src.app`."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from src.app import create_app
from src.app.__main__ import main
from src.app.limits import Limits
from src.app.model import BundleModel, chosen_folder, describe_reading, describe_training
from src.utils.data.decode import ImageError, read_pixels
from src.utils.models.bundle import save_bundle
from src.utils.models.predictor import Predictor
from src.utils.settings import PROJECT_ROOT, UserError
from tests.app.fakes import BLUE, RED, picture, upload
from tests.models.tiny import SIZE, build_tiny


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_bundle(
        folder, build_tiny(), {"source": "sample", "demonstration": True, "training": {"pictures": 40}}
    )
    return folder


def test_the_app_answers_as_the_predictor_does(bundle):
    app = create_app(lambda: BundleModel.load(bundle), Limits())
    assert app.extensions["pictures"].slot.settled.wait(60)
    files = [("a.png", picture(RED)), ("b.jpg", picture(BLUE, "JPEG", (300, 100)))]
    found = upload(*files, client=app.test_client()).get_json()["predictions"]
    predictor = Predictor.load(bundle)
    for entry, (name, data) in zip(found, files, strict=True):
        probability = predictor.predict_pixels(read_pixels(data, SIZE)[None])[0]
        row = predictor.row(name, probability)
        assert entry["probability_ai"] == pytest.approx(row["probability_ai"], abs=1e-6)
        assert (entry["label"], entry["verdict"]) == (row["label"], row["verdict"])
        assert entry["confidence"] == pytest.approx(row["confidence"], abs=0.01)
        assert (entry["filename"], entry["model"], entry["evidence"]) == (name, "tiny", None)
    facts = app.test_client().get("/model").get_json()
    assert facts["trained_on"] == "a small demonstration sample (40 pictures)"
    assert facts["input_size"] == SIZE and facts["versions"]["keras"]


def test_a_model_is_warm_when_it_is_ready(bundle, monkeypatch):
    asked = []
    original = Predictor.predict_pixels
    monkeypatch.setattr(
        Predictor, "predict_pixels", lambda self, pixels: asked.append(pixels.shape) or original(self, pixels)
    )
    model = BundleModel.load(bundle)
    assert asked == [(1, SIZE, SIZE, 3)]
    with pytest.raises(ImageError):
        model.predict(b"nothing")
    assert np.isfinite(model.predict(picture()).probability_ai)


def test_which_bundle_is_served(monkeypatch, tmp_path):
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert chosen_folder() == tmp_path
    with pytest.raises(UserError, match="make reproduce"):
        BundleModel.load(chosen_folder())


@pytest.mark.parametrize(
    ("facts", "training", "reading"),
    [
        (
            {"source": "kaggle", "training": {"pictures": 51168}},
            "AI vs. Human-Generated Images” (51,168",
            "?",
        ),
        ({"source": "folder", "input_size": 224, "resize": "crops"}, "its owner's own images", "224 × 224"),
        ({"resize": "squash", "input_size": 255}, "unknown origin", "Nothing is cut off."),
    ],
)
def test_facts_in_words(facts, training, reading):
    assert training in describe_training(facts) and reading in describe_reading(facts)


# --- the command ------------------------------------------------------------------------------------------


def test_before_any_training_the_command_says_what_to_run(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setattr("src.app.model.Settings.from_env", lambda: _Empty(tmp_path))
    assert main([]) == 2
    assert "run `make reproduce` first" in capsys.readouterr().err


class _Empty:
    def __init__(self, models_dir):
        self.models_dir = models_dir


def test_a_wrong_setting_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("MAX_FILES", "some")
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("error: MAX_FILES=some is not a whole number")


def test_the_command_serves_the_page_until_it_is_stopped(bundle):
    process = subprocess.Popen(
        [sys.executable, "-m", "src.app", "--port", "0"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"MODEL_DIR": str(bundle), "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = process.stdout.readline()
        address = re.search(r"Serving tiny on (http://127\.0\.0\.1:\d+)", line)[1]
        assert wait_for(f"{address}/healthz") == 200
        assert wait_for(f"{address}/readyz") == 200
        with urllib.request.urlopen(address) as page:
            assert b"Made by a person" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def wait_for(url, seconds=60):
    """The status of a URL, once it is there and ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return urllib.request.urlopen(url, timeout=5).status
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} was never ready")


def test_the_app_starts_without_tensorflow():
    heavy = "{'tensorflow', 'keras', 'pandas', 'matplotlib'}"
    script = f"import sys, src.app, src.utils.data.declared; sys.exit(str({heavy} & set(sys.modules) or ''))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr.strip() == ""
