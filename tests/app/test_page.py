"""The page as a person meets it, in a real browser."""

import re
import threading

import pytest
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from src.app import create_app
from src.app.limits import Limits
from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.settings import PROJECT_ROOT, UserError
from tests.app.browser import SIZES, as_file, assert_accessible, cards, give, pixel, ready, serving, wait_for
from tests.app.fakes import ACROSS, BLUE, CALLED, FACTS, GREY, MISSED, RED, TOO_CLOSE, RednessModel, picture
from tests.data.signing import CAPTURED, sign

pytestmark = pytest.mark.browser

everywhere = pytest.mark.parametrize("address", ["in this process", "gunicorn"], indirect=True)
"""For tests of what page and server do together: served as in the other tests, and as it is deployed."""


def with_a_comment(jpeg):
    """A JPEG with a comment before its pixels."""
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:start] + b"\xff\xfe\x00\x04hi" + jpeg[start:]


def text_chunk(name, text):
    chunk = PngInfo()
    chunk.add_text(name, text)
    return chunk


# --- pictures in, answers out -----------------------------------------------------------------------------


@everywhere
def test_one_picture(open_page):
    page = open_page()
    give(page, ("holiday.png", picture(RED)))
    wait_for(page, 1)
    card = cards(page)
    expect(card.get_by_role("heading", name="holiday.png")).to_be_visible()
    expect(card.locator(".verdict")).to_have_text("AI-generated")
    expect(card.locator(".sentence")).to_have_text("Probability of AI: between 82 % and 100 %.")
    expect(card.get_by_role("img", name="Probability of AI: between 82 % and 100 %.")).to_be_visible()
    expect(card.locator(".record")).to_have_text(f"{MISSED} {CALLED}")
    expect(card.locator(".reason")).to_have_text("")
    assert "92" not in card.inner_text()  # one number would say more than is known
    expect(card.get_by_role("img", name="Preview of holiday.png")).to_be_visible()
    assert pixel(card.locator(".picture")) == [*RED, 255]
    expect(card.locator(".model-line")).to_contain_text(
        "trained on a small demonstration sample (1,234 pictures)"
    )
    expect(page.locator("#tally")).to_have_text("1 picture · 1 AI-generated")
    expect(page.get_by_role("log")).to_contain_text(
        "holiday.png: AI-generated. Probability of AI: between 82 % and 100 %."
    )
    card.get_by_role("link", name="its card").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("whole interval lies from 60 % on")).to_be_visible()
    expect(page.get_by_text(MISSED)).to_be_visible()


@everywhere
def test_many_pictures_in_the_order_given_and_a_bad_one_among_them(open_page):
    page = open_page()
    give(
        page,
        ("1.png", picture(RED)),
        ("2.png", b"%PDF-1.7"),
        ("3.png", picture(BLUE)),
        ("4.png", picture(GREY)),
    )
    wait_for(page, 4)
    assert cards(page).locator(".name").all_text_contents() == ["1.png", "2.png", "3.png", "4.png"]
    assert cards(page).locator(".verdict").all_text_contents() == [
        "AI-generated",
        "",
        "No sign of AI",
        "Uncertain",
    ]
    bad = cards(page).nth(1)
    expect(bad.locator(".error-text")).to_contain_text("The file is a PDF document, not a picture")
    expect(bad.locator(".answer")).to_be_hidden()
    expect(bad.get_by_role("button")).to_have_count(0)  # asking again would change nothing
    expect(page.locator("#tally")).to_have_text(
        "4 pictures · 1 AI-generated · 1 without a sign of AI · 1 uncertain · 1 without an answer"
    )


@everywhere
def test_twenty_at_once_and_not_more(open_page):
    page = open_page()
    give(page, *((f"{number}.png", picture((number, 0, 250))) for number in range(21)))
    wait_for(page, 20)
    expect(page.locator("#link-error")).to_have_text(
        "Only the first 20 of 21 were taken: add the others afterwards."
    )
    expect(page.locator("#tally")).to_contain_text("20 without a sign of AI")
    give(page, ("20.png", picture(RED)))
    wait_for(page, 21)
    expect(cards(page).last.locator(".name")).to_have_text("20.png")


