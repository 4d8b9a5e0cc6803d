"""What a finished run left that a talk needs: numbers, tables, figures, calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from src.utils.analysis.scoring.results import read_finished
from src.utils.estimate import Estimate
from src.utils.models.bundle.bundle import load_bundle
from src.utils.names import one_line
from src.utils.plots.figure.saving import read_index
from src.utils.settings import Settings
from src.utils.slides.slide import Number, Picture, Slide

BEST, PROBE, DECK = "best", "linear_probe", "cnn_deck"
"""Models that the talk names."""

ENCODER_FACTS = ("encoder", "encoder_licence", "encoder_from")
"""Entries of the improved model's bundle.json: the frozen encoder, its licence, where it was taken from."""


class Missing(LookupError):
    """The run did not leave what a slide needs, so there is no such slide."""


@dataclass(frozen=True)
class Findings:
    """What a finished run left.

    Attributes:
        settings: Which run.
        metrics: `metrics.json`, estimates as `Estimate`.
        pictures: Figures by name, such as `05_roc`, in the order of the index.
        card: All that is known of the improved model: bundle.json and calibration.json; may be empty.
    """

    settings: Settings
    metrics: dict[str, Any]
    pictures: dict[str, Picture]
    card: dict[str, Any] = field(default_factory=dict)

    def number(self, *path: str) -> Any:
        """An entry of `metrics.json`, such as `number("models", "best", "auc")`.

        Raises:
            Missing: There is none.
        """
        entry: Any = self.metrics
        for name in path:
            if not isinstance(entry, dict) or entry.get(name) is None:
                raise Missing(" → ".join(path))
            entry = entry[name]
        return entry

    def estimate(self, *path: str) -> Estimate:
        """An estimate in `metrics.json`, such as `estimate("models", "best", "auc")`.

        Raises:
            Missing: There is none, or the run could not measure it.
        """
        found: Estimate = self.number(*path)
        if found.value is None:
            raise Missing(" → ".join(path))
        return found

    def picture(self, *names: str) -> Picture:
        """The first of some figures that there is.

        Raises:
            Missing: There is none of them.
        """
        for name in names:
            if name in self.pictures:
                return self.pictures[name]
        raise Missing(" or ".join(names))

    def table(self, name: str) -> pd.DataFrame:
        """A table of `reports/<source>`; what is empty in a column of text is an empty text.

        Raises:
            Missing: There is none, or it has no rows.
        """
        path = self.settings.reports_dir / name
        if not path.is_file():
            raise Missing(name)
        table = pd.read_csv(path)
        if table.empty:
            raise Missing(name)
        texts = table.select_dtypes(exclude="number").columns
        return table.fillna(dict.fromkeys(texts, ""))

    @property
    def counts(self) -> dict[str, int]:
        """Pictures of `train`, `validation` and `test`.

        Raises:
            Missing: The run does not say.
        """
        return {part: self.number(f"n_{part}") for part in ("train", "validation", "test")}

    @property
    def unseen_pictures(self) -> int:
        """Pictures of the unseen set, those of any model's confusion matrix there; 0 without such a set."""
        models = self.metrics.get("unseen") or {}
        return next((sum(map(sum, entry["confusion_matrix"])) for entry in models.values()), 0)

    @property
    def encoder(self) -> str:
        """The improved model's encoder with its licence and origin; empty where that is not known."""
        return ", ".join(str(self.card[fact]) for fact in ENCODER_FACTS if fact in self.card)

    @property
    def footer(self) -> str:
        """The line at the foot of each slide: which data, which run."""
        title = self.settings.dataset.title
        which = f"{self.metrics.get('split')} split · seed {self.metrics.get('seed')}"
        return f"{title[:1].upper()}{title[1:]} · {which}"

    def slide(
        self,
        title: str,
        picture: Picture,
        sections: str,
        said: Iterable[str] = (),
        numbers: Iterable[Number] = (),
    ) -> Slide:
        """Make a slide with a figure.

        Args:
            title: The finding.
            picture: The figure.
            sections: Where the numbers stand: parts of `metrics.json`, or tables.
            said: Sentences for the notes; what is seen and where it comes from follows them.
            numbers: Beside the figure.
        """
        notes = (
            f"{title}.",
            *said,
            f"The figure: {picture.caption}",
            f"Drawn by notebook {picture.notebook}. Numbers: reports/{self.settings.source}, {sections}. "
            f"{self.footer}.",
        )
        return Slide(
            one_line(title), tuple(one_line(note) for note in notes if note), picture, tuple(numbers)
        )


def read_findings(settings: Settings) -> Findings:
    """Read what the run of these settings left.

    Raises:
        UserError: There is no finished run, or a file of it is damaged.
    """
    metrics = read_finished(settings, "slides")
    best = settings.models_dir / "best"
    card = load_bundle(best).card if "best" in metrics["models"] and (best / "bundle.json").is_file() else {}
    return Findings(settings, metrics, _pictures(settings.figures_dir), card)


def _pictures(folder: Path) -> dict[str, Picture]:
    """Figures of the index whose files are there, by name."""
    listed = {
        Path(entry["file"]).stem: Picture(
            folder / entry["file"], entry["caption"], entry["alt"], entry["notebook"]
        )
        for entry in read_index(folder)
    }
    return {name: picture for name, picture in listed.items() if picture.path.is_file()}
