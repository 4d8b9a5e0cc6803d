"""What a finished run left that a talk needs: numbers, tables, figures, calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from src.utils.analysis.scoring.results import metrics_path
from src.utils.estimate import read_estimates
from src.utils.files import read_json
from src.utils.models.bundle.bundle import load_bundle
from src.utils.plots.figure.saving import read_index
from src.utils.settings import Settings, UserError
from src.utils.slides.slide import Picture


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


def read_findings(settings: Settings) -> Findings:
    """Read what the run of these settings left.

    Raises:
        UserError: There is no finished run, or a file of it is damaged.
    """
    path = metrics_path(settings.reports_dir)
    again = f"run DATA_SOURCE={settings.source} make reproduce"
    if not path.is_file():
        raise UserError(f"There is no run to make slides from ({path} is missing): {again}.")
    try:
        metrics = read_json(path, read_estimates)
        models = metrics["models"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}): delete it and {again}.") from error
    best = settings.models_dir / "best"
    card = load_bundle(best).card if "best" in models and (best / "bundle.json").is_file() else {}
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
