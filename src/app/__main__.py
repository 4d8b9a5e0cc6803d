"""Serve the page on this computer: `python -m src.app [--host HOST] [--port PORT]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from gunicorn.app.base import Application
from gunicorn.arbiter import Arbiter

from src.app import create_app
from src.app.limits import Limits
from src.app.model import BundleModel, chosen_folder, model_location
from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.environment import quiet_start, read_dotenv
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.detectors.kept import find_model
from src.utils.settings import PROJECT_ROOT, UserError


class _Server(Application):
    """Gunicorn as gunicorn.conf.py sets it up, but for what a single user's computer needs otherwise."""

    def __init__(self, **options: object):
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        self.load_config_from_file(str(PROJECT_ROOT / "gunicorn.conf.py"))
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self):
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
        A model in S3 is not asked for before the server runs, so its absence is no reason to exit.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    parser = argparse.ArgumentParser(prog="python -m src.app", description="Serve the web page.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other computers in (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(%(default)s)")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a folder below models/, or a detector of detectors.toml such as sieve, which is fetched when "
        "it is missing; by default what MODEL_DIR or S3_BUCKET_NAME name, else the best model there is",
    )
    options = parser.parse_args(arguments)
    read_dotenv()
    try:
        Limits.from_env()
        if options.model:
            os.environ["MODEL_DIR"] = str(find_model(options.model).resolve())  # workers read it, too
        model = model_location()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def tell(server: Arbiter) -> None:
        port = server.LISTENERS[0].sock.getsockname()[1]
        print(f"Serving {model.name} on http://{options.host}:{port} (Ctrl+C stops it).", flush=True)
        if isinstance(model, Path) and load_bundle(model).facts.get("demonstration"):
            print(DEMONSTRATION, BETTER_DETECTOR, sep="\n", flush=True)

    bind = f"{options.host}:{options.port}"
    _Server(bind=bind, workers=1, loglevel="warning", when_ready=tell).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
