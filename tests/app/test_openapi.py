"""The description of the API, held against the running app with requests that are made up from it."""

import pytest
import schemathesis
from hypothesis import settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection

from src.app import create_app
from src.app.limits import Limits
from src.app.receiving import REFUSALS
from src.utils.data.web.fetch import FetchedImage, FetchError
from src.utils.settings import UserError
from tests.app.fakes import BLUE, GREY, RED, RednessModel, picture, upload
from tests.data.signing import CAPTURED, sign


def fetch_every_other(link, **options):
    if len(link) % 2:
        raise FetchError("not_found", "There is no such host.", suggestion="https://x.example/a.jpg")
    return FetchedImage(picture(), link, "image/png")


def no_model():
    raise UserError("There is no trained model yet.")


def running(load, limits=Limits(per_minute=10**9, files=10**4)):  # noqa: B008 (frozen)
    app = create_app(load, limits, fetch_every_other)
    assert app.extensions["pictures"].slot.settled.wait(10)
    return app


READY, NOT_READY = running(RednessModel), running(no_model)
HURRIED = running(RednessModel, Limits(per_minute=1))
described = {
    name: schemathesis.openapi.from_wsgi("/openapi.json", app)
    for name, app in {"ready": READY, "not ready": NOT_READY, "hurried": HURRIED}.items()
}
DESCRIPTION = READY.test_client().get("/openapi.json").get_json()


def test_the_description_is_valid_and_complete():
    validate(DESCRIPTION)
    rules = {rule.rule for rule in READY.url_map.iter_rules()}
    assert rules - set(DESCRIPTION["paths"]) == {"/", "/card", "/openapi.json", "/static/<path:filename>"}
    assert set(DESCRIPTION["paths"]) <= rules


@described["ready"].parametrize()
@settings(max_examples=60, deadline=None)
def test_what_is_described_is_what_happens(case):
    # A form needs one of four fields. Schemathesis takes one of them away and calls that wrong.
    excluded = [negative_data_rejection] if case.media_type == "multipart/form-data" else []
    case.call_and_validate(excluded_checks=excluded)


@described["not ready"].parametrize()
@settings(max_examples=10, deadline=None)
def test_without_a_model_too(case):
    case.call_and_validate(excluded_checks=[not_a_server_error])  # 503 is the right answer here


@described["hurried"].include(path="/predict").parametrize()
@settings(max_examples=10, deadline=None)
def test_beyond_the_rate_too(case):
    case.call_and_validate()


# --- answers that made-up requests seldom reach -----------------------------------------------------------


def conforms(response, path="/predict", method="post"):
    """Whether an answer has a status that is described, and the described form."""
    described_answer = DESCRIPTION["paths"][path][method]["responses"][str(response.status_code)]
    form = described_answer["content"]["application/json"]["schema"]
    Draft202012Validator(form | {"components": DESCRIPTION["components"]}).validate(response.get_json())
    return all(name in response.headers for name in described_answer.get("headers", ()))


@pytest.mark.parametrize(
    "data",
    [
        *(picture(colour) for colour in (RED, BLUE, GREY)),
        picture(kind="JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        sign(picture(kind="JPEG"), "image/jpeg"),
        sign(picture(kind="PNG"), "image/png", sources=(CAPTURED,)),
        b"nothing",
    ],
)
@pytest.mark.parametrize("query", ["", "?preview=1"])
def test_answers_about_pictures(data, query):
    client = READY.test_client()
    assert conforms(upload(("a", data), ("b", picture()), query=query, client=client))


def test_answers_about_links_and_from_a_model_without_evidence():
    assert conforms(READY.test_client().post("/predict", json={"urls": ["http://a", "http://ab"]}))
    blind = running(lambda: RednessModel(evidence=False))
    answer = upload(("a", picture()), client=blind.test_client())
    assert answer.get_json()["predictions"][0]["evidence"] is None and conforms(answer)


def test_every_described_status_occurs():
    client, hurried = READY.test_client(), HURRIED.test_client()
    small = running(RednessModel, Limits(request_bytes=1000)).test_client()
    answers = [
        upload(("a", picture()), client=client),
        client.post("/predict"),
        upload(("a", bytes(2000)), client=small),
        client.post("/predict", data="x", content_type="text/plain"),
        client.post("/predict", data="x", content_type="application/json"),
        *(upload(("a", picture()), client=hurried) for _ in range(2)),
        NOT_READY.test_client().post("/predict"),
    ]
    assert all(conforms(answer) for answer in answers)
    statuses = {str(answer.status_code) for answer in answers}
    before_the_app = {"408", "411"}  # see test_server.py
    assert before_the_app <= set(map(str, REFUSALS))
    assert statuses | before_the_app == set(DESCRIPTION["paths"]["/predict"]["post"]["responses"])
    assert conforms(client.get("/model"), "/model", "get")
