import base64
import hashlib
import io
import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from src.app import create_app, limits
from src.app.limits import Limits
from src.utils.data.pictures import decode
from src.utils.data.pictures.formats import FORMATS
from src.utils.data.web.fetch import FetchError, fetch_image
from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.settings import PROJECT_ROOT, UserError
from tests.app.fakes import BLUE, CALLED, FACTS, GREY, MISSED, POLICY, RED, RednessModel, picture, upload
from tests.data.hostile_server import (
    BODIES,
    blank_png,
    hostile_server,
    picture_bytes,
    png_that_claims,
    zeros_gzipped,
)


def fetch_nothing(link, **options):
    raise FetchError("not_found", "There is no such host.")


def ready_client():
    """A client for tests that ask many times: their app counts no pictures."""
    app = create_app(RednessModel, Limits(per_minute=10**9), fetch_nothing)
    assert app.extensions["pictures"].slot.settled.wait(10)
    return app.test_client()


READY = ready_client()


def entries(response):
    assert response.status_code == 200
    return response.get_json()["predictions"]


def error(response, status):
    assert response.status_code == status
    assert set(response.get_json()) == {"error"}
    return response.get_json()["error"]


# --- files ------------------------------------------------------------------------------------------------


def test_one_picture(client):
    (entry,) = entries(upload(("holiday.png", picture(RED)), client=client))
    declared, evidence = entry.pop("declared"), entry.pop("evidence")
    assert entry == {
        "filename": "holiday.png",
        "label": "AI-generated",
        "confidence": 92.0,
        "probability_ai": 0.92,
        "probability_low": 0.82,
        "probability_high": 1.0,
        "verdict": "AI-generated",
        "lean": "AI",
        "reason": "",
        "model": "cnn_scaled",
        "sha256": hashlib.sha256(picture(RED)).hexdigest(),
        "preview": None,
    }
    assert (declared["format"], declared["width"], declared["height"]) == ("PNG", 90, 60)
    assert evidence == [[round(210 / 255, 4)] * 8] * 8


@pytest.mark.parametrize(
    ("colour", "label", "confidence", "verdict"),
    [
        (RED, "AI-generated", 92.0, "AI-generated"),
        (BLUE, "Human-made", 92.0, "No sign of AI"),
        (GREY, "AI-generated", 50.0, "Uncertain"),
        ((90, 0, 110), "Human-made", 55.0, "Uncertain"),
    ],
)
def test_confidence_is_the_labels(client, colour, label, confidence, verdict):
    (entry,) = entries(upload(("a.png", picture(colour)), client=client))
    assert (entry["label"], entry["confidence"], entry["verdict"]) == (label, confidence, verdict)


def test_confidence_stays_the_labels_with_another_threshold(make_app):
    class Strict(RednessModel):
        def predict(self, image):
            answer = super().predict(image)
            return type(answer)(answer.probability_ai, "Human-made", "No sign of AI")

    (entry,) = entries(upload(("a.png", picture(RED)), client=make_app(Strict()).test_client()))
    assert (entry["probability_ai"], entry["confidence"], entry["evidence"]) == (0.92, 8.0, None)


def test_many_pictures_come_back_in_the_order_given_with_errors_in_their_places(client):
    files = [("1.png", picture(RED)), ("2.txt", b"hello"), ("3.jpg", picture(BLUE, "JPEG")), ("4", b"")]
    files += [("1.png", picture(GREY))]
    found = entries(upload(*files, client=client))
    assert [entry["filename"] for entry in found] == ["1.png", "2.txt", "3.jpg", "4", "1.png"]
    outcomes = [entry.get("verdict", entry.get("code")) for entry in found]
    assert outcomes == ["AI-generated", "not_image", "No sign of AI", "empty", "Uncertain"]


def test_all_failed_is_still_an_answer(client):
    (entry,) = entries(upload(("a.pdf", b"%PDF-1.7"), client=client))
    assert set(entry) == {"filename", "error", "code"}
    assert entry["error"].startswith("The file is a PDF document, not a picture")


