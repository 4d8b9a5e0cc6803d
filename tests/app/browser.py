"""A headless Chromium for tests, the app running where it can reach it, and what tests do with the page."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, Playwright, expect
from werkzeug.serving import make_server

from src.app import create_app
from src.app.limits import Limits
from src.app.model import Model

SIZES = {"wide": (1280, 900), "phone": (360, 740)}

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium: $CHROMIUM, one on the path, or Playwright's own. Without any, skip; in CI, fail."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    own = playwright.chromium.executable_path
    if not found and not Path(own).exists():
        message = "No Chromium here: install Debian's `chromium`, or set CHROMIUM to its path."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return playwright.chromium.launch(executable_path=found or own, args=list(QUIET))


@contextlib.contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve an app on a port of this computer, by default a free one; yields its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ready(model: Model) -> Flask:
    """An app whose model is loaded."""
    app = create_app(lambda: model, Limits())
    assert app.extensions["pictures"].slot.settled.wait(10)
    return app


def as_file(name: str, data: bytes, kind: str = "image/png") -> dict:
    """A file as Playwright hands it to a page."""
    return {"name": name, "mimeType": kind, "buffer": data}


def give(page: Page, *files: tuple[str, bytes]) -> None:
    """Choose files, each (name, bytes)."""
    page.set_input_files("#files", [as_file(name, data) for name, data in files])


def cards(page: Page) -> Locator:
    """The cards of the pictures on the page."""
    return page.locator(".card")


def wait_for(page: Page, number: int) -> None:
    """Wait until so many cards have their answers or errors."""
    expect(cards(page)).to_have_count(number)
    expect(page.locator(".card:is([data-state=waiting], [data-state=busy])")).to_have_count(0, timeout=20_000)


def pixel(canvas: Locator, x: float = 0.5, y: float = 0.5) -> list[int]:
    """Red, green, blue and opacity of a canvas, at a fraction of its size."""
    script = """(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(
        Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]"""
    return canvas.evaluate(script, [x, y])


def assert_accessible(page: Page) -> None:
    """Whether axe has nothing to say about the page as it is."""
    report = Axe().run(page)
    found = {
        violation["id"]: [node["html"][:120] for node in violation["nodes"]]
        for violation in report.response["violations"]
    }
    assert found == {}
