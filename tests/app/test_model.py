"""The app with a real bundle behind it: in this process, and as `python -m src.app`."""

import itertools
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
from src.app.model import (
    NO_MODEL,
    PAUSES,
    BundleModel,
    ModelSlot,
    chosen_folder,
    describe_reading,
    describe_training,
    model_location,
)
from src.utils.data.pictures.decode import open_image, read_pixels
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.store.model_cache import fetch_model
from src.utils.settings import PROJECT_ROOT, UserError
from tests.app.fakes import BLUE, RED, RednessModel, picture, upload
from tests.models.s3_server import BUCKET, SECRET_KEY, S3Server, make_bundle, use_store
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
    assert np.isfinite(model.predict(open_image(picture())).probability_ai)


def test_which_bundle_is_served(bundle, monkeypatch, tmp_path):
    place = use_store(monkeypatch, tmp_path / "cache", "http://127.0.0.1:9")
    assert model_location() == place and place.name.startswith("s3://")
    monkeypatch.setenv("MODEL_DIR", str(bundle))
    assert model_location() == chosen_folder() == bundle
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"holds no model \(bundle.json is missing\)"):
        model_location()
    monkeypatch.setenv("MODEL_DIR", "")
    monkeypatch.setenv("S3_BUCKET_NAME", "")
    with pytest.raises(UserError, match="S3_ENDPOINT_URL is set but S3_BUCKET_NAME is not"):
        model_location()
    monkeypatch.setenv("S3_ENDPOINT_URL", "")
    monkeypatch.setattr("src.app.model.Settings.from_env", lambda: _Empty(tmp_path))
    with pytest.raises(
        UserError, match=r"make reproduce` first\. A server needs MODEL_DIR or S3_BUCKET_NAME"
    ):
        chosen_folder()


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


# --- a model that comes later -----------------------------------------------------------------------------


def test_loading_is_tried_again_and_each_reason_logged_once(caplog, monkeypatch):
    reasons = ["a", "a", "b", KeyError("c"), KeyError("c"), "a"]
    problems, waited = [], []

    def load():
        if not reasons:
            return RednessModel()
        reason = reasons.pop(0)
        raise UserError(f"because of {reason}") if isinstance(reason, str) else reason

    def wait(seconds):
        problems.append(slot.problem)
        waited.append(seconds)
        assert slot.settled.is_set() and slot.model is None

    slot = ModelSlot(load, pauses=(1, 2, 4))
    monkeypatch.setattr("src.app.model.time.sleep", wait)
    caplog.set_level("INFO")
    slot.fill()
    assert slot.model.name == "cnn_scaled" and slot.problem == ""
    assert waited == [1, 2, 4, 4, 4, 4] and set(problems) == {NO_MODEL}
    assert [record.getMessage() for record in caplog.records] == [
        "No model yet, trying again: because of a",
        "No model yet, trying again: because of b",
        "No model yet, trying again. The reason was not foreseen:",
        "No model yet, trying again: because of a",
        "Model cnn_scaled is ready.",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [False, False, True, False, False]


def test_pauses_grow_to_a_minute():
    assert PAUSES[0] == 1 and PAUSES[-1] == 60
    assert all(later <= 2 * earlier for earlier, later in itertools.pairwise(PAUSES))


def test_a_store_that_is_down_at_the_start_and_comes_back(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    with S3Server() as server:
        pass
    place = use_store(monkeypatch, tmp_path / "cache", server.url)
    server.put_model(make_bundle(tmp_path / "best"), place)
    app = create_app(limits=Limits(), pauses=(0.05,))
    client = app.test_client()
    slot = app.extensions["pictures"].slot
    assert client.get("/healthz").status_code == 200
    assert slot.settled.wait(30)
    for answer in (client.get("/readyz"), upload(("a.png", picture()), client=client)):
        assert (answer.status_code, answer.get_json()) == (503, {"error": NO_MODEL})
    with server:
        end = time.monotonic() + 30
        while slot.model is None and time.monotonic() < end:
            time.sleep(0.02)
        assert client.get("/readyz").status_code == 200
    (entry,) = upload(("a.png", picture()), client=client).get_json()["predictions"]
    assert entry["model"] == "best" and 0 < entry["probability_ai"] < 1
    lines = [record.getMessage() for record in caplog.records if record.name == "src.app.model"]
    where = f"s3://{BUCKET}/human-or-ai/model.json at {server.url}"
    assert lines == [
        f"No model yet, trying again: {where}: nothing answers there: check S3_ENDPOINT_URL and the network.",
        "Model best is ready.",
    ]
    assert SECRET_KEY not in caplog.text


def test_the_log_says_when_an_old_copy_serves(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("src.utils.models.store.model_cache.PAUSES", ())
    monkeypatch.setattr("src.app.model.fetch_in_child", fetch_model)
    with S3Server() as server:
        place = use_store(monkeypatch, tmp_path / "cache", server.url)
        server.put_model(make_bundle(tmp_path / "best"), place)
        folder = chosen_folder()
        assert caplog.text == ""
    assert chosen_folder() == folder
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "The model fetched before is used." in record.getMessage()


def test_a_server_reads_no_dotenv():
    script = (
        "import sys; from src.app import create_app; slot = create_app().extensions['pictures'].slot;"
        "slot.settled.wait(30); sys.exit(str('dotenv' in sys.modules))"
    )
    env = os.environ | {"MODEL_DIR": "nowhere"}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_ROOT, env=env, capture_output=True, text=True
    )
    assert run.stderr.splitlines()[-1] == "False"


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def own_variables(monkeypatch):
    """No variables of whoever runs the tests, and no `.env`."""
    for name in ("MODEL_DIR", "S3_BUCKET_NAME", "S3_PREFIX", "S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("src.app.__main__.read_dotenv", lambda: None)


def test_before_any_training_the_command_says_what_to_run(own_variables, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("src.app.model.Settings.from_env", lambda: _Empty(tmp_path))
    assert main([]) == 2
    assert "run `make reproduce` first" in capsys.readouterr().err


class _Empty:
    def __init__(self, models_dir):
        self.models_dir = models_dir


def test_a_wrong_setting_is_named(own_variables, monkeypatch, capsys, tmp_path):
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
    imports = "import sys, src.app, src.utils.data.pictures.declared"
    script = f"{imports}; sys.exit(str({heavy} & set(sys.modules) or ''))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr.strip() == ""
