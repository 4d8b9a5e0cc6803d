"""What is deployed: the container file, step by step, and what Heroku reads."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from src.utils.data.pictures.decode import read_pixels
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import PROJECT_ROOT
from tests.app.fakes import RED, picture
from tests.container import Container, megabytes, read_steps
from tests.models.tiny import SIZE, build_tiny

READY_SECONDS = 20


@pytest.fixture(scope="module")
def container():
    root = Path(tempfile.mkdtemp(prefix="container-"))
    root.chmod(0o755)
    try:
        yield Container(PROJECT_ROOT, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def bundle(container):
    """A bundle with nothing but what serving needs, where every user may read it."""
    saved = save_bundle(container.root / "saved", build_tiny(), {"source": "sample", "demonstration": True})
    folder = container.root / "model"
    folder.mkdir()
    for name in ("bundle.json", *saved.served_files):
        shutil.copy(saved.folder / name, folder)
    return folder


@contextlib.contextmanager
def running(container, command, **env):
    """A command on a free port; yields its address and ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = container.start(command, PORT=str(port), **env)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def wait_until_ready(address, process):
    """Seconds until the service says it is ready."""
    began = time.monotonic()
    while time.monotonic() - began < READY_SECONDS:
        assert process.poll() is None, process.stdout.read()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5):
            return time.monotonic() - began
        time.sleep(0.1)
    pytest.fail(f"not ready after {READY_SECONDS} s")


def test_the_container_file_is_linted():
    lint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(
        [lint, "--no-color", "Dockerfile"], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_serves_a_model_as_a_plain_user_and_without_tensorflow(container, bundle):
    packages = next(container.root.glob("srv/venv/lib/*/site-packages"))
    assert not list(packages.glob("tensorflow*")) and not list(packages.glob("pandas*"))
    assert megabytes(container.root / "srv") < 300  # with best, 90 MB, the deployed set stays below 400

    with running(container, container.command, MODEL_DIR=str(bundle), WEB_CONCURRENCY="2") as (
        process,
        address,
    ):
        wait_until_ready(address, process)
        if container.user is not None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\s+10001\s+10001\s", status, flags=re.MULTILINE)

        data = picture(RED)
        head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="red.png"\r\n\r\n'
        request = urllib.request.Request(
            f"{address}/predict",
            head + data + b"\r\n--cut--\r\n",
            {"Content-Type": "multipart/form-data; boundary=cut"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            found = json.load(response)["predictions"][0]
        pixels = read_pixels(data, SIZE)[np.newaxis]
        expected = Predictor.load(bundle).predict_pixels(pixels)[0]
        assert found["probability_ai"] == pytest.approx(expected, abs=1e-6)

        port = address.rpartition(":")[2]
        assert container.start(container.healthcheck, PORT=port).wait(20) == 0
    assert container.start(container.healthcheck, PORT=port).wait(20) != 0


def test_a_container_without_a_model_is_alive_and_not_ready(container, bundle):
    with running(container, container.command, MODEL_DIR=str(container.root / "none")) as (process, address):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/healthz", timeout=5):
                break
            time.sleep(0.1)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{address}/readyz", timeout=5)
        assert process.poll() is None


def test_heroku_gets_the_same_command_python_and_packages(tmp_path):
    procfile = dict(line.split(": ", 1) for line in (PROJECT_ROOT / "Procfile").read_text().splitlines())
    steps = dict(read_steps(PROJECT_ROOT / "Dockerfile"))
    assert procfile == {"web": 'gunicorn "src.app:create_app()"'}
    assert json.loads(steps["CMD"]) == ["gunicorn", "src.app:create_app()"]

    python = (PROJECT_ROOT / ".python-version").read_text().strip()
    assert steps["FROM"].startswith(f"python:{python}-slim")
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14" and python in {"3.11", "3.12", "3.13"}

    for name in ("requirements.txt", "requirements-app.txt", "bin"):
        copy = shutil.copytree if (PROJECT_ROOT / name).is_dir() else shutil.copy2
        copy(PROJECT_ROOT / name, tmp_path / name)
    subprocess.run(["bin/pre_compile"], cwd=tmp_path, check=True)
    assert (tmp_path / "requirements.txt").read_bytes() == (
        PROJECT_ROOT / "requirements-app.txt"
    ).read_bytes()


def test_nothing_that_the_app_needs_is_left_out_of_the_slug():
    left_out = {line.strip("/") for line in (PROJECT_ROOT / ".slugignore").read_text().splitlines()}
    copied = {
        source
        for instruction, arguments in read_steps(PROJECT_ROOT / "Dockerfile")
        if instruction == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert copied == {"src", "gunicorn.conf.py", "requirements-app.txt"}
    assert not copied & left_out
    assert all((PROJECT_ROOT / name).exists() for name in left_out)
