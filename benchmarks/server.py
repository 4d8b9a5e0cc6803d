"""Serving uploads, one picture a request: the deck's development server beside gunicorn as it is set up here.

Both run as processes of their own on this machine, with the same network and the same pictures, and are asked
in turns. The clients run here too and cost both the same.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.limits import Need, Rates, answering_needs, decoding_need
from src.utils.settings import PROJECT_ROOT

CLIENTS = (1, 8, 32)
START_SECONDS = 120
BOUNDARY = "picture-follows"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        process: Its first process.
        port: Where it listens on this computer.
        start_seconds: How long it took until it was ready.
    """

    process: subprocess.Popen
    port: int
    start_seconds: float


@dataclass(frozen=True)
class Load:
    """What some clients met who asked one picture after the other.

    Attributes:
        seconds: How long that went on.
        latencies: Of every answered request, in seconds.
        failed: Requests without a good answer.
        processor_seconds: What the server computed meanwhile; None where the system does not tell.
    """

    seconds: float
    latencies: list[float]
    failed: int
    processor_seconds: float | None


def benchmark_server(
    bundle: Path, pictures: list[Path], seconds: float, repeats: int, best: Path | None = None
) -> dict[str, Any]:
    """Requests a second and latency of both ways for 1, 8 and 32 clients, memory and time to start.

    Args:
        bundle: A CNN, with the trained network beside the exported one.
        pictures: What is uploaded.
        seconds: How long each way is asked at a time.
        repeats: Turns for each number of clients.
        best: The best model's bundle, if there is one; the deck has no counterpart, so it is measured alone.

    Returns:
        `start_seconds` and `memory_mb` by way, and `clients`: for each number, both ways, `times_faster` and
        `limit`: the answers a second if a processor only decoded and multiplied.
        The same for `best` under that name.
    """
    bodies = [multipart(path) for path in pictures]
    read = decoding_need(pictures)
    deck_command = [sys.executable, "-m", "benchmarks.deck_server", str(bundle / "model.keras"), "{port}"]
    with running(deck_command) as deck, running(*our_command(bundle)) as ours:
        needs = (*answering_needs(bundle), read)
        report = measure_servers({"deck": deck, "ours": ours}, bodies, seconds, repeats, needs)
    if best:
        with running(*our_command(best)) as ours:
            needs = (*answering_needs(best), read)
            report["best"] = measure_servers({"ours": ours}, bodies, seconds, repeats, needs)
    return report


