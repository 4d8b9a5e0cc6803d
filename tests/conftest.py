import logging

import pytest


@pytest.fixture(autouse=True)
def _logging_as_before():
    """No test, nor what it calls, may leave less logged than it found: later tests read the log."""
    before = (logging.root.level, logging.root.manager.disable)
    yield
    assert (logging.root.level, logging.root.manager.disable) == before


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for every test that asks for it; there can be no second one in a process."""
    from playwright.sync_api import sync_playwright

    from tests.app.browser import launch

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()
