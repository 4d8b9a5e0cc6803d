"""Runs a Dockerfile's steps in a folder, as far as that goes without a container engine.

It stays because hadolint reads style alone: only a run shows that what is copied suffices to serve, within
the size and as the user that docs/DEPLOYMENT.md names. All it makes lies below /srv, which stands for
`root/srv` here; base images and users are the machine's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOME = "/srv"


def read_steps(dockerfile: Path) -> list[tuple[str, str]]:
    """Instructions with their arguments, in order; continued lines joined, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (line.split()[0], line.split(maxsplit=1)[1].strip()) for line in joined.splitlines() if line.strip()
    ]


def shared_python() -> tuple[Path, bool]:
    """A Python of this version, and whether every user may run it, which one in a home may not allow."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = Path(sys.base_prefix) / "bin" / f"python{version}"
    for path in (own, Path("/usr/bin") / own.name):
        if path.exists() and all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents):
            return path, True
    return own, False


class Container:
    """What the steps of a Dockerfile leave behind.

    Attributes:
        root: Stands for the container's `/`.
        folder: Its working folder.
        env: Its environment, and no more of this machine's than the path to Python and pip's settings.
        user: Number of the user it runs as; None where this process may not change users.
        command, healthcheck: As the container runs them.
    """

    def __init__(self, context: Path, root: Path):
        self.root = root
        self.folder = root
        python, self._may_change_user = shared_python()
        tools = root / "tools"
        tools.mkdir()
        for name, command in (("python3", python), ("pip", f"{sys.executable} -m pip")):
            (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (tools / name).chmod(0o755)
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.env = {"PATH": f"{tools}:/usr/bin:/bin", **pip}
        self.user: int | None = None
        self.command: list[str] = []
        self.healthcheck: list[str] = []
        for instruction, arguments in read_steps(context / "Dockerfile"):
            getattr(self, f"_{instruction.lower()}")(self._here(arguments), context)

    def _here(self, text: str) -> str:
        return text.replace(HOME, str(self.root) + HOME)

    def _from(self, arguments: str, context: Path) -> None:
        """A base image is this machine."""

    def _env(self, arguments: str, context: Path) -> None:
        for assignment in arguments.split():
            name, value = assignment.split("=", 1)
            if name != "PIP_NO_CACHE_DIR":  # the wheels of this machine's own environment do as well
                self.env[name] = value.replace("$PATH", self.env["PATH"])

    def _workdir(self, arguments: str, context: Path) -> None:
        self.folder = Path(arguments)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _copy(self, arguments: str, context: Path) -> None:
        if arguments.startswith("--from="):  # one root serves all stages
            assert Path(arguments.split()[-1]).exists()
            return
        *sources, target = arguments.split()
        for source in sources:
            assert f"!{source}" in (context / ".dockerignore").read_text().split()
            place = self.folder / target / source if target.endswith("/") else self.folder / target
            if (context / source).is_dir():
                shutil.copytree(context / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(context / source, place)

    def _run(self, arguments: str, context: Path) -> None:
        if os.geteuid() != 0:
            arguments = arguments.replace("-o 10001 -g 10001", "")
        subprocess.run(
            ["sh", "-c", arguments], cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL
        )

    def _user(self, arguments: str, context: Path) -> None:
        may = os.geteuid() == 0 and self._may_change_user
        self.user = int(arguments.partition(":")[0]) if may else None

    def _expose(self, arguments: str, context: Path) -> None:
        self.port = int(arguments)

    def _healthcheck(self, arguments: str, context: Path) -> None:
        self.healthcheck = json.loads(arguments.partition("CMD ")[2])

    def _cmd(self, arguments: str, context: Path) -> None:
        self.command = json.loads(arguments)

    def start(self, command: list[str], **env: str) -> subprocess.Popen:
        """Start a command as the container would."""
        program = shutil.which(command[0], path=self.env["PATH"])
        return subprocess.Popen(
            [program, *command[1:]],
            cwd=self.folder,
            env=self.env | env,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def megabytes(*folders: Path) -> float:
    """Space that files take on disk, in units of 1,000,000 bytes."""
    files = [
        file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()
    ]
    return sum(file.stat().st_blocks * 512 for file in files) / 1e6
