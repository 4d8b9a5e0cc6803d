"""Which categories are over-represented among AI-generated or human-made pictures, and how sure that is.

The unit is the group: an original of which five crops were cut, or a photograph, counts once per category
however often it shows it. A category is tested only if enough groups show it, whatever their class; asking
that beforehand favours neither class and keeps the number of tests, which all pay for, small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from src.utils.analysis.content.labels import adjust, describe_category

MIN_GROUPS = 5
"""Groups that must show a category before it is tested."""

FEW_GROUPS = 10
"""Below this many groups a row says that its counts are few."""

LEVEL = 0.05
"""A category is called over-represented if its corrected p-value is below this."""


def association_table(
    labelled: pd.DataFrame, column: str = "predict_1", min_groups: int = MIN_GROUPS
) -> pd.DataFrame:
    """Compare how often every category occurs in the two classes.

    Args:
        labelled: Rows with `label`, `group` and the column.
        column: The category of each row.
        min_groups: Groups, of both classes together, from which on a category is tested.

    Returns:
        A row a category, most certain first, then most frequent: `category`, `meaning`; `pictures_human`,
        `pictures_ai`, `groups_human`, `groups_ai`; `rate_human`, `rate_ai`, share of the class's groups;
        `odds_ratio` with `low` and `high`: AI over human, conditional maximum likelihood with its exact 95 %
        interval, 0 or infinite where one class never shows the category; `p`, Fisher's exact test, two-sided;
        `p_adjusted` over all tested categories; NaN where not tested or a class is missing; `verdict`: what a
        reader may say.
    """
    totals = [labelled.loc[labelled["label"] == one, "group"].nunique() for one in (0, 1)]
    table = _count(labelled, column)
    tested = (table["groups_human"] + table["groups_ai"] >= min_groups) & (min(totals) > 0)
    table["rate_human"], table["rate_ai"] = (
        table[name] / total if total else np.nan
        for name, total in zip(("groups_human", "groups_ai"), totals, strict=True)
    )
    results = [
        _compare(human, ai, totals) if wanted else _NOT_TESTED
        for human, ai, wanted in zip(table["groups_human"], table["groups_ai"], tested, strict=True)
    ]
    table = table.join(pd.DataFrame(results, columns=list(_NOT_TESTED), dtype=float))
    table["p_adjusted"] = adjust(table["p"])
    table["verdict"] = [_verdict(row, min_groups) for row in table.itertuples()]
    table.insert(1, "meaning", [describe_category(category) for category in table["category"]])
    table["frequency"] = -table["groups_human"] - table["groups_ai"]
    return table.sort_values(["p", "frequency", "category"], ignore_index=True).drop(columns="frequency")


_NOT_TESTED = dict.fromkeys(("odds_ratio", "low", "high", "p"), np.nan)


def _count(labelled: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pictures and groups of each class by category."""
    grouped = labelled.groupby([column, "label"])["group"]
    counts = {
        f"{unit}_{name}": series.unstack("label").reindex(columns=[0, 1])[one]
        for unit, series in (("pictures", grouped.size()), ("groups", grouped.nunique()))
        for one, name in enumerate(("human", "ai"))
    }
    return pd.DataFrame(counts).fillna(0).astype(int).rename_axis("category").reset_index()


def _compare(human: int, ai: int, totals: list[int]) -> dict[str, float]:
    """Odds ratio with interval and p-value of one category."""
    cells = [[ai, totals[1] - ai], [human, totals[0] - human]]
    odds = stats.contingency.odds_ratio(cells)
    interval = odds.confidence_interval(0.95)
    return {
        "odds_ratio": odds.statistic,
        "low": interval.low,
        "high": interval.high,
        "p": stats.fisher_exact(cells).pvalue,
    }


def _verdict(row, min_groups: int) -> str:
    """What may be said of a category, and that its counts are few where they are."""
    groups = row.groups_human + row.groups_ai
    if np.isnan(row.p):
        shown = f"{groups} group{'' if groups == 1 else 's'}"
        return f"not tested: {shown}" if groups < min_groups else "not tested: one class only"
    few = f", few counts ({groups} groups)" if groups < FEW_GROUPS else ""
    if row.p_adjusted >= LEVEL:
        return f"no difference shown{few}"
    return f"more often {'AI-generated' if row.rate_ai > row.rate_human else 'human-made'}{few}"


def shown_categories(
    table: pd.DataFrame, wanted: tuple[str, ...] = (), most: int = 6, least_groups: int = MIN_GROUPS
) -> list[str]:
    """Choose the categories to look at: those asked for that occur, those that differ, frequent ones.

    Args:
        table: From `association_table`.
        wanted: Categories to show wherever two groups show them.
        most: Categories at most.
        least_groups: Groups that a category not asked for must have; of these, those that both classes show
            come first.
    """
    groups = table["groups_human"] + table["groups_ai"]
    asked = [name for name in wanted if (groups[table["category"] == name] > 1).any()]
    ranked = table.assign(
        groups=groups,
        differs=table["p_adjusted"] < LEVEL,
        both=(table["groups_human"] > 0) & (table["groups_ai"] > 0),
    ).sort_values(["differs", "both", "groups"], ascending=False, kind="stable")
    others = ranked.loc[ranked["groups"] >= least_groups, "category"]
    return [*asked, *(name for name in others if name not in asked)][:most]


def differing(table: pd.DataFrame) -> list[str]:
    """Categories that differ between the classes after correction, the most certain first.

    Args:
        table: From `association_table`.
    """
    return table.loc[table["p_adjusted"] < LEVEL, "category"].tolist()


def label_record(labeller: str, pictures: int, table: pd.DataFrame) -> dict[str, Any]:
    """What `metrics.json` keeps of the labels.

    Args:
        labeller: The network's title.
        pictures: How many were labelled.
        table: From `association_table`.
    """
    return {
        "labels": {
            "labeller": labeller,
            "pictures": pictures,
            "categories_tested": int(table["p"].notna().sum()),
            "over_represented": differing(table),
        }
    }
