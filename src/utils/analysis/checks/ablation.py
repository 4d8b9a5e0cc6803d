"""What each part of a detector brings on sources it has not met, with intervals over groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.analysis.stats.bootstrap import Statistic, bootstrap
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.data.split import group_weights
from src.utils.estimate import Estimate
from src.utils.models.encoder.selection import Candidate, Fold, held_out_scores

RESAMPLES = 300

TABLE_COLUMNS = (
    *("candidate", "part", "eligible", "mean", "mean_low", "mean_high", "mean_error"),
    *("worst", "worst_low", "worst_high", "worst_source"),
)

Scores = Sequence[NDArray[np.float64]]
"""A candidate's log-odds for each fold's left-out rows, float64 [treatments, m] each."""


class Compared(Protocol):
    """What a table says of a candidate: `selection.Candidate` without its function."""

    @property
    def name(self) -> str:
        """Short name."""
        ...

    @property
    def part(self) -> str:
        """What it adds or leaves out, for people."""
        ...

    @property
    def eligible(self) -> bool:
        """Whether it can become the model that is kept."""
        ...


def score_candidates(candidates: Sequence[Candidate], folds: Sequence[Fold]) -> dict[str, list[NDArray]]:
    """Cross-validate every candidate; by name, its log-odds for each fold."""
    return {one.name: held_out_scores(one, folds) for one in candidates}


def source_matrix(images: pd.DataFrame, folds: Sequence[Fold], scores: Scores) -> pd.DataFrame:
    """AUC of every left-out pair of sources: a row a generated source, a column a human-made one."""
    values = _aucs(images, folds, scores, np.arange(len(images)))(group_weights(images))
    pairs = pd.DataFrame(
        {"ai": [one.ai for one in folds], "human": [one.human for one in folds], "auc": values}
    )
    return pairs.pivot(index="ai", columns="human", values="auc")


def ablation_table(
    images: pd.DataFrame,
    candidates: Sequence[Compared],
    folds: Sequence[Fold],
    scores: Mapping[str, Scores],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean and worst AUC of every candidate on left-out sources.

    A source's AUC is the mean over all sources of the other class that were left out with it; `worst` is the
    lowest of them.

    Args:
        images: Readable rows of the manifest.
        candidates: What was cross-validated.
        folds: From `selection.plan_folds`.
        scores: From `score_candidates`.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        A row a candidate, in their order, columns `TABLE_COLUMNS`; `mean_error` is `standard_error`;
        intervals NaN where not estimable.
    """
    used = np.unique(np.concatenate([fold.score for fold in folds]))
    rows, weight = images.iloc[used], group_weights(images)[used]
    table = []
    for candidate in candidates:
        statistic = held_out_statistic(images, folds, scores[candidate.name], used)
        entries = bootstrap(statistic, rows["group"], rows["label"], weight, resamples, seed)
        values = _aucs(images, folds, scores[candidate.name], used)(weight)
        by_source = _by_source(folds, values)
        table.append(
            {"candidate": candidate.name, "part": candidate.part, "eligible": candidate.eligible}
            | entries["mean"].columns("mean")
            | entries["worst"].columns("worst")
            | {"mean_error": standard_error(folds, values)}
            | {"worst_source": min(by_source, key=by_source.__getitem__)}
        )
    return pd.DataFrame(table, columns=list(TABLE_COLUMNS))


def held_out_statistic(
    images: pd.DataFrame, folds: Sequence[Fold], scores: Scores, used: NDArray[np.intp]
) -> Statistic:
    """A function from the weights of the rows `used` to `mean` and `worst`."""
    aucs = _aucs(images, folds, scores, used)

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        values = aucs(weight)
        return {
            "mean": float(np.nanmean(values)),
            "worst": min(_by_source(folds, values).values(), default=np.nan),
        }

    return statistic


