"""The figures of an evaluation, in the look of all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from src.utils.analysis.checks.unseen import NOT_KNOWN
from src.utils.analysis.stats.metrics import roc_band
from src.utils.judge.deliveries import AS_IT_IS, delivery_title
from src.utils.judge.judgement import Answers, Judgement
from src.utils.names import short_name
from src.utils.plots.evaluation import metric_forest, probability_plot, roc_plot
from src.utils.plots.figure.saving import SavedFigure, drop_others, save_figure
from src.utils.plots.figure.style import brief, footnoted
from src.utils.plots.robustness import difference_plot
from src.utils.plots.unseen import unseen_plot

SHOWN = 6
"""Detectors that one figure holds at most; the tables have all."""

MOST = 16
"""Generators, and photo sources, that one figure holds at most."""


def save_figures(judgement: Judgement, folder: Path, seed: int = 0) -> list[SavedFigure]:
    """Draw and write all figures; what an earlier evaluation of the same name drew beside them is removed.

    Args:
        judgement: What was found.
        folder: Where they go, with their index.
        seed: Seed of the bands' resamples.
    """
    saved = [
        save_figure(figure, name, caption, caption, folder, "evaluate")
        for name, figure, caption in _figures(judgement, seed)
        if isinstance(figure, Figure)  # else a sentence: there is nothing to draw
    ]
    drop_others(folder, saved)
    return saved


def _figures(judgement: Judgement, seed: int) -> Iterator[tuple[str, Figure | str, str]]:
    part = judgement.pictures.part
    note = f"{len(part.images):,} pictures in {part.images['group'].nunique():,} groups."
    yield (
        "01_metrics",
        metrics_figure(judgement, note),
        f"ROC-AUC and balanced accuracy of each detector, as the pictures are and made alike; {note}",
    )
    if judgement.explained[AS_IT_IS].best:
        yield (
            "02_cheap",
            cheap_figure(judgement, note),
            f"ROC-AUC of detectors beside classifiers on cheap facts, fitted on other groups; {note}",
        )
    yield "03_roc", roc_figure(judgement, note, seed), f"ROC curves, pictures as they are; {note}"
    for number, one in enumerate(_shown(judgement)):
        yield from _of_one(judgement, one, number, note)


def metrics_figure(judgement: Judgement, note: str = "", most: int = 1 + SHOWN) -> Figure | str:
    """ROC-AUC and balanced accuracy of the first `most` detectors, pictures as they are and made alike."""
    return metric_forest(_metric_tables(judgement, _shown(judgement)[:most]), note=note)


def cheap_figure(judgement: Judgement, note: str = "") -> Figure | str:
    """ROC-AUC of detectors beside classifiers on what is cheap; a sentence on too few groups."""
    if not judgement.explained[AS_IT_IS].best:
        return "A class has too few groups to fit anything cheap."
    return difference_plot(_cheap_rows(judgement, _shown(judgement)), note, _cheap_title(judgement))


def roc_figure(judgement: Judgement, note: str = "", seed: int = 0) -> Figure | str:
    """ROC curves of the detectors, pictures as they are; `seed` is that of the bands' resamples."""
    part, shown = judgement.pictures.part, _shown(judgement)
    bands = {
        one.name: roc_band(part.label, expit(one.said[AS_IT_IS].score), part.group, part.weight, seed=seed)
        for one in shown
    }
    areas = {one.name: judgement.metrics[one.name][AS_IT_IS]["auc"] for one in shown}
    return roc_plot(bands, areas, note)


def sources_figure(judgement: Judgement, detector: str, note: str = "") -> Figure | str:
    """Share that one detector, told by its name, calls AI of each generator and each photo source.

    Returns:
        The figure; a sentence where no source is known.
    """
    if (judgement.sources[detector]["source"] == NOT_KNOWN).all():
        return "The sources of these pictures are not known: there are none to compare."
    one = next(one for one in judgement.answers if one.name == detector)
    found = judgement.metrics[detector][AS_IT_IS]
    rate, recall = found["false_positive_rate"], found["recall"]
    title = f"{one.title}: recall {brief(recall)}, false-positive rate {brief(rate)}"
    most = judgement.sources[detector].groupby("label").head(MOST)
    note = footnoted(note, (rate, recall))
    return unseen_plot(most, (rate.value, recall.value), one.title, note, title)


def _shown(judgement: Judgement) -> list[Answers]:
    """The detectors that a figure has room for."""
    return judgement.answers[: 1 + (len(judgement.answers) > 1) * SHOWN]


def _of_one(
    judgement: Judgement, one: Answers, number: int, note: str
) -> Iterator[tuple[str, Figure | str, str]]:
    part, as_is = judgement.pictures.part, judgement.deliveries[0]
    said = one.said[as_is].probability
    yield (
        f"04_probabilities_{number}",
        probability_plot(part.label, said, part.weight, one.threshold, one.title, note),
        f"{one.title}: how its probabilities of AI spread over each class; {note}",
    )
    yield (
        f"05_sources_{number}",
        sources_figure(judgement, one.name, note),
        f"{one.title}: share called AI, the {MOST} generators and photo sources of most groups; {note}",
    )


def _metric_tables(judgement: Judgement, answers: list[Answers]) -> dict[str, pd.DataFrame]:
    return {
        metric: pd.DataFrame(
            {"model": one.name, "name": f"{short_name(one.title, 30)}\n{delivery_title(delivery)}"}
            | judgement.metrics[one.name][delivery][metric].columns("value", "low", "high")
            for one in answers
            for delivery in judgement.deliveries[:2]
        )
        for metric in ("auc", "balanced_accuracy")
    }


def _cheap_rows(judgement: Judgement, answers: list[Answers]) -> pd.DataFrame:
    titles = {one.name: one.title for one in answers}
    rows = []
    for delivery in judgement.deliveries[:2]:
        found = judgement.explained[delivery]
        for name, auc in found.auc.items():
            if name in found.above and name not in titles:
                continue
            rows.append(
                {"set": f"Pictures {delivery_title(delivery)}", "name": short_name(titles.get(name, name))}
                | {"model": name if name in titles else ""}
                | auc.columns("value", "low", "high")
                | {"difference": f"({brief(found.above[name])})" if name in found.above else ""}
            )
    return pd.DataFrame(rows).replace({None: np.nan})


def _cheap_title(judgement: Judgement) -> str:
    one, found = judgement.answers[0], judgement.explained[judgement.deliveries[0]]
    return f"{one.title} minus {found.best}: ROC-AUC {brief(found.above[one.name])}"
