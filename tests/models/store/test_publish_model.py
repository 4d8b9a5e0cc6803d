"""`make publish-model` against an S3 server, and back to a model that answers."""

from __future__ import annotations

import logging
import os

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from src.utils import environment
from src.utils.environment import read_dotenv
from src.utils.files import read_json, write_json
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.store import publish_model
from src.utils.models.store.bucket import ModelStore
from src.utils.models.store.model_cache import fetch_model
from tests.models.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, Trouble, make_bundle, use_store


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch):
    """An empty bucket, the variables that lead to it, and no `.env`."""
    use_store(monkeypatch, tmp_path / "cache", s3)
    monkeypatch.setattr(publish_model, "read_dotenv", lambda: read_dotenv(tmp_path / ".env"))
    bucket = boto3.resource("s3", endpoint_url=s3, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def keys(bucket):
    """Keys below the prefix, the version's folder as `*`."""
    names = [entry.key.split("/") for entry in bucket.objects.all()]
    return sorted(
        "/".join([name[0], *("*" if len(part) == 32 else part for part in name[1:])]) for name in names
    )


def run(capsys, *arguments):
    """Exit code, standard output and errors of the command."""
    code = publish_model.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert SECRET_KEY not in out + err and ACCESS_KEY not in out + err
    return code, out, err


def test_from_upload_to_answer(bucket, tmp_path, capsys):
    saved = make_bundle(tmp_path / "models" / "best", bias=-0.3)
    code, _, err = run(capsys, saved.folder)
    assert code == 0 and "Uploading: 100%" in err
    files = ("*/bundle.json", "*/calibration.json", "*/encoder.onnx", "*/head.npz", "model.json")
    assert keys(bucket) == [f"human-or-ai/{name}" for name in files]
    folder, _ = fetch_model(ModelStore.from_env())
    assert folder.name == "best"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 288, 288, 3), dtype=np.uint8)
    expected = Predictor.load(saved.folder).predict_pixels(pixels)
    np.testing.assert_array_equal(Predictor.load(folder).predict_pixels(pixels), expected)
    assert 0.05 < expected.min() < expected.max() < 0.95


def test_it_says_what_a_server_needs(bucket, s3, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("S3_PREFIX", "deck/v2")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    _, out, _ = run(capsys, make_bundle(tmp_path / "best").folder)
    assert out.splitlines() == [
        f"best is now the model of s3://{BUCKET}/deck/v2 at {s3}; versions from before stay in the bucket.",
        "A server takes it at its next start, with these variables:",
        f"  S3_BUCKET_NAME={BUCKET}",
        "  S3_PREFIX=deck/v2",
        f"  S3_ENDPOINT_URL={s3}",
        "  AWS_REGION=eu-west-3",
        "  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: keys that may read it (s3:GetObject is enough)",
    ]


def test_publishing_again_uploads_nothing(bucket, tmp_path, capsys):
    folder = make_bundle(tmp_path / "best").folder
    run(capsys, folder)
    before = {entry.key: entry.last_modified for entry in bucket.objects.all()}
    code, out, err = run(capsys, folder)
    assert code == 0 and err == ""
    assert out.startswith(f"best is the model of s3://{BUCKET}/human-or-ai at ")
    assert "already: nothing was uploaded" in out
    assert {entry.key: entry.last_modified for entry in bucket.objects.all()} == before


def test_a_lost_file_is_uploaded_again_and_an_old_version_stays(bucket, tmp_path, capsys):
    old, new = (make_bundle(tmp_path / name / "best", bias) for name, bias in (("old", 0.0), ("new", 1.0)))
    run(capsys, old.folder)
    run(capsys, new.folder)
    assert len(keys(bucket)) == 9
    next(entry for entry in bucket.objects.all() if entry.key.endswith("head.npz")).delete()
    for bundle in (old, new):
        run(capsys, bundle.folder)
        assert load_bundle(fetch_model(ModelStore.from_env())[0]).facts == bundle.facts
    assert len(keys(bucket)) == 9


# --- what goes wrong --------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server that can refuse."""
    with S3Server() as server:
        use_store(monkeypatch, tmp_path / "cache", server.url)
        monkeypatch.setattr(publish_model, "read_dotenv", lambda: None)
        yield server


def complaint(capsys, folder):
    """The one line that the command ends with."""
    code, out, err = run(capsys, folder)
    last = err.splitlines()[-1]
    assert code == 2 and out == "" and last.startswith("error: ")
    return last


def test_a_damaged_bundle_is_not_published(server, tmp_path, capsys):
    folder = make_bundle(tmp_path / "best").folder
    with (folder / "encoder.onnx").open("ab") as file:
        file.write(b"x")
    assert "encoder.onnx is not the file bundle.json describes" in complaint(capsys, folder)
    assert "holds no trained model" in complaint(capsys, tmp_path / "nowhere")
    assert server.asked == []


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.pop("served_files"),
        lambda facts: facts.update(served_file="model.keras", served_files={"model.keras": "0" * 64}),
    ],
    ids=["saved before", "served by Keras"],
)
def test_a_bundle_that_needs_tensorflow_is_not_published(server, tmp_path, capsys, change):
    folder = make_bundle(tmp_path / "best").folder
    facts = read_json(folder / "bundle.json")
    change(facts)
    write_json(folder / "bundle.json", facts)
    assert "lacks what a server without TensorFlow needs: run `make reproduce`" in complaint(capsys, folder)
    assert server.asked == []


