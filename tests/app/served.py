"""Apps that real gunicorn processes serve in tests, named as `tests.app.served:make_…()`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask

from src.app import create_app, receiving
from src.app.limits import Limits
from src.utils.data.web.fetch import fetch_image
from src.utils.settings import UserError
from tests.app.fakes import RednessModel

LIMITS = Limits(per_minute=10**6, file_bytes=1_000_000)


def fetch_locally(url, **options):
    """Links to this computer are allowed, as the pictures of tests lie there."""
    return fetch_image(url, allow_local=True, **options)


def make_app() -> Flask:
    """The app with a model whose answers are known."""
    return create_app(RednessModel, LIMITS, fetch_locally)


def make_hurried_app() -> Flask:
    """The same, but its server's patience is short; `/flood` answers more than any buffer holds."""
    receiving.PATIENCE = receiving.SEND_SECONDS = 1.0
    app = make_app()
    app.add_url_rule("/flood", "flood", lambda: bytes(50_000_000))
    return app


def make_waiting_app() -> Flask:
    """The same, but dark red pictures are only answered when the test says so."""
    return create_app(WaitingModel, LIMITS)


def make_app_without_a_model() -> Flask:
    """An app whose model cannot be loaded."""
    return create_app(_fail, LIMITS)


def _fail():
    raise UserError("There is no model here.")


class WaitingModel(RednessModel):
    """Before it answers for a picture of one dark red, it leaves a file PID-RED and waits for one named `go`.

    The files lie in the folder that TEST_FOLDER names.
    """

    def predict(self, image):
        red, green, blue = image.getpixel((0, 0))
        if red < 100 and green == blue == 0:
            folder = Path(os.environ["TEST_FOLDER"])
            (folder / f"{os.getpid()}-{red}").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        return super().predict(image)
