"""How gunicorn serves the page, on any host: `gunicorn "src.app:create_app()"` reads this by itself.

Each setting can be changed by the variable named beside it, or by gunicorn's own GUNICORN_CMD_ARGS.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from src.app.host import available_cores, available_memory, keep_memory_small
from src.app.limits import Limits
from src.utils.models.bundle.onnx_session import model_threads
from src.utils.models.store.bucket import ModelStore
from src.utils.settings import UserError

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

    from src.app.receiving import ReceivingWorker

MOST_WORKERS = 4
WORKER_BYTES = 256_000_000
"""What a worker with one of the CNNs needs in a busy hour, large pictures included."""

LOADING_SECONDS = 15
"""A model takes a second or two; one that is still to be fetched may take longer than this."""

bind = f"0.0.0.0:{os.environ.get('PORT') or 8000}"

# One process a core, for each answers one picture at a time. More than a few copies of the model only cost
# memory: on larger machines each gets several cores instead (MODEL_THREADS, below).
workers = int(os.environ.get("WEB_CONCURRENCY") or 0) or max(
    1, min(MOST_WORKERS, available_cores(), available_memory() // WORKER_BYTES)
)
worker_class = "src.app.receiving.ReceivingWorker"
# Threads wait: for their picture's turn, or for the host of a link. Slow clients take none.
threads = 32
# Longer than the 60 s after which load balancers usually forget an idle connection, so that they do it first.
keepalive = 75
# A worker's event loop is never this long without a sign of life, however long a request takes.
timeout = 30
# Requests that were begun are answered before the server stops; hosts usually kill it after 30 s.
graceful_timeout = 25
# Workers are forked before the app is loaded: the thread that loads the model would not survive a fork.
preload_app = False
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a container's /tmp may be a slow disk
control_socket_disable = True

# The app logs each request itself, without what was sent or who sent it.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s [%(process)d] %(message)s", "datefmt": "%Y-%m-%d %H:%M:%S"}
    },
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
}


def on_starting(server: Arbiter) -> None:
    """Refuse to start with a wrong setting: one line instead of a worker that fails again and again."""
    try:
        Limits.from_env()
        model_threads()
        if not os.environ.get("MODEL_DIR"):
            ModelStore.from_env()
    except UserError as error:
        sys.exit(f"error: {error}")
    # A worker that takes another's place serves the same version of the model as the others.
    os.environ["MODEL_PIN"] = str(Path(tempfile.mkdtemp(prefix="human-or-ai-server-")) / "model.json")


def on_exit(server: Arbiter) -> None:
    """Leave nothing behind."""
    if os.environ.get("MODEL_PIN"):
        shutil.rmtree(Path(os.environ["MODEL_PIN"]).parent, ignore_errors=True)


def post_fork(server: Arbiter, worker: ReceivingWorker) -> None:
    """Keep memory small, and share the cores among the workers' models unless MODEL_THREADS is given."""
    keep_memory_small()
    if not os.environ.get("MODEL_THREADS"):
        os.environ["MODEL_THREADS"] = str(max(1, available_cores() // server.cfg.workers))


def post_worker_init(worker: ReceivingWorker) -> None:
    """Take no requests before the model is loaded, so that after one ready answer no worker says otherwise.

    A model that takes longer, or cannot be had at the moment, is not waited for: the app then says so.
    """
    slot = worker.wsgi.extensions["pictures"].slot
    end = time.monotonic() + LOADING_SECONDS
    while not slot.settled.wait(1) and time.monotonic() < end:
        worker.notify()
