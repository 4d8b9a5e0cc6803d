"""A detector's file arrives whole and right, or one sentence says why not, where from and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
from collections import namedtuple
from dataclasses import replace

import pytest

from src.utils.files import sha256_bytes
from src.utils.models.detectors import fetch
from src.utils.models.detectors.fetch import fetch_detector
from src.utils.models.detectors.table import Entry
from src.utils.settings import UserError
from tests.models.detectors.file_server import FileServer

DATA = b"\x08\x09" + bytes(range(256)) * 20
SHA = sha256_bytes(DATA)
RECIPE = {"input_size": 384, "views": ["squash"], "mean": [0.5] * 3, "standard_deviation": [0.5] * 3}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(fetch, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(fetch, "_CHUNK_BYTES", 512)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with FileServer(DATA) as running:
        yield running


def entry(server, **changes):
    told = {"name": "stand_in", "address": server.address, "licence": "MIT", "recipe": RECIPE, "sha256": SHA}
    return Entry(**(told | changes))


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(folder, wanted, **options):
    with pytest.raises(UserError) as caught:
        fetch_detector(wanted, folder, progress=False, **options)
    said = str(caught.value)
    assert "\n" not in said
    for part in (str(folder / "stand_in.onnx"), wanted.address, wanted.sha256):
        assert part in said, part
    return said


def test_a_file_arrives_whole_once_and_says_what_it_is(tmp_path, server, capsys):
    published = ({"by": "its authors", "figures": "0.9"},)
    wanted = entry(server, size=len(DATA), published=published)
    path, found = fetch_detector(wanted, tmp_path)
    assert (path.read_bytes(), found) == (DATA, SHA) and path == tmp_path / "stand_in.onnx"
    said = capsys.readouterr().err
    assert "licence MIT; 0 MB; from http://127.0.0.1" in said
    assert "Published by its authors; not run by us: 0.9" in said
    assert fetch_detector(wanted, tmp_path) == (path, SHA)
    assert server.calls == [("/model.onnx", None)] and capsys.readouterr().err == ""
    assert left(tmp_path) == [".lock", "stand_in.onnx"]


def test_a_download_that_breaks_goes_on_where_it_was(tmp_path, server):
    server.cuts = [1000, 1000, 1000, 1000]
    assert fetch_detector(entry(server), tmp_path, progress=False)[1] == SHA
    asked = [one for _, one in server.calls]
    assert asked == [None, "bytes=1000-", "bytes=2000-", "bytes=3000-", "bytes=4000-"]


def test_a_later_call_goes_on_too_and_one_for_another_file_does_not(tmp_path, server):
    server.cuts = [1000]
    part = f".stand_in-{sha256_bytes(SHA.encode())[:16]}.part"
    (tmp_path / part).write_bytes(DATA[:700])
    (tmp_path / ".stand_in-0123.part").write_bytes(b"of another release")
    fetch_detector(entry(server), tmp_path, progress=False)
    assert server.calls[0] == ("/model.onnx", "bytes=700-")
    assert left(tmp_path) == [".lock", "stand_in.onnx"]


def test_what_was_whole_already_is_not_asked_for(tmp_path, server):
    (tmp_path / f".stand_in-{sha256_bytes(SHA.encode())[:16]}.part").write_bytes(DATA)
    assert fetch_detector(entry(server), tmp_path, progress=False)[1] == SHA and not server.calls


@pytest.mark.parametrize("ranges", [True, False])
def test_what_came_before_and_does_not_fit_is_begun_anew(tmp_path, server, ranges):
    server.ranges = ranges
    part = tmp_path / f".stand_in-{sha256_bytes(SHA.encode())[:16]}.part"
    part.write_bytes(DATA[:100] if not ranges else DATA + b"more")
    assert fetch_detector(entry(server), tmp_path, progress=False)[0].read_bytes() == DATA


def test_one_that_always_breaks_off_is_kept_for_later(tmp_path, server):
    server.cuts = [1000, 0, 0, 0, 0]
    said = refused(tmp_path, entry(server))
    assert "broke off after 1,000 of 5,122 bytes" in said and f"SHA-256 {SHA}" in said and "MIRROR=" in said
    server.cuts = []
    fetch_detector(entry(server), tmp_path, progress=False)
    assert server.calls[-1] == ("/model.onnx", "bytes=1000-")


def test_another_file_is_refused_and_not_kept(tmp_path, server):
    said = refused(tmp_path, entry(server, sha256="0" * 64))
    assert f"has SHA-256 {SHA}, not {'0' * 64}" in said and server.address in said
    assert left(tmp_path) == [".lock"]


@pytest.mark.parametrize("told", [True, False])
def test_one_of_another_length_is_refused_before_or_while_it_comes(tmp_path, server, told):
    server.told_length = told
    said = refused(tmp_path, entry(server, size=100))
    assert ("has 5,122 bytes, not 100" if told else "sends more than the file should have") in said


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_in_its_stead_is_called_one(tmp_path, server, kind):
    server.data, server.kind = b"\n<!DOCTYPE html><title>Sign in</title>", kind
    assert "sends a page of HTML instead of the file" in refused(tmp_path, entry(server))
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("statuses", "words", "calls"),
    [
        ([404], "is not there (404)", 1),
        ([410], "is no longer there (410)", 1),
        ([403], "is refused (403)", 1),
        ([503, 429, 500], "answers with an error (500)", 3),
    ],
)
def test_a_server_that_refuses_is_quoted(tmp_path, server, statuses, words, calls):
    server.statuses = statuses
    assert words in refused(tmp_path, entry(server)) and len(server.calls) == calls


def test_a_server_that_is_busy_is_asked_again(tmp_path, server):
    server.statuses = [503, 503]
    assert fetch_detector(entry(server), tmp_path, progress=False)[1] == SHA


def test_a_redirect_is_followed_and_one_in_a_circle_is_not(tmp_path, server):
    server.redirect = "/elsewhere/model.onnx"
    assert fetch_detector(entry(server), tmp_path / "a", progress=False)[1] == SHA
    assert [path for path, _ in server.calls] == ["/model.onnx", "/elsewhere/model.onnx"]
    server.redirect = "/model.onnx"
    assert "redirects in a circle" in refused(tmp_path / "b", entry(server))
    server.redirect = "ftp://127.0.0.1/model.onnx"
    assert "leads to ftp://, which is not followed" in refused(tmp_path / "b", entry(server))


def test_one_that_stops_sending_is_not_waited_for(tmp_path, server):
    server.stalls = True
    assert "sent nothing for 0 s" in refused(tmp_path, entry(server))
    server.stalls = False
    fetch_detector(entry(server), tmp_path, progress=False)
    assert server.calls[-1][1] not in (None, "bytes=0-")


def test_one_that_is_slow_is_waited_for_and_one_that_never_answers_is_not(tmp_path, server):
    server.drips = 0.1  # seconds before each piece, a third of what is waited
    assert fetch_detector(entry(server), tmp_path / "a", progress=False)[1] == SHA and len(server.calls) == 1
    server.silent = True
    assert "sent nothing for 0 s" in refused(tmp_path / "b", entry(server))


def test_without_a_network_it_says_so(tmp_path, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/model.onnx"
    assert "cannot be reached" in refused(tmp_path, entry(server, address=address))


def test_without_room_it_says_how_much_is_missing(tmp_path, server, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 10, 100)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage)
    assert "are free in" in refused(tmp_path, entry(server))


def test_a_full_disk_is_called_one(tmp_path, server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "_place", full)
    assert "is full, make room" in refused(tmp_path, entry(server))


def test_a_file_put_there_by_hand_is_taken_if_it_is_the_right_one(tmp_path, server):
    (tmp_path / "stand_in.onnx").write_bytes(DATA)
    assert fetch_detector(entry(server), tmp_path)[1] == SHA and not server.calls
    (tmp_path / "stand_in.onnx").write_bytes(DATA + b"!")
    said = refused(tmp_path, entry(server))
    assert "has SHA-256" in said and f"not {SHA}" in said and not server.calls


def test_a_mirror_is_asked_instead(tmp_path, server):
    wanted = entry(server, address="http://127.0.0.1:9/here/model.onnx")
    fetch_detector(wanted, tmp_path / "a", mirror=f"{server.url}/elsewhere/", progress=False)
    fetch_detector(wanted, tmp_path / "b", mirror=f"{server.url}/other-name", progress=False)
    assert [path for path, _ in server.calls] == ["/elsewhere/model.onnx", "/other-name"]
    with pytest.raises(UserError, match="MIRROR=/models is no http"):
        fetch_detector(wanted, tmp_path / "c", mirror="/models")


def test_without_a_hash_nothing_is_fetched_unless_it_is_given_or_confirmed(tmp_path, server):
    wanted = entry(server, sha256="")
    assert "is not fetched unasked" in refused(tmp_path, wanted) and not server.calls
    asked = []
    said = refused(tmp_path, wanted, confirm=lambda found: bool(asked.append(found)))
    assert asked == [SHA] and SHA in said and left(tmp_path) == [".lock"]
    fetch_detector(wanted, tmp_path, confirm=lambda found: found == SHA, progress=False)
    assert fetch_detector(wanted, tmp_path, progress=False)[1] == SHA
    done = subprocess.run(["sha256sum", "-c", "stand_in.onnx.sha256"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, os.fsdecode(done.stderr)


def test_a_given_hash_is_held_to(tmp_path, server):
    wanted = entry(server, sha256="")
    assert SHA in refused(tmp_path, wanted, sha256="0" * 64)
    assert fetch_detector(wanted, tmp_path, sha256=SHA.upper(), progress=False)[1] == SHA
    assert (tmp_path / "stand_in.onnx.sha256").read_text() == f"{SHA}  stand_in.onnx\n"
    with pytest.raises(UserError, match="HASH=abc is no SHA-256"):
        fetch_detector(wanted, tmp_path, sha256="abc")
    with pytest.raises(UserError, match="is not the SHA-256 of stand_in"):
        fetch_detector(replace(wanted, sha256=SHA), tmp_path, sha256="0" * 64)


def test_a_folder_that_cannot_be_made_is_named(tmp_path, server):
    (tmp_path / "file").write_text("")
    assert "cannot be kept in" in refused(tmp_path / "file" / "detectors", entry(server))
