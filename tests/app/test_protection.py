import contextlib
import io
import logging
import re
import socket
import sys
import threading
from functools import partial

import pytest
from flask import Flask, request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.serving import make_server
from werkzeug.test import stream_encode_multipart

from src.app import create_app
from src.app.limits import Limits
from src.app.protection import PictureRate
from tests.app.fakes import RednessModel, picture, upload

WRITES = []

BEHIND_A_PROXY = create_app(RednessModel, Limits(proxies=1)).test_client()
PLAIN_LINKS = 5  # the icon, the style, the code, home, the description


def _watch(event, arguments):
    """Collects what the interpreter does to the disk while `WRITES` holds a list to fill."""
    if WRITES and event == "open":
        path, mode, flags = arguments
        if isinstance(path, str | bytes) and (set(mode or "") & set("wax+") or (flags or 0) & 0o3):
            WRITES[-1].append(path)
    if WRITES and event in ("os.mkdir", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp", "os.link"):
        WRITES[-1].append(event)


sys.addaudithook(_watch)


@contextlib.contextmanager
def watched():
    WRITES.append([])
    try:
        yield WRITES[-1]
    finally:
        WRITES.clear()


# --- pictures are never stored ----------------------------------------------------------------------------


def post_large_files(app):
    """Post two megabyte-sized pictures and a text; return the answer and what was written meanwhile."""
    large = picture(size=(1500, 1500)) + bytes(3_000_000)
    files = [("a.png", large), ("b.tif", picture(kind="TIFF", size=(1200, 1200))), ("c.txt", b"no picture")]
    fields = [("file", FileStorage(io.BytesIO(data), name)) for name, data in files]
    body, kind = multipart(fields)
    with watched() as writes:
        answer = app.test_client().post("/predict?preview=1", data=body, content_type=kind)
    return answer, list(writes)


def multipart(fields):
    """The body, made before anything is watched: Werkzeug's test client writes temporary files itself."""
    stream, _, boundary = stream_encode_multipart(MultiDict(fields), use_tempfile=False)
    return stream.read(), f"multipart/form-data; boundary={boundary}"


def test_uploads_are_never_written_to_disk(make_app):
    answer, writes = post_large_files(make_app())
    assert [entry.get("code", "") for entry in answer.get_json()["predictions"]] == ["", "", "not_image"]
    assert writes == []


def test_a_plain_flask_app_would_have_written_them():
    """The control: without the app's own request class the watch sees the temporary files."""
    app = Flask("plain")
    app.add_url_rule("/predict", "predict", lambda: str(len(request.files.getlist("file"))), methods=["POST"])
    answer, writes = post_large_files(app)
    assert answer.text == "3" and writes != []


# --- rate -------------------------------------------------------------------------------------------------


def test_pictures_are_counted_per_address(make_app):
    app = make_app(limits=Limits(per_minute=3))
    here = {"client": app.test_client(), "environ_base": {"REMOTE_ADDR": "198.51.100.7"}}
    assert upload(("a", picture()), ("b", picture()), **here).status_code == 200
    assert upload(("a", picture()), **here).status_code == 200
    refused = upload(("a", picture()), **here)
    assert refused.status_code == 429 and "too many pictures" in refused.get_json()["error"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    there = {"client": app.test_client(), "environ_base": {"REMOTE_ADDR": "198.51.100.8"}}
    assert upload(("a", picture()), **there).status_code == 200
    assert here["client"].get("/model", environ_base=here["environ_base"]).status_code == 200


def test_many_pictures_in_one_request_count_as_many(make_app):
    client = make_app(limits=Limits(per_minute=3)).test_client()
    assert upload(*[("a", picture())] * 4, client=client).status_code == 429
    assert client.post("/predict", json={"urls": ["x"] * 4}).status_code == 429


def test_an_ipv6_visitor_is_a_network():
    rate = PictureRate(1)
    rate.take("2001:db8:1:2::1")
    with pytest.raises(Exception, match="429"):
        rate.take("2001:db8:1:2:ffff::9")
    rate.take("2001:db8:1:3::1")
    rate.take("")


@pytest.mark.parametrize(("proxies", "second"), [(0, 429), (1, 200)])
def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(make_app, proxies, second):
    client = make_app(limits=Limits(per_minute=1, proxies=proxies)).test_client()
    answers = [
        upload(("a", picture()), client=client, headers={"X-Forwarded-For": address}).status_code
        for address in ("198.51.100.1", "198.51.100.2")
    ]
    assert answers == [200, second]


def test_a_visitor_cannot_choose_the_address_that_the_proxy_saw(make_app):
    client = make_app(limits=Limits(per_minute=1, proxies=1)).test_client()
    forged = [f"10.0.0.{number}, 198.51.100.1" for number in range(2)]
    answers = [
        upload(("a", picture()), client=client, headers={"X-Forwarded-For": text}).status_code
        for text in forged
    ]
    assert answers == [200, 429]


# --- a path's prefix ---------------------------------------------------------------------------------------


def addresses(page):
    """Where a page's links and files are, but for those within the page."""
    return re.findall(r'(?:href|src)="([^"#][^"]*)"', page)


@pytest.mark.parametrize(
    ("proxies", "headers", "root"),
    [
        (0, "/tools", ""),
        (1, "/tools", "/tools"),
        (1, "/tools/my-pictures.2/", "/tools/my-pictures.2"),
        (1, "/from-the-visitor, /tools", "/tools"),
        (2, "/tools, /inner", "/tools"),
        (2, "/tools", ""),
        (1, "", ""),
        (1, "/", ""),
        (1, "tools", ""),
        (1, "//evil.example", ""),
        (1, "/\\evil.example", ""),
        (1, "https://evil.example", ""),
        (1, "/..", ""),
        (1, "/a/../b", ""),
        (1, '/"><script>', ""),
        (1, "/a%0d%0ab", ""),
        (1, "/a" * 17, ""),
    ],
)
def test_a_prefix_counts_only_from_a_trusted_proxy_and_only_if_it_is_a_plain_path(
    make_app, proxies, headers, root
):
    client = make_app(limits=Limits(proxies=proxies)).test_client()
    ask = partial(client.get, headers={"X-Forwarded-Prefix": headers})
    for path in ("/", "/card"):
        found = addresses(ask(path).text)
        assert {f"{root}/static/app.css", f"{root}/", f"{root}/openapi.json"} <= set(found)
        assert all(address.startswith(f"{root}/") for address in found)
    assert ask("/static/app.js").status_code == 200
    assert ask("/openapi.json").get_json()["servers"] == [{"url": root or "/"}]
    answer = upload(("a", picture()), client=client, headers={"X-Forwarded-Prefix": headers})
    assert answer.status_code == 200


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_a_prefix_says_links_stay_on_this_host(prefix):
    page = BEHIND_A_PROXY.get("/", headers={"X-Forwarded-Prefix": prefix}).text
    found = addresses(page)
    assert len(found) == PLAIN_LINKS
    assert all(
        re.fullmatch(r"(/[\w~-][\w.~-]*)*/(static/[a-z.]+|openapi.json)?", address) for address in found
    )


# --- headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/card", "/model", "/healthz", "/static/app.js", "/nowhere", "/predict"]
)
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert (
        "unsafe" not in headers["Content-Security-Policy"] and "*" not in headers["Content-Security-Policy"]
    )
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers and "Set-Cookie" not in headers


def test_answers_are_not_kept_by_caches_and_https_stays_https(client):
    assert upload(("a", picture()), client=client).headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in client.get("/").headers
    assert "Strict-Transport-Security" in client.get("/", base_url="https://localhost").headers


@pytest.mark.parametrize("path", ["/", "/card"])
def test_pages_hold_no_inline_code_and_nothing_from_elsewhere(client, path):
    page = client.get(path).text
    assert (
        "style=" not in page and "<style" not in page and "onclick" not in page and "javascript:" not in page
    )
    for tag in page.split("<script")[1:]:
        assert 'src="/static/' in tag.split(">")[0]
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page.replace("https://… link", "")


# --- failures and logs ------------------------------------------------------------------------------------


def test_a_failure_tells_neither_visitor_nor_log_what_was_sent(make_app, caplog):
    app = make_app()
    app.add_url_rule("/fail", "fail", lambda: {}["very-private"])
    response = app.test_client().get("/fail?also=private")
    assert response.status_code == 500
    assert response.get_json() == {"error": "Something went wrong on the server."}
    assert "KeyError in <lambda>" in caplog.text and "private" not in caplog.text
    assert not app.debug


def test_the_log_says_what_was_asked_and_not_what_was_sent(make_app, caplog):
    caplog.set_level(logging.DEBUG)
    client = make_app().test_client()
    name, link = "my-secret-name.png", "http://127.0.0.1/secret-path?token=secret"
    upload((name, picture()), ("secret.txt", b"secret words"), client=client)
    client.post("/predict?secret=1", json={"urls": [link]})
    client.get("/secret-address")
    assert "POST /predict 200" in caplog.text and "GET (unknown) 404" in caplog.text
    assert "secret" not in caplog.text and "127.0.0.1" not in caplog.text


# --- a real socket ----------------------------------------------------------------------------------------


@pytest.fixture
def address(make_app):
    server = make_server("127.0.0.1", 0, make_app(limits=Limits(request_bytes=100_000)), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()


def talk(address, *parts):
    with socket.create_connection(address, timeout=10) as sock:
        for part in parts:
            sock.sendall(part)
        return sock.recv(12)


def test_a_body_without_a_length_is_bounded_too(address):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunk = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
    answer = talk(address, head, b"Transfer-Encoding: chunked\r\n\r\n", chunk * 10, b"0\r\n\r\n")
    assert answer in (b"HTTP/1.1 413", b"HTTP/1.1 422", b"HTTP/1.0 413", b"HTTP/1.0 422")


def test_a_visitor_who_sends_nothing_blocks_nobody(address):
    with socket.create_connection(address) as stuck:
        stuck.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n\r\n"
        )
        assert talk(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"200")
