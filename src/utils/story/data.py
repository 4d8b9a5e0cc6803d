"""What the data is, what its files give away and how it was split, in sentences (notebooks 01 to 03)."""

from __future__ import annotations

import pandas as pd

from src.utils.datasets import Dataset
from src.utils.estimate import Estimate
from src.utils.names import ALL_CONTAINER, fact_name

SAMPLE_HISTORY = (
    "The sample's pictures were all saved in the same way. Its AI-generated ones had been WebP thumbnails "
    "before, a history that cannot be wholly undone."
)


def dataset(name: str, table: pd.DataFrame, missing: int) -> list[str]:
    """Say what a dataset holds.

    Args:
        name: Its value of DATA_SOURCE.
        table: A row a picture: `label`, `group` (may be empty) and `split` (`unseen` or empty).
        missing: How many files are named but not there.
    """
    groups = table["group"].replace("", pd.NA).nunique()
    unseen = int((table["split"] == "unseen").sum())
    said = [
        f"`{name}` gives {len(table):,} pictures"
        + (f" in {groups:,} groups" if groups else "")
        + f": {_classes(table)}.",
        f"{unseen:,} of them are set aside as *unseen*: training never meets their generators and photo "
        "sources."
        if unseen
        else "",
        f"Files that are named but missing: {missing:,}."
        if missing
        else "Every file that is named is there.",
    ]
    return list(filter(None, said))


def files(images: pd.DataFrame, audit: pd.DataFrame, dataset: Dataset) -> list[str]:
    """Say what can be read, and what tells the classes apart without a look at pixels.

    Args:
        images: A row a readable picture, with `label`.
        audit: A row a fact: `feature`, `kind` (`container` or `content`), `auc`, `low`, `high`, `direction`,
            `constant`.
        dataset: Which dataset it is.
    """
    return [
        f"{len(images):,} pictures can be read: {_classes(images)}.",
        strongest_fact(audit, "container"),
        strongest_fact(audit, "content"),
        *([SAMPLE_HISTORY] if dataset.name == "sample" else []),
    ]


def strongest_fact(audit: pd.DataFrame, kind: str) -> str:
    """Say which fact of a kind tells the classes apart best; `audit` and `kind` as for `files`."""
    mine = audit[(audit["kind"] == kind) & ~audit["constant"] & audit["auc"].notna()]
    if mine.empty:
        return f"No {kind} fact varies between the pictures: there is nothing to learn from it."
    best = mine.loc[mine["auc"].idxmax()]
    auc = Estimate.of(best["auc"], best["low"], best["high"]).text()
    if best["feature"] == ALL_CONTAINER:
        return f"Container facts together reach AUC {auc}."
    direction = f", {best['direction']}" if best["direction"] else ""
    return f"Of the {kind} facts, {fact_name(best['feature'])} tells most: AUC {auc}{direction}."


def split(images: pd.DataFrame, merged: int, method: str, leaks: int, leaks_if_random: int) -> list[str]:
    """Say what was kept together, and what crosses.

    Args:
        images: A row a readable picture, with `group`.
        merged: Pictures whose group was merged with another because of near-duplicates.
        method: `group` or `random`.
        leaks: Groups and near-duplicate pairs with pictures on both sides of a split.
        leaks_if_random: The same for a random split of these pictures.
    """
    return [
        f"{images['group'].nunique():,} groups hold {len(images):,} pictures; "
        + (
            f"the groups of {merged:,} pictures were merged because of near-duplicates."
            if merged
            else "no near-duplicates had to be merged."
        ),
        f"Split by {method}: "
        + (f"{leaks:,} groups or near-duplicate pairs cross." if leaks else "nothing crosses."),
        f"Split at random, as the deck did it, {leaks_if_random:,} would cross on these pictures. What that "
        "changes, and in which direction, notebook 10 measures.",
        "The test chooses nothing. What is chosen on training, validation and unseen pictures, notebook 13 "
        "lists.",
    ]


def _classes(table: pd.DataFrame) -> str:
    human, ai = ((table["label"] == label).sum() for label in (0, 1))
    return f"{human:,} human-made and {ai:,} AI-generated"
