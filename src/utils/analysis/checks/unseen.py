"""Generators and photo sources that training never met: recall, false-positive rates, their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.checks.probes import Fold, fit_probe, grouped_folds, probe_scores
from src.utils.analysis.scoring.evaluation import compare_models
from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.data.families import generator_family
from src.utils.estimate import Estimate
from src.utils.models.encoder.runtime import Head
from src.utils.settings import CLASS_NAMES

LEAST_GROUPS = 5
"""Groups from which on a generator family is held out by itself."""

NOT_KNOWN = "not known"

ALL_IN_TURN = "each of these in turn"
"""The row of a leave-one-out table that averages over the sources above it."""

SOURCE_COLUMNS = (
    *("label", "source", "groups", "pictures", "median"),
    *(f"{part}{end}" for part in ("called_ai", "auc") for end in ("", "_low", "_high")),
)

HOLDOUT_COLUMNS = (
    "source",
    "groups",
    "pictures",
    *(f"{part}{end}" for part in ("met", "left_out", "drop") for end in ("", "_low", "_high")),
)


COLLECTION_COLUMNS = (
    *("collection", "which", "groups", "pictures"),
    *(f"called_ai{end}" for end in ("", "_low", "_high")),
)

ALL_OF_IT, PEOPLE, OTHER_SUBJECTS = "all of it", "people", "other subjects"
"""Parts of a collection."""

Ranked = tuple[NDArray[np.intp], Statistic, Statistic]
"""Rows, and the ranking of them by the probe that met others of the source and by the one that did not."""


def source_of(pictures: pd.DataFrame) -> pd.Series:
    """Who made each picture: the generator of an AI-generated one, the source of a photograph."""
    source = pictures["generator"].where(pictures["label"] == 1, pictures["origin"])
    return source.replace("", NOT_KNOWN)


def source_table(
    pictures: pd.DataFrame,
    probability: ArrayLike,
    weight: ArrayLike | None = None,
    threshold: float = 0.5,
    resamples: int = RESAMPLES,
    seed: int = 0,
    score: ArrayLike | None = None,
) -> pd.DataFrame:
    """How a model does on each generator and on each source of photographs.

    Args:
        pictures: Rows of the manifest: `label`, `group`, `generator`, `origin`.
        probability: Probabilities of class 1, [n].
        weight: Weights, [n]; one each if not given.
        threshold: A picture is called AI from this probability on.
        resamples: Number of bootstrap resamples.
        seed: Their seed.
        score: What the AUC ranks by, [n]; the probabilities if not given, which may have more ties.

    Returns:
        A row a source, AI-generated ones first, those with most groups first, columns `SOURCE_COLUMNS`:
        `median`, the median probability; `called_ai`, the share called AI (right for generators, a
        false positive for photographs), and `auc` against all pictures of the other class, NaN where not
        defined or not estimable.
    """
    probability = np.asarray(probability, dtype=float)
    score = probability if score is None else np.asarray(score, dtype=float)
    label = pictures["label"].to_numpy(dtype=int)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    source = source_of(pictures).to_numpy()
    rows = []
    for one, name in dict.fromkeys(zip(label.tolist(), source.tolist(), strict=True)):
        mine = (label == one) & (source == name)
        groups = pictures.loc[mine, "group"]
        called = _called_ai(probability[mine] >= threshold, groups, weight[mine], resamples, seed)
        among = mine | (label != one)
        auc = _auc(pictures[among], score[among], weight[among], resamples, seed)
        rows.append(
            {
                "label": one,
                "source": name,
                "groups": groups.nunique(),
                "pictures": int(mine.sum()),
                "median": float(np.median(probability[mine])),
                **called.columns("called_ai"),
                **auc.columns("auc"),
            }
        )
    order = {"by": ["label", "groups", "source"], "ascending": [False, False, True], "ignore_index": True}
    return pd.DataFrame(rows, columns=list(SOURCE_COLUMNS)).sort_values(**order)


def shares_called_ai(part: Part, probability: ArrayLike, threshold: float = 0.5) -> tuple[float, float]:
    """Shares of the human-made and of the AI-generated pictures that are called AI; NaN without any.

    Args:
        part: The pictures.
        probability: Probabilities of class 1, [n].
        threshold: A picture is called AI from this probability on.
    """
    called = np.asarray(probability, dtype=float) >= threshold
    human, ai = (
        float(np.average(called[part.label == one], weights=part.weight[part.label == one]))
        if (part.label == one).any()
        else np.nan
        for one in (0, 1)
    )
    return human, ai


def collection_table(
    pictures: pd.DataFrame,
    probability: ArrayLike,
    weight: ArrayLike,
    threshold: float = 0.5,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """How often AI-generated pictures are found, by the collection that they come from.

    A generator whose pictures all come from one collection cannot be told from it. What can be compared
    between collections is held the same: the subject, and the generator families that occur in several.

    Args:
        pictures: Rows of the manifest: `label`, `group`, `generator`, `origin`, `subject`.
        probability: Probabilities of class 1, [n].
        weight: Weights, [n].
        threshold: A picture is called AI from this probability on.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        Columns `COLLECTION_COLUMNS`; rows for each collection: `ALL_OF_IT`, then those with people, with
        other subjects, and each family that occurs in several collections. No rows where the AI-generated
        pictures come from one collection, or it is not known from which.
    """
    table = pictures.assign(called=np.asarray(probability, dtype=float) >= threshold, weight=weight)
    table = table[(table["label"] == 1) & (table["origin"] != "")]
    if table["origin"].nunique() < 2:
        return pd.DataFrame(columns=list(COLLECTION_COLUMNS))
    family, people = table["generator"].map(generator_family), table["subject"] == PEOPLE
    several = table["origin"].groupby(family).nunique().loc[lambda collections: collections > 1].index
    parts = {ALL_OF_IT: np.ones(len(table), bool), PEOPLE: people, OTHER_SUBJECTS: ~people}
    parts |= {f"generator family {name}": family == name for name in several if name}
    rows = []
    for which, chosen in parts.items():
        for collection, part in table[chosen].groupby("origin", sort=False):
            called = _called_ai(
                part["called"].to_numpy(), part["group"], part["weight"].to_numpy(), resamples, seed
            )
            counts = {"groups": part["group"].nunique(), "pictures": len(part)}
            rows.append({"collection": collection, "which": which, **counts, **called.columns("called_ai")})
    return pd.DataFrame(rows, columns=list(COLLECTION_COLUMNS))


def readable_collections(table: pd.DataFrame) -> pd.DataFrame | str:
    """A collection table for people; a sentence if it has no rows."""
    if table.empty:
        return "All AI-generated pictures here come from one collection, or it is not known from which."
    return pd.DataFrame(
        {
            "pictures of": table["which"],
            "collection": table["collection"],
            "originals": table["groups"],
            "pictures": table["pictures"],
            "called AI": _texts(table, "called_ai"),
        }
    )


def lead_of_the_highest(
    log_odds: Mapping[str, NDArray[np.float64]], part: Part, seed: int = 0
) -> dict[str, Estimate]:
    """How much higher the ROC-AUC of the model that is highest on a part is than that of every other model.

    Args:
        log_odds: By model, log-odds of AI of all pictures, [all].
        part: Some of them; without pictures there is no lead.
        seed: Seed of the bootstrap.

    Returns:
        By the name of every other model, the difference over the same groups.
    """
    if not len(part.images):
        return {}
    odds = {name: one[part.rows] for name, one in log_odds.items()}
    areas = {name: ranking_statistic(part.label, one)(part.weight)["auc"] for name, one in odds.items()}
    best = max(areas, key=areas.__getitem__)
    return {
        name: compare_models(part, at_temperature(odds[best]), at_temperature(one), seed)["auc"]
        for name, one in odds.items()
        if name != best
    }


def readable_sources(
    table: pd.DataFrame, others: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame | str:
    """A source table for people: numbers with their intervals as text; a sentence if it has no rows.

    Args:
        table: From `source_table`.
        others: By name of a model to stand beside, its own table of the same pictures.
    """
    if table.empty:
        return "This dataset has no unseen set."
    return pd.DataFrame(
        {
            "class": [CLASS_NAMES[one] for one in table["label"]],
            "made by": table["source"],
            "originals": table["groups"],
            "pictures": table["pictures"],
            "called AI": _texts(table, "called_ai"),
            **{f"called AI, {name}": _texts(one, "called_ai") for name, one in (others or {}).items()},
            "AUC against the other class": _texts(table, "auc"),
        }
    )


def _texts(table: pd.DataFrame, name: str) -> list[str]:
    """A column with its intervals as text; where none is estimable, the numbers alone."""
    estimable = table[f"{name}_low"].notna().any()
    known = (Estimate.from_row(row, name) for row in table.to_dict("records"))
    return [one.text() if estimable or one.value is None else f"{one.value:z.2f}" for one in known]


def leave_one_out(
    features: ArrayLike,
    pictures: pd.DataFrame,
    source: Sequence[str],
    side: int = 1,
    weight: ArrayLike | None = None,
    least_groups: int = LEAST_GROUPS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """How well a probe ranks the pictures of a source with none of whose pictures it was trained.

    In grouped folds, every probe is fitted twice: with the source's other originals and without any of them.
    Both rank the same pictures, the source's against those of the other class in the fold. The difference is
    the price of a source that is new.

    Args:
        features: float [n, d], from a frozen network.
        pictures: Rows of the manifest: `label` and `group`.
        source: Generator family, or source of photographs, of each row, [n].
        side: Class whose sources are left out; 1 for generators.
        weight: Weights, [n]; one each if not given.
        least_groups: Sources with fewer groups are not left out by themselves.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Returns:
        A row a source, the largest drop first, columns `HOLDOUT_COLUMNS`: AUCs (means over the folds that
        hold the source) when others of its pictures were `met` and when it was `left_out`, and their
        difference; of several sources last a row `ALL_IN_TURN`, their mean, over more groups. No rows with
        fewer than two sources, or fewer groups of a class than folds.
    """
    features, source = np.asarray(features), np.asarray(source)  # pyright: ignore[reportAssignmentType]
    label, group = pictures["label"].to_numpy(dtype=int), pictures["group"].to_numpy()
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    folds = grouped_folds(label, group, seed)
    names = _sources_of_size(source[label == side], group[label == side], least_groups)  # pyright: ignore[reportArgumentType]
    if not folds or len(set(source[label == side])) < 2:
        names = pd.Series(dtype=int)
    probes = [fit_probe(features[fit], label[fit], weight[fit]) for fit, _ in folds]
    ranked: dict[str, list[Ranked]] = {}
    for name in names.index:
        mine = (label == side) & (source == name)
        ranked[name] = list(_rank_twice(features, label, weight, folds, probes, mine, side))
    sets = {name: [name] for name in ranked} | ({ALL_IN_TURN: list(ranked)} if len(ranked) > 1 else {})
    rows = []
    for name, members in sets.items():
        mine = (label == side) & np.isin(source, members)
        counts = {"source": name, "groups": len(np.unique(group[mine])), "pictures": int(mine.sum())}
        entries = _compare([ranked[one] for one in members], label, group, weight, resamples, seed)
        for part, entry in entries.items():
            counts |= entry.columns(part)
        rows.append(counts)
    table = pd.DataFrame(rows, columns=list(HOLDOUT_COLUMNS))
    together = table["source"] == ALL_IN_TURN
    single = table[~together].sort_values("drop", ascending=False)
    return pd.concat([single, table[together]], ignore_index=True)


def readable_holdout(table: pd.DataFrame, source: str = "source") -> pd.DataFrame | str:
    """A leave-one-out table for people: numbers with their intervals as text; a sentence if it has no rows.

    Args:
        table: From `leave_one_out`.
        source: What was left out, such as `generator family`.
    """
    if table.empty:
        return f"No {source} here has enough originals to be left out."
    return pd.DataFrame(
        {
            source: table["source"],
            "originals": table["groups"],
            "pictures": table["pictures"],
            "AUC, others of it in training": _texts(table, "met"),
            "AUC, none of it in training": _texts(table, "left_out"),
            "difference": _texts(table, "drop"),
        }
    )


def _sources_of_size(source: NDArray, group: NDArray, least: int) -> pd.Series:
    """Number of groups of each source that has enough of them and a name."""
    groups = pd.Series(group).groupby(source).nunique()
    return groups[(groups >= least) & ~groups.index.isin(["", NOT_KNOWN])]


def _rank_twice(
    features: NDArray,
    label: NDArray,
    weight: NDArray,
    folds: Sequence[Fold],
    probes: Sequence[Head],
    mine: NDArray[np.bool_],
    side: int,
) -> Iterator[Ranked]:
    """Rank a source's pictures in each fold by the fold's probe, and by one that met none of the source's."""
    for (fit, score), probe in zip(folds, probes, strict=True):
        rows = score[(label[score] != side) | mine[score]]
        if not mine[rows].any():
            continue
        others = fit[~mine[fit]]
        without = fit_probe(features[others], label[others], weight[others])
        met, left_out = (
            ranking_statistic(label[rows], probe_scores(one, features[rows])) for one in (probe, without)
        )
        yield rows, met, left_out


