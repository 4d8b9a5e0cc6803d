"""The talk: which slides there are, in their order.

Each slide is made from what a run left. Where the run left no such figure or number, `Findings` raises
`Missing` and the talk goes on without that slide. No result is typed here: titles come from `story.slides`,
what is said about them from the sentences that the notebooks close with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from src.utils.slides import about, detector, pictures
from src.utils.slides.findings import Findings, Missing
from src.utils.slides.slide import Slide

SLIDES: tuple[Callable[[Findings], Slide | Iterator[Slide]], ...] = (
    *(about.cover, about.question, about.guess, about.data, about.split, about.leak),
    *(detector.learning, detector.matrix, detector.guessing, detector.links),
    *(pictures.confidence, pictures.categories, pictures.category_pictures, pictures.mistakes),
    *(detector.improved, detector.design, detector.unseen, detector.sources),
    *(detector.calibration, detector.verdicts, detector.track_record),
    *(detector.damage, detector.deliveries),
    *(about.limits, about.next_steps, about.credits),
)
"""What makes each slide, or several of a kind, in the talk's order."""


def make_talk(findings: Findings) -> list[Slide]:
    """Make the slides that a run allows."""
    return [slide for make in SLIDES for slide in _made(make, findings)]


def _made(make: Callable[[Findings], Slide | Iterator[Slide]], findings: Findings) -> list[Slide]:
    try:
        made = make(findings)
        return [made] if isinstance(made, Slide) else list(made)
    except Missing:
        return []
