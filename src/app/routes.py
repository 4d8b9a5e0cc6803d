"""The addresses of the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from src.app.analysis import Fetch, analyse_links, analyse_upload
from src.app.limits import MEGA, Limits
from src.app.model import Model, ModelSlot, public_facts
from src.app.protection import PictureRate
from src.utils.data.pictures.formats import FORMATS
from src.utils.estimate import Estimate
from src.utils.names import METRICS, metric_name, percent

pages = Blueprint("pages", __name__)

EXTENSION = "pictures"
FILE_FIELDS = ("file", "files", "files[]", "image")
"""Multipart fields that hold pictures, by the names that clients give them."""

BODY_NAME = "picture"
"""What an answer calls a picture that was sent without a name."""

MAX_JSON_BYTES = 200_000
CARD_METRICS = {name for name, metric in METRICS.items() if metric.on_card}


@dataclass(frozen=True)
class Services:
    """What the routes work with; one per app, under `app.extensions`."""

    slot: ModelSlot
    limits: Limits
    rate: PictureRate
    fetch: Fetch


class NotReady(HTTPException):
    """503: there is no model yet, or none at all; the description says which."""

    code = 503
    description = "The model is still being loaded: try again in a few seconds."

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """The headers of any error, and when to try again."""
        return [*super().get_headers(*args, **kwargs), ("Retry-After", "2")]


def _services() -> Services:
    return current_app.extensions[EXTENSION]


def _require_model() -> Model:
    slot = _services().slot
    if slot.model is None:
        raise NotReady(slot.problem or None)
    return slot.model


@pages.get("/")
def index() -> str:
    """The page for people."""
    return render_template("index.html", limits=_services().limits, mega=MEGA, formats=FORMATS)


@pages.get("/card")
def card() -> str:
    """What is known about the model, for people."""
    facts = public_facts(_require_model())
    return render_template("card.html", facts=facts, metrics=_card_metrics(facts), percent=percent)


@pages.get("/healthz")
def healthz() -> Response:
    """The process is alive."""
    return jsonify(status="alive")


@pages.get("/readyz")
def readyz() -> Response:
    """The model is loaded."""
    _require_model()
    return jsonify(status="ready")


@pages.get("/model")
def model() -> Response:
    """What everybody may know about the model."""
    return jsonify(public_facts(_require_model()))


@pages.get("/openapi.json")
def openapi() -> Response:
    """The description of these addresses for programs, with the address that they have here."""
    with current_app.open_resource("static/openapi.json") as file:
        description = json.load(file)
    return jsonify(description | {"servers": [{"url": request.script_root or "/"}]})


@pages.post("/predict")
def predict() -> Response:
    """Answer for pictures: uploaded ones, or links to some."""
    services = _services()
    services.rate.take(request.remote_addr or "")
    _require_model()
    if request.mimetype == "multipart/form-data":
        entries = _upload_entries(services)
    elif request.mimetype == "application/json":
        entries = _link_entries(services)
    elif request.mimetype.startswith("image/") or request.mimetype == "application/octet-stream":
        entries = _body_entries(services)
    else:
        abort(415 if request.content_length or request.mimetype else 400)
    return jsonify(predictions=list(entries))


def _upload_entries(services: Services) -> Iterator[dict[str, Any]]:
    texts = [field for field in FILE_FIELDS if field in request.form]
    if texts:
        abort(422, f"The field `{texts[0]}` holds text: send the picture as a file, with a file name.")
    files = [file for field in FILE_FIELDS for file in request.files.getlist(field) if file.filename]
    _check_number(len(files), services)
    for file in files:
        yield analyse_upload(
            file.filename or "", file.read(), services.slot, services.limits, _wants_preview()
        )


def _body_entries(services: Services) -> Iterator[dict[str, Any]]:
    """The one entry for a picture that is the whole body of its request."""
    data = _read_body(min(services.limits.file_bytes, services.limits.request_bytes))
    _check_number(1 if data else 0, services)
    yield analyse_upload(BODY_NAME, data, services.slot, services.limits, _wants_preview())


def _read_body(most: int) -> bytes:
    """The whole body; beyond `most` bytes it is refused, unread where its length is stated."""
    if (request.content_length or 0) <= most:
        request.max_content_length = most + 1  # Werkzeug cuts chunks off there without a word
        data = request.get_data(cache=False)
        if len(data) <= most:
            return data
    abort(413, f"The picture has more than the {most / MEGA:g} MB allowed.")


def _link_entries(services: Services) -> Iterator[dict[str, Any]]:
    request.max_content_length = MAX_JSON_BYTES
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        abort(422)
    links = _find_links(body)
    _check_number(len(links), services)
    return analyse_links(links, services.slot, services.limits, _wants_preview(), services.fetch)


def _find_links(body: Any) -> list[str]:
    """The links of `{"urls": [link, …]}` or `{"url": link}`; anything else, also both at once, is refused."""
    if not isinstance(body, dict) or ("urls" in body) == ("url" in body):
        abort(422)
    links = body["urls"] if "urls" in body else [body["url"]]
    if not isinstance(links, list) or not all(isinstance(link, str) for link in links):
        abort(422)
    return links


def _check_number(pictures: int, services: Services) -> None:
    """Refuse none and too many pictures, and count those beyond the first for the visitor's rate."""
    if pictures == 0:
        abort(400)
    if pictures > services.limits.files:
        abort(413, f"Send at most {services.limits.files} pictures at once.")
    if pictures > 1:
        services.rate.take(request.remote_addr or "", pictures - 1)


def _wants_preview() -> bool:
    return request.args.get("preview") == "1"


def _card_metrics(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of the card's table: split, metric, number with its interval where one was measured."""
    return [
        (split, metric_name(name), Estimate(**entry).text() if isinstance(entry, dict) else f"{entry:.2f}")
        for split, measured in facts.get("metrics", {}).items()
        for name, entry in measured.items()
        if name in CARD_METRICS and entry is not None
    ]
