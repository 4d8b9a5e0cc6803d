"""The page when things go wrong or slowly, and when others make its address."""

import re
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import expect

from tests.app.browser import assert_accessible, cards, give, ready, serving, wait_for
from tests.app.fakes import BLUE, RED, RednessModel, picture

pytestmark = pytest.mark.browser


# --- asking again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["file", "link"])
def test_a_failed_picture_can_be_asked_about_again(open_page, pictures, way):
    page = open_page(expected_complaints=("500",))
    refusals = iter([True, True])

    def answer(route):
        if next(refusals, False):
            route.fulfill(status=500, json={"error": "Something went wrong on the server."})
        else:
            route.continue_()

    page.route(re.compile("/predict"), answer)
    if way == "file":
        give(page, ("a.png", picture(RED)))
    else:
        page.get_by_label("Link to a picture").fill(f"{pictures}/ok.jpg")
        page.keyboard.press("Enter")
    again = page.get_by_role("button", name="Try again")
    for _ in range(2):
        expect(page.locator(".failure .error-text")).to_have_text("Something went wrong on the server.")
        expect(page.locator("#tally")).to_have_text("1 picture · 1 without an answer")
        assert_accessible(page)
        again.focus()
        page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_have_text("AI-generated" if way == "file" else "Uncertain")
    expect(page.locator(".failure")).to_be_hidden()
    expect(page.locator(".name")).to_be_focused()  # not lost with the button
    assert "without an answer" not in page.locator("#tally").inner_text()


def test_a_link_that_failed_can_be_asked_about_again(open_page, pictures):
    page = open_page()
    page.get_by_label("Link to a picture").fill(f"{pictures}/page-as.jpg")
    page.keyboard.press("Enter")
    for _ in range(2):
        wait_for(page, 1)
        expect(page.locator(".failure .error-text")).to_contain_text("This is a page, not a picture")
        page.get_by_role("button", name="Try again").click()
    wait_for(page, 1)
    page.get_by_role("button", name="Try that picture instead").click()
    wait_for(page, 2)
    expect(page.locator(".verdict").last).to_have_text("Uncertain")


# --- the server's badge -----------------------------------------------------------------------------------


def test_the_badge_tells_when_the_server_is_gone_and_back(open_page):
    with serving(ready(RednessModel())) as url:
        page = open_page(url, expected_complaints=("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET"))
        page.clock.install()
        page.reload()
        badge = page.get_by_role("status").filter(has_text=re.compile("Model|server"))
        expect(badge).to_contain_text("Model: Deck's CNN")
    page.clock.fast_forward(11_000)
    expect(badge).to_have_text("The server does not answer")
    expect(badge).to_have_attribute("data-state", "gone")
    assert_accessible(page)
    with serving(ready(RednessModel()), port=int(url.rpartition(":")[2])):
        page.clock.fast_forward(2_000)
        expect(badge).to_contain_text("Model: Deck's CNN")
        give(page, ("a.png", picture(RED)))
        wait_for(page, 1)
        expect(page.locator(".verdict")).to_have_text("AI-generated")


def test_the_badge_notices_at_once_that_the_network_is_off_and_on(open_page):
    page = open_page(expected_complaints=("ERR_INTERNET_DISCONNECTED",))
    badge = page.locator("#model-chip")
    expect(badge).to_contain_text("Model:")
    page.context.set_offline(True)
    expect(badge).to_have_text("The server does not answer")
    page.context.set_offline(False)
    expect(badge).to_contain_text("Model:")


def test_another_model_on_the_server_is_noticed(open_page):
    model = RednessModel()
    with serving(ready(model)) as url:
        page = open_page(url)
        page.clock.install()
        page.reload()
        expect(page.locator("#model-chip")).to_contain_text("Deck's CNN (fair training)")
        model.name = "cnn_deck"
        page.clock.fast_forward(11_000)
        expect(page.locator("#model-chip")).to_contain_text("Deck's CNN (faithful)")


# --- slow scripts, the keyboard's way ---------------------------------------------------------------------


