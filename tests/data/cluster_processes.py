"""A scheduler and workers as processes, each in a folder of its own, for as long as a test needs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from src.utils.settings import PROJECT_ROOT


class Cluster:
    """Processes that end with a `with` block.

    Attributes:
        address: The scheduler's, for SCHEDULER; it stays when the scheduler is started again.
        folder: Holds the folder of each process, and what it wrote.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def start_scheduler(self) -> None:
        """Start the scheduler, or start it again."""
        self._start("scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", str(self._port))

    def start_worker(self, name: str, environment: dict[str, str] | None = None) -> None:
        """Start a worker of one thread.

        Args:
            name: What the test calls it.
            environment: Variables that it has besides this process's own.
        """
        options = ("--nthreads", "1", "--no-nanny", "--death-timeout", "60", "--name", name)
        folder = ("--local-directory", str(self.folder / name))
        self._start(name, "dask_worker", self.address, *options, *folder, environment=environment)

    def kill(self, name: str) -> None:
        """Send SIGKILL: nothing is said or saved."""
        os.kill(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def _start(
        self, name: str, module: str, *options: str, environment: dict[str, str] | None = None
    ) -> None:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", f"distributed.cli.{module}", *options, "--no-dashboard"]
        variables = {
            **os.environ,
            "PYTHONPATH": str(PROJECT_ROOT),
            "MODEL_THREADS": "1",
            **(environment or {}),
        }
        variables.pop("SCHEDULER", None)
        with (folder / "said.txt").open("ab") as said:
            self.processes[name] = subprocess.Popen(
                command, cwd=folder, env=variables, stdout=said, stderr=said, start_new_session=True
            )
