"""map_ahead: order, laziness and errors."""

from __future__ import annotations

import itertools
import threading

import pytest

from src.utils.data.parallel import map_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    first_may_finish = threading.Event()

    def square(number: int) -> int:
        if number == 0:
            first_may_finish.wait(5)
        else:
            first_may_finish.set()
        return number * number

    assert list(map_ahead(square, range(20), workers=2)) == [number * number for number in range(20)]


def test_takes_only_as_many_items_as_it_may_hold() -> None:
    taken = []
    items = (taken.append(number) or number for number in itertools.count())
    results = map_ahead(str, items, workers=2, ahead=5)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) == 8
    results.close()


def test_error_comes_at_its_items_turn() -> None:
    results = map_ahead(lambda number: 1 // number, [2, 1, 0, 1], workers=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_to_do() -> None:
    assert list(map_ahead(str, [])) == []