def test_names_are_given_back_and_nothing_else(client):
    names = ["../../etc/passwd", "Grüße 😀.png", "<b>.png", "a" * 255]
    found = entries(upload(*((name, picture()) for name in names), client=client))
    assert [entry["filename"] for entry in found] == names


FIELDS = ("file", "files", "files[]", "image")


def part(field, name, content=picture(RED)):  # noqa: B008 (made once)
    """One part of a multipart body."""
    shown = name.replace("\\", "\\\\").replace('"', '\\"')
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{shown}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def send_parts(client, *parts):
    kind = "multipart/form-data; boundary=x"
    return client.post("/predict", data=b"".join(parts) + b"--x--\r\n", content_type=kind)


@given(st.text(st.characters(codec="utf-8", exclude_characters='\r\n\0"\\'), min_size=1, max_size=600))
@settings(max_examples=50, deadline=None)
def test_any_name_comes_back_cut_to_255_characters(name):
    (entry,) = entries(send_parts(READY, part("file", name)))
    assert entry["filename"] == name[:255] and entry["probability_ai"] == 0.92


@given(st.text(max_size=400))
@settings(max_examples=50, deadline=None)
def test_any_link_comes_back_cut_to_255_characters(link):
    (entry,) = entries(READY.post("/predict", json={"url": link}))
    assert entry["filename"] == link[:255] and entry["code"] == "not_found"


@given(st.lists(st.sampled_from((*FIELDS, "upload", "File", "file[]", "image ", ""))))
@settings(max_examples=80, deadline=None)
def test_pictures_are_found_in_the_fields_that_are_named_and_in_no_other(fields):
    parts = [part(field, f"{number} {field}") for number, field in enumerate(fields)]
    known = [f"{number} {field}" for name in FIELDS for number, field in enumerate(fields) if field == name]
    answer = send_parts(READY, *parts)
    if len(known) > 20:
        assert "at most 20" in error(answer, 413)
    elif known:
        assert [entry["filename"] for entry in entries(answer)] == known
    else:
        assert "`file`" in error(answer, 400)


@pytest.mark.parametrize("field", FIELDS)
def test_text_where_a_file_belongs_is_refused_by_name(client, field):
    answer = client.post(
        "/predict", data={field: "words", "other": "words"}, content_type="multipart/form-data"
    )
    assert f"`{field}` holds text" in error(answer, 422)


@pytest.mark.parametrize(
    "kind", ["image/png", "image/jpeg", "image/x-anything; q=1", "application/octet-stream"]
)
def test_a_picture_may_be_the_whole_body_whatever_it_is_called(client, kind):
    (entry,) = entries(client.post("/predict?preview=1", data=picture(RED), content_type=kind))
    assert (entry["filename"], entry["verdict"], entry["declared"]["format"]) == (
        "picture",
        "AI-generated",
        "PNG",
    )
    assert entry["preview"]


