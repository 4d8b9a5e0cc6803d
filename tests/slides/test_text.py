"""How large words may be, and where lines break."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.utils.slides.text import LINE, SLACK, height, largest, narrowest, width, wrap

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=60)


def test_width_grows_with_size_and_weight() -> None:
    assert width("Uncertain", 20) == pytest.approx(2 * width("Uncertain", 10))
    assert width("Uncertain", 20, bold=True) > width("Uncertain", 20)
    assert width("m" * 10, 72) == pytest.approx(9.74, abs=0.01)  # 0.974 of the type size each


def test_an_interval_stays_on_one_line() -> None:
    lines = wrap("A random split adds 0.027 [0.008, 0.056] of ROC-AUC", 30, True, 4.5)
    assert any("[0.008,\N{NO-BREAK SPACE}0.056]" in line for line in lines)


@settings(deadline=None)
@given(NAMES)
def test_every_line_fits_and_no_letter_is_lost(name: str) -> None:
    lines = wrap(name, 20, False, 2.0)
    assert all(width(line, 20) <= 2.0 or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "").replace("\N{NO-BREAK SPACE}", "") == name.replace(" ", "").replace(
        "\N{NO-BREAK SPACE}", ""
    )


def test_the_largest_size_that_fits_is_taken() -> None:
    size, lines = largest(["short"], range(30, 10, -1), False, (3.0, 1.0))
    assert (size, lines) == (30, [["short"]])
    size, lines = largest(
        ["a few words that need more room than there is"], range(30, 10, -1), False, (3.0, 0.6)
    )
    assert 10 < size < 30
    assert height(len(lines[0]), size) <= 0.6


@settings(deadline=None)
@given(NAMES)
def test_what_does_not_fit_at_the_smallest_size_is_cut_off(name: str) -> None:
    size, (lines,) = largest([name * 5], (14, 12), False, (1.0, 0.5))
    assert height(len(lines), size) <= 0.5
    assert all(width(line, size) <= SLACK for line in lines[:-1] if len(line) > 1)


def test_a_box_is_narrowed_as_far_as_its_lines_allow() -> None:
    text = "one two three four five"
    room = width(text, 20) * 0.9
    assert len(wrap(text, 20, False, room)) == 2
    narrow = narrowest(text, 20, False, room)
    assert narrow < room and len(wrap(text, 20, False, narrow)) == 2
    assert len(wrap(text, 20, False, narrow - 0.1)) == 3


def test_apostrophes_are_those_of_print() -> None:
    assert largest(["the deck's network"], (20,), False, (5.0, 1.0)) == (20, [["the deck’s network"]])


def test_height_of_lines() -> None:
    assert height(2, 36) == pytest.approx(LINE)
