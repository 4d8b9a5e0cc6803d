"""The benchmark's bookkeeping: turns, medians, ratios, the pictures it picks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import commands, detector_cost, evaluating, growth, limits, server, timing
from benchmarks import run as benchmark
from benchmarks.limits import Need, Probe, Rates
from benchmarks.run import as_table, collect_pictures, make_picture
from benchmarks.timing import Task, measure
from src.utils.files import hash_file
from src.utils.judge import report
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.detectors.runtime import load_network
from src.utils.settings import Settings
from tests.models.detectors.stand_ins import bright_network
from tests.models.tiny import build_tiny


def test_both_ways_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    timings = {
        "d": iter([(9.0, 9.0), (4.0, 2.0), (1.0, 1.0), (2.0, 1.0)]),
        "o": iter([(9.0, 9.0), *3 * [(0.5, 1.0)]]),
    }

    def time_once(work) -> tuple[float, float]:
        work()
        return next(timings[calls[-1]])

    def rate() -> float:
        calls.append("limit")
        return 100.0

    monkeypatch.setattr(timing, "time_once", time_once)
    needs = (Need(2.0, Probe("counting", rate, "numbers/s")),)
    task = Task("work", 10, lambda: calls.append("o"), lambda: calls.append("d"), needs)
    row = measure(task, repeats=3)
    assert calls == ["d", "o", *["d", "o", "limit"] * 3]
    assert row["deck"] == {
        "seconds": 2.0,
        "pictures_per_second": 5.0,
        "busy_cores": 0.5,
        "runs": [4.0, 1.0, 2.0],
    }
    assert row["ours"]["pictures_per_second"] == 20.0 and row["times_faster"] == 4.0
    assert row["limit"]["pictures_per_second"] == 50.0 and row["limit"]["share"] == 0.4


def test_work_without_another_way_and_without_a_known_limit() -> None:
    row = measure(Task("work", 10, lambda: time.sleep(0.001), other="one session"), repeats=1)
    assert row.keys() == {"name", "pictures", "ours", "other"}


def test_what_a_picture_needs_adds_up_and_the_median_turn_counts() -> None:
    slow, fast = iter([1e9, 2e9, 4e9]), iter([10.0, 10.0, 10.0])
    needs = (
        Need(1e9, Probe("multiplying", lambda: next(slow), "GFLOP/s", 1e9)),
        Need(1, Probe("decoding", lambda: next(fast), "pictures/s")),
    )
    rates = Rates(needs)
    for _ in range(3):
        rates.measure()
    assert rates.as_limit(reached=0.5)["limit"] == {
        "pictures_per_second": 1.7,  # 1 / (1/2 + 1/10)
        "share": 0.3,
        "rates": {
            "multiplying": {"rate": 2.0, "unit": "GFLOP/s", "needed": 1.0},
            "decoding": {"rate": 10.0, "unit": "pictures/s", "needed": 1.0},
        },
    }


def test_a_rate_is_what_was_done_over_the_time_it_took() -> None:
    assert limits._rate_of(lambda: time.sleep(0.06), 3.0)() == pytest.approx(50, rel=0.3)


def test_operations_of_a_keras_network_by_hand() -> None:
    import keras

    network = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3),  # 4 × 4 places, 27 weights for each of 4 numbers
            keras.layers.DepthwiseConv2D(3),  # 2 × 2 places, 9 weights for each of 4 numbers
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    first, rest = 2 * 16 * 27 * 4, 2 * (4 * 9 * 4 + 16 * 5)
    assert limits.forward_operations(network) == first + rest
    assert limits.training_operations(network) == 2 * first + 3 * rest


def test_operations_of_an_onnx_file_by_hand(tmp_path: Path) -> None:
    def constant(name: str, *shape: int, kind: type = np.float32) -> onnx.TensorProto:
        return numpy_helper.from_array(np.ones(shape, kind), name)

    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["places"]),  # 1 × 4 × 2 × 2, 3 × 9 weights each
        helper.make_node("Reshape", ["places", "rows_shape"], ["rows"]),  # 1 × 4 × 4
        helper.make_node("MatMul", ["rows", "square"], ["more"]),  # 1 × 4 × 6, 4 weights each
        helper.make_node("Einsum", ["more", "more"], ["alike"], equation="nab,ncb->nac"),  # 4 × 4 × 6
        helper.make_node("Flatten", ["alike"], ["flat"]),  # 1 × 16
        helper.make_node("Gemm", ["flat", "turned"], ["last"], transB=1),  # 1 × 5, 16 weights each
        helper.make_node("DynamicQuantizeLinear", ["last"], ["whole", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["whole", "bytes", "zero"], ["made"]),  # 1 × 7, 5 weights each
    ]
    graph = helper.make_graph(
        nodes,
        "by_hand",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("made", TensorProto.INT32, ["n", 7])],
        [
            constant("kernel", 4, 3, 3, 3),
            numpy_helper.from_array(np.array([1, 4, 4]), "rows_shape"),
            constant("square", 4, 6),
            constant("turned", 5, 16),
            constant("bytes", 5, 7, kind=np.int8),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, tmp_path / "by_hand.onnx")
    assert limits.onnx_operations(tmp_path / "by_hand.onnx") == {
        limits.FLOAT: 2 * (16 * 27 + 24 * 4 + 4 * 4 * 6 + 5 * 16),
        limits.EIGHT_BIT: 2 * 7 * 5,
    }


@pytest.mark.parametrize("kind", [limits.FLOAT, limits.EIGHT_BIT])
def test_the_machine_has_a_rate_for_every_kind_of_product(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIDE", 64)
    probe = limits.onnx_products(kind)
    assert probe.name == f"ONNX Runtime, {kind}" and probe.rate() > 0


def test_commands_are_timed_and_a_run_only_where_nothing_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(commands, "seconds_of", lambda command, repeats: asked.append(command) or 1.5)
    monkeypatch.setattr(commands, "load_stages", lambda root: ["one", "two"])
    monkeypatch.setattr(commands, "why_stale", lambda stage, settings: "changed" if stage == "two" else None)
    told = commands.time_commands(tmp_path, tmp_path / "0.jpg", 1)
    assert told == {commands.IMPORTING: 1.5, commands.FIRST_ANSWER: 1.5}
    assert asked[-1][-2:] == [str(tmp_path), str(tmp_path / "0.jpg")]
    monkeypatch.setattr(commands, "why_stale", lambda stage, settings: None)
    assert commands.NOTHING_TO_DO in commands.time_commands(tmp_path, tmp_path / "0.jpg", 1)


def test_a_command_that_fails_is_not_timed() -> None:
    assert commands.seconds_of([sys.executable, "-c", ""], 1) > 0
    with pytest.raises(subprocess.CalledProcessError):
        commands.seconds_of([sys.executable, "-c", "raise SystemExit(3)"], 1)


DETECTOR = {
    "file_mb": 22.5,
    "milliseconds_alone": 70.0,
    "pictures_per_second": 20.5,
    "busy_cores": 1.9,
    "memory_mb": 250.0,
}


def test_table_shows_every_task() -> None:
    way = {"pictures_per_second": 5.0, "busy_cores": 1.5}
    machine = {"processor": "P", "cores": 2, "load_average": 0.1, "training_precision": "float32, because"}
    limit = {"pictures_per_second": 10.0, "share": 0.5}
    report = {
        "machine": machine,
        "pictures": "8 pictures",
        "once": {"decoding_pictures_per_second": 700.0, "seconds": {"asking": 0.5}},
        "tasks": [
            {"name": "some work", "deck": way, "ours": way, "times_faster": 1.0, "limit": limit},
            {"name": "alone", "ours": way},
        ],
        "evaluating": {},
        "server": {"clients": {}},
        "detector": {"network": "N", "parameters": 2_000_000, "precisions": {"8 bits": DETECTOR}},
    }
    table = [line.split() for line in as_table(report).splitlines()]
    assert ["some", "work", "5.0", "5.0", "1.0×", "10.0", "50%", "1.5"] in table
    assert ["alone", "5.0", "1.5"] in table and ["asking:", "0.5", "s"] in table
    assert table[-1][:2] == ["uploads", "requests/s"]
    assert ["N,", "2.0", "million", "parameters"] in table
    assert ["8", "bits", "22.5", "70.0", "20.5", "1.9", "250.0"] in table


def test_judging_is_timed_beside_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "save_figures", lambda *_: [])  # they take longest
    for label in "01":
        (tmp_path / "few" / label).mkdir(parents=True)
        for seed in range(2):
            make_picture(tmp_path / "few" / label / f"{seed}.jpg", seed=2 * seed + int(label))
    copies = evaluating.turned_copies(sorted((tmp_path / "few").glob("[01]/*")), tmp_path / "more", 10)
    assert len({hash_file(path) for path in copies}) == 10
    assert {path.parent.name for path in copies} == {"0", "1"}
    assert evaluating.benchmark_evaluating(tmp_path / "few", tmp_path, None) == {}
    save_bundle(tmp_path / "bundle", build_tiny(), {})
    found = evaluating.benchmark_evaluating(tmp_path / "few", tmp_path, tmp_path / "bundle", 6)
    assert found["pictures"] == 6 and not list(tmp_path.glob("tmp*"))
    rates = [found[one]["pictures_per_second"] for one in ("evaluate", "predict")]
    assert found["times_faster"] == pytest.approx(rates[0] / rates[1], abs=0.006)
    assert f"6 pictures scored twice: {rates[0]} a second" in evaluating.as_lines(found)[1]


def test_pictures_come_from_the_split_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(root=tmp_path)
    monkeypatch.setattr(benchmark, "Settings", type("", (), {"from_env": staticmethod(lambda: settings)}))
    assert "generated" in collect_pictures(tmp_path / "generated", 4)
    assert len(list((tmp_path / "generated").glob("[01]/*.jpg"))) == 4
    for label in "01":
        (settings.processed_dir / "train" / label).mkdir(parents=True)
        for index in range(5):
            (settings.processed_dir / "train" / label / f"{index}.jpg").write_bytes(b"x")
    assert "sample" in collect_pictures(tmp_path / "linked", 4)
    linked = sorted((tmp_path / "linked").glob("[01]/*"))
    assert [path.name for path in linked] == ["0.jpg", "2.jpg"] * 2 and linked[0].read_bytes() == b"x"


# --- a detector of others ---------------------------------------------------------------------------------


def test_the_network_has_the_architectures_size_and_answers_in_every_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert detector_cost.parameter_count() == 21_811_969  # 22.2 million with a layer of 1,000 classes
    smaller = {"SIDE": 64, "WIDTH": 96, "HEADS": 3, "HIDDEN": 192, "BLOCKS": 2}
    for name, value in smaller.items():
        monkeypatch.setattr(detector_cost, name, value)
    files = detector_cost.write_precisions(tmp_path)
    weights = [
        numpy_helper.to_array(one) for one in onnx.load(files["32 bits"]).graph.initializer if one.dims
    ]
    learnt = sum(one.size for one in weights if one.dtype == np.float32)
    assert learnt == detector_cost.parameter_count()
    sizes = [path.stat().st_size for path in files.values()]
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.6 * sizes[0]
    pixels = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    whole, half, eight = (load_network(path, 64, threads=1)(pixels) for path in files.values())
    assert np.isfinite(whole) and half == pytest.approx(whole, abs=0.01)
    assert eight == pytest.approx(whole, abs=0.05) and eight != whole


def test_what_a_detector_costs_is_measured_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bright_network(tmp_path / "net.onnx", size=detector_cost.SIDE)
    found = detector_cost.measure_file(path, pictures=2, repeats=2)
    assert len(found["runs"]) == 2 and found["file_mb"] == 0.0
    assert found["pictures_per_second"] == pytest.approx(2 / found["seconds"], rel=0.01)
    assert found["milliseconds_alone"] > 0


# --- the servers ------------------------------------------------------------------------------------------

FAKE_SERVER = """
import http.server, itertools, sys
turns = itertools.count()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.answer(200, b"{}")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert b'name="file"; filename="0.jpg"' in body
        self.answer(500 if next(turns) % 2 else 200, b'{"label": "x"}')
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_servers_are_asked_in_turns_and_failures_are_no_answers(tmp_path: Path) -> None:
    make_picture(tmp_path / "0.jpg", seed=0)
    command = [sys.executable, "-c", FAKE_SERVER, "{port}"]
    with server.running(command) as one, server.running(command) as other:
        assert one.start_seconds > 0 and one.port != other.port
        bodies = [server.multipart(tmp_path / "0.jpg")]
        needs = (Need(1, Probe("counting", lambda: 1000.0, "numbers/s")),)
        report = server.measure_servers({"deck": one, "ours": other}, bodies, 0.3, repeats=1, needs=needs)
    assert one.process.poll() is not None
    assert list(report["clients"]) == ["1", "8", "32"]
    for row in report["clients"].values():
        assert row["times_faster"] == pytest.approx(
            row["ours"]["requests_per_second"] / row["deck"]["requests_per_second"], rel=0.05
        )
        share = row["ours"]["requests_per_second"] / 1000
        assert row["limit"]["share"] == pytest.approx(share, abs=0.001)
        for way in ("deck", "ours"):
            assert 0 < row[way]["p50_ms"] <= row[way]["p95_ms"]
            assert row[way]["failed"] > 0
    lines = server.as_lines(report | {"best": {}})
    assert lines[1].startswith("1 client ") and lines[6].startswith("32 clients ")
    assert "×" in lines[6] and lines[6].endswith("%")
    assert lines[7].startswith("the deck's CNN, deck: ready after ")


