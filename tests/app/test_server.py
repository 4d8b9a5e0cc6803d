"""The app under gunicorn, as it is deployed: many at once, stuck ones, killed workers, stops."""

import contextlib
import http.client
import json
import os
import re
import runpy
import select
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from src.app import receiving
from src.app.host import LARGE_PIXELS, available_cores, available_memory, turn_for_large
from src.utils.data.pictures.decode import read_pixels
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import PROJECT_ROOT
from tests.app.fakes import BLUE, RED, picture
from tests.app.gunicorn_server import gunicorn, multipart, until, upload_head
from tests.models.tiny import SIZE, build_tiny

PROC = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")

PLAIN = "tests.app.served:make_app()"
HURRIED = "tests.app.served:make_hurried_app()"
WAITING = "tests.app.served:make_waiting_app()"


def colour(number):
    """A colour of its own for each of 256 numbers."""
    return (number, 0, 255 - number)


def probability(answer):
    """Status 200 and one prediction, whose probability is returned."""
    status, body = answer
    assert status == 200, body
    return body["predictions"][0]["probability_ai"]


# --- many at once -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_bundle(folder, build_tiny(), {"source": "sample"})
    return folder


def all_at_once(server, files):
    """Upload every file at the same moment, over a connection each; answers in the order of the files."""
    start = threading.Barrier(len(files))

    def upload(data):
        start.wait(30)
        return server.upload(data)

    with ThreadPoolExecutor(len(files)) as pool:
        return list(pool.map(upload, files))


def memory(pids):
    """Megabytes that each process holds."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return [int(re.search(r"^Rss:\s+(\d+)", text, re.MULTILINE)[1]) / 1000 for text in rollups]


@PROC
def test_two_hundred_uploads_at_once_are_all_answered_and_memory_stays_flat(bundle):
    files = [picture(colour(number), "JPEG", (900, 600)) for number in range(200)]
    predictor = Predictor.load(bundle)
    expected = predictor.predict_pixels(np.stack([read_pixels(data, SIZE) for data in files]))
    assert len(set(expected.round(6))) > 150  # an answer given to the wrong visitor would be noticed
    with gunicorn(
        "src.app:create_app()", workers=2, MODEL_DIR=str(bundle), RATE_PER_MINUTE="1000000"
    ) as server:
        workers = server.workers()
        first = [probability(answer) for answer in all_at_once(server, files[:50])]
        before = memory(workers)
        found = [probability(answer) for answer in all_at_once(server, files)]
        after = memory(workers)
        assert server.workers() == workers and len(workers) == 2
    assert first == pytest.approx(expected[:50], abs=1e-5)
    assert found == pytest.approx(expected, abs=1e-5)
    assert max(np.subtract(after, before)) < 16  # the 200 files are 200 times a megabyte and a half, decoded


# --- killed, stopped, not ready ---------------------------------------------------------------------------


def uploads_in_flight(server, folder):
    """Send dark red pictures until two processes are busy with one each; futures of answers by number."""
    pool = ThreadPoolExecutor(99)
    futures = {}

    def send_another():
        number = len(futures) + 1
        futures[number] = pool.submit(attempt, server, number)
        return number >= 20 and len(in_flight(folder)) == 2

    until(send_another)
    return futures


def attempt(server, number):
    """Probability for a dark red picture, or None if the connection broke."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return probability(server.upload(picture((number, 0, 0))))


def in_flight(folder):
    """Process → number of the picture that it is busy with."""
    return dict(tuple(map(int, path.name.split("-"))) for path in folder.glob("*-*"))


@PROC
def test_a_worker_killed_in_the_middle_takes_only_its_own_requests_along(tmp_path):
    with gunicorn(WAITING, workers=2, TEST_FOLDER=str(tmp_path)) as server:
        futures = uploads_in_flight(server, tmp_path)
        busy = in_flight(tmp_path)
        killed, other = busy
        os.kill(killed, signal.SIGKILL)
        assert futures[busy[killed]].result(30) is None
        (tmp_path / "go").touch()
        assert futures[busy[other]].result(30) == 1.0
        answers = [future.result(30) for future in futures.values()]
        assert set(answers) == {None, 1.0}  # some waited behind the first in the killed process
        assert [probability(answer) for answer in all_at_once(server, [picture(RED)] * 20)] == [0.92] * 20
        until(lambda: len(server.workers()) == 2 and killed not in server.workers())
        assert other in server.workers()


