"""A small server of one file, on which downloads go wrong in the ways they do."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.local_server import LocalServer


@dataclass
class FileServer(LocalServer):
    """What to answer, and what was asked.

    Attributes:
        data: The file; `/model.onnx`, and `/elsewhere/…`, where a redirect leads.
        cuts: Bytes after which the first, second … answer breaks off.
        statuses: Of the first, second … answer, instead of the file.
        ranges: Whether it goes on where it is asked to.
        redirect: Where `/model.onnx` leads.
        kind: The media type it claims.
        told_length: Whether it says how long the file is.
        stalls: Send half and then nothing.
        drips: Seconds before each quarter of what it sends.
        silent: Take a request and never answer.
        calls: (path, Range header or None) of each request.
    """

    data: bytes = b""
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    redirect: str = ""
    kind: str = "application/octet-stream"
    told_length: bool = True
    stalls: bool = False
    drips: float = 0.0
    silent: bool = False
    calls: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.url}/model.onnx"

    def wait(self) -> None:
        """Send nothing until the server ends."""
        self.closing.wait(20)


class _Handler(BaseHTTPRequestHandler):
    site: FileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        site, asked = self.site, self.headers["Range"]
        site.calls.append((self.path, asked))
        if site.silent:
            return site.wait()
        if site.statuses:
            return self._empty(site.statuses.pop(0))
        if site.redirect and self.path == "/model.onnx":
            return self._empty(302, {"Location": site.redirect})
        start = int(re.findall(r"\d+", asked)[0]) if asked and site.ranges else 0
        if start and start >= len(site.data):
            return self._empty(416)
        body = site.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", site.kind)
        if start:
            last = len(site.data) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(site.data)}")
        if site.told_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if site.drips:
            return self._drip(body)
        self.wfile.write(body[: len(body) // 2 if site.stalls else site.cuts.pop(0) if site.cuts else None])
        if site.stalls:
            self.wfile.flush()
            site.wait()

    def _drip(self, body: bytes) -> None:
        quarter = -(-len(body) // 4)
        for start in range(0, len(body), quarter):
            time.sleep(self.site.drips)
            self.wfile.write(body[start : start + quarter])

    def _empty(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


FileServer.handler = _Handler
