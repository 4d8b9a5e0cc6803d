"""What every notebook shows: what this run is, a few plain tables, and what was found."""

from __future__ import annotations

import functools
import html
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from src.utils.datasets import DEMONSTRATION
from src.utils.names import as_it_is, fact_name
from src.utils.pipeline.stages import Stage, code_commit, load_stages
from src.utils.plots.figure.saving import SavedFigure, drop_figure, drop_others, save_figure
from src.utils.plots.figure.style import data_note
from src.utils.settings import CLASS_NAMES, Settings


@dataclass(frozen=True)
class Run:
    """What every notebook needs of the run it belongs to.

    Attributes:
        stage: The notebook, as `notebooks/stages.toml` describes it.
        settings: This run's parameters.
        packages: Distributions whose versions matter here.
    """

    stage: Stage
    settings: Settings
    packages: tuple[str, ...] = ()

    def facts(self) -> Markdown:
        """What this run is: dataset and why, parameters, versions; what the notebook reads and writes."""
        settings = self.settings
        versions = [f"Python {platform.python_version()}"]
        versions += [f"{name} {importlib.metadata.version(name)}" for name in self.packages]
        lines = [
            f"**Dataset** `{settings.source}`: {settings.source_reason}",
            f"**Profile** `{settings.profile}`, seed {settings.seed}, {settings.split_method} split.",
            f"**Versions** {', '.join(versions)}.",
            f"**Reads** {_listed(self.stage.reads)}",
            f"**Writes** {_listed(self.stage.writes)}, figures `{self.stage.number}_*`",
            f"**Takes** about {self.stage.minutes:g} min for the sample on two cores.",
        ]
        if settings.dataset.demonstration:
            lines.append(DEMONSTRATION)
        return Markdown("  \n".join(lines))

    @functools.cached_property
    def origin(self) -> str:
        """Where a figure comes from: dataset, split, those settings that the notebook uses, and the commit.

        Of a setting that is a folder only its name is said, for figures leave this machine.
        """
        settings = self.settings
        named = sorted({"seed", *self.stage.parameters} - {"split_method"})
        values = {name: PurePath(str(getattr(settings, name))).name for name in named}
        used = [f"{name} {value}" for name, value in values.items() if value]
        commit = code_commit(self.stage, settings)
        return ", ".join(
            (
                settings.dataset.title,
                f"{settings.split_method} split",
                *used,
                *(["smoke profile"] if settings.smoke else []),
                *([f"commit {commit}"] if commit else []),
            )
        )

    def note(self, images: pd.DataFrame, split: str = "") -> str:
        """What a figure rests on: the dataset, and how many pictures and groups.

        Args:
            images: Those pictures' rows of the manifest.
            split: What to call them, such as `test`.
        """
        known = images["group"].astype(str) != ""  # before the scan a folder has no groups yet
        groups = images["group"].nunique() if known.any() else None
        return data_note(self.settings.source, split, len(images), groups)

    def save(
        self, figure: Figure | str, name: str, caption: str, alt: str, kind: str = "plot"
    ) -> SavedFigure | Markdown:
        """Save a figure under this notebook's name, see `save_figure`.

        Where there is nothing to show, what an earlier run saved under that name goes.

        Args:
            figure: The figure; or, from a plot that has nothing to show, the sentence that says so.
            name: Such as `04_learning_curves`.
            caption: What is seen, on how many pictures of which data.
            alt: What somebody who cannot see it needs to know.
            kind: `plot` or `gallery`.

        Returns:
            The figure, or the sentence, for the notebook to show.
        """
        if isinstance(figure, str):
            drop_figure(name, self.settings.figures_dir)
            return Markdown(figure)
        return save_figure(
            figure, name, caption, alt, self.settings.figures_dir, self.stage.name, kind, self.origin
        )

    def drop_others(self, kept: Iterable[SavedFigure | Markdown], pattern: str) -> None:
        """Remove this notebook's figures that an earlier run left and this one did not save.

        Args:
            kept: What `save` returned.
            pattern: Which files are meant, such as `07_*.jpg`.
        """
        saved = [one for one in kept if isinstance(one, SavedFigure)]
        drop_others(self.settings.figures_dir, saved, pattern)


def open_notebook(name: str, *packages: str, settings: Settings | None = None) -> Run:
    """Begin a notebook.

    From here on tables show a `$` as it is: names in them are no mathematics.

    Args:
        name: The notebook's name without its suffix, such as `04_train_cnn`.
        *packages: Distributions whose versions matter in it.
        settings: This run's parameters; by default those of the environment.

    Raises:
        UserError: A variable of the environment has a value that is not among its choices.
        KeyError: `notebooks/stages.toml` has no such notebook.
    """
    pd.set_option("display.html.use_mathjax", False)
    settings = settings or Settings.from_env()
    stages = {stage.name: stage for stage in load_stages(settings.root)}
    return Run(stages[name], settings, packages)


def _listed(entries: tuple[str, ...]) -> str:
    return ", ".join(f"`{entry}`" for entry in entries)


_NO_INTERVAL = " (interval not estimable)"


