import pytest


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for every test that asks for it; there can be no second one in a process."""
    from playwright.sync_api import sync_playwright

    from tests.app.browser import launch

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()