def test_a_name_that_no_reader_would_believe_is_not_published(server, tmp_path, capsys):
    assert "needs a name of letters" in complaint(capsys, make_bundle(tmp_path / "mein modell").folder)
    assert server.asked == []


@pytest.mark.parametrize(
    ("method", "trouble", "words"),
    [
        ("PUT", Trouble(403, "AccessDenied"), "s3:PutObject"),
        ("GET", Trouble(403, "SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY does not belong"),
        ("GET", Trouble(404, "NoSuchBucket"), "there is no such bucket"),
    ],
)
def test_a_refusal_is_one_line(server, tmp_path, capsys, method, trouble, words):
    server.always[f"{method} *"] = trouble
    sentence = complaint(capsys, make_bundle(tmp_path / "best").folder)
    assert words in sentence and f"s3://{BUCKET}/human-or-ai/" in sentence
    assert server.objects == {}


def test_keys_that_may_write_but_not_list_suffice(server, tmp_path, capsys):
    server.always["GET *"] = Trouble(403, "AccessDenied")
    server.always["HEAD *"] = Trouble(403)
    assert run(capsys, make_bundle(tmp_path / "best").folder)[0] == 0
    assert len(server.objects) == 5
    uploaded = [path for method, path in server.asked if method == "PUT"]
    assert uploaded[-1] == f"/{BUCKET}/human-or-ai/model.json"


def test_trouble_that_passes_is_waited_for(server, tmp_path, capsys):
    server.trouble[f"/{BUCKET}/human-or-ai/model.json"] = [Trouble(503, "SlowDown")]
    assert run(capsys, make_bundle(tmp_path / "best").folder)[0] == 0


def test_without_a_bucket_it_says_what_to_set(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("S3_ENDPOINT_URL", "")
    monkeypatch.setenv("S3_BUCKET_NAME", "")
    assert "S3_BUCKET_NAME is not set" in complaint(capsys, make_bundle(tmp_path / "best").folder)


# --- .env -------------------------------------------------------------------------------------------------


def test_the_command_reads_dotenv(server, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("S3_BUCKET_NAME")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / ".env").write_text(
        f"S3_BUCKET_NAME=another\nAWS_SECRET_ACCESS_KEY='{SECRET_KEY}'\nS3_PREFIX=\n"
    )
    monkeypatch.setattr(publish_model, "read_dotenv", lambda: read_dotenv(tmp_path / ".env"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    code, out, _ = run(capsys, make_bundle(tmp_path / "best").folder)
    assert code == 0 and "  S3_BUCKET_NAME=another\n" in out and len(server.objects) == 5


def test_what_is_set_already_wins_over_dotenv(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.os, "environ", {"S3_PREFIX": "mine", "MODEL_DIR": ""})
    path = tmp_path / ".env"
    path.write_text(
        '# keys\nS3_PREFIX=other\nMODEL_DIR=other\nexport S3_BUCKET_NAME="a b" # why\nAWS_REGION=\n'
    )
    read_dotenv(path)
    read_dotenv(tmp_path / "none")
    assert environment.os.environ == {"S3_PREFIX": "mine", "MODEL_DIR": "", "S3_BUCKET_NAME": "a b"}