def test_the_interval_is_drawn_in_the_verdicts_colour(open_page):
    page = open_page()
    give(page, ("a.png", picture(RED)), ("b.png", picture((110, 0, 100))), ("c.png", picture(BLUE)))
    wait_for(page, 3)
    colours = []
    for card, low, high in zip(cards(page).all(), (0.82, 0.424, 0.0), (1.0, 0.624, 0.18), strict=True):
        track, span = (card.locator(name).bounding_box() for name in (".track", ".span"))
        inside = track["width"] - 2  # within its border
        assert span["x"] - track["x"] - 1 == pytest.approx(low * inside, abs=1)
        assert span["width"] == pytest.approx((high - low) * inside, abs=1)
        style = "element => [getComputedStyle(element).color, getComputedStyle(element).fontWeight]"
        colours.append(card.locator(".verdict").evaluate(style))
    assert colours == [["rgb(168, 70, 0)", "600"], ["rgb(95, 87, 75)", "400"], ["rgb(0, 95, 150)", "600"]]


@pytest.mark.parametrize(
    ("colour", "verdict", "sentence", "reason"),
    [
        (GREY, "Uncertain", "Probability of AI: between 40 % and 60 %.", ACROSS),
        ((130, 0, 70), "Uncertain, leans AI", "Probability of AI: between 55 % and 75 %.", TOO_CLOSE),
        ((70, 0, 130), "Uncertain, leans human", "Probability of AI: between 25 % and 45 %.", TOO_CLOSE),
        (
            BLUE,
            "No sign of AI",
            "Probability of AI: between 0 % and 18 %. That is no proof that a person made it.",
            "",
        ),
    ],
)
def test_each_verdict_has_its_words(open_page, colour, verdict, sentence, reason):
    page = open_page()
    give(page, ("a.png", picture(colour)))
    wait_for(page, 1)
    expect(page.locator(".verdict")).to_have_text(verdict)
    expect(page.locator(".sentence")).to_have_text(sentence)
    expect(page.locator(".reason")).to_have_text(f"{reason}." if reason else "", ignore_case=True)


def test_a_model_that_was_never_checked_gives_no_number(open_page):
    facts = {**FACTS, "calibrated": False, "policy": None, "track_record": None}
    with serving(ready(RednessModel(facts))) as url:
        page = open_page(url)
        give(page, ("a.png", picture(RED)))
        wait_for(page, 1)
        expect(page.locator(".verdict")).to_have_text("Uncertain")
        expect(page.locator(".scale")).to_be_hidden()
        expect(page.locator(".sentence")).to_have_text("")
        expect(page.locator(".reason")).to_contain_text("Uncalibrated: ")
        expect(page.locator(".record")).to_contain_text("was not measured")


@everywhere
def test_the_evidence_map_lies_over_the_picture_on_demand(open_page):
    page = open_page(expected_complaints=("willReadFrequently",))  # this test reads the canvas, the page not
    give(page, ("halves.png", picture((0, 0, 200), left=(255, 0, 0))))
    wait_for(page, 1)
    overlay = cards(page).locator(".evidence")
    expect(overlay).to_be_hidden()
    page.get_by_role("button", name="Evidence map").click()
    expect(overlay).to_be_visible()
    assert overlay.bounding_box() == cards(page).locator(".picture").bounding_box()
    left, right = pixel(overlay, 0.1), pixel(overlay, 0.9)
    assert left[0] > 200 > 100 > left[2] and left[3] > 150  # orange
    assert right[0] < 30 and right[2] > 150 and right[3] > 150  # blue
    expect(page.locator(".legend")).to_contain_text("Orange speaks for AI-generated, blue for human-made")
    expect(page.locator(".legend")).to_contain_text(
        "Its strongest sign, for AI-generated, lies in the upper left."
    )
    page.get_by_role("button", name="Evidence map").click()
    expect(overlay).to_be_hidden()
    expect(page.locator(".legend")).to_be_hidden()


def test_a_model_without_evidence_says_so(open_page):
    with serving(ready(RednessModel(evidence=False))) as url:
        page = open_page(url)
        give(page, ("a.png", picture()))
        wait_for(page, 1)
        expect(page.get_by_role("button", name="Evidence map")).to_have_count(0)
        expect(page.locator(".model-line")).to_contain_text("This model gives no evidence map.")