def _compare(
    ranked: Sequence[Sequence[Ranked]],
    label: NDArray,
    group: NDArray,
    weight: NDArray,
    resamples: int,
    seed: int,
) -> dict[str, Estimate]:
    """AUCs by both probes with their difference: means over folds, then over sources."""
    involved = np.unique(np.concatenate([rows for parts in ranked for rows, _, _ in parts]))

    def statistic(row_weight: NDArray[np.float64]) -> dict[str, float]:
        spread = np.zeros(len(label))
        spread[involved] = row_weight
        met, left_out = (
            _mean_of_defined(
                [_mean_of_defined([one[which](spread[one[0]])["auc"] for one in parts]) for parts in ranked]  # pyright: ignore[reportCallIssue]
            )
            for which in (1, 2)
        )
        return {"met": met, "left_out": left_out, "drop": met - left_out}

    return bootstrap(statistic, group[involved], label[involved], weight[involved], resamples, seed)


def _mean_of_defined(values: Sequence[float]) -> float:
    """Mean of the folds that a resample left with both classes; NaN if there is none."""
    defined = np.asarray(values)[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan


def _called_ai(
    called: NDArray[np.bool_], group: ArrayLike, weight: NDArray, resamples: int, seed: int
) -> Estimate:
    def share(row_weight: NDArray[np.float64]) -> dict[str, float]:
        return {"share": float(row_weight @ called / row_weight.sum())}

    return bootstrap(share, group, np.ones(len(called), int), weight, resamples, seed)["share"]


def _auc(
    pictures: pd.DataFrame, probability: NDArray, weight: NDArray, resamples: int, seed: int
) -> Estimate:
    ranking = ranking_statistic(pictures["label"], probability)
    entries = bootstrap(
        lambda row_weight: {"auc": ranking(row_weight)["auc"]},
        pictures["group"],
        pictures["label"],
        weight,
        resamples,
        seed,
    )
    return entries["auc"]
