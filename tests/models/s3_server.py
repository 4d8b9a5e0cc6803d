"""A small server that speaks as much of S3 as is used here, and refuses, breaks off and lies when told to.

moto's server keeps objects as S3 does but believes every key; this one is for what goes wrong.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from src.utils.files import sha256_file, write_json
from src.utils.models.bundle.bundle import Bundle, library_versions, load_bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.encoder.runtime import ENCODER_FILE, HEAD_FILE, PATCH_BLOCK, Head
from src.utils.models.store.bucket import POINTER_FILE, ModelStore, describe_bundle
from src.utils.settings import CLASS_NAMES
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny_encoder import WIDTH, write_encoder

BUCKET = "models-of-mine"
ACCESS_KEY, SECRET_KEY = "AKIAEXAMPLEEXAMPLE42", "wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"


def make_bundle(folder: Path, bias: float = 0.0) -> Bundle:
    """A bundle that can be served, of a few kilobytes: a head on a tiny encoder.

    Args:
        folder: Its name is the model's.
        bias: Makes it another model.
    """
    folder.mkdir(parents=True)
    write_encoder(folder / ENCODER_FILE)
    sha256 = sha256_file(folder / ENCODER_FILE)
    weights = np.ones(WIDTH, np.float32)
    Head({PATCH_BLOCK: weights}, {PATCH_BLOCK: 0.0}, bias, sha256).save(folder / HEAD_FILE)
    facts = {
        "schema": 1,
        "name": folder.name,
        "class_names": list(CLASS_NAMES),
        "input_size": 288,
        "resize": "squash",
        "output": "logits",
        "metrics": {},
        "versions": library_versions(),
        "model_file": HEAD_FILE,
        "model_sha256": sha256_file(folder / HEAD_FILE),
        "served_file": HEAD_FILE,
        "served_files": {name: sha256_file(folder / name) for name in (HEAD_FILE, ENCODER_FILE)},
    }
    write_json(folder / "bundle.json", facts)
    (folder / "history.csv").write_text("not for servers")
    write_calibration(folder, facts["served_files"], wide_table(), POLICY, metrics={"test": {"auc": 0.8}})
    return load_bundle(folder)


def use_store(monkeypatch: pytest.MonkeyPatch, cache: Path, endpoint: str) -> ModelStore:
    """Set the variables of a store, and hide those, and the configuration, of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(("AWS_", "S3_", "MODEL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    variables = {
        "AWS_CONFIG_FILE": "/nowhere/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_BUCKET_NAME": BUCKET,
        "S3_ENDPOINT_URL": endpoint,
        "MODEL_CACHE": str(cache),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return ModelStore.from_env()


@dataclass(frozen=True)
class Trouble:
    """Something wrong with one answer.

    Attributes:
        status: Refuse with this status …
        code: … and this code of S3.
        cut: Break off in the middle of the body.
        other: Send other bytes, as many.
        pause: Seconds before the answer.
        hang_up: Close the connection without an answer.
        body: A page in place of S3's error.
    """

    status: int = 200
    code: str = ""
    cut: bool = False
    other: bool = False
    pause: float = 0.0
    hang_up: bool = False
    body: bytes = b""


@dataclass
class S3Server:
    """Objects, and what happens when they are asked for.

    Attributes:
        port: 0 for any free one.
        objects: Path (`/bucket/key`) → content.
        trouble: Path → what is wrong with its next answers, one each.
        always: The same for every answer; the path may be `*`, or begin with a method and a space.
        asked: Method and path of each request.
        chunk_pause: Seconds between the two halves of a body, so that others can ask meanwhile.
    """

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    trouble: dict[str, list[Trouble]] = field(default_factory=dict)
    always: dict[str, Trouble] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    chunk_pause: float = 0.0

    def __enter__(self) -> S3Server:
        handler = type("Handler", (_Handler,), {"site": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put_model(self, bundle: Bundle, place: ModelStore) -> None:
        """Hold a model as if it had been published."""
        pointer = describe_bundle(bundle)
        for name in pointer["files"]:
            key = place.key(pointer["fingerprint"], name)
            self.objects[f"/{place.bucket}/{key}"] = (bundle.folder / name).read_bytes()
        self.objects[f"/{place.bucket}/{place.key(POINTER_FILE)}"] = json.dumps(pointer).encode()

    def gets(self, ending: str = "") -> list[str]:
        """Paths that were read, those with this ending."""
        return [path for method, path in self.asked if method == "GET" and path.endswith(ending)]

    def paths(self, ending: str) -> list[str]:
        """Paths of objects with this ending."""
        return [path for path in self.objects if path.endswith(ending)]

    def next_trouble(self, method: str, path: str) -> Trouble:
        if self.trouble.get(path):
            return self.trouble[path].pop(0)
        wanted = (f"{method} {path}", path, f"{method} *", "*")
        return next((self.always[name] for name in wanted if name in self.always), Trouble())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that went away


class _Handler(BaseHTTPRequestHandler):
    site: S3Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(content)

    def _serve(self, upload: bytes | None = None) -> None:
        path = self.path.partition("?")[0]
        self.site.asked.append((self.command, path))
        trouble = self.site.next_trouble(self.command, path)
        self._pause(trouble.pause)
        if trouble.hang_up:
            self.close_connection = True
        elif trouble.status != 200:
            self._refuse(trouble.status, trouble.code, trouble.body)
        elif upload is not None:
            self.site.objects[path] = upload
            self._answer(200, [b""])
        elif path not in self.site.objects:
            self._refuse(404, "NoSuchKey")
        else:
            self._answer(200, self._halves(self.site.objects[path], trouble), len(self.site.objects[path]))

    def _halves(self, content: bytes, trouble: Trouble) -> Iterator[bytes]:
        content = bytes(reversed(content)) if trouble.other else content
        middle = len(content) // 2
        yield content[:middle]
        self._pause(self.site.chunk_pause)
        if trouble.cut:
            self.close_connection = True
        else:
            yield content[middle:]

    @staticmethod
    def _pause(seconds: float) -> None:
        if seconds:
            time.sleep(seconds)

    def _refuse(self, status: int, code: str, body: bytes = b"") -> None:
        error = f"<Error><Code>{code}</Code><Message>for {ACCESS_KEY}</Message></Error>"
        self._answer(status, [body or error.encode()])

    def _answer(self, status: int, parts, length: int | None = None) -> None:
        length = sum(map(len, parts)) if length is None else length
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            for part in parts if self.command != "HEAD" else ():
                self.wfile.write(part)
        except ConnectionError:
            self.close_connection = True  # the client was killed, or would not wait