def test_pictures_chosen_before_the_script_is_there_are_taken(open_page):
    page = open_page()
    held = []
    page.route("**/app.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    expect(page.get_by_text("Choose pictures")).to_be_visible()
    give(page, ("early.png", picture(RED)))
    page.get_by_label("Link to a picture").fill("https://example.com/a.jpg")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    wait_for(page, 1)
    expect(page.locator(".verdict")).to_have_text("AI-generated")
    expect(page.get_by_label("Link to a picture")).to_have_value("https://example.com/a.jpg")


def test_the_keyboards_way_on_after_choosing_files_is_no_mistake(open_page):
    page = open_page()
    link, error = page.get_by_label("Link to a picture"), page.locator("#link-error")
    page.locator("#files").focus()
    give(page, ("a.png", picture(RED)))
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    for key in ("Enter", "Tab", "Enter"):  # in the empty field, on to Fetch, and that
        page.keyboard.press(key)
        expect(error).to_be_empty()
    expect(link).to_be_focused()
    page.keyboard.type("  ")
    page.keyboard.press("Enter")
    expect(error).to_be_empty()
    assert link.get_attribute("aria-invalid") is None
    wait_for(page, 1)


def test_choosing_files_takes_back_what_was_said_of_a_link(open_page):
    page = open_page()
    page.get_by_label("Link to a picture").fill("holiday.jpg")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Link to a picture")).to_have_attribute("aria-invalid", "true")
    give(page, ("a.png", picture(RED)))
    wait_for(page, 1)
    expect(page.locator("#link-error")).to_be_empty()
    assert page.get_by_label("Link to a picture").get_attribute("aria-invalid") is None


def test_what_was_kept_by_the_browser_is_not_sent_again(open_page):
    page = open_page()
    give(page, ("a.png", picture(RED)))
    wait_for(page, 1)
    assert page.locator("#files").evaluate("input => input.files.length") == 0
    page.reload()
    expect(page.locator("#model-chip")).to_contain_text("Model:")
    expect(cards(page)).to_have_count(0)


# --- addresses that others make ---------------------------------------------------------------------------


def test_a_link_in_the_address_is_filled_in_and_fetched_only_on_request(open_page, pictures, address):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.method))
    page.goto(f"{address}/?url={quote(f'{pictures}/ok.jpg', safe='')}")
    expect(page.get_by_label("Link to a picture")).to_have_value(f"{pictures}/ok.jpg")
    expect(page.get_by_text("Nothing is fetched until you press Fetch.")).to_be_visible()
    expect(page.locator("#model-chip")).to_contain_text("Model:")
    page.keyboard.press("Enter")  # whoever was typing elsewhere has not asked for anything
    expect(cards(page)).to_have_count(0)
    assert "POST" not in asked
    assert_accessible(page)
    page.get_by_role("button", name="Fetch").click()
    wait_for(page, 1)
    expect(page.locator(".verdict")).to_have_text("Uncertain")
    expect(page.get_by_text("Nothing is fetched until you press Fetch.")).to_be_hidden()


@pytest.mark.parametrize(
    "value",
    [
        *("javascript:alert(1)", "file:///etc/passwd", "data:image/png;base64,AAAA", "//example.com/a.jpg"),
        *("https://", "https://a b", "https://x.example/" + "a" * 3000, "<img src=x onerror=alert(1)>"),
        *(
            "",
            "\0",
            "%E0%A4%A",
            "https://[",
            "ftp://example.com/a.jpg",
            "https://a.example\nhttps://b.example",
        ),
    ],
)
def test_odd_links_in_the_address_do_nothing(open_page, address, value):
    page = open_page()
    page.goto(f"{address}/?url={value if value == '%E0%A4%A' else quote(value, safe='')}")
    expect(page.locator("#model-chip")).to_contain_text("Model:")
    expect(page.get_by_label("Link to a picture")).to_have_value("")
    expect(page.locator("#link-hint")).to_be_hidden()
    expect(page.locator("#link-error")).to_be_empty()
    give(page, ("a.png", picture(BLUE)))  # and everything else still works
    wait_for(page, 1)


ELSEWHERE = "http://elsewhere.example"
PAGES = {
    "/some": ('<img src="/1.png" width=20><img src="/2.png?a=1&b=2" width=300>', "/2.png?a=1&b=2"),
    "/none": ("<p>Just words</p>", "/none"),
    "/inline": (
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width=500><img src="/3.png">',
        "/3.png",
    ),
}
"""What another page holds, and the address that is wanted of it."""


@pytest.mark.parametrize("path", PAGES)
def test_the_bookmark_opens_this_page_with_the_largest_picture_of_another(open_page, address, path):
    markup, wanted = PAGES[path]
    page = open_page()
    page.get_by_text("Ask about a picture on another page").click()
    href = page.get_by_role("link", name="Human or AI?").last.get_attribute("href")
    scheme, script = href[:11], unquote(href[11:])
    assert scheme == "javascript:" and address in script
    other = page.context.new_page()

    def answer(route):
        if ".png" in route.request.url:
            route.fulfill(body=picture(RED), content_type="image/png")
        else:
            route.fulfill(body=markup, content_type="text/html")

    other.route(f"{ELSEWHERE}/**", answer)
    other.goto(ELSEWHERE + path)
    with page.context.expect_page() as opened:
        other.evaluate(f"() => {{ {script} }}")
    expect(opened.value.get_by_label("Link to a picture")).to_have_value(ELSEWHERE + wanted)
    expect(cards(opened.value)).to_have_count(0)


def test_pressed_here_the_bookmark_explains_itself(open_page, address):
    page = open_page()
    page.get_by_text("Ask about a picture on another page").click()
    bookmark = page.locator("#bookmarklet")
    bookmark.click()  # the page's own rules would refuse to run it, and the console would say so
    expect(page.get_by_text("it is a bookmark for other pages")).to_be_visible()
    assert page.url == f"{address}/"
    bookmark.dispatch_event("dragstart")
    page.dispatch_event("#drop", "dragenter")
    expect(page.get_by_text("Let go to add them")).to_have_css("opacity", "0")
    bookmark.dispatch_event("dragend")
    assert_accessible(page)
