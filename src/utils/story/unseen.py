"""What becomes of a model on sources that it never met, in sentences (notebook 11)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import as_it_is, interval_text, percent


def unseen_sources(
    model: str, test: Estimate, unseen: Estimate | None, sources: pd.DataFrame, demonstration: bool
) -> list[str]:
    """Say in plain words what a model's numbers on the unseen set are worth.

    Args:
        model: Name of the model for people.
        test: Its ROC-AUC on the test.
        unseen: Its ROC-AUC on the unseen set; None where there is no such set.
        sources: A row a generator (`label` 1) or photo source (0): `source` (its name), `called_ai` (the
            share called AI, 0–1) with `called_ai_low` NaN where no interval is estimable, `pictures` and
            `groups`.
        demonstration: Whether the data is the small sample.
    """
    if unseen is None or sources.empty:
        return ["This dataset has no unseen set: nothing can be said about sources that training never met."]
    few = int(sources["called_ai_low"].isna().sum())
    said = [
        f"On sources that training never met, {model} has a ROC-AUC of {interval_text(unseen)}; on the test, "
        f"whose sources it knows, {interval_text(test)}.",
        *_extremes(sources),
        f"{few} of the {len(sources)} rows rest on too few originals for an interval: another handful of "
        "pictures could turn them around."
        if few
        else "",
        "The unseen set as a whole has too few originals for an interval, too."
        if unseen.value is not None and unseen.low is None
        else "",
        "None of this says how the model would do on pictures that somebody meets tomorrow."
        if demonstration
        else "",
    ]
    return list(filter(None, said))


def price_of_the_new(
    unseen: Mapping[str, Mapping[str, Estimate]],
    lead: Mapping[str, Estimate],
    families: pd.DataFrame,
    photo_sources: pd.DataFrame,
) -> list[str]:
    """Say which model is best on unseen sources, if that can be said, and what a new source costs a probe.

    Args:
        unseen: By model, its metrics on the unseen set; empty where there is none.
        lead: By every other model, how much higher the ROC-AUC of the highest is there, paired.
        families: From leaving out generator families: `drop` (ROC-AUC) and `groups`, the last row over all of
            them; may be empty.
        photo_sources: The same for photo sources.
    """
    kinds = (("generator family", families), ("photo source", photo_sources))
    prices = [_price_sentence(kind, table.iloc[-1]) for kind, table in kinds if len(table)]
    return [
        *best_sentence(unseen, lead),
        *(prices or ["No generator family and no photo source has enough originals to be left out here."]),
        "A low price within one collection is no promise: its pictures share a history that the next "
        "collection will not have.",
    ]


def _price_sentence(kind: str, row: pd.Series) -> str:
    drop = Estimate.from_row(row, "drop") if "drop_low" in row else Estimate.of(row["drop"])
    start, over = (
        f"Never having met a {kind} costs the probe",
        f"on average over {int(row['groups'])} originals.",
    )
    if drop.low is None or drop.low > 0:
        return f"{start} {interval_text(drop, 3)} of ROC-AUC {over}"
    return f"{start} nothing measurable: its ROC-AUC falls by {interval_text(drop, 3)} {over}"


def best_sentence(unseen: Mapping[str, Mapping[str, Estimate]], lead: Mapping[str, Estimate]) -> list[str]:
    """Say which model ranks unseen pictures best, or with which ones it shares that place.

    Args:
        unseen: As for `price_of_the_new`.
        lead: As for `price_of_the_new`.
    """
    areas = {name: one["auc"].value for name, one in unseen.items() if one["auc"].value is not None}
    if not areas:
        return []
    best = max(areas, key=areas.__getitem__)
    reached = f"`{best}` with {interval_text(unseen[best]['auc'])}"
    level = {name: one for name, one in lead.items() if one.low is None or one.low <= 0}
    if lead and not level:
        return [
            f"Best on the unseen set: {reached} of ROC-AUC; its lead, paired, excludes zero over each other."
        ]
    rivals = ", ".join(f"`{name}` ({interval_text(one)})" for name, one in level.items())
    doubt = f"; its lead, paired, does not exclude zero over {rivals}: none is best" if rivals else ""
    return [f"The highest ROC-AUC on the unseen set is that of {reached}{doubt}."]


def collections(table: pd.DataFrame) -> list[str]:
    """Say whether it may be the collection or the subject, and not the generator, that decides what is found.

    Args:
        table: A row a collection and what is held the same: `collection`, `which` (such as `people`),
            `pictures`, `called_ai`; may be empty.
    """
    if table["collection"].nunique() < 2:
        return []

    def told(which: str) -> str:
        rows = table[table["which"] == which].itertuples()
        return ", ".join(
            f"{percent(row.called_ai)} of {row.pictures:,} from {as_it_is(row.collection)}" for row in rows
        )

    shared = [which for which, rows in table.groupby("which", sort=False) if len(rows) > 1]
    return [
        *(f"Called AI, {as_it_is(str(which))}: {told(str(which))}." for which in shared),
        "Each collection has its own generators, subjects and past of compression. What the row of a "
        "generator shows may be its collection or its subject; these pictures do not separate the three any "
        "further.",
    ]


def _extremes(sources: pd.DataFrame) -> list[str]:
    """The generator with the lowest recall and the photo source with the highest false-positive rate."""
    for share, said in ((0, "human-made"), (1, "AI-generated")):
        if (sources["called_ai"] == share).all():
            return [f"It calls every one of these pictures {said}, whatever its source."]
    ordered = sources.sort_values("called_ai", kind="stable")
    generators, photographs = ordered[ordered["label"] == 1], ordered[ordered["label"] == 0]
    lowest = [f"Its recall is lowest on {_share_of(generators.iloc[0])}."] if len(generators) else []
    highest = (
        [f"Its false-positive rate is highest on {_share_of(photographs.iloc[-1])}."]
        if len(photographs)
        else []
    )
    return lowest + highest


def _share_of(source: pd.Series) -> str:
    originals = f"{source['groups']} original{'' if source['groups'] == 1 else 's'}"
    pictures = f"{source['pictures']} pictures from {originals}"
    return f"{as_it_is(source['source'])}: {percent(source['called_ai'])} of {pictures}"
