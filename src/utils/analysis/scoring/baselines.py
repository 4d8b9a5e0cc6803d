"""What a detector has to beat: one fixed answer, and a model that never sees a pixel."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from src.utils.analysis.checks.file_facts import file_facts


def always_ai(rows: int) -> NDArray[np.float64]:
    """The answer "AI-generated" for every picture: probability 1, float64 [rows]."""
    return np.ones(rows)


def metadata_only(
    manifest: pd.DataFrame, weight: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Score every picture by the facts about its file, learnt from the training split.

    Args:
        manifest: Readable rows of `images.csv`, with `label` and `split`.
        weight: Weight of each row in training, [n]; one each if not given.
        seed: Seed of the model.

    Returns:
        Probability of class 1 for every row, float64 [n]; on training rows it is flattered.
    """
    facts = file_facts(manifest)
    train = (manifest["split"] == "train").to_numpy()
    weight = np.ones(len(manifest)) if weight is None else np.asarray(weight, dtype=float)
    label = manifest["label"].astype(int).to_numpy()
    model = fit_facts(facts[train], label[train], weight[train], seed)
    return probability_of_ai(model, facts)


def fit_facts(
    facts: pd.DataFrame, label: ArrayLike, weight: ArrayLike, seed: int = 0
) -> HistGradientBoostingClassifier | DummyClassifier:
    """Fit small boosted trees: they take categories and gaps as they come and find odd sizes.

    Trees of at most 8 leaves with at least 20 pictures each keep it from learning a few hundred by heart.
    Where the rows hold one class, or no fact varies, the model is the share of AI. One thread fits a few
    hundred pictures in a quarter of a second; several wait for each other much longer on a busy machine.
    """
    label = np.asarray(label)
    if len(np.unique(label)) < 2 or (facts.nunique(dropna=False) <= 1).all():
        return DummyClassifier(strategy="prior").fit(facts, label, sample_weight=weight)
    model = HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features="from_dtype",
        early_stopping=False,
        random_state=seed,
    )
    empty = [name for name, column in facts.items() if column.isna().all()]
    known = facts.fillna(dict.fromkeys(empty, 0.0))  # scikit-learn cannot bin a fact that no picture has
    with threadpool_limits(1, user_api="openmp"):
        return model.fit(known, label, sample_weight=weight)


def probability_of_ai(
    model: HistGradientBoostingClassifier | DummyClassifier, facts: pd.DataFrame
) -> NDArray[np.float64]:
    """Probability of class 1, also from a model that met only one class, float64 [n]."""
    with threadpool_limits(1, user_api="openmp"):
        probability = dict(zip(model.classes_.tolist(), model.predict_proba(facts).T, strict=True))
    return np.asarray(probability.get(1, np.zeros(len(facts))), dtype=float)