@everywhere
def test_what_the_file_declares(open_page):
    page = open_page()
    give(page, ("plain.png", picture(GREY)))
    wait_for(page, 1)
    facts = page.locator(".declared")
    expect(page.locator(".declares")).to_be_hidden()
    expect(page.locator(".kicker")).to_be_hidden()
    expect(facts).to_be_hidden()
    page.get_by_role("button", name="What the file declares").click()
    expect(facts).to_contain_text("90 × 60 pixels")
    expect(facts).to_contain_text("Declared, not proven")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: sign(picture(GREY, "JPEG")), "made by Imaginarium (declared, not proven)."),
        (
            lambda: sign(picture(GREY, "JPEG"), sources=(CAPTURED,)),
            "taken with a camera, signed by Example Pictures Ltd (declared, not proven).",
        ),
        (
            lambda: with_a_comment(sign(picture(GREY, "JPEG"))),
            "made by Imaginarium (declared, not proven); it was changed since it was signed.",
        ),
        (
            lambda: picture(GREY, pnginfo=text_chunk("parameters", "a cat\nSteps: 20, " * 200)),
            "made by Stable Diffusion web UI (declared, not proven).",
        ),
    ],
    ids=["generator", "camera", "changed", "parameters"],
)
def test_a_declared_generator_or_a_cameras_signature_comes_first_and_without_a_click(open_page, data, says):
    page = open_page()
    give(page, ("a", data()))
    wait_for(page, 1)
    expect(page.locator(".declares")).to_have_text(f"The file says it was {says}")
    expect(page.locator(".kicker")).to_have_text("The model, from the pixels alone:")
    expect(page.locator(".declared")).to_be_visible()
    above, below = page.locator(".declares"), page.locator(".verdict")
    assert above.bounding_box()["y"] < below.bounding_box()["y"]
    expect(page.get_by_role("log")).to_contain_text(f"a: The file says it was {says} Uncertain.")
    assert_accessible(page)
    page.get_by_role("button", name="What the file declares").click()
    expect(page.locator(".declared")).to_be_hidden()


@everywhere
def test_content_credentials_in_words(open_page):
    page = open_page()
    give(page, ("signed.jpg", sign(picture(GREY, "JPEG"))))
    wait_for(page, 1)
    facts = page.locator(".declared")
    expect(facts).to_contain_text("90 × 60 pixels")
    expect(facts).to_contain_text("Signed by Example Pictures Ltd with Imaginarium")
    expect(facts).to_contain_text("unchanged since; the signer was not checked")
    expect(facts).to_contain_text("Declared, not proven")


@everywhere
def test_a_picture_that_the_browser_cannot_show_is_shown_by_the_server(open_page):
    page = open_page()
    give(page, ("scan.tif", picture(BLUE, "TIFF", (800, 200))))
    wait_for(page, 1)
    shown = pixel(cards(page).locator(".picture"))
    assert all(abs(value - wanted) < 12 for value, wanted in zip(shown, (*BLUE, 255), strict=True))
    box = cards(page).locator(".picture").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(4, rel=0.05)  # not squeezed


def test_a_file_beyond_the_limit_is_not_even_sent(open_page):
    page = open_page()
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    give(page, ("big.png", picture() + bytes(1_000_000)))
    wait_for(page, 1)
    expect(page.locator(".words .error-text")).to_have_text(
        "The file has 1.0 MB, more than the 1.0 MB allowed."
    )
    assert "POST" not in sent


@everywhere
def test_names_are_text_never_markup(open_page):
    page = open_page()
    name = "<img src=x onerror=alert(1)>.png"
    give(page, (name, b"<script>alert(1)</script>"))
    wait_for(page, 1)
    expect(page.locator(".name")).to_have_text(name)
    assert page.locator("main img").count() == 0


# --- the other ways in ------------------------------------------------------------------------------------


@everywhere
def test_a_link(open_page, pictures):
    page = open_page()
    page.get_by_label("Link to a picture").fill(f"{pictures}/ok.jpg")
    page.keyboard.press("Enter")
    wait_for(page, 1)
    expect(page.locator(".name")).to_have_text("ok.jpg (127.0.0.1)")
    expect(page.locator(".verdict")).to_have_text("Uncertain")
    expect(page.get_by_role("img", name="Preview of ok.jpg")).to_be_visible()
    expect(page.get_by_label("Link to a picture")).to_have_value("")


@everywhere
def test_a_link_to_a_page_offers_the_pages_picture(open_page, pictures):
    page = open_page()
    page.get_by_label("Link to a picture").fill(f"{pictures}/page-as.jpg")
    page.get_by_role("button", name="Fetch").click()
    wait_for(page, 1)
    expect(page.locator(".words .error-text")).to_contain_text("This is a page, not a picture")
    page.get_by_role("button", name="Try that picture instead").click()
    wait_for(page, 2)
    expect(cards(page).last.locator(".verdict")).to_have_text("Uncertain")


