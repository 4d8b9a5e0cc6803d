"""The web app: `create_app()` for any WSGI server, `python -m src.app` for this computer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Flask

from src.app.analysis import Fetch
from src.app.limits import Limits
from src.app.model import PAUSES, BundleModel, Model, ModelSlot, chosen_folder
from src.app.protection import PictureRate, protect
from src.app.routes import EXTENSION, Services, pages
from src.utils.data.web.fetch import fetch_image


def create_app(
    load: Callable[[], Model] | None = None,
    limits: Limits | None = None,
    fetch: Fetch = fetch_image,
    pauses: Sequence[float] = PAUSES,
) -> Flask:
    """Make the app and start loading its model in the background, again and again while that fails.

    Args:
        load: Gives the model; by default the bundle that `chosen_folder` names.
        limits: What a visitor may ask; from the environment by default.
        fetch: Reads a link, called as `fetch_image` is.
        pauses: Seconds between attempts to load the model; the last one repeats.

    Returns:
        The app, which answers at once; `/readyz` tells when it can predict.

    Raises:
        UserError: A limit in the environment is not a number.
    """
    limits = limits or Limits.from_env()
    slot = ModelSlot(load or (lambda: BundleModel.load(chosen_folder())), pauses)
    app = Flask(__name__)
    app.json.sort_keys = False  # pyright: ignore[reportAttributeAccessIssue]
    app.extensions[EXTENSION] = Services(slot, limits, PictureRate(limits.per_minute), fetch)
    app.register_blueprint(pages)
    protect(app, limits)
    slot.fill_in_background()
    return app
