"""The shortcut audit: what tells the classes apart before anything has been learnt from pixels.

A *container* fact (size, format, compression) says how a file was made and can leak the answer without any
look at the picture; a *content* fact (brightness, bytes) belongs to the picture. Each is scored by how well
it ranks the classes alone, then all container facts together, cross-validated by group.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from src.utils.analysis.checks.file_facts import CONTAINER, CONTENT, FACT_KINDS, MEASURED, file_facts
from src.utils.analysis.scoring.baselines import fit_facts, probability_of_ai
from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.estimate import Estimate
from src.utils.names import ALL_CONTAINER

FOLDS = 5
AUDIT_COLUMNS = (
    "feature",
    "kind",
    "human_mean",
    "human_median",
    "ai_mean",
    "ai_median",
    "auc",
    "low",
    "high",
    "direction",
    "constant",
)

_AUC = ("auc", "low", "high")


def audit_table(
    manifest: pd.DataFrame,
    content: Mapping[str, ArrayLike] | pd.DataFrame | None = None,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Audit the manifest's facts about files and pictures, further measurements, and all container facts.

    Args:
        manifest: Readable rows of `images.csv`.
        content: Further measurements of the pictures by name, a number a row.
        weight: Weight of each row; the groups of a class count the same if not given.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Returns:
        A row per fact and a last one, `ALL_CONTAINER`; columns as `audit_features` gives them.
    """
    features = file_facts(manifest)
    kinds = {name: FACT_KINDS[name] for name in features}
    measured = {name: manifest[name] for name in MEASURED if name in manifest}
    for name, values in (measured | dict(content if content is not None else {})).items():
        features[name] = np.asarray(values, dtype=float)
        kinds[name] = CONTENT
    label, group = manifest["label"].astype(int).to_numpy(), manifest["group"].to_numpy()
    table = audit_features(features, kinds, label, group, weight, resamples, seed)
    container = [name for name, kind in kinds.items() if kind == CONTAINER]
    together = cross_validated_auc(features[container], label, group, weight, resamples, seed)
    constant = bool(table.loc[table["kind"] == CONTAINER, "constant"].all())
    last = {"feature": ALL_CONTAINER, "kind": CONTAINER, "constant": constant, "direction": ""} | together
    return pd.concat([table, _as_table([last])], ignore_index=True)


def audit_features(
    features: pd.DataFrame,
    kinds: Mapping[str, str],
    label: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Audit features one by one.

    A number is scored by its AUC, turned so that it is at least 0.5 (`direction` says which class has more of
    it; the interval is turned with it and may reach below 0.5). Rows without the number are left out. A
    category is scored by `cross_validated_auc`, which has no direction.

    Args:
        features: A column per feature, numbers or categories, [n] rows.
        kinds: `container` or `content` for every column.
        label: Classes, [n].
        group: Groups, [n].
        weight: Weights, [n]; the groups of a class count the same if not given.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Returns:
        Columns `AUDIT_COLUMNS`; means and medians are weighted; what is not defined is NaN.
    """
    label, group = np.asarray(label, dtype=int), np.asarray(group)
    weight = _equal_groups(label, group) if weight is None else np.asarray(weight, dtype=float)
    rows = []
    for name, values in features.items():
        if isinstance(values.dtype, pd.CategoricalDtype):
            found = cross_validated_auc(values.to_frame(), label, group, weight, resamples, seed)
        else:
            known = values.notna().to_numpy()
            number = values.to_numpy(dtype=float)[known]
            where = (label[known], group[known], weight[known])
            found = _folded_auc(number, *where, resamples, seed) | _centres(number, *where)
        constant = values.nunique(dropna=False) <= 1
        rows.append({"feature": name, "kind": kinds[name], "constant": constant, "direction": ""} | found)
    return _as_table(rows)


def cross_validated_auc(
    features: pd.DataFrame,
    label: ArrayLike,
    group: ArrayLike,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, float]:
    """AUC of boosted trees on the features for pictures whose group they have not seen.

    The AUC is computed within each fold and then averaged: pooled over folds, a model that knows nothing but
    the share of AI in its training folds would score below 0.5.

    Returns:
        `auc`, `low`, `high`; NaN where a class has fewer groups than folds, or no interval can be had.
    """
    label, group = np.asarray(label, dtype=int), np.asarray(group)
    weight = _equal_groups(label, group) if weight is None else np.asarray(weight, dtype=float)
    if min(len(np.unique(group[label == one])) for one in (0, 1)) < FOLDS:
        return Estimate().columns(*_AUC)
    folds, statistics = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed), []
    for train, held_out in folds.split(features, label, group):
        model = fit_facts(features.iloc[train], label[train], weight[train], seed)
        score = probability_of_ai(model, features.iloc[held_out])
        statistics.append((held_out, ranking_statistic(label[held_out], score)))

    def mean_auc(row_weight: NDArray[np.float64]) -> dict[str, float]:
        return {"auc": float(np.mean([one(row_weight[rows])["auc"] for rows, one in statistics]))}

    return bootstrap(mean_auc, group, label, weight, resamples, seed)["auc"].columns(*_AUC)


def _equal_groups(label: NDArray, group: NDArray) -> NDArray[np.float64]:
    rows = pd.DataFrame({"label": label, "group": group})
    size = rows.groupby(["label", "group"])["group"].transform("size").to_numpy()
    return 1 / size / np.mean(1 / size)


def _folded_auc(
    number: NDArray, label: NDArray, group: NDArray, weight: NDArray, resamples: int, seed: int
) -> dict[str, float | str]:
    auc = ranking_statistic(label, number)(weight)["auc"]
    sign = 1 if not auc < 0.5 else -1
    ranking = ranking_statistic(label, sign * number)
    entry = bootstrap(lambda drawn: {"auc": ranking(drawn)["auc"]}, group, label, weight, resamples, seed)
    direction = "" if not abs(auc - 0.5) > 1e-12 else ("more in AI" if sign > 0 else "more in human")
    return entry["auc"].columns(*_AUC) | {"direction": direction}


def _centres(number: NDArray, label: NDArray, group: NDArray, weight: NDArray) -> dict[str, float]:
    centres = {}
    for one, name in enumerate(("human", "ai")):
        values, shares = number[label == one], weight[label == one]
        if len(values) and shares.sum() > 0:
            centres[f"{name}_mean"] = float(np.average(values, weights=shares))
            median = np.quantile(values, 0.5, weights=shares, method="inverted_cdf")
            centres[f"{name}_median"] = float(median)
    return centres


def _as_table(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))
    numbers = [name for name in AUDIT_COLUMNS if name not in ("feature", "kind", "direction", "constant")]
    return table.astype(dict.fromkeys(numbers, float) | {"constant": bool})
