"""Serve the page on this computer: `python -m src.app [--host HOST] [--port PORT]`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from src.app import create_app
from src.app.limits import Limits
from src.app.model import BundleModel, chosen_folder
from src.utils.predict import quiet_start
from src.utils.settings import UserError


class _Server(BaseApplication):
    """Gunicorn with one process, told what to do here instead of on its command line."""

    def __init__(self, **options: object):
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self):
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        return create_app(_load_quietly)


def _load_quietly() -> BundleModel:
    with quiet_start():
        return BundleModel.load(chosen_folder())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 2 if there is no model to serve or a setting is wrong, else 0 once the server is stopped.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    parser = argparse.ArgumentParser(prog="python -m src.app", description="Serve the web page.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other computers in (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(%(default)s)")
    options = parser.parse_args(arguments)
    try:
        Limits.from_env()
        folder = chosen_folder()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def tell(server: Arbiter) -> None:
        port = server.LISTENERS[0].sock.getsockname()[1]
        print(f"Serving {folder.name} on http://{options.host}:{port} (Ctrl+C stops it).", flush=True)

    bind = f"{options.host}:{options.port}"
    _Server(bind=bind, threads=8, timeout=0, loglevel="warning", when_ready=tell).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
