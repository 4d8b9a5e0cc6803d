"""A web server on this machine for as long as a test needs it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class LocalServer:
    """Answers on a free port while a `with` block lasts; a handler finds it as `self.site`.

    Attributes:
        handler: What answers.
        url: The address, without a slash at its end.
        closing: Set when the block ends, for handlers that wait.
    """

    handler: type[BaseHTTPRequestHandler]

    def __enter__(self) -> Self:
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (self.handler,), {"site": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
