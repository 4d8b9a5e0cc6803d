"""What can be taken away from the page: its results as CSV and JSON, and a printed report."""

import csv
import hashlib
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from tests.app.browser import cards, give, pixel, wait_for
from tests.app.fakes import BLUE, CALLED, GREY, MISSED, RED, picture
from tests.data.signing import sign

pytestmark = pytest.mark.browser


def download(page, button):
    """The name and the text of the file that a button gives."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    saved = waiting.value
    return saved.suggested_filename, saved.path().read_bytes().decode("utf-8")


def read_csv(text):
    assert text.startswith("\ufeff")  # how a spreadsheet knows that it is UTF-8
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_results_as_csv(open_page, pictures):
    page = open_page()
    signed = sign(picture(GREY, "JPEG"))
    give(page, ("Grüße.png", picture(RED)), ('=1+1,"b".png', b"%PDF-1.7"), ("signed.jpg", signed))
    page.get_by_label("Link to a picture").fill(f"{pictures}/ok.jpg")
    page.keyboard.press("Enter")
    wait_for(page, 4)
    name, text = download(page, "Save as CSV")
    assert re.fullmatch(r"human-or-ai-\d{4}-\d\d-\d\d\.csv", name)
    good, bad, declared, linked = read_csv(text)
    assert list(good) == [
        *("file", "label", "probability_ai", "probability_low", "probability_high", "confidence", "verdict"),
        *("lean", "reason", "error", "sha256", "declared", "model", "model_version", "date"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", good.pop("date"))
    assert good == {
        "file": "Grüße.png",
        "label": "AI-generated",
        "probability_ai": "0.92",
        "probability_low": "0.82",
        "probability_high": "1",
        "confidence": "92",
        "verdict": "AI-generated",
        "lean": "AI",
        "reason": "",
        "error": "",
        "sha256": hashlib.sha256(picture(RED)).hexdigest(),
        "declared": "",
        "model": "cnn_scaled",
        "model_version": "0" * 12,
    }
    assert bad["file"] == '\'=1+1,"b".png' and bad["verdict"] == "" and "PDF document" in bad["error"]
    assert declared["declared"] == "The file says it was made by Imaginarium (declared, not proven)."
    assert linked["file"] == f"{pictures}/ok.jpg" and linked["verdict"] == "Uncertain"


def test_no_name_of_a_file_becomes_a_formula_or_breaks_a_row(open_page):
    page = open_page()
    module = page.evaluate_handle("import('./static/saving.js')")

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
    def check(names):
        results = [{"filename": name, "verdict": "Uncertain"} for name in names]
        text = module.evaluate("(module, results) => module.toCsv(results)", results)
        rows = read_csv(text)
        assert [row["verdict"] for row in rows] == ["Uncertain"] * len(names)
        assert [row["file"].removeprefix("'") for row in rows] == [name.removeprefix("'") for name in names]

    check()
    for start in ("=", "+", "-", "@", "\t=", "\r", " =", "\n@", "＝", "＋", "－", "＠"):
        name = f"{start}cmd|' /C calc'!A0"
        text = module.evaluate("(module, name) => module.toCsv([{filename: name}])", name)
        assert read_csv(text)[0]["file"] == f"'{name}"


def test_results_as_json(open_page):
    page = open_page()
    give(page, ("a.tif", picture(RED, "TIFF")), ("b.png", b"words"))
    wait_for(page, 2)
    name, text = download(page, "Save as JSON")
    assert re.fullmatch(r"human-or-ai-\d{4}-\d\d-\d\d\.json", name)
    saved = json.loads(text)
    assert saved["model"]["track_record"]["sentences"] == [MISSED, CALLED]
    good, bad = saved["predictions"]
    assert (good["filename"], good["verdict"], good["declared"]["format"]) == (
        "a.tif",
        "AI-generated",
        "TIFF",
    )
    assert (good["probability_low"], good["model_version"]) == (0.82, "0" * 12)
    assert "preview" not in good
    assert (bad["filename"], bad["code"]) == ("b.png", "not_image")


def test_without_a_result_there_is_nothing_to_save(open_page):
    page = open_page()
    page.route("**/predict", lambda route: None)  # it takes for ever
    give(page, ("a.png", picture()))
    expect(cards(page)).to_have_count(1)
    for name in ("Save as CSV", "Save as JSON"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()


# --- the report -------------------------------------------------------------------------------------------


def print_report(page, card=0):
    """Press the button, with the browser's dialogue out of the way."""
    page.emulate_media(media="screen")
    page.evaluate("() => { window.printed = 0; window.print = () => { window.printed += 1; }; }")
    page.get_by_role("button", name="Printable report").nth(card).click()
    assert page.evaluate("window.printed") == 1
    page.emulate_media(media="print")


