"""Slides on what is in the pictures, and on what mistakes have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from src.utils.analysis.content import labels
from src.utils.estimate import Estimate
from src.utils.names import interval_text, model_name
from src.utils.plots.figure.style import AI, HUMAN
from src.utils.slides.findings import Findings, Missing
from src.utils.slides.slide import Number, Slide
from src.utils.story import content
from src.utils.story import slides as titles

MOST_CATEGORIES = 3
"""Categories that are shown with their pictures; a talk has an end."""


def confidence(findings: Findings) -> Slide:
    """Whether an ImageNet network is surer of one class."""
    labeller = findings.number("labels", "labeller")
    first = findings.table("label_confidence.csv").iloc[0]
    if pd.isna(first["human"]) or pd.isna(first["ai"]):
        raise Missing("mean confidences of both classes")
    sides = (("human", "human-made pictures", HUMAN), ("ai", "AI-generated pictures", AI))
    return findings.slide(
        titles.confidence(labeller, first["human"], first["ai"], first["p_adjusted"]),
        findings.picture("07_confidence"),
        "labels, label_confidence.csv",
        (content.confidence_sentence(first),),
        [Number.of(Estimate.from_row(first, side), label, colour) for side, label, colour in sides],
    )


def categories(findings: Findings) -> Slide:
    """Which categories are over-represented in one class."""
    record = findings.number("labels")
    return findings.slide(
        titles.categories(record["categories_tested"], record["over_represented"]),
        findings.picture("07_association", "07_frequent_labels"),
        "labels",
        (
            f"{record['labeller']} named {record['pictures']:,} pictures.",
            "Originals are counted, not crops; p-values are corrected for the number of categories.",
        ),
    )


def category_pictures(findings: Findings) -> Iterator[Slide]:
    """A slide for each of some categories: first those that differ between the classes, then those tested."""
    table = findings.table("label_association.csv")
    found = findings.number("labels", "over_represented")
    shown = [
        (row, picture)
        for name, picture in findings.pictures.items()
        for row in table.itertuples()
        if name == f"07_{labels.category_file(row.category)}"
    ]
    shown.sort(key=lambda pair: (pair[0].category not in found, pd.isna(pair[0].p)))
    for row, picture in shown[:MOST_CATEGORIES]:
        title = titles.category(row.category, row.groups_human, row.groups_ai, row.verdict)
        yield findings.slide(title, picture, "label_association.csv")


def mistakes(findings: Findings) -> Slide:
    """How many mistakes there are, and what sets them apart."""
    record = findings.number("errors")
    counts = (record["false_positives"], record["false_negatives"])
    held = record["held"]
    return findings.slide(
        titles.mistakes(model_name(record["model"]), *counts, len(held), record["comparisons"]),
        findings.picture("08_effects"),
        "errors",
        (
            *(f"Holds after correction, {one}." for one in held),
            *(
                f"Tree for {kind}, ROC-AUC out of fold: {interval_text(area)}."
                for kind, area in record["error_auc"].items()
            ),
            "A property that goes with mistakes need not cause them.",
        ),
    )
