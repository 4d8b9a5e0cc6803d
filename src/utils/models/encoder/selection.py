"""Choosing a detector by the source it does worst on, when that source is new to it.

Grouped cross-validation leaves out two sources at a time, one of generated and one of human-made pictures: a
generator family, a photographer's collection, a theme's photographs. A fold's model has met neither, as it
will have met neither of the pictures people bring. What is left out is scored as it is and damaged, and all
of it is ranked together, for people bring pictures with any past. Only the training and validation splits
are ever looked at: everything else is dropped before anything is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from src.utils.data.families import generator_family
from src.utils.data.split import group_weights
from src.utils.models.encoder.heads import fit_head, take
from src.utils.models.encoder.runtime import Features

SELECTION_SPLITS = ("train", "validation")
LEAST_GROUPS = 5
"""Groups from which on a source is left out by itself; smaller ones are left out together."""

OTHERS = "others"
FOLDS = 5

FitAndScore = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows to fit on, rows to score → log-odds of AI for the latter, float64 [treatments, m]."""


@dataclass(frozen=True)
class Fold:
    """One round of cross-validation.

    Attributes:
        ai: The generated source that is left out.
        human: The human-made source that is left out.
        fit: Rows to fit on, int.
        score: Rows of the two sources, int.
    """

    ai: str
    human: str
    fit: np.ndarray
    score: np.ndarray


def selection_rows(images: pd.DataFrame) -> np.ndarray:
    """Rows that a choice may rest on: training and validation, never test nor unseen."""
    return np.flatnonzero(images["split"].isin(SELECTION_SPLITS))


def sources_of(images: pd.DataFrame) -> np.ndarray:
    """Source of each picture: generator family of a generated one, origin of a human-made one.

    Sources with fewer than `LEAST_GROUPS` groups of a class become `others`; so does what is not known.

    Args:
        images: Rows of the manifest that count.
    """
    family = images["generator"].map(generator_family).where(images["label"] == 1, images["origin"])
    groups = images["group"].groupby([images["label"], family]).transform("nunique")
    return family.where((groups >= LEAST_GROUPS) & (family != ""), OTHERS).to_numpy(str)


def limit_groups(images: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Keep at most `most` groups of training and validation, drawn evenly; test and unseen stay whole.

    A linear head learns little from the ten-thousandth pair that the four-thousandth did not say.

    Args:
        images: Readable rows of the manifest.
        most: Groups to keep.
        seed: Seed of the draw.

    Returns:
        The rows kept, in their order, numbered from 0.
    """
    mine = images["split"].isin(SELECTION_SPLITS)
    groups = np.sort(images.loc[mine, "group"].unique())
    kept = np.random.default_rng(seed).permutation(groups)[:most]
    return images[~mine | images["group"].isin(kept)].reset_index(drop=True)


def plan_folds(images: pd.DataFrame, seed: int = 0) -> list[Fold]:
    """Plan the rounds: every pair of a generated and a human-made source is left out once.

    Where a class has but one source (Kaggle's pairs), sources cannot be left out; five grouped folds take
    their place, named `fold 1` and so on.

    Args:
        images: Readable rows of the manifest; rows outside `SELECTION_SPLITS` are in no fold.
        seed: Seed of the grouped folds.
    """
    rows = selection_rows(images)
    chosen = images.iloc[rows]
    source, label, group = sources_of(chosen), chosen["label"].to_numpy(int), chosen["group"].to_numpy()
    names = {one: sorted(set(source[label == one])) for one in (0, 1)}
    if min(map(len, names.values())) < 2:
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        parts = splitter.split(label, label, group)
        return [
            Fold(f"fold {n}", f"fold {n}", rows[fit], rows[score]) for n, (fit, score) in enumerate(parts, 1)
        ]
    folds = []
    for ai in names[1]:
        for human in names[0]:
            left_out = np.where(label == 1, source == ai, source == human)
            related = np.isin(group, group[left_out])
            folds.append(Fold(ai, human, rows[~related], rows[left_out]))
    return folds


@dataclass(frozen=True)
class Candidate:
    """A way to tell the classes apart.

    Attributes:
        name: Short name.
        part: What it adds or leaves out, for people.
        fit_and_score: Fits on some rows and scores others.
        eligible: Whether it can become the model that is kept.
    """

    name: str
    part: str
    fit_and_score: FitAndScore
    eligible: bool = False


def held_out_scores(candidate: Candidate, folds: Sequence[Fold]) -> list[np.ndarray]:
    """Log-odds of each fold's left-out rows under every treatment, float64 [treatments, m] each."""
    return [np.atleast_2d(candidate.fit_and_score(fold.fit, fold.score)) for fold in folds]


def head_candidate(
    name: str,
    part: str,
    images: pd.DataFrame,
    views: Sequence[Features],
    treatments: Sequence[Sequence[Features]],
    blocks: Sequence[str],
    eligible: bool = False,
) -> Candidate:
    """A linear head on some blocks.

    Args:
        name: Short name.
        part: What it adds or leaves out.
        images: Rows of the manifest, as many as every view has.
        views: Features to fit on, one row a picture each.
        treatments: For each way a left-out picture may arrive, its views; a picture's log-odds are the mean
            over them.
        blocks: What the head reads.
        eligible: Whether it can become the model that is kept.
    """
    label, weight = images["label"].to_numpy(int), group_weights(images)

    def fit_and_score(fit: np.ndarray, score: np.ndarray) -> np.ndarray:
        head = fit_head([take(view, fit) for view in views], label[fit], weight[fit], blocks)
        odds = [[head.log_odds(take(view, score)) for view in treatment] for treatment in treatments]
        return np.array([np.mean(one, axis=0) for one in odds])

    return Candidate(name, part, fit_and_score, eligible)


def combined_candidate(name: str, part: str, parts: Sequence[Candidate], eligible: bool = False) -> Candidate:
    """The mean of several candidates' log-odds, which have about unit spread where they were fitted."""

    def fit_and_score(fit: np.ndarray, score: np.ndarray) -> np.ndarray:
        return np.mean([one.fit_and_score(fit, score) for one in parts], axis=0)

    return Candidate(name, part, fit_and_score, eligible)