def test_rates_and_percentiles() -> None:
    loads = [
        server.Load(2.0, [0.1] * 96 + [0.5] * 4, failed=1, processor_seconds=1.0),
        server.Load(1.0, [0.1] * 80 + [0.5] * 20, failed=0, processor_seconds=1.0),
        server.Load(1.0, [0.1] * 100, failed=2, processor_seconds=1.0),
    ]
    assert server.summarise(loads) == {
        "requests_per_second": 100.0,
        "p50_ms": 100.0,
        "p95_ms": 500.0,
        "processor_ms": 10.0,
        "failed": 3,
    }
    assert server.summarise([replace(load, processor_seconds=None) for load in loads])["processor_ms"] is None


def test_a_server_that_does_not_start_is_no_endless_wait() -> None:
    with pytest.raises(RuntimeError, match="is not ready"), server.running([sys.executable, "-c", "0"]):
        pass


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_memory_and_processor_time_count_children_too() -> None:
    script = "import subprocess, sys, time; {}; print('go', flush=True); time.sleep(60)"
    child = (
        "b = bytearray(b'x' * 40_000_000); t = time.process_time()\nwhile time.process_time() < t + .3: pass"
    )
    nested = script.format(f"exec({child!r})")
    start = f"c = subprocess.Popen([sys.executable, '-c', {nested!r}]); c"
    with subprocess.Popen([sys.executable, "-c", script.format(start)], stdout=subprocess.PIPE) as process:
        try:
            assert [process.stdout.readline() for _ in range(2)] == [b"go\n"] * 2
            pids = server.process_tree(process.pid)
            assert len(pids) == 2
            assert server.memory_mb(process.pid) > 40
            assert server.processor_seconds(process.pid) >= 0.3
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGKILL)


