"""A small server that answers as Kaggle does, for the real client, and a dataset small enough for it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import numpy as np
from PIL import Image

from tests.local_server import LocalServer

SECRET = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
SIGNATURE = "0123signature4567"


def make_jpeg(seed: int, side: int = 24) -> bytes:
    """A picture of noise: the larger its side, the more bytes that no archive can shrink."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def make_dataset(rows: int = 8, side: int = 24) -> dict[str, bytes]:
    """Kaggle's layout as name → content: two tables, labelled pictures in pairs, test pictures."""
    names = [f"train_data/{hashlib.md5(str(row).encode()).hexdigest()}.jpg" for row in range(rows)]
    table = "".join(f"{row},{name},{(row + 1) % 2}\n" for row, name in enumerate(names))
    test_name = "test_data_v2/a1.jpg"
    return {
        "test.csv": f"id\n{test_name}\n".encode(),
        "train.csv": f",file_name,label\n{table}".encode(),
        test_name: make_jpeg(10**6),
        **{name: make_jpeg(row, side) for row, name in enumerate(names)},
    }


def make_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@dataclass
class KaggleServer(LocalServer):
    """What to answer, and what was asked.

    Attributes:
        archive: The dataset's zip.
        status: Answer of the download address; anything but 200 refuses as Kaggle does, in JSON.
        token_status: The same for the address that looks a token up.
        cut_after: Close the connection after so many bytes of an answer's body.
        stall_after: Send nothing more after so many bytes, but keep the connection until the server closes.
        calls: (address, Range header or None, bytes of the body sent), one for each request.
    """

    archive: bytes = b""
    status: int = 200
    token_status: int = 200
    cut_after: int | None = None
    stall_after: int | None = None
    calls: list[tuple[str, str | None, int]] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [address for address, _, _ in self.calls]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First byte asked for and bytes sent, of each request for a part of the archive."""
        return [(int(re.findall(r"\d+", asked)[0]), sent) for _, asked, sent in self.calls if asked]


class _Handler(BaseHTTPRequestHandler):
    site: KaggleServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("security.OAuthService/IntrospectToken"):
            self._answer_json(self.site.token_status, {"active": True, "username": "somebody"})
        elif not self.path.endswith("/v1/datasets.DatasetApiService/DownloadDataset"):
            self._answer_json(404, {})
        elif self.site.status != 200:
            self._answer_json(self.site.status, {})
        else:
            self.site.calls.append((self.path, None, 0))
            self.send_response(302)
            self.send_header("Location", f"{self.site.url}/storage/archive.zip?X-Goog-Signature={SIGNATURE}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        archive, asked = self.site.archive, self.headers.get("Range")
        etag = f'"{hashlib.md5(archive).hexdigest()}"'
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.headers.get("If-Range", etag) != etag:
            start = 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(archive) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Mon, 20 Jan 2025 10:00:00 GMT")
        self.end_headers()
        limits = [limit for limit in (self.site.cut_after, self.site.stall_after) if limit is not None]
        body = archive[start:][: min(limits, default=None)]
        self.site.calls.append((self.path.partition("?")[0], asked, len(body)))
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            return  # the client asked for a part instead, or was killed
        if self.site.stall_after is not None:
            self.site.closing.wait()

    def _answer_json(self, status: int, value: dict[str, object]) -> None:
        self.site.calls.append((self.path, None, 0))
        body = json.dumps(value if status == 200 else {"code": status, "message": "refused"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


KaggleServer.handler = _Handler
