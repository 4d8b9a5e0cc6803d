"""The benchmark's bookkeeping: turns, medians, ratios, the pictures it picks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import run as benchmark
from benchmarks.run import Task, as_table, collect_pictures, measure
from src.utils.settings import Settings


def test_both_ways_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    timings = {
        "d": iter([(9.0, 9.0), (4.0, 2.0), (1.0, 1.0), (2.0, 1.0)]),
        "o": iter([(9.0, 9.0), *3 * [(0.5, 1.0)]]),
    }

    def time_once(work) -> tuple[float, float]:
        work()
        return next(timings[calls[-1]])

    monkeypatch.setattr(benchmark, "time_once", time_once)
    row = measure(Task("work", 10, lambda: calls.append("d"), lambda: calls.append("o")), repeats=3)
    assert calls == ["d", "o"] * 4
    assert row["deck"] == {
        "seconds": 2.0,
        "pictures_per_second": 5.0,
        "busy_cores": 0.5,
        "runs": [4.0, 1.0, 2.0],
    }
    assert row["ours"]["pictures_per_second"] == 20.0 and row["times_faster"] == 4.0


def test_table_shows_every_task() -> None:
    way = {"pictures_per_second": 5.0, "busy_cores": 1.5}
    machine = {"processor": "P", "cores": 2, "load_average": 0.1, "training_precision": "float32, because"}
    report = {
        "machine": machine,
        "pictures": "8 pictures",
        "once": {"decoding_pictures_per_second": 700.0},
        "tasks": [{"name": "some work", "deck": way, "ours": way, "times_faster": 1.0}],
    }
    assert as_table(report).splitlines()[-1].split() == ["some", "work", "5.0", "5.0", "1.0×", "1.5", "1.5"]


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
