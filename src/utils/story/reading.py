"""What an interval of a difference says."""

from __future__ import annotations

from src.utils.estimate import Estimate


def read_difference(difference: Estimate, *, above: str, below: str, around: str, unknown: str) -> str:
    """Choose the words for a difference by where its interval lies.

    Args:
        difference: With its interval, or without one.
        above: If the whole interval is above zero.
        below: If the whole interval is below zero.
        around: If it holds zero.
        unknown: If no interval is estimable.
    """
    if difference.low is None or difference.high is None:
        return unknown
    if difference.low > 0:
        return above
    return below if difference.high < 0 else around
