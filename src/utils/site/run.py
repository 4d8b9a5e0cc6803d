"""What a finished run left that its website shows: numbers, figures, executed notebooks, the talk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from src.utils.analysis.scoring.results import read_finished
from src.utils.pipeline.stages import load_stages
from src.utils.pipeline.stored_outputs import without_noise
from src.utils.plots.figure.saving import read_index
from src.utils.settings import Settings, UserError

DOWNLOADS = {
    "metrics.json": "every number of the run",
    "slides.pdf": "the talk, as pages",
    "slides.pptx": "the talk, with notes",
}
"""Files of a run that the start page offers, where they are there, and what they are."""


@dataclass(frozen=True)
class Notebook:
    """An executed notebook.

    Attributes:
        name: Such as `05_confusion_matrix`.
        question: What it answers.
        content: Its cells with their outputs, without progress bars and timings.
    """

    name: str
    question: str
    content: nbformat.NotebookNode

    @property
    def title(self) -> str:
        """Its number and its question."""
        return f"{self.name[:2]} · {self.question}"


@dataclass(frozen=True)
class Figure:
    """A figure as the index lists it.

    Attributes:
        files: The PNG with its SVG, or the JPEG of a gallery; the first is the one to show.
        notebook: Name of the notebook that drew it.
        run: Data, settings and commit that it was drawn from; empty where an older run did not note them.
        caption: What is seen, on how many pictures of which data.
        alt: The same for somebody who cannot see it.
    """

    files: tuple[Path, ...]
    notebook: str
    run: str
    caption: str
    alt: str

    @property
    def name(self) -> str:
        """Such as `05_roc`."""
        return self.files[0].stem


@dataclass(frozen=True)
class FinishedRun:
    """What a run left.

    Attributes:
        settings: Which run.
        metrics: `metrics.json`, estimates as `Estimate`.
        notebooks: By number.
        figures: By notebook, then as the index has them.
        downloads: More files of the run, and what each is.
    """

    settings: Settings
    metrics: dict[str, Any]
    notebooks: list[Notebook]
    figures: list[Figure]
    downloads: dict[Path, str]

    @property
    def about(self) -> str:
        """Which data and, as far as the run got, which split and seed: for the foot of each page."""
        title, split, seed = (
            self.settings.dataset.title,
            self.metrics.get("split"),
            self.metrics.get("seed"),
        )
        known = (f"{split} split" if split else "", "" if seed is None else f"seed {seed}")
        return " · ".join(filter(None, (f"{title[:1].upper()}{title[1:]}", *known)))


def read_run(settings: Settings) -> FinishedRun:
    """Read what the run of these settings left.

    Raises:
        UserError: There is no finished run, or a file of it is damaged.
    """
    metrics = read_finished(settings, "a site")
    again = f"run DATA_SOURCE={settings.source} make reproduce"
    notebooks = _notebooks(settings, again)
    if not notebooks:
        raise UserError(f"There is no executed notebook in {settings.reports_dir / 'notebooks'}: {again}.")
    downloads = {
        file: what for name, what in DOWNLOADS.items() if (file := settings.reports_dir / name).is_file()
    }
    return FinishedRun(settings, metrics, notebooks, _figures(settings.figures_dir), downloads)


def _notebooks(settings: Settings, again: str) -> list[Notebook]:
    found = []
    for stage in sorted(load_stages(settings.root), key=lambda stage: stage.name):
        path = settings.reports_dir / "notebooks" / f"{stage.name}.ipynb"
        if not path.is_file():
            continue
        try:
            content = nbformat.read(path, as_version=4)
        except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
            raise UserError(f"{path} is damaged ({error!r}): delete it and {again}.") from error
        without_noise(content)
        found.append(Notebook(stage.name, stage.question, content))
    return found


def _figures(folder: Path) -> list[Figure]:
    """Figures of the index whose files are there; the sort is stable, so a notebook's keep their order."""
    figures = []
    for entry in read_index(folder):
        shown = folder / entry["file"]
        files = tuple(path for path in (shown, shown.with_suffix(".svg")) if path.is_file())
        if shown in files:
            figures.append(
                Figure(files, entry["notebook"], entry.get("run", ""), entry["caption"], entry["alt"])
            )
    return sorted(figures, key=lambda figure: figure.notebook)
