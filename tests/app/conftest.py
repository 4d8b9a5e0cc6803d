import pytest

from src.app import create_app
from src.app.limits import Limits
from src.app.routes import EXTENSION
from src.utils.data.web.fetch import fetch_image
from tests.app import served
from tests.app.browser import SIZES, serving
from tests.app.fakes import RednessModel
from tests.app.gunicorn_server import gunicorn
from tests.data.hostile_server import hostile_server


@pytest.fixture
def make_app():
    """Makes an app whose model is ready."""

    def make(model=None, limits=Limits(), fetch=fetch_image):  # noqa: B008 (frozen)
        app = create_app(lambda: model or RednessModel(), limits, fetch)
        assert app.extensions[EXTENSION].slot.settled.wait(10)
        return app

    return make


@pytest.fixture
def client(make_app):
    return make_app().test_client()


# --- a real browser


@pytest.fixture(scope="module")
def address(request):
    if getattr(request, "param", None) == "gunicorn":
        with gunicorn("tests.app.served:make_app()", workers=2) as server:
            yield server.url
    else:
        with serving(served.make_app()) as url:
            yield url


@pytest.fixture(scope="module")
def pictures():
    with hostile_server() as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def open_page(browser, address):
    """Opens the page; at the end, nothing may have gone to the console or to another host."""
    contexts, complaints = [], []

    def open_at(url=address, size="wide", scheme="light", expected_complaints=()):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)

        def complain(text):
            if not any(word in text for word in expected_complaints):
                complaints.append(text)

        page.on("console", lambda message: message.type in ("error", "warning") and complain(message.text))
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("request", lambda request: request.url.startswith(url) or complain(f"asked {request.url}"))
        page.goto(url)
        return page

    yield open_at
    stored = [context.storage_state() for context in contexts]
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(state == {"cookies": [], "origins": []} for state in stored)
