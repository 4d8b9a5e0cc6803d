"""What every notebook shows: what this run is, a few plain tables, and what was found."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

import pandas as pd
from IPython.display import Markdown

from src.utils.names import as_it_is
from src.utils.settings import CLASS_NAMES, Settings

DEMONSTRATION = (
    "The sample is small: what follows is a **demonstration**, not a statement about detectors in the wild."
)


def run_facts(settings: Settings, *packages: str) -> Markdown:
    """Open a notebook: the data source and why, the parameters, the versions.

    From here on tables show a `$` as it is: names in them are no mathematics.

    Args:
        settings: This run's parameters.
        *packages: Distribution names whose versions matter in this notebook.

    Returns:
        Markdown to show.
    """
    pd.set_option("display.html.use_mathjax", False)
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{name} {importlib.metadata.version(name)}" for name in packages]
    lines = [
        f"**Data source** `{settings.source}`: {settings.source_reason}",
        f"**Profile** `{settings.profile}`, seed {settings.seed}, {settings.split_method} split.",
        f"**Versions** {', '.join(versions)}.",
    ]
    if settings.source == "sample":
        lines.append(DEMONSTRATION)
    return Markdown("  \n".join(lines))


def facts_table(facts: Mapping[str, object]) -> Markdown:
    """Lay named facts out as a table of two columns, with long sentences whole."""
    lines = ["| | |", "| --- | --- |"]
    for name, value in facts.items():
        said = f"{value:,}" if isinstance(value, int) else as_it_is(str(value))
        lines.append(f"| {name} | {said} |")
    return Markdown("\n".join(lines))


def count_by_class(table: pd.DataFrame, column: str, most: int = 15) -> pd.DataFrame:
    """Count pictures and groups of each class by one column, the most frequent first.

    Args:
        table: Rows with `label`, `group` and the column; an empty value counts as "not known".
        column: Such as `origin`.
        most: Rows to show at most; the rest is summed up in a last one.

    Returns:
        A row a value: pictures of each class, then groups.
    """
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
