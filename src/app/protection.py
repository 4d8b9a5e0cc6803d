"""What makes the app fit for the internet: nothing on disk, a rate, headers, plain errors, quiet logs."""

from __future__ import annotations

import io
import ipaddress
import logging
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import limits as rates
from flask import Flask, Request, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse

from src.app.limits import Limits

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("src.app")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

SENTENCES = {
    400: 'No picture was sent: send files as multipart `file`, or JSON like {"urls": ["https://…"]}.',
    404: "There is nothing at this address.",
    405: "This address does not take that kind of request.",
    413: "The request is too large.",
    415: "Send multipart/form-data with `file`, a picture as image/…, or application/json with `urls`.",
    422: 'The JSON must look like {"urls": ["https://…"]} or {"url": "https://…"}.',
    429: "That is too many pictures in one minute: wait a little and try again.",
}


_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*){0,16}")
"""A path of plain segments, none of which begins with a dot; or nothing."""


class MemoryRequest(Request):
    """A request whose uploads stay in memory; Werkzeug would write those above 500 kB to a file."""

    def _get_file_stream(self, *args: object, **kwargs: object) -> io.BytesIO:
        return io.BytesIO()


class PictureRate:
    """Counts pictures per visitor's address over the last minute, in this process's memory."""

    def __init__(self, per_minute: int):
        self._limit = rates.RateLimitItemPerMinute(per_minute)
        self._counter = rates.strategies.MovingWindowRateLimiter(rates.storage.MemoryStorage())

    def take(self, address: str, pictures: int = 1) -> None:
        """Count some pictures.

        Raises:
            TooManyRequests: They would be more than allowed; says when to come back.
        """
        key = _visitor(address)
        if not self._counter.hit(self._limit, key, cost=pictures):
            seconds = self._counter.get_window_stats(self._limit, key).reset_time - time.time()
            raise TooManyRequests(retry_after=max(1, round(seconds)))


def _visitor(address: str) -> str:
    """An IPv4 address, or the /64 that one IPv6 visitor usually has to himself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def protect(app: Flask, limits: Limits) -> None:
    """Put limits, headers, error answers and the request log in place."""
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = limits.request_bytes
    app.config["MAX_FORM_PARTS"] = limits.files + 20
    if limits.proxies:
        trusted = dict.fromkeys(("x_for", "x_proto", "x_prefix"), limits.proxies)
        app.wsgi_app = ProxyFix(_keep_plain_prefix(app.wsgi_app), **trusted)
    app.before_request(_note_start)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_failure)


def _keep_plain_prefix(app: WSGIApplication) -> WSGIApplication:
    """Undo what a proxy says of the path's prefix where it could lead links elsewhere, such as to //host."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        if not _PREFIX.fullmatch(prefix):
            prefix = environ["werkzeug.proxy_fix.orig"]["SCRIPT_NAME"] or ""
        environ["SCRIPT_NAME"] = prefix
        return app(environ, start_response)

    return checked


def _note_start() -> None:
    g.start = time.perf_counter()


def _finish(response: Response) -> Response:
    """Add the security headers, and one line to the log: what was asked, never what was sent."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers.setdefault("Cache-Control", "no-store" if response.is_json else "no-cache")
    route = request.url_rule.rule if request.url_rule else "(unknown)"
    milliseconds = 1000 * (time.perf_counter() - g.get("start", time.perf_counter()))
    log.info("%s %s %d %.0f ms", request.method, route, response.status_code, milliseconds)
    return response


def _answer_http_error(error: HTTPException) -> BaseResponse:
    sentence = error.description
    if sentence == type(error).description:  # Werkzeug's own words are for programmers
        sentence = SENTENCES.get(error.code or 0, sentence)
    response = error.get_response()
    response.data = jsonify(error=sentence).data
    response.content_type = "application/json"
    return response


def _answer_failure(error: Exception) -> tuple[Response, int]:
    """An unforeseen failure: neither the visitor nor the log learns what was in the request."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "?"
    log.error("%s in %s", type(error).__name__, place)
    return jsonify(error="Something went wrong on the server."), 500