@given(st.binary(min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_body_is_a_picture_or_an_entry_that_says_why_not(data):
    (entry,) = entries(READY.post("/predict", data=data, content_type="image/png"))
    assert set(entry) == {"filename", "error", "code"}


def test_a_body_has_the_limit_of_a_picture_and_that_of_a_request(make_app):
    size = len(picture(RED))
    for bounds in (Limits(file_bytes=size), Limits(request_bytes=size)):
        client = make_app(limits=bounds).test_client()
        (entry,) = entries(client.post("/predict", data=picture(RED), content_type="image/png"))
        assert entry["verdict"] == "AI-generated"
        for length in (size + 1, 100_000):
            answer = client.post("/predict", data=bytes(length), content_type="image/png")
            assert error(answer, 413) == f"The picture has more than the {size / 1e6:g} MB allowed."


def test_a_body_in_chunks_has_the_limit_of_a_picture(make_app):
    client = make_app(limits=Limits(file_bytes=100_000)).test_client()
    chunks = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    for length, status in ((100_000, 200), (100_001, 413)):
        body = {"input_stream": io.BytesIO(bytes(length)), "content_type": "application/octet-stream"}
        assert client.post("/predict", environ_overrides=chunks, **body).status_code == status


def test_a_body_counts_for_the_rate(make_app):
    client = make_app(limits=Limits(per_minute=1)).test_client()
    answers = [client.post("/predict", data=picture(), content_type="image/png") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


def test_an_empty_body_is_no_picture(client):
    assert "No picture was sent" in error(client.post("/predict", data=b"", content_type="image/png"), 400)


def test_a_preview_is_small_and_only_on_request(client):
    data = picture(BLUE, "TIFF", (2000, 500))
    (entry,) = entries(upload(("scan.tif", data), query="?preview=1", client=client))
    image = Image.open(io.BytesIO(base64.b64decode(entry["preview"])))
    assert (image.format, image.size) == ("JPEG", (640, 160))


def test_the_page_offers_and_names_every_format(client):
    page = client.get("/").get_data(as_text=True)
    accepted = re.search(r'accept="([^"]*)"', page)[1].split(",")
    assert accepted == [known.media_type for known in FORMATS] and "image/avif" in accepted
    assert f"each: {', '.join(known.name for known in FORMATS)}." in page


def test_each_upload_is_decoded_once(client, monkeypatch):
    decoded = []
    load = ImageFile.ImageFile.load

    def counting(header):
        if header.tile:  # not decoded yet
            decoded.append(header.format)
        return load(header)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counting)
    files = [(kind, picture(RED, kind)) for kind in ("JPEG", "PNG", "TIFF")]
    found = entries(upload(*files, query="?preview=1", client=client))
    assert all(entry["verdict"] == "AI-generated" and entry["preview"] for entry in found)
    assert decoded == ["JPEG", "PNG", "TIFF"]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_a_turned_picture_is_looked_at_upright_and_described_as_stored(client, kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    data = picture(RED, kind, (90, 60), left=BLUE, exif=exif)
    (entry,) = entries(upload(("a", data), query="?preview=1", client=client))
    assert Image.open(io.BytesIO(base64.b64decode(entry["preview"]))).size == (60, 90)
    assert (entry["declared"]["width"], entry["declared"]["height"]) == (90, 60)
    rows = np.array(entry["evidence"]).mean(axis=1)
    assert rows[0] < 0 < rows[-1]  # blue, the stored left half, is above


def test_declared_facts_stand_beside_the_prediction(client):
    exif = Image.Exif()
    exif[0x0110] = "Pixel 9"
    (entry,) = entries(upload(("a.jpg", picture(RED, "JPEG", exif=exif)), client=client))
    assert entry["declared"]["camera"] == "Pixel 9" and entry["declared"]["says_ai"] is False


# --- bad pictures -----------------------------------------------------------------------------------------

WHOLE = picture_bytes("JPEG", (640, 480))


def grey_jpeg(width, height, mode="L", **options):
    """A JPEG of one grey, and of as many pixels as asked for."""
    file = io.BytesIO()
    Image.new(mode, (width, height), 128 if mode == "L" else (128,) * len(mode)).save(file, "JPEG", **options)
    return file.getvalue()


BAD = {
    "empty": (b"", "empty"),
    "page": (BODIES["/page-as.jpg"][1], "not_image"),
    "svg": (BODIES["/drawing.svg"][1], "not_image"),
    "script": (BODIES["/script.eps"][1], "not_image"),
    "xml": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "not_image"),
    "text": (b"just words", "not_image"),
    "zip": (b"PK\x03\x04\0\0", "not_image"),
    "gzip": (b"\x1f\x8b\x08\0", "not_image"),
    "video": (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "not_image"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unsupported"),
    "jpeg xl": (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported"),
    "photoshop": (b"8BPS\0\1", "unsupported"),
    "noise": (bytes(range(256)), "not_image"),
    "cut jpeg": (WHOLE[:2000], "truncated"),
    "cut png": (picture_bytes("PNG", (640, 480))[:-200], "truncated"),
    "cut webp": (picture_bytes("WEBP", (640, 480))[:-50], "truncated"),
    "broken png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "unreadable"),
    "24 megapixels and one row": (blank_png(6000, 4001), "too_many_pixels"),
    "50 megapixels as PNG": (blank_png(8192, 6144), "too_many_pixels"),
    "52 megapixels": (grey_jpeg(8000, 6500), "too_many_pixels"),
    "100 megapixels": (blank_png(10_000, 10_000), "too_many_pixels"),
    "gigapixels": (png_that_claims(65_535, 65_535), "too_many_pixels"),
    "wide gif": (
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        "too_many_pixels",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_every_bad_picture_has_its_sentence_and_leaves_the_others_alone(make_app, name):
    data, code = BAD[name]
    model = RednessModel()
    files = [("before.png", picture(RED)), ("bad", data), ("after.png", picture(BLUE))]
    before, bad, after = entries(upload(*files, client=make_app(model).test_client()))
    assert (before["verdict"], after["verdict"]) == ("AI-generated", "No sign of AI")
    assert set(bad) == {"filename", "error", "code"} and bad["code"] == code
    assert bad["error"].endswith(".") and "\n" not in bad["error"]


def test_fifty_megapixels_of_a_phone_are_taken(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = grey_jpeg(8192, 6144, "RGB", exif=exif)
    (entry,) = entries(upload(("a.jpg", data), query="?preview=1", client=client))
    assert entry["probability_ai"] == 0.5
    assert (entry["declared"]["width"], entry["declared"]["height"]) == (8192, 6144)
    assert Image.open(io.BytesIO(base64.b64decode(entry["preview"]))).size == (480, 640)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (grey_jpeg(600, 500, "RGB", progressive=True), "Uncertain"),
        (grey_jpeg(600, 500, "RGB", subsampling=0), "Uncertain"),
        (grey_jpeg(600, 500, "CMYK"), "Uncertain"),
        (grey_jpeg(600, 500, "RGB", progressive=True, subsampling=0), "kind"),
        (grey_jpeg(600, 500, "CMYK", progressive=True), "kind"),
        (picture(size=(600, 500)), "kind"),
        (grey_jpeg(600, 1700, "RGB"), "any"),
        (picture(size=(600, 1700)), "any"),
    ],
)
def test_what_cannot_be_decoded_smaller_has_a_smaller_limit(make_app, monkeypatch, data, outcome):
    for module in (decode, limits):
        monkeypatch.setattr(module, "WHOLE_PIXELS", 250_000)
    client = make_app(limits=Limits(pixels=1_000_000)).test_client()
    (entry,) = entries(upload(("a", data), client=client))
    sentences = {
        "kind": "The picture has 600 × 500 pixels, more than the 0.25 megapixels allowed for a file of this "
        "kind: save it as a JPEG that is not progressive.",
        "any": "The picture has 600 × 1,700 pixels, more than the 1 megapixels allowed.",
    }
    assert entry.get("error", entry.get("verdict")) == sentences.get(outcome, outcome)


@pytest.mark.parametrize("name", [name for name, (_, code) in BAD.items() if code == "too_many_pixels"])
def test_bombs_are_refused_before_anything_decodes_them(make_app, name):
    model = RednessModel()
    upload(("bomb", BAD[name][0]), query="?preview=1", client=make_app(model).test_client())
    assert model.asked == 0


def test_a_model_that_fails_on_one_picture_does_not_take_the_others_along(make_app, caplog):
    class Fragile(RednessModel):
        def predict(self, image):
            if image.size == (7, 5):
                raise RuntimeError("secret content of a picture")
            return super().predict(image)

    client = make_app(Fragile()).test_client()
    first, second = entries(
        upload(("a.gif", picture(RED, "GIF", (7, 5))), ("b.png", picture()), client=client)
    )
    assert first == {"filename": "a.gif", "error": "This picture could not be analysed.", "code": "failed"}
    assert second["verdict"] == "AI-generated"
    assert "RuntimeError" in caplog.text and "secret" not in caplog.text


def test_pictures_are_looked_at_one_at_a_time(make_app):
    inside, most = [], []

    class Slow(RednessModel):
        def predict(self, image):
            inside.append(1)
            most.append(len(inside))
            started.set()
            release.wait(0.05)
            inside.pop()
            return super().predict(image)

    started, release = threading.Event(), threading.Event()
    app = make_app(Slow())
    threads = [
        threading.Thread(target=lambda: upload(("a.png", picture()), client=app.test_client()))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


# --- limits -----------------------------------------------------------------------------------------------


def test_a_file_beyond_its_limit_is_refused_and_the_others_are_not(make_app):
    client = make_app(limits=Limits(file_bytes=1_000_000)).test_client()
    files = [("big.png", picture() + bytes(1_000_000)), ("small.png", picture())]
    big, small = entries(upload(*files, client=client))
    assert (big["code"], big["error"]) == ("too_large", "The file has 1.0 MB, more than the 1 MB allowed.")
    assert small["verdict"] == "AI-generated"


def test_a_request_beyond_its_limit_is_refused_unread(make_app):
    client = make_app(limits=Limits(request_bytes=500_000)).test_client()
    assert error(upload(("a.png", bytes(600_000)), client=client), 413) == "The request is too large."


def test_as_many_pictures_as_allowed_and_no_more(make_app):
    client = make_app(limits=Limits(files=3)).test_client()
    assert len(entries(upload(*[("a.png", picture())] * 3, client=client))) == 3
    sentence = error(upload(*[("a.png", picture())] * 4, client=client), 413)
    assert sentence == "Send at most 3 pictures at once."
    assert error(client.post("/predict", json={"urls": ["http://a"] * 4}), 413) == sentence


def test_the_limit_of_pixels_is_a_setting(make_app):
    client = make_app(limits=Limits(pixels=90 * 60)).test_client()
    exact, over = entries(upload(("a.png", picture()), ("b.png", picture(size=(91, 60))), client=client))
    assert "verdict" in exact and over["code"] == "too_many_pixels"


def test_limits_come_from_the_environment():
    env = {"MAX_FILE_MB": "5", "MAX_REQUEST_MB": "12", "MAX_MEGAPIXELS": "3", "MAX_FILES": "2"}
    found = Limits.from_env(env | {"RATE_PER_MINUTE": "7", "TRUSTED_PROXIES": "1"})
    assert found == Limits(5_000_000, 12_000_000, 3_000_000, 2, 7, 1)
    assert Limits.from_env({"MAX_FILES": ""}) == Limits() and Limits().pixels == 51_000_000
    assert (Limits().whole_pixels, found.whole_pixels) == (24_000_000, 3_000_000)


def test_the_limits_that_are_documented_are_those_that_hold():
    text = (PROJECT_ROOT / "docs" / "DEPLOYMENT.md").read_text()
    defaults = Limits()
    mega = [defaults.file_bytes, defaults.request_bytes, defaults.pixels, defaults.whole_pixels]
    file, request, most, whole = (number // 1_000_000 for number in mega)
    assert f"| one picture, one request | {file}, {request} |" in text
    assert (
        f"({whole} at most for what is no JPEG, see *Measured*); pictures in one request | {most}, 20 |"
        in text
    )


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_named(value):
    if value == "٣":  # a digit to Python, and a number all the same
        assert Limits.from_env({"MAX_FILES": value}).files == 3
        return
    with pytest.raises(UserError, match=f"MAX_FILES={value} is not a whole number of at least 1"):
        Limits.from_env({"MAX_FILES": value})


# --- links ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile():
    zeros_gzipped(100)  # made now, so that the server need not be waited for
    with hostile_server() as server:
        yield f"http://127.0.0.1:{server.server_port}"


def fetch_locally(url, **options):
    return fetch_image(url, allow_local=True, **(options | {"total_seconds": 1.5}))


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1/a.jpg", "http://169.254.169.254/", "http://[::1]/", "http://2130706433/"]
)
def test_links_into_the_servers_network_are_refused(client, link):
    (entry,) = entries(client.post("/predict", json={"urls": [link]}))
    assert entry["filename"] == link and entry["code"] == "private_address"


def test_links_in_the_order_given_whatever_becomes_of_them(make_app, hostile):
    expected = {
        "/ok.jpg": "Uncertain",
        "/drip": "timeout",
        "/page-as.jpg": "html_page",
        "/drawing.svg": "svg",
        "/endless": "too_large",
        "/gzip-bomb": "too_large",
        "/truncated.jpg": "truncated",
        "/hundred-megapixels.png": "too_many_pixels",
        "/gigapixels.png": "too_many_pixels",
        "/missing": "http_status",
        "/loop": "too_many_redirects",
        "/cut": "cut_off",
        "/text": "not_image",
        "/wrong-type.jpg": "Uncertain",
    }
    client = make_app(limits=Limits(file_bytes=3_000_000), fetch=fetch_locally).test_client()
    links = [hostile + path for path in expected]
    found = entries(client.post("/predict", json={"urls": links}))
    assert [entry["filename"] for entry in found] == links
    outcomes = [entry.get("verdict", entry.get("code")) for entry in found]
    assert outcomes == list(expected.values())
    assert found[2]["suggestion"] == f"{hostile}/ok.jpg?a=1&b=2"


def test_a_fetched_picture_can_be_shown(make_app, hostile):
    client = make_app(fetch=fetch_locally).test_client()
    (entry,) = entries(client.post("/predict?preview=1", json={"urls": [f"{hostile}/ok.jpg"]}))
    assert len(entry["preview"]) > 100 and entry["declared"]["format"] == "JPEG"


def test_long_json_is_refused_unread(client):
    assert error(client.post("/predict", json={"urls": ["x" * 200_000]}), 413) == "The request is too large."


def test_few_links_are_fetched_ahead(make_app):
    asked, release = [], threading.Event()

    def fetch(link, **options):
        asked.append(link)
        release.wait(5)
        raise FetchError("not_found", "There is no such host.")

    client = make_app(fetch=fetch).test_client()
    links = [f"http://{number}.example/" for number in range(12)]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.post("/predict", json={"urls": links})))
    thread.start()
    while len(asked) < 4:
        threading.Event().wait(0.01)
    assert not release.wait(0.1) and len(asked) == 4
    release.set()
    thread.join()
    assert [entry["filename"] for entry in entries(answers[0])] == links


# --- requests that are no requests ------------------------------------------------------------------------


def test_nothing_sent(client):
    assert error(client.post("/predict"), 400).startswith("No picture was sent")
    assert error(client.post("/predict", data={"other": "x"}, content_type="multipart/form-data"), 400)
    assert error(upload(("", b""), client=client), 400)
    assert error(client.post("/predict", json={"urls": []}), 400)
    assert error(client.post("/predict", data=b"", content_type="multipart/form-data"), 400)


@pytest.mark.parametrize(
    "kind", ["text/plain", "images/png", "application/x-www-form-urlencoded", "nonsense"]
)
def test_wrong_content_type(client, kind):
    assert "multipart/form-data" in error(client.post("/predict", data=b"x", content_type=kind), 415)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "1",
        '"http://a"',
        "{}",
        '{"urls": "http://a"}',
        '{"urls": [1]}',
        '{"urls": null}',
        '{"url": null}',
        '{"url": ["http://a"]}',
        '{"url": "http://a", "urls": ["http://a"]}',
        "\x00",
    ],
)
def test_bad_json(client, body):
    sentence = error(client.post("/predict", data=body, content_type="application/json"), 422)
    assert '{"urls": ["https://…"]}' in sentence


def test_json_that_is_binary_or_nested_deeply(client):
    for body in (b"\xff\xfe", b"\x80", b"[" * 100_000, b'{"urls":' * 20_000):
        assert client.post("/predict", data=body, content_type="application/json").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n\r\n",
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc",
        b"\r\n--x--",
    ],
)
def test_broken_multipart(client, body):
    response = client.post("/predict", data=body, content_type="multipart/form-data; boundary=x")
    assert response.status_code in (200, 400)