def test_what_is_no_link_is_told_at_once(open_page):
    page = open_page()
    page.get_by_label("Link to a picture").fill("holiday.jpg")
    page.keyboard.press("Enter")
    expect(page.locator("#link-error")).to_have_text("That is not a link: it should begin with https://")
    expect(page.get_by_label("Link to a picture")).to_be_focused()
    expect(cards(page)).to_have_count(0)


TRANSFER = """({bytes, text}) => {
    const transfer = new DataTransfer();
    if (bytes) transfer.items.add(new File([Uint8Array.from(bytes)], "given.png", {type: "image/png"}));
    if (text) { transfer.setData("text/plain", text); transfer.setData("text/uri-list", text); }
    return transfer;
}"""


@everywhere
@pytest.mark.parametrize("event", ["drop", "paste"])
def test_drag_and_drop_and_paste(open_page, pictures, event):
    page = open_page()
    detail = "dataTransfer" if event == "drop" else "clipboardData"
    for content in ({"bytes": list(picture(BLUE))}, {"text": f"{pictures}/ok.jpg"}, {"text": "just words"}):
        transfer = page.evaluate_handle(TRANSFER, content)
        if event == "drop":
            page.dispatch_event("#drop", "dragenter", {"dataTransfer": transfer})
            expect(page.get_by_text("Let go to add them")).to_have_css("opacity", "0.94")
            page.dispatch_event("#drop", "drop", {detail: transfer})
        else:
            script = """(body, clipboardData) =>
                body.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}))"""
            page.locator("body").evaluate(script, transfer)
    wait_for(page, 2)
    assert cards(page).locator(".verdict").all_text_contents() == ["No sign of AI", "Uncertain"]
    expect(page.get_by_text("Let go to add them")).to_have_css("opacity", "0")


@everywhere
def test_clearing_forgets_everything(open_page):
    page = open_page()
    give(page, ("a.png", picture()), ("b.png", picture()))
    wait_for(page, 2)
    page.get_by_role("button", name="Clear all").click()
    expect(cards(page)).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#files")).to_be_focused()
    give(page, ("a.png", picture()))
    wait_for(page, 1)


# --- waiting and failing ----------------------------------------------------------------------------------


def test_pictures_wait_for_a_model_that_is_being_loaded(open_page):
    release = threading.Event()

    def load():
        assert release.wait(20)
        return RednessModel()

    with serving(create_app(load, Limits())) as url:
        page = open_page(url, expected_complaints=("503",))
        expect(page.locator("#model-chip")).to_have_text("Model is loading…")
        give(page, ("a.png", picture()))
        expect(page.locator(".progress-text")).to_have_text("Waiting for the model to load…")
        release.set()
        wait_for(page, 1)
        expect(page.locator(".verdict")).to_have_text("AI-generated")
        expect(page.locator("#model-chip")).to_contain_text("Model:")


def test_without_a_model_the_page_says_so_until_there_is_one(open_page):
    found = threading.Event()

    def load():
        if not found.is_set():
            raise UserError("There is no trained model yet.")
        return RednessModel()

    with serving(create_app(load, Limits(), pauses=(0.1,))) as url:
        page = open_page(url, expected_complaints=("503",))
        expect(page.locator("#model-chip")).to_have_text("No model")
        expect(page.locator("#notice")).to_have_text(
            "This server has no model to answer with: its log says why."
        )
        give(page, ("a.png", picture()))
        wait_for(page, 1)
        expect(page.locator(".words .error-text")).to_contain_text("no model to answer with")
        found.set()
        expect(page.locator("#model-chip")).to_contain_text("Model:")
        expect(page.locator("#notice")).to_have_text(f"{DEMONSTRATION} {BETTER_DETECTOR}")
        give(page, ("b.png", picture()))
        wait_for(page, 2)
        expect(page.locator(".verdict").last).to_have_text("AI-generated")


