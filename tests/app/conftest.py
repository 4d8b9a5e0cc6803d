import pytest

from src.app import create_app
from src.app.limits import Limits
from src.app.routes import EXTENSION
from src.utils.data.web.fetch import fetch_image
from tests.app.fakes import RednessModel


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
