"""A detector of others behind the page: before and after it is calibrated, in a real browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from src.app.model import BundleModel
from src.utils.models.bundle.predictor import UNCALIBRATED_HERE
from src.utils.models.detectors.kept import find_model
from src.utils.settings import Settings
from tests.app.browser import give, ready, serving, wait_for
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
            page.goto(f"{url}/card")
            expect(page.locator("h1")).to_have_text("Stand-in")
        calibrate_by_hand(folder)
