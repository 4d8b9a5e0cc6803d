"""A web server that does to its clients what real ones have done: each path is one misbehaviour."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import ssl
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image


def picture_bytes(kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    """A small picture with some content, as a file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, kind)
    return file.getvalue()


def blank_png(width: int, height: int) -> bytes:
    """A whole PNG of many pixels and few bytes."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header promises pixels that it does not have."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return start + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e"


@functools.cache
def zeros_gzipped(megabytes: int) -> bytes:
    """A gzip file that is about a thousand times larger when unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = bytes(1_000_000)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


JPEG = picture_bytes()
PAGE = b"""<!DOCTYPE html><html><head><title>A walk</title>
<meta property="og:title" content="A walk"><meta content='/ok.jpg?a=1&amp;b=2' property="og:image">
</head><body>Hello</body></html>"""
BODIES = {
    "/ok.jpg": ("image/jpeg", JPEG),
    "/wrong-type.jpg": ("text/html; charset=utf-8", JPEG),
    "/no-type": ("", JPEG),
    "/page-as.jpg": ("image/jpeg", PAGE),
    "/page-bare": ("text/html", b"<html><body>No picture named here</body></html>"),
    "/page-odd": ("text/html", b"<html><meta property='og:image' content='javascript:alert(1)'></html>"),
    "/drawing.svg": ("image/svg+xml", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "/drawing-as.png": ("image/png", b"<!-- <!-- --> <svg width='9'><title>x</title></svg>"),
    "/text": ("image/png", b"just words"),
    "/script.eps": ("image/jpeg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
    "/film.mp4": ("image/jpeg", b"\x00\x00\x00\x18ftypmp42" + bytes(100)),
    "/no-header.png": ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00"),
    "/empty": ("image/jpeg", b""),
    "/truncated.jpg": ("image/jpeg", picture_bytes(size=(640, 480))[:2000]),
    "/hundred-megapixels.png": ("image/png", blank_png(10_000, 10_000)),
    "/gigapixels.png": ("image/png", png_that_claims(65_535, 65_535)),
}
"""Paths that answer with 200, a content type and a body."""


class HostileHandler(BaseHTTPRequestHandler):
    """Answers GET; `self.server.seen` collects what was asked."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        with contextlib.suppress(OSError):  # the client hangs up, as it should
            if parts.path in BODIES:
                content_type, body = BODIES[parts.path]
                self.answer(body, {"Content-Type": content_type} if content_type else {})
            else:
                name = parts.path.strip("/").replace("-", "_").split("/")[0]
                getattr(self, f"do_{name}", self.do_missing)(parts)

    def answer(
        self, body: bytes, headers: dict[str, str], status: int = 200, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_missing(self, parts) -> None:
        self.answer(b"nothing here", {}, status=404)

    def do_status(self, parts) -> None:
        self.answer(JPEG, {}, status=int(parts.path.split("/")[2]))

    def do_redirect(self, parts) -> None:
        self.answer(b"", {"Location": parse_qs(parts.query)["to"][0]}, status=302)

    def do_loop(self, parts) -> None:
        self.answer(b"", {"Location": "/loop"}, status=301)

    def do_cut(self, parts) -> None:
        self.answer(JPEG[:500], {"Content-Type": "image/jpeg"}, length=len(JPEG))

    def do_cut_chunk(self, parts) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"ffff\r\n" + JPEG[:500])

    def do_boast(self, parts) -> None:
        self.answer(JPEG, {"Content-Type": "image/jpeg"}, length=10**12)

    def do_endless(self, parts) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.is_set():
            self.wfile.write(JPEG * 100)

    def do_endless_chunks(self, parts) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.stopping.is_set():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(JPEG), JPEG))

    def do_drip(self, parts) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.drip()

    def do_drip_headers(self, parts) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Patience: ")
        self.drip()

    def drip(self) -> None:
        while not self.server.stopping.wait(0.02):
            self.wfile.write(b"a")

    def do_silent(self, parts) -> None:
        self.server.stopping.wait(60)

    def do_hang_up(self, parts) -> None:
        pass

    def do_noise(self, parts) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    def do_gzip(self, parts) -> None:
        self.answer(gzip.compress(JPEG), {"Content-Encoding": "gzip"})

    def do_deflate(self, parts) -> None:
        self.answer(zlib.compress(JPEG), {"Content-Encoding": "deflate"})

    def do_raw_deflate(self, parts) -> None:
        self.answer(zlib.compress(JPEG)[2:-4], {"Content-Encoding": "deflate"})

    def do_gzip_bomb(self, parts) -> None:
        self.answer(zeros_gzipped(100), {"Content-Encoding": "gzip", "Content-Type": "image/png"})

    def do_gzip_lie(self, parts) -> None:
        self.answer(JPEG, {"Content-Encoding": "gzip"})

    def do_brotli(self, parts) -> None:
        self.answer(JPEG, {"Content-Encoding": "br"})

    def do_bad_redirect(self, parts) -> None:
        self.answer(b"", {"Location": "http://[::1/"}, status=302)


class HostileServer(ThreadingHTTPServer):
    """The server with its memory of requests; `stopping` ends the endless answers."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HostileHandler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()

    def handle_error(self, request, client_address) -> None:
        pass


@contextlib.contextmanager
def hostile_server(context: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Run the server on a free port of this computer, with TLS if a context is given."""
    server = HostileServer()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
