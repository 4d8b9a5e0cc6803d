"""A model in S3: where it is looked for, what is believed, and what is said when it cannot be had."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.store import bucket as store
from src.utils.models.store import model_cache
from src.utils.models.store.bucket import ModelStore, check_pointer, describe_bundle
from src.utils.models.store.model_cache import fetch_in_child, fetch_model
from src.utils.models.store.publish_model import publish_model
from src.utils.settings import PROJECT_ROOT, UserError
from tests.models.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, Trouble, make_bundle, use_store

POINTER = f"/{BUCKET}/human-or-ai/model.json"
PUBLISHED = ["bundle.json", "calibration.json", "encoder.onnx", "head.npz"]


@pytest.fixture
def server():
    with S3Server() as server:
        yield server


@pytest.fixture
def place(server, tmp_path, monkeypatch):
    """A store that holds a model, the variables set; retries do not wait."""
    monkeypatch.setattr(model_cache, "PAUSES", (0.0, 0.0))
    place = use_store(monkeypatch, tmp_path / "cache", server.url)
    server.put_model(make_bundle(tmp_path / "models" / "best"), place)
    return place


def complaint(function, *arguments) -> str:
    """The one line a user gets; neither it nor its stack may tell a key."""
    with pytest.raises(UserError) as caught:
        function(*arguments)
    stack = "".join(traceback.format_exception(caught.value))
    assert SECRET_KEY not in stack and ACCESS_KEY not in stack and "\n" not in str(caught.value)
    return str(caught.value)


def kept(place: ModelStore) -> set[str]:
    """What a cache holds, without the lock."""
    return {path.name for path in Path(place.cache).iterdir()} - {".lock"}


# --- where ------------------------------------------------------------------------------------------------


def test_variables_name_the_place(tmp_path):
    full = {
        "S3_BUCKET_NAME": " deck-models\n",
        "S3_PREFIX": "/a/b/",
        "S3_ENDPOINT_URL": "https://s3.example.org:9000",
        "MODEL_CACHE": str(tmp_path),
    }
    place = ModelStore.from_env(full)
    assert place == ModelStore("deck-models", "a/b", "https://s3.example.org:9000", str(tmp_path))
    assert place.name == "s3://deck-models/a/b at https://s3.example.org:9000"
    assert place.key("0f", "x.npz") == "a/b/0f/x.npz"
    plain = ModelStore.from_env({"S3_BUCKET_NAME": "deck-models", "S3_PREFIX": "", "S3_ENDPOINT_URL": ""})
    assert plain.name == "s3://deck-models/human-or-ai"
    assert ModelStore.from_env({"S3_BUCKET_NAME": "b", "S3_PREFIX": "/"}).key("model.json") == "model.json"
    assert ModelStore.from_env({"S3_BUCKET_NAME": "", "AWS_ACCESS_KEY_ID": "a"}) is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"S3_PREFIX": "x"}, "S3_PREFIX is set but S3_BUCKET_NAME is not"),
        ({"S3_ENDPOINT_URL": "https://x"}, "S3_ENDPOINT_URL is set but S3_BUCKET_NAME is not"),
        ({"S3_BUCKET_NAME": "s3://mine/x"}, "is not a bucket's name: give it alone, without s3://"),
        ({"S3_BUCKET_NAME": "b", "S3_ENDPOINT_URL": "minio:9000"}, "write it as https://host"),
        ({"S3_BUCKET_NAME": "b", "S3_ENDPOINT_URL": "http://"}, "write it as https://host"),
        ({"S3_BUCKET_NAME": "b", "S3_ENDPOINT_URL": "http://h:port"}, "write it as https://host"),
        ({"S3_BUCKET_NAME": "b", "S3_ENDPOINT_URL": f"https://me:{SECRET_KEY[:9]}@h"}, "holds a user name"),
    ],
)
def test_variables_that_cannot_be_meant(variables, words):
    sentence = complaint(ModelStore.from_env, variables)
    assert words in sentence and SECRET_KEY[:9] not in sentence


# --- fetching ---------------------------------------------------------------------------------------------


def test_a_model_is_fetched_once_and_checked_ever_after(place, server):
    folder, note = fetch_model(place)
    assert (folder.name, note) == ("best", "") and folder.is_relative_to(place.cache)
    assert sorted(path.name for path in folder.iterdir()) == PUBLISHED
    assert load_bundle(folder).check_served_files() == folder / "head.npz"
    assert len(server.gets()) == 5
    assert fetch_model(place) == (folder, "")
    assert server.gets()[5:] == [POINTER]
    (folder / "head.npz").write_bytes(b"rot")
    fetch_model(place)
    assert load_bundle(folder).check_served_files() and len(server.gets()) == 11
    assert kept(place) == {folder.parent.name, next(Path(place.cache).glob("last-*")).name}


def test_what_a_killed_download_left_is_cleared(place):
    left = Path(place.cache) / ".partial-x" / "best"
    left.mkdir(parents=True)
    (left / "encoder.onnx").write_bytes(b"half")
    folder, _ = fetch_model(place)
    assert not left.parent.exists() and load_bundle(folder).check_served_files()


def test_two_processes_download_once(place, server):
    server.chunk_pause = 0.2
    found = []
    child = threading.Thread(target=lambda: found.append(fetch_in_child(place)))
    child.start()
    while len(server.gets()) < 2 and child.is_alive():  # until the child downloads its first file
        time.sleep(0.01)
    found.append(fetch_model(place))
    child.join()
    assert found[0] == found[1]
    files = [path.rpartition("/")[2] for path in server.gets() if path != POINTER]
    assert files == PUBLISHED and len(server.gets(POINTER)) == 2


def test_a_reader_gets_the_old_model_until_the_new_one_is_whole(place, server, tmp_path):
    old, _ = fetch_model(place)
    better = make_bundle(tmp_path / "better" / "best", bias=1.0)
    server.always[f"PUT {POINTER}"] = Trouble(403, "AccessDenied")
    assert "s3:PutObject" in complaint(publish_model, better, place, False)
    assert fetch_model(place) == (old, "")
    server.always.clear()
    assert publish_model(better, place, progress=False)
    new, _ = fetch_model(place)
    assert new != old and load_bundle(new).facts == better.facts and load_bundle(old).check_served_files()


def test_all_workers_of_a_server_serve_the_version_it_began_with(place, server, tmp_path, monkeypatch):
    pin = tmp_path / "server" / "model.json"
    pin.parent.mkdir()
    monkeypatch.setenv("MODEL_PIN", str(pin))
    old, _ = fetch_model(place)
    server.put_model(make_bundle(tmp_path / "better" / "best", bias=1.0), place)
    asked = len(server.gets())
    assert fetch_in_child(place) == (old, "") and len(server.gets()) == asked
    monkeypatch.delenv("MODEL_PIN")
    new, _ = fetch_model(place)
    assert new != old
    monkeypatch.setenv("MODEL_PIN", str(pin))
    (old / "head.npz").write_bytes(b"rot")  # what cannot be served any more is fetched anew
    assert fetch_model(place) == (new, "")


def test_the_faster_worker_decides(place, tmp_path, monkeypatch):
    pin = tmp_path / "model.json"
    monkeypatch.setenv("MODEL_PIN", str(pin))
    first, _ = fetch_model(place)
    chosen = json.loads(pin.read_text())
    other = check_pointer(pin.read_bytes(), "") | {"fingerprint": "0" * 32}
    assert model_cache._pin(pin, other, tmp_path, Path(place.cache)) == first
    assert json.loads(pin.read_text()) == chosen and sorted(tmp_path.glob("model.json*")) == [pin]


# --- trouble that passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["model.json", "encoder.onnx"])
@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(500, "InternalError"),
        Trouble(503, "SlowDown"),
        Trouble(502, body=b"<html>Bad gateway</html>"),
        Trouble(hang_up=True),
        Trouble(cut=True),
        Trouble(pause=0.3),
    ],
    ids=["500", "503", "502", "hang up", "cut", "slow"],
)
def test_trouble_that_passes_is_waited_for(place, server, monkeypatch, ending, trouble):
    monkeypatch.setattr(store, "READ_SECONDS", 0.15)
    (path,) = server.paths(ending)
    server.trouble[path] = [trouble, trouble]
    folder, note = fetch_model(place)
    assert load_bundle(folder).check_served_files() and note == ""
    assert server.gets(ending) == [path] * 3


def test_pauses_grow(place, server, monkeypatch):
    waited = []
    monkeypatch.setattr(model_cache, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(model_cache.time, "sleep", waited.append)
    server.always["*"] = Trouble(503, "SlowDown")
    assert "the store has trouble of its own (HTTP 503): try again later" in complaint(fetch_model, place)
    assert waited == [0.01, 0.02]


@pytest.mark.parametrize("trouble", [Trouble(other=True), Trouble(cut=True)], ids=["other", "cut"])
def test_what_never_comes_whole_is_not_kept(place, server, trouble):
    (path,) = server.paths("encoder.onnx")
    server.always[path] = trouble
    sentence = complaint(fetch_model, place)
    assert "/encoder.onnx" in sentence
    assert ("is not what was published" if trouble.other else "the connection broke off") in sentence
    assert len(server.gets("encoder.onnx")) == 3 and kept(place) == set()


def test_an_object_of_another_size_is_not_read(place, server):
    (path,) = server.paths("head.npz")
    server.objects[path] += bytes(10_000)
    assert "is not what was published" in complaint(fetch_model, place)


def test_while_the_store_is_away_the_last_model_serves(place, server, tmp_path):
    server.__exit__()
    assert "nothing answers there: check S3_ENDPOINT_URL and the network" in complaint(fetch_model, place)
    server.__enter__()
    folder, _ = fetch_model(place)
    server.__exit__()
    again, note = fetch_model(place)
    assert again == folder and note.startswith(f"s3://{BUCKET}/human-or-ai/model.json at http://127")
    assert note.endswith("The model fetched before is used.")
    (folder / "head.npz").write_bytes(b"rot")
    assert "nothing answers" in complaint(fetch_model, place)
    server.__enter__()


def test_a_new_version_that_does_not_come_leaves_the_last_one(place, server, tmp_path):
    old, _ = fetch_model(place)
    server.put_model(make_bundle(tmp_path / "better" / "best", bias=1.0), place)
    server.always[server.paths("head.npz")[-1]] = Trouble(500, "InternalError")
    folder, note = fetch_model(place)
    assert folder == old and "HTTP 500" in note


def test_another_store_is_not_answered_for_by_the_cache(place, server):
    fetch_model(place)
    server.__exit__()
    other = ModelStore(place.bucket, "elsewhere", place.endpoint, place.cache)
    assert "elsewhere" in complaint(fetch_model, other)
    server.__enter__()


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Trouble(403, "InvalidAccessKeyId"), "does not know this AWS_ACCESS_KEY_ID"),
        (Trouble(403, "SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY does not belong"),
        (Trouble(403, "AccessDenied"), "allow them s3:GetObject"),
        (Trouble(400, "ExpiredToken"), "AWS_SESSION_TOKEN"),
        (Trouble(404, "NoSuchBucket"), "there is no such bucket: check S3_BUCKET_NAME"),
        (Trouble(404, "NoSuchKey"), "run `make publish-model`, or check S3_PREFIX"),
        (Trouble(403, "RequestTimeTooSkewed"), "clock"),
        (Trouble(400, "AuthorizationHeaderMalformed"), "set AWS_REGION"),
        (Trouble(418, "Teapot"), "the store refuses: check S3_ENDPOINT_URL and the AWS_… variables (Teapot"),
        (Trouble(404, body=b"<html>Not found</html>"), "the store refuses: check S3_ENDPOINT_URL"),
        (Trouble(401, body=b"who are you?"), "HTTP 401"),
    ],
    ids=lambda value: value.code or str(value.status) if isinstance(value, Trouble) else "",
)
def test_a_refusal_is_one_line_and_not_repeated(place, server, trouble, words):
    server.always["*"] = trouble
    sentence = complaint(fetch_model, place)
    assert sentence.startswith(f"s3://{BUCKET}/human-or-ai/model.json at {place.endpoint}: ")
    assert words in sentence and f"HTTP {trouble.status}" in sentence
    assert len(server.gets()) == 1


def test_a_file_that_somebody_deleted_is_named(place, server):
    (path,) = server.paths("head.npz")
    del server.objects[path]
    sentence = complaint(fetch_model, place)
    assert path.removeprefix("/") in sentence and "there is no such object" in sentence
    assert kept(place) == set()


@pytest.mark.parametrize(
    ("unset", "words"),
    [
        (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "no keys to it were found"),
        (["AWS_ACCESS_KEY_ID"], "AWS_ACCESS_KEY_ID is missing"),
        (["AWS_SECRET_ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY is missing"),
    ],
)
def test_missing_keys_are_named(place, server, monkeypatch, unset, words):
    for name in unset:
        monkeypatch.setenv(name, "")
    assert words in complaint(fetch_model, place)
    assert server.asked == []


def test_a_line_break_behind_a_key_does_no_harm(place, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{ACCESS_KEY}\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f" {SECRET_KEY}\r\n")
    assert fetch_model(place)[1] == ""


def test_variables_that_boto3_itself_cannot_use(place, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "ProfileNotFound" in complaint(fetch_model, place)


def test_https_where_http_is_spoken(place):
    secure = ModelStore(place.bucket, place.prefix, place.endpoint.replace("http:", "https:"), place.cache)
    assert "no secure connection can be made" in complaint(fetch_model, secure)


# --- what is believed -------------------------------------------------------------------------------------


def pointer_of(tmp_path, **changes):
    """A sound pointer with changed entries, its fingerprint made to fit."""
    pointer = describe_bundle(make_bundle(tmp_path / "best")) | changes
    if "fingerprint" not in changes and isinstance(pointer["files"], dict):
        with contextlib.suppress(KeyError, TypeError):
            pointer["fingerprint"] = store._fingerprint(pointer["name"], pointer["files"])
    return pointer


ENTRY = {"sha256": "0" * 64, "bytes": 1}
HOSTILE = {
    "path in a name": {"files": {"bundle.json": ENTRY, "../../evil": ENTRY}},
    "absolute name": {"files": {"bundle.json": ENTRY, "/etc/cron.d/evil": ENTRY}},
    "hidden name": {"files": {"bundle.json": ENTRY, ".lock": ENTRY}},
    "empty name": {"files": {"bundle.json": ENTRY, "": ENTRY}},
    "name with a line break": {"files": {"bundle.json": ENTRY, "a\n": ENTRY}},
    "model's name is a path": {"name": "../best"},
    "model's name is no text": {"name": 7},
    "no bundle.json": {"files": {"head.npz": ENTRY}},
    "no checksum": {"files": {"bundle.json": {"bytes": 1}}},
    "half a checksum": {"files": {"bundle.json": ENTRY | {"sha256": "00"}}},
    "negative size": {"files": {"bundle.json": ENTRY | {"bytes": -1}}},
    "size is no number": {"files": {"bundle.json": ENTRY | {"bytes": True}}},
    "size beyond all measure": {"files": {"bundle.json": ENTRY | {"bytes": 10**400}}},
    "files are a list": {"files": ["bundle.json"]},
    "fingerprint is a path": {"fingerprint": "../../../tmp"},
    "fingerprint of others": {"fingerprint": "0" * 32},
    "later schema": {"schema": 2},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pointer_is_not_believed(tmp_path, name):
    check_pointer(json.dumps(pointer_of(tmp_path / "sound")).encode(), "s3://b/model.json")
    content = json.dumps(pointer_of(tmp_path, **HOSTILE[name])).encode()
    assert "s3://b/model.json does not describe a model" in complaint(
        check_pointer, content, "s3://b/model.json"
    )


@pytest.mark.parametrize(
    "content", [b"", b"<html>Welcome</html>", b"[]", b"null", b'"x"', b"\xff", b"[" * 99_000, bytes(200_000)]
)
def test_another_thing_in_the_pointers_place(place, server, content):
    server.objects[POINTER] = content
    assert "does not describe a model" in complaint(fetch_model, place)
    assert kept(place) == set()


def test_a_model_beyond_all_bounds_is_not_fetched(tmp_path):
    files = {"bundle.json": ENTRY, "encoder.onnx": ENTRY | {"bytes": 3_000_000_000}}
    content = json.dumps(pointer_of(tmp_path, files=files)).encode()
    assert "announces a model of 3.0 GB, more than 2 GB" in complaint(check_pointer, content, "s3://b/x")


def test_files_that_bundle_json_does_not_name_are_refused(place, server, tmp_path):
    bundle = make_bundle(tmp_path / "odd" / "best")
    (bundle.folder / "extra.npz").write_bytes(b"x")
    pointer, sha256 = describe_bundle(bundle), hashlib.sha256(b"x").hexdigest()
    pointer = pointer_of(tmp_path, files=pointer["files"] | {"extra.npz": {"sha256": sha256, "bytes": 1}})
    server.objects[POINTER] = json.dumps(pointer).encode()
    for name in pointer["files"]:
        path = f"/{BUCKET}/human-or-ai/{pointer['fingerprint']}/{name}"
        server.objects[path] = (bundle.folder / name).read_bytes()
    assert "other files than its bundle.json names" in complaint(fetch_model, place)
    assert kept(place) == set()


# --- this machine -----------------------------------------------------------------------------------------


def test_a_full_disk_is_one_line(place, monkeypatch):
    usage = model_cache.shutil.disk_usage(place.cache.rpartition("/")[0])
    with monkeypatch.context() as patch:
        patch.setattr(model_cache.shutil, "disk_usage", lambda _: usage._replace(free=1000))
        assert "0 MB are free): make room" in complaint(fetch_model, place)

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model_cache, "_download_file", fill)
    assert "became full while the model was fetched" in complaint(fetch_model, place)
    assert kept(place) == set()


def test_a_cache_that_cannot_be_written_is_named(place, tmp_path):
    (tmp_path / "file").write_text("")
    wrong = ModelStore(place.bucket, place.prefix, place.endpoint, str(tmp_path / "file" / "cache"))
    assert "set MODEL_CACHE to a folder that may be written" in complaint(fetch_model, wrong)


def test_without_model_cache_a_folder_of_ones_own_is_used(place, tmp_path, monkeypatch):
    monkeypatch.setattr(model_cache.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    anywhere = ModelStore(place.bucket, place.prefix, place.endpoint)
    user = os.getuid()
    cache = tmp_path / "tmp" / f"human-or-ai-{user}"
    assert fetch_model(anywhere)[0].is_relative_to(cache) and cache.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(model_cache.os, "getuid", lambda: user + 1)
    cache.rename(cache.with_name(f"human-or-ai-{user + 1}"))
    assert "belongs to another user: set MODEL_CACHE" in complaint(fetch_model, anywhere)


# --- the process of its own -------------------------------------------------------------------------------


def test_the_child_tells_what_went_wrong(place, server, monkeypatch):
    assert fetch_in_child(place)[0].name == "best"
    server.always["*"] = Trouble(403, "SignatureDoesNotMatch")
    assert "does not belong to AWS_ACCESS_KEY_ID" in complaint(fetch_in_child, place)
    monkeypatch.setattr(model_cache, "FETCH_SECONDS", 0.05)
    assert "did not arrive within" in complaint(fetch_in_child, place)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", UserError, "was stopped \\(SIGKILL\\): is memory short"),
        ("raise KeyError('gone')", RuntimeError, "KeyError: 'gone'"),
    ],
)
def test_a_child_that_dies(place, monkeypatch, script, kind, words):
    run = subprocess.run
    monkeypatch.setattr(
        model_cache.subprocess, "run", lambda _, **options: run([sys.executable, "-c", script], **options)
    )
    with pytest.raises(kind, match=words):
        fetch_in_child(place)


def test_asking_for_a_model_in_s3_does_not_import_boto3_here():
    imported = "{'boto3', 'dotenv'} & set(sys.modules)"
    script = f"import sys, src.app, src.utils.models.store.publish_model; sys.exit(str({imported}))"
    run = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert run.stderr.strip() == "set()"
