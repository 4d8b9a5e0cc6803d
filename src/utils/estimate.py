"""A number with its interval: one type in code, an object of three in JSON, three columns in tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval.

    `files.write_json` writes it as its three fields, and `read_estimates` reads them back.

    Attributes:
        value: The number; None where it is not defined.
        low, high: Ends of the interval; None where it is not estimable.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, value: float, low: float = math.nan, high: float = math.nan) -> Estimate:
        """Take numbers of which NaN and infinite ones are not known; without a value there is no interval."""
        numbers = (value, low, high) if math.isfinite(value) else ()
        return cls(*(float(number) if math.isfinite(number) else None for number in numbers))

    @classmethod
    def from_row(cls, row: Mapping[str, float], name: str) -> Estimate:
        """Take the columns `name`, `name_low` and `name_high` of a table's row."""
        return cls.of(row[name], row[f"{name}_low"], row[f"{name}_high"])

    def columns(self, name: str, low: str = "", high: str = "") -> dict[str, float]:
        """Columns of a table, by default `name`, `name_low` and `name_high`; NaN where not known."""
        names = (name, low or f"{name}_low", high or f"{name}_high")
        numbers = (self.value, self.low, self.high)
        return {
            column: math.nan if number is None else number
            for column, number in zip(names, numbers, strict=True)
        }

    def text(self, digits: int = 2) -> str:
        """Such as `0.64 [0.55, 0.72]`, or what is known of it: `0.64 (interval not estimable)`, `–`."""
        if self.value is None:
            return "–"
        value = f"{self.value:z.{digits}f}"
        if self.low is None or self.high is None:
            return f"{value} (interval not estimable)"
        return f"{value} [{self.low:z.{digits}f}, {self.high:z.{digits}f}]"


def read_estimates(entry: dict[str, Any]) -> dict[str, Any] | Estimate:
    """Turn a JSON object that is an estimate into one; for `files.read_json`."""
    return Estimate(**entry) if entry.keys() == {"value", "low", "high"} else entry
