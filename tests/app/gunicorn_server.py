"""A real gunicorn with the project's own settings, as a process that tests can talk to."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from src.utils.settings import PROJECT_ROOT

BOUNDARY = "cut-here"


def multipart(data: bytes, name: str = "a.png") -> bytes:
    """The body of an upload of one file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def upload_head(length: int, kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> bytes:
    """The head of an upload whose body has this length and is of this kind."""
    return (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@dataclass
class Server:
    """A running gunicorn.

    Attributes:
        process: Its first process, which starts the workers.
        port: Where it listens, on this computer.
        log_path: What it has printed.
    """

    process: subprocess.Popen
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_path.read_text()

    def connect(self) -> socket.socket:
        """A connection as a client makes it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def get(self, path: str, seconds: float = 20) -> tuple[int, dict | str]:
        """Status and answer for a GET."""
        return self._ask("GET", path, seconds)

    def upload(self, data: bytes, seconds: float = 60) -> tuple[int, dict | str]:
        """Status and answer for a picture."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self._ask("POST", "/predict", seconds, multipart(data), headers)

    def _ask(self, method, path, seconds, *arguments):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, path, *arguments)
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, json.loads(
                text
            ) if response.headers.get_content_subtype() == "json" else text

    def workers(self) -> list[int]:
        """Process numbers of the workers (Linux)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in children.read_text().split()]


def until(condition: Callable[[], object], seconds: float = 30) -> object:
    """Wait for a condition that another process brings about; returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


@contextlib.contextmanager
def gunicorn(
    factory: str, *options: str, workers: int = 1, ready: str = "/readyz", **env: str
) -> Iterator[Server]:
    """Serve an app of `tests.app.served`, or any other, until the block ends.

    Args:
        factory: What gunicorn is told to serve.
        *options: For gunicorn's command line.
        workers: How many processes answer.
        ready: The address that must answer before the block begins; with /readyz, every worker must.
        **env: Variables.
    """
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", factory, "--bind", "127.0.0.1:0", *options],
            cwd=PROJECT_ROOT,
            env=os.environ | {"WEB_CONCURRENCY": str(workers), "CUDA_VISIBLE_DEVICES": ""} | env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log_path = Path(log.name)
        try:
            port = until(lambda: _port(process, log_path))
            server = Server(process, port, log_path)
            until(lambda: server.get(ready)[0] == 200)
            if ready == "/readyz":
                until(lambda: server.log.count(" is ready.") == workers)
            yield server
        except BaseException:
            print(log_path.read_text())
            raise
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _port(process: subprocess.Popen, log_path: Path) -> int:
    assert process.poll() is None, log_path.read_text()
    line = next((line for line in log_path.read_text().splitlines() if "Listening at:" in line), None)
    return int(line.partition("127.0.0.1:")[2].split()[0]) if line else 0