def pages_on_paper(page, paper="A4"):
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper)))


def test_a_report_of_one_picture(open_page):
    page = open_page(scheme="dark", expected_complaints=("willReadFrequently",))
    give(page, ("other.png", picture(BLUE)), ("signed.png", sign(picture((130, 0, 70)), "image/png")))
    wait_for(page, 2)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    print_report(page, card=1)
    report = page.locator("#report")
    names, values = (report.locator(tag).all_inner_texts() for tag in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts["File"] == "signed.png" and re.fullmatch(r"[0-9a-f]{64}", facts["SHA-256"])
    assert facts["Verdict"] == "Uncertain, leans AI"
    assert facts["What that means"].replace("\xa0", " ") == "Probability of AI: between 55 % and 75 %."
    assert facts["Why"].replace("\xa0", " ").endswith("too close to 50 %.")
    assert facts["Track record"].replace("\xa0", " ") == f"{MISSED} {CALLED}"
    assert facts["The file declares"] == "The file says it was made by Imaginarium (declared, not proven)."
    assert "(cnn_scaled), version 000000000000, trained on a small demonstration" in facts["Model"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", facts["Date"])
    assert "Imaginarium" in facts["Content credentials"]
    expect(report.get_by_role("img", name="Probability of AI: between 55 % and 75 %.")).to_be_visible()
    assert pixel(report.locator("canvas")) == pixel(cards(page).nth(1).locator(".picture"))
    assert page.title() == "Report on signed.png"  # browsers name the PDF after it
    expect(report).to_be_visible()
    for hidden in (cards(page).first, page.locator("#drop"), page.locator("#results")):
        expect(hidden).to_be_hidden()
    paper = page.locator("body").evaluate("body => getComputedStyle(body).color")
    assert paper == "rgb(29, 28, 26)"  # dark ink, whatever the screen
    assert pages_on_paper(page) == 1
    assert asked == []  # all of it was here already
    page.emulate_media(media="screen")  # printing is over, and says so by `afterprint`
    expect(report).to_be_hidden()
    expect(cards(page).first).to_be_visible()
    assert page.title() == "Human or AI?"


@pytest.mark.parametrize("size", [(300, 1500), (1500, 300), (900, 900)])
def test_a_report_fits_on_one_page_whatever_the_file_says(open_page, size):
    page = open_page()
    notes = PngInfo()
    notes.add_text("parameters", "a cat on a mat " * 200)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Maker " * 40, "Model " * 40, "Program " * 40
    name = "a_name_that_goes_on_and_on_" * 9 + ".png"
    give(page, (name, picture((90, 0, 110), size=size, pnginfo=notes, exif=exif)))
    wait_for(page, 1)
    for paper in ("A4", "Letter"):
        print_report(page)
        assert pages_on_paper(page, paper) == 1


def test_a_report_of_what_the_browser_cannot_show(open_page):
    page = open_page()

    def answer(route):
        (entry,) = route.fetch().json()["predictions"]
        route.fulfill(json={"predictions": [entry | {"preview": None}]})

    page.route("**/predict?preview=1", answer)
    give(page, ("scan.tif", picture(BLUE, "TIFF")))
    wait_for(page, 1)
    print_report(page)
    expect(page.locator("#report canvas")).to_be_hidden()
    expect(page.locator("#report")).to_contain_text("No sign of AI")
    expect(page.locator("#report")).to_contain_text("That is no proof that a person made it.")


def test_printing_the_page_prints_every_card(open_page):
    page = open_page()
    give(page, ("a.png", picture(RED)), ("b.png", picture(BLUE)))
    wait_for(page, 2)
    page.emulate_media(media="print")
    for card in cards(page).all():
        expect(card.locator(".verdict")).to_be_visible()
    expect(page.locator("#report")).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)