# --- growth -----------------------------------------------------------------------------------------------


def grown(seconds: float, peak: float = 0.5) -> dict[str, dict[str, float]]:
    return {"scan": {"seconds": seconds, "peak_gb": peak}, "split": {"seconds": 0.001, "peak_gb": 0.1}}


def test_growth_names_the_step_that_grows_faster_than_the_pictures() -> None:
    flat = {100: grown(1.0), 1000: grown(11.0)}
    assert growth.find_problems(flat) == []
    assert growth.find_problems({100: grown(1.0), 1000: grown(30.0)}) == [
        "scan: a picture costs 3.0 times as much as among 100."
    ]
    assert growth.find_problems({100: grown(1.0, peak=2.5)}) == [
        "100 pictures took 2.5 GB of memory, more than 2."
    ]
    table = [line.split() for line in growth.as_table(flat).splitlines()]
    assert table[1] == ["scan", "10,000.0", "11,000.0"] and table[-1] == [
        "peak",
        "memory,",
        "GB",
        "0.50",
        "0.50",
    ]


def test_growth_walks_from_files_to_an_evaluated_split(tmp_path: Path) -> None:
    measured = growth.walk(tmp_path, 120)
    assert {
        "scan",
        "merge near-duplicates",
        "fill the pixel cache",
        "bootstrap",
        "evaluate",
    } <= measured.keys()
    assert all(step["seconds"] > 0 and step["peak_gb"] > 0 for step in measured.values())
