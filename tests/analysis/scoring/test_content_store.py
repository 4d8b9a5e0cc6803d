"""Once per content: nothing is computed twice, nothing is lost, nothing is mixed up."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.utils.analysis.scoring import content_store
from src.utils.analysis.scoring.content_store import compute_once


class Counter:
    """Computes a row from a key and notes for which positions it was asked."""

    def __init__(self, keys: list[str], fail_at: int | None = None) -> None:
        self.keys, self.fail_at, self.asked = keys, fail_at, []

    def __call__(self, positions: list[int]):
        for number, position in enumerate(positions):
            if number == self.fail_at:
                raise RuntimeError("the power went out")
            self.asked.append(position)
            yield {"name": f"n-{self.keys[position]}", "third": len(self.keys[position]) / 3}


def run(path: Path, keys: list[str], fail_at: int | None = None) -> tuple[pd.DataFrame, list[int]]:
    counter = Counter(keys, fail_at)
    return compute_once(path, keys, counter, "Counting", progress=False), counter.asked


def test_each_content_is_computed_once_and_every_row_is_given(tmp_path: Path) -> None:
    path = tmp_path / "store" / "a.csv"
    table, asked = run(path, ["b", "a", "b", "ccc"])
    assert asked == [0, 1, 3]
    assert list(table["name"]) == ["n-b", "n-a", "n-b", "n-ccc"]
    again, asked = run(path, ["ccc", "b", "dd"])
    assert asked == [2]
    assert list(again["name"]) == ["n-ccc", "n-b", "n-dd"]


def test_numbers_come_back_to_the_last_digit(tmp_path: Path) -> None:
    fresh, _ = run(tmp_path / "a.csv", ["a", "bb"])
    stored, asked = run(tmp_path / "a.csv", ["a", "bb"])
    assert asked == []
    pd.testing.assert_frame_equal(fresh, stored, check_exact=True)


def test_a_key_of_digits_stays_a_key(tmp_path: Path) -> None:
    run(tmp_path / "a.csv", ["00123", "1e5"])
    assert run(tmp_path / "a.csv", ["1e5", "00123"])[1] == []


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_store, "FLUSH_EVERY", 2)
    keys = list("abcdefg")
    with pytest.raises(RuntimeError):
        run(tmp_path / "a.csv", keys, fail_at=5)
    table, asked = run(tmp_path / "a.csv", keys)
    assert asked == [5, 6] and list(table["name"]) == [f"n-{key}" for key in keys]


@pytest.mark.parametrize("damage", [b"", b'content,name\n"a', b"\x00\xff\x00", b"name\nx\n"])
def test_a_damaged_store_is_made_again(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(damage)
    table, asked = run(tmp_path / "a.csv", ["a"])
    assert asked == [0] and table["name"][0] == "n-a"


def test_nothing_to_do_is_an_empty_table(tmp_path: Path) -> None:
    table, _ = run(tmp_path / "a.csv", [])
    assert table.empty and not (tmp_path / "a.csv").exists()
