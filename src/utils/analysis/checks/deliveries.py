"""What is left of a model's answers once a picture was sent, posted or reworked: each way by itself.

Recall and false-positive rate are told apart, since compression can raise the one and lower the other while
their mean stands still, and what counts is the worst way, not the average one. How often a *verdict* changes
is asked apart again: a person sends one picture, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.analysis.checks.robustness import measure_odds
from src.utils.analysis.scoring.parts import Part, source_weights, sub_part
from src.utils.analysis.scoring.scores import at_temperature, score_versions, scores_folder
from src.utils.analysis.scoring.tables import table_records
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap, never_certain, sort_groups
from src.utils.data.pictures.deliveries import ALL_DELIVERIES, AS_THEY_ARE, DELIVERIES, deliver_all
from src.utils.estimate import Estimate
from src.utils.models.bundle.predictor import UNCERTAIN, Predictor
from src.utils.settings import Settings

ANY = "any"
"""The row of a table of verdicts for pictures that change through at least one of the deliveries."""

DROP = "drop"
"""The column for what a delivery costs of the balanced accuracy."""

Scores = Mapping[str, NDArray[np.float64]]
"""By delivery, log-odds of AI at temperature 1, float64 [n] each; `AS_THEY_ARE` is one of them."""

Calls = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
"""Log-odds of AI at temperature 1, [n] → whether each picture is called AI, bool [n]."""

Verdicts = Callable[[NDArray[np.float64]], NDArray[np.str_]]
"""Log-odds of AI at temperature 1, [n] → verdicts, str [n], `Uncertain` among them."""


def above_even(odds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Call AI what is at least as likely AI-generated as not, before any calibration."""
    return odds >= 0


def calls_of(predictor: Predictor) -> Calls:
    """What a model, calibrated as its bundle says, calls AI: those whose `label` is AI-generated."""
    ai = predictor.bundle.class_names[1]
    return lambda odds: _answers(predictor, odds, "label") == ai


def verdicts_of(predictor: Predictor) -> Verdicts:
    """What a model, calibrated as its bundle says, gives as its verdict."""
    return lambda odds: _answers(predictor, odds, "verdict")


def _answers(predictor: Predictor, odds: NDArray[np.float64], column: str) -> NDArray[np.str_]:
    """One column of what a predictor answers to log-odds at temperature 1."""
    probabilities = at_temperature(odds, predictor.bundle.temperature)
    return np.array([predictor.row("", one)[column] for one in probabilities], dtype=str)