def test_a_stop_lets_begun_requests_finish(tmp_path):
    body = multipart(picture(RED))
    with (
        gunicorn(WAITING, workers=1, TEST_FOLDER=str(tmp_path)) as server,
        server.connect() as silent,
        server.connect() as sending,
        ThreadPoolExecutor(1) as pool,
    ):
        sending.sendall(upload_head(len(body)) + body[:50])
        waiting = pool.submit(attempt, server, 7)
        until(lambda: in_flight(tmp_path))
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "Handling signal: term" in server.log)
        sending.sendall(body[50:])
        (tmp_path / "go").touch()
        assert waiting.result(30) == 1.0
        assert b'"probability_ai":0.92' in read_all(sending)
        assert silent.recv(1) == b""
        assert server.process.wait(10) == 0


def test_without_a_model_it_is_alive_and_not_ready():
    with gunicorn("tests.app.served:make_app_without_a_model()", ready="/healthz") as server:
        assert server.get("/readyz")[0] == 503
        assert server.upload(picture())[0] == 503
        assert server.get("/healthz") == (200, {"status": "alive"})


# --- clients that are slow, stuck or hostile ---------------------------------------------------------------


def read_all(sock):
    """Everything until the server closes."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: sock.recv(65536), b""))


def status_of(sock):
    """The status of an answer, or 0 for a connection closed without one."""
    text = read_all(sock)
    return int(text.split()[1]) if text else 0


BEGINNINGS = {
    "silent": b"",
    "half a line": b"GET /hea",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    "a head without its body": upload_head(1000),
    "half a body": upload_head(1000) + b"x" * 500,
}


@pytest.fixture(scope="module")
def hurried():
    with gunicorn(HURRIED, "--threads", "4") as server:
        yield server


def test_stuck_clients_block_nobody_and_are_told(hurried):
    with contextlib.ExitStack() as stack:
        stuck = {
            name: [stack.enter_context(hurried.connect()) for _ in range(20)]
            for name in [*BEGINNINGS, "drip"]
        }
        for name, beginning in BEGINNINGS.items():
            for sock in stuck[name]:
                sock.sendall(beginning)
        stop = threading.Event()
        dripping = ThreadPoolExecutor(1).submit(drip, stuck["drip"], stop)
        began = time.monotonic()
        assert hurried.get("/healthz")[0] == 200
        assert probability(hurried.upload(picture(RED))) == 0.92
        assert time.monotonic() - began < 1
        for name, socks in stuck.items():
            assert {status_of(sock) for sock in socks} == {0 if name == "silent" else 408}
        assert time.monotonic() - began < 10
        stop.set()
        dripping.result()
        assert probability(hurried.upload(picture(BLUE))) == 0.08


def drip(socks, stop):
    """Send a byte of a head every now and then, over and over."""
    while not stop.wait(0.1):
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.send(b"x")


def test_an_upload_that_gets_on_is_waited_for_and_one_that_drips_is_not(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(receiving.time, "monotonic", lambda: now)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        inbox = receiving.Inbox(ours)
        ends = []
        for size in (1, receiving.PROGRESS - 1, 1, receiving.PROGRESS // 2, receiving.PROGRESS):
            now += 10
            for _ in range(0, size, 10_000):
                theirs.sendall(bytes(min(size, 10_000)))
                assert inbox.receive()
            ends.append(inbox.due - 1000)
    patience = receiving.PATIENCE
    assert ends == [patience, 20 + patience, 20 + patience, 20 + patience, 50 + patience]


def test_a_parser_gets_one_request_and_has_to_find_its_end_where_it_is():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        request = upload_head(3) + b"abc"
        theirs.sendall(request + b"more")
        for wanted, exactly in (
            ([len(request)], True),
            ([len(request) - 1], False),
            ([len(request), 1], False),
        ):
            inbox = receiving.Inbox(ours)
            inbox.receive()
            assert inbox.find_fault(1000) == 0 and inbox.is_whole()
            inbox.hand_over()
            found = b"".join(map(inbox.recv, wanted))
            assert found == request[: sum(wanted)] and inbox.was_read_exactly() == exactly
            theirs.sendall(request + b"more")


def test_an_answer_that_nobody_takes_holds_a_thread_for_a_while_only(hurried):
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # as many as there are threads
            stack.enter_context(hurried.connect()).sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        assert hurried.get("/healthz", seconds=10)[0] == 200
        until(lambda: hurried.log.count("not received in time") == 4)


@pytest.fixture(scope="module")
def plain():
    with gunicorn(PLAIN, MAX_UPLOADS_MB="1", MAX_REQUEST_MB="2") as server:
        yield server


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (upload_head(2_000_001), 413),
        (upload_head(10**30), 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 40_000, 431),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once_in_the_apps_own_way(plain, request_, status):
    with plain.connect() as sock:
        sock.sendall(request_)
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close\r\n" in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert set(json.loads(body)) == {"error"}


def test_the_log_has_every_request_and_keeps_out_what_refused_clients_sent(plain):
    assert plain.get("/nowhere?very-private")[0] == 404
    until(lambda: "GET (unknown) 404" in plain.log)
    with plain.connect() as sock:
        sock.sendall(b"very-private\r\n\r\n")
        assert status_of(sock) == 400
    until(lambda: "InvalidRequestLine: 400" in plain.log)
    assert "very-private" not in plain.log and "ip=" not in plain.log


def test_uploads_beyond_the_memory_for_them_are_put_off_and_others_pass(plain):
    body = multipart(picture(RED) + bytes(900_000))
    with plain.connect() as first, plain.connect() as second:
        for sock in (first, second):
            sock.sendall(upload_head(len(body)) + body[:700_000])  # together more than the megabyte there is
        (refused,), _, _ = select.select([first, second], [], [], 20)
        head = read_all(refused).partition(b"\r\n\r\n")[0] + b"\r\n"
        assert head.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 5\r\n" in head
        assert probability(plain.upload(picture(BLUE))) == 0.08
        other = first if refused is second else second
        other.sendall(body[700_000:])
        other.shutdown(socket.SHUT_WR)
        assert b'"probability_ai":0.92' in read_all(other)
    assert probability(plain.upload(picture(RED) + bytes(900_000))) == 0.92  # what those two took is free


def test_one_connection_serves_requests_that_come_at_once_and_later(plain):
    body = multipart(picture(RED))
    request = upload_head(len(body)) + body
    with plain.connect() as sock, sock.makefile("rb") as answers:
        sock.sendall(request + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + request[:100])
        assert json.loads(next_body(answers))["predictions"][0]["probability_ai"] == 0.92
        assert json.loads(next_body(answers)) == {"status": "alive"}
        sock.sendall(request[100:])
        assert json.loads(next_body(answers))["predictions"][0]["probability_ai"] == 0.92


def next_body(answers):
    """The body of the next answer, which must be 200."""
    assert answers.readline().startswith(b"HTTP/1.1 200")
    length = 0
    while line := answers.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split()[1])
    return answers.read(length)


def test_a_picture_may_be_the_whole_body(plain):
    body = picture(RED) + bytes(900_000)
    with plain.connect() as sock:
        sock.sendall(upload_head(len(body), "image/png") + body)
        sock.shutdown(socket.SHUT_WR)
        assert b'"probability_ai":0.92' in read_all(sock)


def test_a_client_that_asks_first_is_told_to_go_on(plain):
    body = multipart(picture(RED))
    with plain.connect() as sock:
        sock.sendall(upload_head(len(body))[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        sock.shutdown(socket.SHUT_WR)
        assert b'"probability_ai":0.92' in read_all(sock)


# --- settings ---------------------------------------------------------------------------------------------


def settings(monkeypatch, **env):
    """The settings file as gunicorn reads it, on a machine of 8 cores and 8 GB."""
    for name in ("PORT", "WEB_CONCURRENCY", "MODEL_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("src.app.host.available_cores", lambda: 8)
    monkeypatch.setattr("src.app.host.available_memory", lambda: 8_000_000_000)
    return runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))


def test_workers_and_their_models_share_the_machine(monkeypatch):
    found = settings(monkeypatch)
    assert (found["bind"], found["workers"]) == ("0.0.0.0:8000", 4)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    found["post_fork"](SimpleNamespace(cfg=SimpleNamespace(workers=3)), None)
    assert os.environ["MODEL_THREADS"] == "2"
    found["post_fork"](SimpleNamespace(cfg=SimpleNamespace(workers=8)), None)
    assert os.environ["MODEL_THREADS"] == "2"  # given: kept


def test_the_environment_has_the_last_word(monkeypatch):
    found = settings(monkeypatch, PORT="5001", WEB_CONCURRENCY="7")
    assert (found["bind"], found["workers"]) == ("0.0.0.0:5001", 7)


@pytest.mark.parametrize(
    ("quota", "memory_max", "cores", "memory"),
    [
        ("150000 100000", "536870912", 1, 536870912),
        ("50000 100000", "max", 1, None),
        ("max 100000", "9223372036854771712", None, None),
        ("", "", None, None),
    ],
)
def test_a_containers_limits_count(tmp_path, quota, memory_max, cores, memory):
    none = tmp_path / "none"
    (tmp_path / "cpu.max").write_text(quota)
    (tmp_path / "memory.max").write_text(memory_max)
    assert available_cores(tmp_path) == (cores or available_cores(none)) >= 1
    assert available_memory(tmp_path) == (memory or available_memory(none)) > 10**8


def test_a_worker_waits_for_its_model_and_gives_signs_of_life(monkeypatch):
    signs, settled = [], threading.Event()

    def notify():
        signs.append(1)
        settled.set()

    app = SimpleNamespace(extensions={"pictures": SimpleNamespace(slot=SimpleNamespace(settled=settled))})
    settings(monkeypatch)["post_worker_init"](SimpleNamespace(wsgi=app, notify=notify))
    assert signs == [1]


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_UPLOADS_MB", "much"), ("MODEL_THREADS", "all"), ("S3_BUCKET_NAME", "s3://b/x")]
)
def test_a_wrong_setting_stops_the_start_with_one_line(monkeypatch, name, value):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    found = settings(monkeypatch, **{name: value})
    with pytest.raises(SystemExit, match=rf"^error: {name}\b.* is not a"):
        found["on_starting"](None)


def test_a_server_has_one_version_of_the_model_and_leaves_nothing_behind(monkeypatch):
    found = settings(monkeypatch)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    found["on_starting"](None)
    folder = Path(os.environ["MODEL_PIN"]).parent
    assert folder.is_dir() and not list(folder.iterdir())
    found["on_exit"](None)
    assert not folder.exists()


def test_large_pictures_take_turns_and_others_do_not_wait(tmp_path):
    entered = threading.Event()

    def decode_another():
        with turn_for_large(LARGE_PIXELS + 1, tmp_path):
            entered.set()

    other = threading.Thread(target=decode_another)
    with turn_for_large(LARGE_PIXELS + 1, tmp_path):
        other.start()
        with turn_for_large(LARGE_PIXELS, tmp_path):
            assert not entered.wait(0.2)
    assert entered.wait(10)
    other.join()


def test_a_lock_that_cannot_be_made_or_is_not_ours_stops_nobody(tmp_path):
    with turn_for_large(LARGE_PIXELS + 1, tmp_path / "none"):
        pass
    precious = tmp_path / "precious"
    precious.write_text("x")
    (tmp_path / f"human-or-ai-{os.getuid()}.turn").symlink_to(precious)
    with turn_for_large(LARGE_PIXELS + 1, tmp_path):
        assert precious.read_text() == "x"
