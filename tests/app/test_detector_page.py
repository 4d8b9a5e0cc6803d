"""A detector of others behind the page: before and after it is calibrated, in a real browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from src.app.model import BundleModel
from src.utils.models.bundle.predictor import UNCALIBRATED_HERE, Predictor
from src.utils.models.detectors.kept import find_model
from src.utils.names import percent
from src.utils.settings import Settings
from tests.app.browser import assert_accessible, give, ready, serving, wait_for
from tests.models.detectors.stand_ins import calibrate_by_hand, stand_in_offered

pytestmark = pytest.mark.browser


def bright_picture() -> bytes:
    """A soft, bright texture, as a PNG."""
    small = np.random.default_rng(0).integers(180, 256, (10, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((240, 200), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def test_a_detector_answers_on_the_page(tmp_path, monkeypatch, open_page):
    with stand_in_offered(tmp_path, monkeypatch):
        folder = find_model("stand_in", Settings(root=tmp_path))
    for verdict in ("Uncertain", "AI-generated"):
        with serving(ready(BundleModel.load(folder))) as url:
            page = open_page(url)
            give(page, ("a.png", bright_picture()))
            wait_for(page, 1)
            expect(page.locator(".verdict")).to_have_text(verdict)
            if verdict == "Uncertain":
                expect(page.locator(".reason")).to_contain_text(UNCALIBRATED_HERE[1:])
                (row,) = Predictor.load(folder).predict_files([bright_picture()])
                said = f"as its authors calibrated it: {percent(row['probability_ai'])}."
                expect(page.locator(".sentence")).to_contain_text(said)
            page.goto("about:blank")  # which asks for nothing once the server has gone
        calibrate_by_hand(folder)


def test_its_card_says_whose_it_is_and_what_was_measured_where(tmp_path, monkeypatch, open_page):
    with stand_in_offered(tmp_path, monkeypatch):
        folder = find_model("stand_in", Settings(root=tmp_path))
    told = {
        False: ("Uncalibrated here", "make calibrate MODEL=stand_in"),
        True: ("are measured", "the embedded sample"),
    }
    for calibrated, words in told.items():
        with serving(ready(BundleModel.load(folder))) as url:
            for size, scheme in (("wide", "light"), ("phone", "dark")):
                page = open_page(url, size=size, scheme=scheme)
                page.goto(f"{url}/card")
                expect(page.locator("h1")).to_have_text("Stand-in")
                whose = page.locator(".facts").nth(1)
                for word in ("the tests", "MIT", "none stated", "1 × logit + 0.43", "from 65 % on", *words):
                    expect(whose).to_contain_text(word)
                published = page.get_by_text("Published by the tests; not run by us: none.")
                expect(published).to_be_visible()
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert_accessible(page)
        if not calibrated:
            calibrate_by_hand(folder, measured_on="sample")
