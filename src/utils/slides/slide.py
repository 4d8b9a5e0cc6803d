"""What a slide holds, before anybody knows where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.utils.estimate import Estimate
from src.utils.names import percent
from src.utils.plots.figure.style import INK

NO_INTERVAL = "interval not estimable"


@dataclass(frozen=True)
class Picture:
    """A figure of the run.

    Attributes:
        path: PNG or JPEG.
        caption: What it shows, on which data.
        alt: The same for somebody who cannot see it.
        notebook: Which one drew it.
    """

    path: Path
    caption: str
    alt: str
    notebook: str


@dataclass(frozen=True)
class Number:
    """A number in large type beside a figure.

    Attributes:
        value: Such as `0.61`.
        label: What it is, in a few words.
        interval: Its interval in words; empty where it is a count.
        colour: Of the value.
    """

    value: str
    label: str
    interval: str = ""
    colour: str = INK

    @classmethod
    def of(cls, estimate: Estimate, label: str, colour: str = INK, digits: int = 2) -> Number:
        """Take an estimate with its interval."""
        if estimate.value is None:
            return cls("–", label, "not defined here", colour)
        known = estimate.low is not None and estimate.high is not None
        interval = f"95 % [{estimate.low:z.{digits}f}, {estimate.high:z.{digits}f}]" if known else NO_INTERVAL
        return cls(f"{estimate.value:z.{digits}f}", label, interval, colour)

    @classmethod
    def share(cls, estimate: Estimate, label: str, colour: str = INK) -> Number:
        """Take a share with its interval, as percents."""
        if estimate.value is None:
            return cls("–", label, "not defined here", colour)
        interval = NO_INTERVAL
        if estimate.low is not None and estimate.high is not None:
            interval = f"95 % [{percent(estimate.low)}, {percent(estimate.high)}]"
        return cls(percent(estimate.value), label, interval, colour)


@dataclass(frozen=True)
class Slide:
    """One idea.

    Attributes:
        title: What was found, in a sentence without its full stop.
        notes: What to say, and where the numbers come from: a line each.
        picture: The figure, if it has one.
        numbers: Beside the figure, at most three.
        points: Sentences in large type, where there is no figure.
        cover: Whether it opens the talk; its points then stand below the title.
    """

    title: str
    notes: tuple[str, ...]
    picture: Picture | None = None
    numbers: tuple[Number, ...] = ()
    points: tuple[str, ...] = ()
    cover: bool = False