def standard_error(folds: Sequence[Fold], values: NDArray[np.float64]) -> float:
    """Standard error of the mean AUC over left-out sources, as if other sources had been there to leave out.

    The sources are what is left out, so they are the folds over which errors are taken (Hastie, Tibshirani
    and Friedman 2009, section 7.10): the spread of the generated sources' means and that of the
    human-made ones' add up. More pictures of a source do not make it smaller.

    Args:
        folds: From `selection.plan_folds`.
        values: AUC of each fold, float64 [folds]; NaN where not defined.

    Returns:
        The standard error; NaN where fewer than two sources of a class were left out.
    """
    table = pd.DataFrame(
        {"ai": [one.ai for one in folds], "human": [one.human for one in folds], "auc": values}
    )
    table = table.dropna()
    ai, human = (table.groupby(side)["auc"].mean() for side in ("ai", "human"))
    if len(ai) == len(human) == len(table):  # plain folds, each named after itself on both sides
        return float(ai.sem())
    return float(np.hypot(ai.sem(), human.sem()))


def choose_candidate(table: pd.DataFrame) -> str:
    """Name the simplest eligible candidate whose mean AUC is within one standard error of the best one's.

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3): of what cannot be
    told apart, the simplest is expected to hold elsewhere.

    Args:
        table: From `ablation_table`; its rows are in the order of complexity, as `best.DESIGNS` are.
    """
    eligible = table[table["eligible"]]
    best = eligible.loc[eligible["mean"].idxmax()]
    error = best["mean_error"] if np.isfinite(best["mean_error"]) else 0.0
    return str(eligible.loc[eligible["mean"] >= best["mean"] - error, "candidate"].iloc[0])


def designs_to_show(table: pd.DataFrame, chosen: str, plain: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the designs that tell the story: the plain probe, the one that is kept, and the highest mean.

    Args:
        table: From `ablation_table`.
        chosen: The candidate that is kept.
        plain: The plain probe.

    Returns:
        Their rows, at most three, and all other rows.
    """
    eligible = table[table["eligible"]]
    highest = eligible.loc[eligible["mean"].idxmax(), "candidate"]
    shown = table["candidate"].isin([plain, chosen, highest])
    return table[shown].reset_index(drop=True), table[~shown].reset_index(drop=True)


def left_out_kind(table: pd.DataFrame) -> str:
    """What was left out in turn: `source`, or `fold` where a class has no two known sources.

    Args:
        table: From `ablation_table`.
    """
    return "fold" if table["worst_source"].str.startswith("fold ").all() else "source"


def readable_ablation(table: pd.DataFrame) -> pd.DataFrame:
    """An ablation table for people."""
    rows, kind = table.to_dict("records"), left_out_kind(table)
    return pd.DataFrame(
        {
            "detector": table["candidate"],
            "what it is": table["part"],
            f"mean AUC, {kind}s left out": [Estimate.from_row(row, "mean").text() for row in rows],
            f"AUC on the worst {kind}": [Estimate.from_row(row, "worst").text() for row in rows],
            f"worst {kind}": table["worst_source"],
        }
    )


def _aucs(images: pd.DataFrame, folds: Sequence[Fold], scores: Scores, used: NDArray[np.intp]):
    """A function from the weights of the rows `used` to the AUC of each fold; NaN without both classes."""
    label = images["label"].to_numpy(int)
    measures = [
        (ranking_statistic(np.tile(label[fold.score], len(odds)), odds.ravel()), len(odds))
        for fold, odds in zip(folds, scores, strict=True)
    ]
    places = [np.searchsorted(used, fold.score) for fold in folds]

    def aucs(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array(
            [
                measure(np.tile(weight[place], treatments))["auc"]
                for (measure, treatments), place in zip(measures, places, strict=True)
            ]
        )

    return aucs


def _by_source(folds: Sequence[Fold], values: NDArray[np.float64]) -> dict[str, float]:
    """Mean AUC of each source over its folds; generated and human-made ones of one name are kept apart."""
    sums: dict[str, list[float]] = {}
    for fold, value in zip(folds, values, strict=True):
        if np.isfinite(value):
            for name in (f"{fold.ai} (AI)", f"{fold.human} (human)"):
                sums.setdefault(name, []).append(value)
    return {name: float(np.mean(parts)) for name, parts in sums.items()}