@dataclass(frozen=True)
class Table:
    """A table as a notebook shows it: above it, what it holds. Rows without names have no numbers either.

    Attributes:
        frame: The table.
        caption: A short sentence.
        folded: Whether it is closed until somebody clicks on the caption.
    """

    frame: pd.DataFrame
    caption: str
    folded: bool = False

    def _repr_html_(self) -> str:
        frame, footnote = self._with_footnote()
        most = pd.get_option("display.max_rows")
        with pd.option_context("display.max_colwidth", None):  # else a long sentence is cut
            table = frame.to_html(index=self._has_names, na_rep="–", max_rows=most, notebook=True)
        said, below = html.escape(self.caption), f"\n<p><small>{footnote}</small></p>" if footnote else ""
        if self.folded:
            return f"<details><summary>{said}</summary>\n{table}{below}\n</details>"
        start = table.index(">", table.index("<table")) + 1
        return f"{table[:start]}\n  <caption>{said}</caption>{table[start:]}{below}"

    def __repr__(self) -> str:
        frame, footnote = self._with_footnote()
        lines = (self.caption, frame.to_string(index=self._has_names, na_rep="–"), footnote)
        return "\n".join(filter(None, lines))

    @property
    def _has_names(self) -> bool:
        index = self.frame.index
        return index.nlevels > 1 or index.name is not None or not pd.api.types.is_integer_dtype(index)

    def _with_footnote(self) -> tuple[pd.DataFrame, str]:
        """The table with what is said of missing intervals in one footnote instead of in every cell."""

        def without(cell: object) -> object:
            return cell.removesuffix(_NO_INTERVAL) if isinstance(cell, str) else cell

        frame = self.frame.map(without)
        return frame, "" if frame.equals(self.frame) else "Without brackets: the interval is not estimable."


def show(
    table: pd.DataFrame | str, otherwise: str = "", caption: str = "", folded: bool = False
) -> pd.DataFrame | Table | Markdown:
    """Show a table; or, where there is none, the sentence that says so.

    Args:
        table: The table, or the sentence.
        otherwise: The sentence for a table without rows.
        caption: What the table holds; needed if it is to be folded.
        folded: Whether it stays closed until somebody clicks on its caption.
    """
    if isinstance(table, str):
        return Markdown(table)
    if otherwise and table.empty:
        return Markdown(otherwise)
    return Table(table, caption, folded) if caption else table


def varying(table: pd.DataFrame, column: str, constant: str, value: str) -> tuple[pd.DataFrame, str]:
    """Leave out the rows that say the same of every picture.

    Args:
        table: A row a fact.
        column: Its name.
        constant: Column that is true for what is the same for every picture.
        value: Column with its value, NaN where that is no number.

    Returns:
        The other rows without the column `constant`, and a sentence that names those left out; empty if there
        are none.
    """
    same = table[constant].astype(bool)
    left_out = zip(table.loc[same, column], table.loc[same, value], strict=True)
    names = [
        as_it_is(fact_name(str(name))) + ("" if pd.isna(number) else f" ({number:.4g})")
        for name, number in left_out
    ]
    said = f"The same for every picture: {', '.join(names)}." if names else ""
    return table[~same].drop(columns=constant), said


def facts_table(facts: Mapping[str, object], otherwise: str = "") -> Markdown:
    """Lay named facts out as a table of two columns, with long sentences whole.

    Args:
        facts: By name.
        otherwise: The sentence for no facts.
    """
    if not facts:
        return Markdown(otherwise)
    lines = ["| | |", "| --- | --- |"]
    for name, value in facts.items():
        said = f"{value:,}" if isinstance(value, int) else as_it_is(str(value))
        lines.append(f"| {name} | {said} |")
    return Markdown("\n".join(lines))


def count_by_class(table: pd.DataFrame, column: str, most: int = 15) -> pd.DataFrame | str:
    """Count pictures and groups of each class by one column, the most frequent first.

    Args:
        table: Rows with `label`, `group` and the column; an empty value counts as "not known".
        column: Such as `origin`.
        most: Rows to show at most; the rest is summed up in a last one.

    Returns:
        A row a value: pictures of each class, then groups; of no pictures, a sentence.
    """
    if table.empty:
        return "There are no such pictures here."
    value = table[column].replace("", "not known").rename(column)
    counts = pd.crosstab(value, table["label"]).reindex(columns=[0, 1], fill_value=0)
    counts.columns = list(CLASS_NAMES)
    counts["groups"] = table.groupby(value)["group"].nunique()
    counts = counts.loc[
        counts[list(CLASS_NAMES)].sum(axis=1).sort_values(ascending=False, kind="stable").index
    ]
    if len(counts) > most:
        rest = counts.iloc[most:].sum().rename(f"{len(counts) - most} others").to_frame().T
        counts = pd.concat([counts.head(most), rest])
    return counts.rename_axis(column)


def takeaways(*sentences: str) -> Markdown:
    """Close a notebook with what its data said.

    Args:
        *sentences: Markdown, built from the numbers at hand (names from the data through `names.as_it_is`);
            empty ones are left out.

    Returns:
        A Markdown list to show.
    """
    return Markdown("\n".join(f"- {sentence}" for sentence in sentences if sentence))
