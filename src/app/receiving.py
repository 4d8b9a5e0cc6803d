"""Gunicorn's threaded worker, except that a thread gets a request only once all of it is here.

In gunicorn's own worker a thread waits for the rest of what a client has begun to send, for as long as that
client likes: a few clients that stop in the middle of a request stop everybody. Here the worker's one event
loop collects what arrives, as a buffering reverse proxy would, so that a slow client costs a connection and
the bytes it sent. What is collected stays in memory, which is bounded too. Plain HTTP with a stated length
only: encryption is the reverse proxy's work, and nobody needs chunks to send a picture.
"""

# Each of gunicorn's connections gets an `inbox` here, which its type does not know.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import json
import logging
import re
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.config import Config
from gunicorn.errors import ConfigError
from gunicorn.http import get_parser
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from src.app.limits import Limits
from src.app.protection import HEADERS, SENTENCES

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds in which a request must be complete, or `PROGRESS` further bytes of it be here."""

PROGRESS = 200_000

SEND_SECONDS = 30.0
"""What a client may take to receive an answer that the system's own buffers cannot hold."""

LINGER_SECONDS = 2.0
"""How long a connection that was answered for the last time waits for the client to close it first."""

HEAD_BYTES = 32_768
SMALL_BYTES = 65_536
"""Requests up to this size are taken even while uploads fill the memory set aside for them."""

RECEIVE_BYTES = 262_144

REFUSALS = {
    400: "This is not a request that can be understood.",
    408: "The request did not arrive in time: try again.",
    411: "Send the request with its length (Content-Length), not in chunks.",
    413: SENTENCES[413],
    431: "The request's headers are too large.",
    500: "Something went wrong on the server.",
    503: "Other uploads take all the memory there is for them: try again in a few seconds.",
}
"""What a client is told when its request never reaches the app, by status."""

_LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*0*(\d{1,18})\d*[ \t]*\r\n", re.IGNORECASE)
_CHUNKS = re.compile(rb"\r\nTransfer-Encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nExpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Inbox:
    """What a connection has sent and no request has used yet; a parser reads from it as from a socket.

    Attributes:
        size: Bytes of the request that comes first, once its head is here.
        due: When to give up waiting, on the monotonic clock.
        counted: Bytes that the worker counts for this connection.
        closing: The last answer was given; what still comes is thrown away.
    """

    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._data = bytearray()
        self.counted = 0
        self.closing = False
        self.expect_request()

    def expect_request(self) -> None:
        """Begin with the next request."""
        self.size: int | None = None
        self._received = self._milestone = self._left = 0
        self._overread = False
        self.due = time.monotonic() + PATIENCE

    def __len__(self) -> int:
        return len(self._data)

    def receive(self) -> bool:
        """Take what has arrived, without waiting for more.

        Returns:
            Whether the client can send more.
        """
        try:
            self._sock.setblocking(False)
            chunk = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not self.closing:
            self._data += chunk
            self._received += len(chunk)
            if self._received >= self._milestone + PROGRESS:
                self._milestone = self._received
                self.due = time.monotonic() + PATIENCE
        return bool(chunk)

    def find_fault(self, largest: int) -> int:
        """Look at the request's head if it is here.

        Only the length is taken from it, for gunicorn's parser will check everything again.

        Args:
            largest: Bytes that a request's body may have.

        Returns:
            A status of `REFUSALS`, or 0 if nothing is wrong so far.
        """
        if self.size is not None:
            return 0
        end = self._data.find(b"\r\n\r\n", 0, HEAD_BYTES)
        if end < 0:
            return 431 if len(self) >= HEAD_BYTES else 0
        head = self._data[: end + 2]
        if _CHUNKS.search(head):
            return 411
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        if length > largest:
            return 413
        self.size = end + 4 + length
        if _EXPECTS.search(head) and not self.is_whole():
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return 0

    def is_whole(self) -> bool:
        """Whether all of the first request is here."""
        return self.size is not None and len(self) >= self.size

    def hand_over(self) -> None:
        """Let a parser read the first request, and no more than that."""
        self._left = self.size or 0

    def recv(self, size: int) -> bytes:
        """Give a parser the next bytes, and forget them."""
        self._overread |= self._left == 0
        size = min(size, self._left)
        with memoryview(self._data) as view:
            chunk = bytes(view[:size])
        del self._data[:size]
        self._left -= size
        return chunk

    def was_read_exactly(self) -> bool:
        """Whether the parser found the request to end where it does here; else nobody knows what follows."""
        return self._left == 0 and not self._overread

    def send(self, message: bytes) -> None:
        """Send something short, if the client still listens."""
        try:
            self._sock.send(message)
        except OSError:
            self.closing = True

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()


class ReceivingWorker(ThreadWorker):
    """Hands whole requests to its threads, and refuses those that never become whole."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._limits = Limits.from_env()
        self._held = 0

    @classmethod
    def check_config(cls, cfg: Config, log: logging.Logger) -> None:
        """Refuse what this worker does not speak.

        Raises:
            ConfigError: Encryption is asked for.
        """
        super().check_config(cfg, log)  # pyright: ignore[reportArgumentType]
        if cfg.is_ssl:
            raise ConfigError("This server speaks plain HTTP: let a reverse proxy in front of it encrypt.")

    def enqueue_req(self, conn: TConn) -> None:
        """Take what a connection has sent; once that is a request, a thread gets it."""
        if conn.parser is None:
            conn.inbox = Inbox(conn.sock)
            conn.parser = get_parser(self.cfg, conn.inbox, conn.client)  # pyright: ignore[reportArgumentType, reportCallIssue]
        inbox = conn.inbox
        listening = inbox.receive()
        self._count(inbox)
        fault = 0 if inbox.closing else self._find_fault(inbox)
        if fault:
            self._refuse(conn, fault)
        elif inbox.is_whole() and not inbox.closing:
            inbox.hand_over()
            conn.data_ready = True
            super().enqueue_req(conn)
        elif listening:
            self._wait(conn)
        else:
            self._drop(conn)

    def finish_request(self, conn: TConn, fs: Future) -> None:
        """Keep the connection for its next request, or close it without waiting for the client."""
        inbox = conn.inbox
        kept = not fs.cancelled() and not fs.exception() and fs.result() and inbox.was_read_exactly()
        inbox.expect_request()
        self._count(inbox)
        if not kept:
            self._close(conn)
        elif len(inbox):  # it sent two requests in one go
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Answer a request; a client that does not take its answer in time is given up."""
        conn.sock.settimeout(SEND_SECONDS)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            log.info("An answer was not received in time.")
            return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP; unlike gunicorn's own, log nothing of the request and its sender."""
        status = 400 if isinstance(exc, ParseException) else 500
        log.log(logging.INFO if status == 400 else logging.ERROR, "%s: %d", type(exc).__name__, status)
        client.sendall(refusal(status))

    def murder_pending(self) -> None:
        """Give up connections whose request should have been here by now."""
        now = time.monotonic()
        for conn in [conn for conn in self.pending_conns if conn.inbox.due <= now]:
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
            if len(conn.inbox):
                self._refuse(conn, 408)
            else:
                self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """When stopping, do not wait for clients that have not even begun a request."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            if not len(conn.inbox):
                conn.inbox.due = min(conn.inbox.due, deadline)

    def _find_fault(self, inbox: Inbox) -> int:
        full = self._held > self._limits.uploads_bytes and len(inbox) > SMALL_BYTES
        return 503 if full else inbox.find_fault(self._limits.request_bytes)

    def _wait(self, conn: TConn) -> None:
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _refuse(self, conn: TConn, status: int) -> None:
        log.info("(unfinished) %d", status)
        conn.inbox.send(refusal(status))
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        """Let the client close first, for a while: what it has not read yet could be lost otherwise."""
        conn.inbox.clear()
        self._count(conn.inbox)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.inbox.closing = True
        conn.inbox.due = time.monotonic() + LINGER_SECONDS
        self._wait(conn)

    def _drop(self, conn: TConn) -> None:
        conn.inbox.clear()
        self._count(conn.inbox)
        self.nr_conns -= 1
        conn.close()

    def _count(self, inbox: Inbox) -> None:
        """Bring the number of bytes that are held up to date."""
        self._held += len(inbox) - inbox.counted
        inbox.counted = len(inbox)


def refusal(status: int) -> bytes:
    """A whole answer for a client whose request never reaches the app.

    Args:
        status: One of `REFUSALS`.
    """
    body = json.dumps({"error": REFUSALS[status]}).encode()
    headers = HEADERS | {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
    }
    if status == 503:
        headers["Retry-After"] = "5"
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *map(": ".join, headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