def score_deliveries(
    predictor: Predictor, part: Part, settings: Settings, progress: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Score every picture of a part through every delivery and transformation.

    Args:
        predictor: The model.
        part: The pictures, best drawn by `robustness.draw_part`.
        settings: Where the pictures lie, and what was scored before.
        progress: Whether to show a progress bar.

    Returns:
        Log-odds of AI at temperature 1 by the names of `ALL_DELIVERIES`, float64 [n] each.

    Raises:
        ImageError: A picture cannot be read.
    """
    memory = scores_folder(settings)
    odds = score_versions(
        predictor, part.images, settings.raw_dir, memory, "deliveries", deliver_all, progress
    )
    return dict(zip(ALL_DELIVERIES, odds.reshape(-1, len(ALL_DELIVERIES)).T, strict=True))


def unseen_ways(
    images: pd.DataFrame, sent: Part, scores: Mapping[str, Scores]
) -> tuple[Part, dict[str, dict[str, NDArray[np.float64]]]]:
    """The unseen pictures among those that were sent, and what each model said of them through each delivery.

    Args:
        images: Readable rows of the manifest.
        sent: The pictures that were scored.
        scores: By model, from `score_deliveries`.

    Returns:
        The part, and by model, then by the titles of `DELIVERIES` but the first (the pictures as they are),
        log-odds of its pictures.
    """
    unseen = (sent.images["split"] == "unseen").to_numpy()
    ways = {
        model: {
            str(_named(name)["title"]): odds[unseen]
            for name, odds in one.items()
            if name in DELIVERIES and name != AS_THEY_ARE
        }
        for model, one in scores.items()
    }
    return sub_part(images, sent, sent.images[unseen]), ways


def delivery_records(where: str, model: str, table: pd.DataFrame, changes: pd.DataFrame) -> dict[str, Any]:
    """What `metrics.json` keeps: of which pictures, of which model, both tables by row.

    Args:
        where: Name of the part.
        model: The model's name.
        table: From `delivery_table`.
        changes: From `verdict_changes`.
    """
    rates, verdicts = table_records(table), table_records(changes)
    return {"pictures": where, "model": model, "rates": rates, "verdicts": verdicts}


def delivery_table(
    scores: Scores, part: Part, calls: Calls = above_even, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Measure each delivery, every source of a class with the same weight (`source_weights`).

    Args:
        scores: From `score_deliveries`.
        part: The pictures that were scored.
        calls: Which pictures are called AI, such as `calls_of` the model.
        resamples: Number of bootstrap resamples over groups.
        seed: Their seed.

    Returns:
        A row a delivery, in their order: `delivery`, `title`, `transformation`; for each of `recall`,
        `false_positive_rate`, `balanced_accuracy`, `auc` and `drop` (of the balanced accuracy, against the
        pictures as they are over the same resamples) its value, `_low` and `_high`, NaN where not defined or
        not estimable; and `worst`, true for the one of `DELIVERIES` with the lowest balanced accuracy.
    """
    weight = source_weights(part)
    first = measure_odds(part.label, scores[AS_THEY_ARE], calls(scores[AS_THEY_ARE]))
    groups = sort_groups(part.group, part.label).smallest
    rows = []
    for name, odds in scores.items():
        measure = measure_odds(part.label, odds, calls(odds))

        def with_drop(row_weight: NDArray[np.float64], measure: Statistic = measure) -> dict[str, float]:
            now = measure(row_weight)
            return now | {DROP: first(row_weight)["balanced_accuracy"] - now["balanced_accuracy"]}

        entries = bootstrap(with_drop, part.group, part.label, weight, resamples, seed)
        rows.append(_named(name) | _columns(entries, groups))
    table = pd.DataFrame(rows)
    ordered = table[~table["transformation"]].sort_values("balanced_accuracy", kind="stable")
    return table.assign(worst=table.index == ordered.index[0])


def verdict_changes(
    scores: Scores, part: Part, verdicts: Verdicts, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """How often a verdict changes against that on the picture as it is, sources weighted equally.

    Args:
        scores: From `score_deliveries`.
        part: The pictures that were scored.
        verdicts: What the model says in words, such as `verdicts_of` the model.
        resamples: Number of bootstrap resamples over groups.
        seed: Their seed.

    Returns:
        A row a delivery but the first, and after the last of `DELIVERIES` one named `ANY`: `delivery`,
        `title`, `transformation`; `turned`, the share of pictures whose verdict becomes its opposite,
        `changed`, the share of those that get another one at all, and `answered`, the share of those that get
        one that is not `Uncertain` (for `ANY`, through each of `DELIVERIES`); with `_low` and `_high` each.
    """
    said = {name: np.asarray(verdicts(odds)) for name, odds in scores.items()}
    before = said.pop(AS_THEY_ARE)
    sure = before != UNCERTAIN
    found = {
        name: {
            "turned": (now != before) & (now != UNCERTAIN) & sure,
            "changed": now != before,
            "answered": now != UNCERTAIN,
        }
        for name, now in said.items()
    }
    sent = [name for name in said if name in DELIVERIES]
    found[ANY] = {
        what: np.any([found[name][what] for name in sent], axis=0) for what in ("turned", "changed")
    }
    found[ANY]["answered"] = np.all([sure, *(found[name]["answered"] for name in sent)], axis=0)
    weight, groups = source_weights(part), len(np.unique(part.group))
    rows = []
    for name in (*sent, ANY, *(name for name in said if name not in DELIVERIES)):
        entries = bootstrap(_shares(found[name]), part.group, part.label, weight, resamples, seed)
        rows.append(_named(name) | _columns(entries, groups))
    return pd.DataFrame(rows)


def readable_deliveries(table: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Both tables as one for people: numbers with their intervals as text, the worst delivery marked.

    Args:
        table: From `delivery_table`.
        changes: From `verdict_changes`.
    """
    rows, by_name = table.to_dict("records"), changes.set_index("delivery")
    texts = {
        "recall": "recall",
        "false_positive_rate": "false-positive rate",
        "balanced_accuracy": "balanced accuracy",
        "auc": "ROC-AUC",
    }
    readable = {"delivery": [f"{row['title']} (worst)" if row["worst"] else row["title"] for row in rows]}
    readable |= {
        title: [Estimate.from_row(row, name).text() for row in rows] for name, title in texts.items()
    }
    for name, title in (("turned", "verdict turned"), ("changed", "verdict changed")):
        share = by_name[name].reindex(table["delivery"])
        readable[title] = ["–" if np.isnan(one) else f"{one:.2f}" for one in share]
    return pd.DataFrame(readable)


def sizes_sentence(pictures: pd.DataFrame) -> str:
    """Say how many pictures are long enough to be made smaller, since the others are only compressed.

    Args:
        pictures: Rows of the manifest, with `width` and `height`.
    """
    longest = pictures[["width", "height"]].max(axis=1)
    edges = sorted({one.longest_edge for one in DELIVERIES.values() if one.longest_edge}, reverse=True)
    counts = ", ".join(f"{int((longest > edge).sum())} to {edge} px" for edge in edges)
    return f"Made smaller, of {len(pictures)} pictures: {counts}; the others are only compressed."


def _named(name: str) -> dict[str, str | bool]:
    title = "Any of these" if name == ANY else ALL_DELIVERIES[name].title
    return {
        "delivery": name,
        "title": title,
        "transformation": name != ANY and name not in DELIVERIES,
    }


def _columns(entries: Mapping[str, Estimate], groups: int) -> dict[str, float]:
    """Estimates as columns; what is 0 or 1 in every resample, a drop apart, gets the exact bound."""
    columns: dict[str, float] = {}
    for name, entry in entries.items():
        columns |= (entry if name == DROP else never_certain(entry, groups)).columns(name)
    return columns


def _shares(found: Mapping[str, NDArray[np.bool_]]) -> Statistic:
    """A function from row weights to the share of rows in which each thing was found."""

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        total = weight.sum()
        return {name: float(weight @ one / total) if total > 0 else np.nan for name, one in found.items()}

    return statistic
