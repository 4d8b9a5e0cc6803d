"""Numbers in sentences and titles of executed notebooks, and where they may come from."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

PROTOCOL = {
    *("0.50", "0.69"),  # what a coin toss has: ROC-AUC, loss
    *("0.96", "0.39", "0.43", "3"),  # the deck's training accuracy, mean confidences, number of categories
    *("5", "80", "65", "95"),  # targets and levels in percent
}
"""Numbers that are no results: they belong to the question, the deck or the protocol."""

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?!\w|\.\d)")
_NOT_SAID = re.compile(r"`[^`]*`|\bnotebooks? \d\d(?:(?:, | and )\d\d)*|[\w./]*\d\d_\w+|\b[\w.]+=\S+")
"""Code, references to notebooks, files, settings."""


def said_numbers(text: str) -> list[str]:
    """The numbers of a sentence, as they are written, without those in names of code, notebooks and files."""
    plain = html.unescape(_NOT_SAID.sub(" ", text))
    return [number.rstrip(",").replace(",", "") for number in _NUMBER.findall(plain)]


def all_numbers(value: Any) -> Iterator[float]:
    """Every number in a JSON value; a table of confusions also as sums and shares of its rows."""
    if isinstance(value, dict):
        for one in value.values():
            yield from all_numbers(one)
        if matrix := value.get("confusion_matrix"):
            for row in matrix:
                yield float(sum(row))
                yield from (one / sum(row) for one in row if sum(row))
            yield float(sum(map(sum, matrix)))
    elif isinstance(value, list):
        for one in value:
            yield from all_numbers(one)
        yield float(len(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def ways_to_write(value: float) -> set[str]:
    """How a number may be written: to some digits, as a percentage, without its sign."""
    written = {f"{one:.{digits}f}" for one in (value, abs(value)) for digits in range(5)}
    return written | {f"{one:g}" for one in (value, abs(value))} | {f"{100 * abs(value):.0f}"}


def outputs(notebook: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a notebook's outputs say: `claim` for takeaways and titles, `shown` for tables and prints."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = {
                kind: "".join(text) for kind, text in output.get("data", {}).items() if kind != "metadata"
            }
            markdown = data.get("text/markdown", "")
            if markdown.startswith("- "):
                yield "claim", markdown
                continue
            titles = [
                one.get("title", "") for one in output.get("metadata", {}).values() if isinstance(one, dict)
            ]
            for title in filter(None, titles):
                yield "claim", title
            table = re.sub(r"<[^>]+>", " ", data.get("text/html", ""))
            plain = "" if titles else data.get("text/plain", "")
            yield "shown", " ".join((table, markdown, plain, "".join(output.get("text", ""))))


def unfounded(notebook: dict[str, Any], metrics: dict[str, Any]) -> list[str]:
    """Claims of a notebook with a number that is neither in `metrics.json` nor in a table or print there.

    Args:
        notebook: An executed notebook, as JSON.
        metrics: What its run measured.

    Returns:
        Such as `0.97 in: Best on the unseen set …`.
    """
    said = list(outputs(notebook))
    known = [float(one) for kind, text in said if kind == "shown" for one in said_numbers(text)]
    allowed = PROTOCOL.union(*map(ways_to_write, [*known, *all_numbers(metrics)]))
    return [
        f"{number} in: {line}"
        for kind, text in said
        if kind == "claim"
        for line in text.splitlines()
        for number in said_numbers(line)
        if number not in allowed
    ]