@pytest.mark.parametrize(
    ("status", "error", "shown"),
    [
        (429, "too many", "Many pictures this minute: waiting for a turn…"),
        (503, "Other uploads take all the memory", "Many uploads at once: waiting for a turn…"),
        (503, None, "The connection broke: trying again…"),  # a proxy's answer while the server starts anew
        (None, None, "The connection broke: trying again…"),
    ],
)
def test_a_visitor_who_is_put_off_waits_and_is_then_served(open_page, status, error, shown):
    page = open_page(expected_complaints=("429", "503", "ERR_CONNECTION_RESET"))
    refusals = iter([True])

    def answer(route):
        if not next(refusals, False):
            route.continue_()
        elif status:
            route.fulfill(status=status, headers={"Retry-After": "1"}, json={"error": error} if error else {})
        else:
            route.abort("connectionreset")

    page.route("**/predict", answer)
    give(page, ("a.png", picture()))
    expect(page.locator(".progress-text")).to_have_text(shown)
    wait_for(page, 1)
    expect(page.locator(".verdict")).to_have_text("AI-generated")


@everywhere
def test_a_broken_connection_is_told(open_page):
    page = open_page(expected_complaints=("ERR_INTERNET_DISCONNECTED",))
    expect(page.locator("#model-chip")).to_contain_text("Model:")
    page.context.set_offline(True)
    give(page, ("a.png", picture()))
    wait_for(page, 1)
    expect(page.locator(".words .error-text")).to_have_text("The connection to the server broke: try again.")


# --- for everybody ----------------------------------------------------------------------------------------


def test_keyboard_alone(open_page):
    page = open_page()
    page.on("filechooser", lambda chooser: None)  # so that Chromium hands choosers over long before the key
    focused = page.locator(":focus")

    def tab_to(target, limit=12):
        for _ in range(limit):
            page.keyboard.press("Tab")
            if focused.evaluate("(found, wanted) => found === wanted", target.element_handle()):
                return
        raise AssertionError("not reached by Tab")

    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page.locator("#files"), limit=2)
    ring = page.locator("label.button").evaluate("label => getComputedStyle(label).outlineStyle")
    assert ring == "solid"  # what has the focus can be seen
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([as_file("a.png", picture())])
    wait_for(page, 1)
    tab_to(page.get_by_role("button", name="Evidence map"))
    page.keyboard.press("Enter")
    expect(page.locator(".evidence")).to_be_visible()
    expect(focused).to_have_attribute("aria-expanded", "true")
    tab_to(page.get_by_role("button", name="What the file declares"), limit=1)
    page.keyboard.press("Space")
    expect(page.locator(".declared")).to_be_visible()
    tab_to(page.get_by_role("button", name="Printable report"), limit=1)
    tab_to(page.get_by_role("link", name="its card"), limit=1)
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
    expect(focused).to_have_text("Clear all")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(0)


def fill(page):
    """Every state a card can have, everything opened."""
    give(
        page, ("a.png", picture(RED)), ("b.png", picture(BLUE)), ("c.png", picture(GREY)), ("d.png", b"words")
    )
    give(
        page,
        ("a name that goes on and on without any space ".replace(" ", "_") * 4, sign(picture(GREY, "JPEG"))),
    )
    wait_for(page, 5)
    for name in ("Evidence map", "What the file declares"):
        for button in page.get_by_role("button", name=name).all():
            if button.get_attribute("aria-expanded") == "false":
                button.click()
    page.get_by_text("Ask about a picture on another page").click()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_off_or_too_small_to_touch(open_page, size):
    page = open_page(size=size)
    fill(page)
    width = SIZES[size][0]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for target in page.locator("button:visible, .button:visible, #link").all():
        box = target.bounding_box()
        assert box["height"] >= 36 and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_dark_is_dark(open_page):
    shades = {}
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme)
        style = page.locator("body").evaluate(
            "body => [getComputedStyle(body).backgroundColor, getComputedStyle(body).color]"
        )
        shades[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 for colour in style]
    assert shades["light"][0] > 230 and shades["light"][1] < 50
    assert shades["dark"][0] < 50 and shades["dark"][1] > 220


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(open_page, size, scheme):
    page = open_page(size=size, scheme=scheme)
    expect(page.locator("#model-chip")).to_contain_text("Model:")
    assert_accessible(page)
    fill(page)
    assert_accessible(page)
    page.goto(page.url + "card")
    assert_accessible(page)


def test_the_words_of_the_scripts_lie_in_one_file():
    folder = PROJECT_ROOT / "src" / "app" / "static"
    sentence = re.compile(r"""["`][A-Z][a-z]+ [a-z]""")
    scripts = [path.name for path in folder.glob("*.js") if sentence.search(path.read_text(encoding="utf-8"))]
    assert scripts == ["words.js"]
