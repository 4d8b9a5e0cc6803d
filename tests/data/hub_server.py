"""A small server that answers as Hugging Face's hub does, for the real client."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from tests.local_server import LocalServer

SHA = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubServer(LocalServer):
    """What to answer, and what was asked.

    Attributes:
        files: Name → content of the one dataset, `owner/name`, at the revisions `main` and `SHA`.
        licence: What its card states.
        refusal: (status, error code in the hub's own words) of every answer, instead.
        cut_after: Close the connection after so many bytes of a file.
        calls: (method, path, Range header or None, Authorization header or None) of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    licence: str | None = "cc-by-4.0"
    refusal: tuple[int, str] | None = None
    cut_after: int | None = None
    calls: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    site: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.site.calls.append((self.command, path, self.headers["Range"], self.headers["Authorization"]))
        if self.site.refusal:
            status, code = self.site.refusal
            return self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": "refused"})
        if match := re.fullmatch(r"/api/datasets/owner/name(?:/revision/(.+))?", path):
            if match[1] in (None, "main", SHA):
                return self._send(200, json.dumps(self._facts()).encode(), {})
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        match = re.fullmatch(rf"/datasets/owner/name/resolve/{SHA}/(.+)", path)
        if match and match[1] in self.site.files:
            data = self.site.files[match[1]]
            return self._send(
                200, data, {"X-Repo-Commit": SHA, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
            )
        return self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _facts(self) -> dict[str, object]:
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.site.files.items()]
        card = {"license": self.site.licence} if self.site.licence else {}
        return {"id": "owner/name", "sha": SHA, "siblings": siblings, "cardData": card}

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        start = int(re.findall(r"\d+", self.headers["Range"])[0]) if self.headers["Range"] else 0
        self.send_response(206 if start else status)
        for name, value in headers.items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "GET":
            is_file = "/resolve/" in self.path
            self.wfile.write(body[start:][: self.site.cut_after if is_file else None])


HubServer.handler = _Handler