def our_command(bundle: Path) -> tuple[list[str], dict[str, str]]:
    """The deployed command, and the variables that differ from its defaults."""
    command = [sys.executable, "-m", "gunicorn", "src.app:create_app()", "--bind", "127.0.0.1:{port}"]
    return command, {"MODEL_DIR": str(bundle), "RATE_PER_MINUTE": str(10**9)}


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str] | None = None) -> Iterator[Server]:
    """Start a server whose command has `{port}` in it, wait until it is ready, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [part.replace("{port}", str(port)) for part in command],
        cwd=PROJECT_ROOT,
        env=os.environ | (env or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(process, port)
        yield Server(process, port, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen, port: int) -> None:
    """Ask again and again.

    Raises:
        RuntimeError: The server ended, or was not ready in time.
    """
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{' '.join(process.args)} is not ready.")


def measure_servers(
    servers: dict[str, Server],
    bodies: list[bytes],
    seconds: float,
    repeats: int,
    needs: Sequence[Need] = (),
) -> dict[str, Any]:
    """Ask servers in turns, and the machine what it could do at most; the first turn does not count."""
    clients = {}
    for number in CLIENTS:
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        rates = Rates(needs)
        for repeat in range(repeats + 1):
            for name, server in servers.items():
                load = put_under_load(server, bodies, number, seconds if repeat else min(seconds, 1.0))
                if repeat:
                    loads[name].append(load)
            if repeat:
                rates.measure()
        row = {name: summarise(runs) for name, runs in loads.items()}
        if "deck" in row:
            faster = row["ours"]["requests_per_second"] / row["deck"]["requests_per_second"]
            row["times_faster"] = round(faster, 2)
        clients[str(number)] = row | rates.as_limit(row["ours"]["requests_per_second"])
    return {
        "start_seconds": {name: round(server.start_seconds, 1) for name, server in servers.items()},
        "memory_mb": {name: memory_mb(server.process.pid) for name, server in servers.items()},
        "clients": clients,
    }


def put_under_load(server: Server, bodies: list[bytes], clients: int, seconds: float) -> Load:
    """Let clients upload one picture after the other, each over a connection that it keeps if it may."""
    latencies: list[float] = []
    failed: list[int] = []
    started = time.perf_counter()
    processor = processor_seconds(server.process.pid)

    def ask(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for index in itertools.count(first):
            began = time.perf_counter()
            if began > started + seconds:
                break
            try:
                connection.request("POST", "/predict", bodies[index % len(bodies)], HEADERS)
                response = connection.getresponse()
                good = response.status == 200 and b'"label"' in response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                good = False
            if good:
                latencies.append(time.perf_counter() - began)
            else:
                failed.append(1)
        connection.close()

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = None if processor is None else processor_seconds(server.process.pid) - processor
    return Load(time.perf_counter() - started, latencies, len(failed), spent)


def summarise(loads: list[Load]) -> dict[str, Any]:
    """Median rate of the turns, and the latencies of all their requests together."""
    latencies = [latency for load in loads for latency in load.latencies]
    middle, slow = np.percentile(latencies, (50, 95))
    known = all(load.processor_seconds is not None for load in loads)
    processor = sum(load.processor_seconds for load in loads) / len(latencies) if known else None
    rate = statistics.median(len(load.latencies) / load.seconds for load in loads)
    return {
        "requests_per_second": round(rate, 1),
        "p50_ms": round(1000 * float(middle), 1),
        "p95_ms": round(1000 * float(slow), 1),
        "processor_ms": None if processor is None else round(1000 * processor, 1),
        "failed": sum(load.failed for load in loads),
    }


def multipart(picture: Path) -> bytes:
    """The body of an upload."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{picture.name}"\r\n\r\n'
    return head.encode() + picture.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def process_tree(pid: int) -> list[int]:
    """A process and all that it started, as far as Linux tells."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    children = path.read_text().split() if path.exists() else []
    return [pid, *(found for child in children for found in process_tree(int(child)))]


def memory_mb(pid: int) -> float | None:
    """Memory of a process and its children, what they share counted once; None where the system hides it."""
    try:
        rollups = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in process_tree(pid)]
    except OSError:
        return None
    sizes = [int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) for text in rollups]
    return round(sum(sizes) * 1024 / 1e6, 1)


def processor_seconds(pid: int) -> float | None:
    """Processor time that a process and its children have taken so far; None where the system hides it."""
    try:
        stats = [Path(f"/proc/{one}/stat").read_text() for one in process_tree(pid)]
    except OSError:
        return None
    ticks = [sum(map(int, text.rpartition(")")[2].split()[11:13])) for text in stats]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def as_lines(report: dict[str, Any]) -> list[str]:
    """The report as lines of text."""
    lines = [
        f"{'uploads':<24}{'':>10}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>8}{'faster':>9}"
        f"{'share':>9}"
    ]
    best = report.get("best", {})
    for title, part in (("", report), ("best: ", best)):
        for number, row in part.get("clients", {}).items():
            for way in ("deck", "ours"):
                if way in row:
                    faster = f"{row['times_faster']}×" if way == "ours" and "times_faster" in row else ""
                    share = f"{row['limit']['share']:.0%}" if way == "ours" and "limit" in row else ""
                    ends = f"{faster:>9}{share:>9}".rstrip()
                    lines.append(_line(f"{title}{number} client{'s' * (number != '1')}", way, row[way], ends))
    for title, part in (("the deck's CNN", report), ("best", best)):
        for way, seconds in part.get("start_seconds", {}).items():
            memory = part["memory_mb"][way]
            lines.append(f"{title}, {way}: ready after {seconds} s, {memory or '?'} MB of memory in all")
    return lines


def _line(title: str, way: str, row: dict[str, Any], ends: str) -> str:
    name = {"deck": "the deck", "ours": "here"}[way]
    return (
        f"{title:<24}{name:>10}{row['requests_per_second']:>12}{row['p50_ms']:>9}{row['p95_ms']:>9}"
        f"{row['processor_ms'] or '?':>8}{ends}"
    )