def test_unknown_addresses_and_methods(client):
    assert error(client.get("/nowhere"), 404) == "There is nothing at this address."
    response = client.get("/predict")
    assert error(response, 405) and "POST" in response.headers["Allow"]


# --- what the app says of itself --------------------------------------------------------------------------


def test_alive_ready_and_the_models_facts(client):
    assert client.get("/healthz").get_json() == {"status": "alive"}
    assert client.get("/readyz").get_json() == {"status": "ready"}
    facts = client.get("/model").get_json()
    assert (facts["name"], facts["version"], facts["calibrated"]) == ("cnn_scaled", "0" * 12, True)
    assert facts["track_record"]["sentences"] == [MISSED, CALLED] and facts["policy"] == POLICY
    assert facts["trained_on"] == "a small demonstration sample (1,234 pictures)"
    assert "255 × 255" in facts["reading"] and "model_sha256" not in facts
    assert facts["notice"] == f"{DEMONSTRATION} {BETTER_DETECTOR}"


def test_the_card_is_a_page_for_people(client):
    page = client.get("/card").text
    for words in ("0.66 [0.55, 0.76]", "ROC-AUC", "must not be used for", DEMONSTRATION, MISSED, CALLED):
        assert words in page
    assert "lies from 60 % on" in page and "lies up to 40 %" in page


