"""Once per content: nothing is computed twice, nothing is lost, nothing is mixed up."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from src.utils.data import remembered
from src.utils.data.remembered import compute_once, open_store
from src.utils.settings import UserError


class Counter:
    """Computes a value from a key and notes for which positions it was asked."""

    def __init__(self, keys: list[str], fail_at: int | None = None) -> None:
        self.keys, self.fail_at, self.asked = keys, fail_at, []

    def __call__(self, positions: list[int]):
        for number, position in enumerate(positions):
            if number == self.fail_at:
                raise RuntimeError("the power went out")
            self.asked.append(position)
            yield {"name": f"n-{self.keys[position]}", "third": len(self.keys[position]) / 3}


def run(path: Path, keys: list[str], version: str = "1", fail_at: int | None = None) -> tuple[list, list]:
    counter = Counter(keys, fail_at)
    return list(compute_once(path, version, keys, counter, "Counting", progress=False)), counter.asked


def names(values: list[dict]) -> list[str]:
    return [value["name"] for value in values]


def test_each_key_is_computed_once_and_every_value_is_given(tmp_path: Path) -> None:
    path = tmp_path / "store" / "a.sqlite"
    values, asked = run(path, ["b", "a", "b", "ccc"])
    assert asked == [0, 1, 3]
    assert names(values) == ["n-b", "n-a", "n-b", "n-ccc"]
    again, asked = run(path, ["ccc", "b", "dd"])
    assert asked == [2]
    assert names(again) == ["n-ccc", "n-b", "n-dd"]


def test_values_come_back_to_the_last_digit(tmp_path: Path) -> None:
    assert run(tmp_path / "a", ["a", "bb"]) == (
        [{"name": "n-a", "third": 1 / 3}, {"name": "n-bb", "third": 2 / 3}],
        [0, 1],
    )
    numbers = np.array([[1 / 3, np.inf], [0, -1e-30]], np.float32)
    with open_store(tmp_path / "b", "1") as store:
        store.put([("array", numbers), ("facts", [1, None, True, "é", 0.1])])
        assert store.get("array").tobytes() == numbers.tobytes()
        assert store.get("facts") == [1, None, True, "é", 0.1]
        assert store.get("nothing") is None
        assert store.keys() == {"array", "facts"}


def test_a_key_of_digits_stays_a_key(tmp_path: Path) -> None:
    run(tmp_path / "a", ["00123", "1e5"])
    assert run(tmp_path / "a", ["1e5", "00123"])[1] == []


def test_another_version_begins_anew_and_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    run(tmp_path / "a", ["a", "b"], "old")
    assert run(tmp_path / "a", ["a"], "new")[1] == [0]
    assert run(tmp_path / "a", ["b"], "old")[1] == [0]


def test_a_run_of_older_code_does_not_write_into_a_newer_ones_values(tmp_path: Path) -> None:
    with open_store(tmp_path / "a", "old") as old, open_store(tmp_path / "a", "new") as new:
        old.put([("key", "old value")])
        assert new.get("key") is None and new.keys() == set()


def test_an_interrupted_run_keeps_all_it_did(tmp_path: Path) -> None:
    keys = list("abcdefg")
    with pytest.raises(RuntimeError):
        run(tmp_path / "a", keys, fail_at=5)
    values, asked = run(tmp_path / "a", keys)
    assert asked == [5, 6] and names(values) == [f"n-{key}" for key in keys]


KILLED = """
import os, signal, sys
from pathlib import Path
from src.utils.data import remembered

remembered.FLUSH_EVERY = 4

def compute(positions):
    for position in positions:
        if position == 10:
            os.kill(os.getpid(), signal.SIGKILL)
        yield position

keys = [str(number) for number in range(20)]
list(remembered.compute_once(Path(sys.argv[1]), "1", keys, compute, "", progress=False))
"""


def test_a_killed_run_loses_no_more_than_one_write(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert subprocess.run([sys.executable, "-c", KILLED, path]).returncode == -signal.SIGKILL
    with open_store(path, "1") as store:
        assert store.keys() == {str(number) for number in range(8)}
        assert store.get("7") == 7


def test_threads_may_read_while_another_writes(tmp_path: Path) -> None:
    with open_store(tmp_path / "a", "1") as store, ThreadPoolExecutor(8) as pool:
        store.put((str(number), [number]) for number in range(300))
        reading = [pool.submit(store.get, str(number)) for number in range(300)]
        store.put((str(number), [number]) for number in range(300, 400))
        assert [one.result() for one in reading] == [[number] for number in range(300)]


@pytest.mark.parametrize("damage", [b"", b'content,name\n"a', b"\x00\xff\x00" * 500])
def test_a_damaged_file_is_made_again(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(damage)
    values, asked = run(tmp_path / "a", ["a"])
    assert asked == [0] and names(values) == ["n-a"]


def test_a_file_that_another_run_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "WAIT_SECONDS", 0)
    run(tmp_path / "a", ["a"])
    other = sqlite3.connect(tmp_path / "a", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UserError, match=r"a cannot be written .* end the other run or free space"):
        run(tmp_path / "a", ["b"])
    other.close()


def test_nothing_to_do_makes_no_file(tmp_path: Path) -> None:
    assert run(tmp_path / "a", []) == ([], [])
    assert not (tmp_path / "a").exists()


def test_without_a_path_nothing_stays() -> None:
    with open_store(None, "1") as store:
        store.put([("a", 1)])
        assert store.get("a") == 1
    with open_store(None, "1") as store:
        assert store.get("a") is None