def test_the_card_says_why_a_verdict_is_never_given(make_app):
    never = {"ai_from": None, "clear_up_to": None, "why_no_ai": "It erred.", "why_no_clear": "It missed."}
    page = make_app(RednessModel({**FACTS, "policy": never, "track_record": None})).test_client().get("/card")
    for words in (
        "never: It erred.",
        "never: It missed.",
        "was not measured on generators and photo sources",
    ):
        assert words in page.text
    page = make_app(RednessModel({**FACTS, "calibrated": False})).test_client().get("/card")
    assert "always: it is uncalibrated" in page.text and "whole interval" not in page.text


def test_a_model_that_is_no_demonstration_has_no_notice(make_app):
    client = make_app(RednessModel({**FACTS, "source": "kaggle", "demonstration": False})).test_client()
    assert client.get("/model").get_json()["notice"] == ""
    assert 'class="notice"' not in client.get("/card").text


def test_until_the_model_is_loaded_only_life_is_shown():
    release = threading.Event()

    def load():
        assert release.wait(10)
        return RednessModel()

    app = create_app(load, Limits())
    client = app.test_client()
    assert client.get("/healthz").status_code == 200 and client.get("/").status_code == 200
    for answer in (
        client.get("/readyz"),
        client.get("/model"),
        client.get("/card"),
        upload(("a", b"x"), client=client),
    ):
        assert "still being loaded" in error(answer, 503) and answer.headers["Retry-After"] == "2"
    release.set()
    assert app.extensions["pictures"].slot.settled.wait(10)
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "reason", [UserError("/secret/path holds no trained model."), RuntimeError("/secret")]
)
def test_without_a_model_visitors_are_told_and_the_log_says_why(reason, caplog):
    def load():
        raise reason

    app = create_app(load, Limits())
    assert app.extensions["pictures"].slot.settled.wait(10)
    sentence = error(app.test_client().get("/readyz"), 503)
    assert sentence == "This server has no model to answer with: its log says why."
    assert "/secret" in caplog.text
    assert app.test_client().get("/healthz").status_code == 200


def test_facts_that_a_bundle_lacks_are_left_out(make_app):
    client = make_app(RednessModel({"class_names": FACTS["class_names"], "policy": None})).test_client()
    facts = client.get("/model").get_json()
    assert facts["trained_on"] == "images of unknown origin" and "metrics" not in facts
    assert "Nothing has been measured" in client.get("/card").text
