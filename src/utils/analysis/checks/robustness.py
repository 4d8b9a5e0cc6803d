"""What is left of a model's ranking once pictures are compressed, scaled, blurred, noisy, cut or captured.

A few pictures a group are enough, since what shares an original shares its fate, and every strength is
applied to the same pictures: so each drop is a paired difference with an interval of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from src.utils.analysis.scoring.parts import Part, sub_part
from src.utils.analysis.scoring.scores import AS_IT_IS, Change, score_pictures, scores_folder
from src.utils.analysis.stats.bootstrap import RESAMPLES, Statistic, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.metrics import decision_metrics, ranking_statistic
from src.utils.data.pictures.augment import PERTURBATIONS, perturb
from src.utils.estimate import Estimate
from src.utils.models.bundle.predictor import Predictor
from src.utils.names import model_name
from src.utils.settings import Settings

Step = tuple[str, float]
"""A kind of `PERTURBATIONS` and its level."""

AS_THEY_ARE: Step = (AS_IT_IS, 0.0)

METRICS = ("auc", "balanced_accuracy", "false_positive_rate", "recall")
"""What is measured at each level; the rates are shares of a class called AI."""


def all_steps() -> list[Step]:
    """Every kind at every level, mild to severe."""
    return [(name, level) for name, kind in PERTURBATIONS.items() for level in kind.levels]


def few_steps() -> list[Step]:
    """Every kind in the middle and at its end, for models that take seconds a batch."""
    return [
        (name, kind.levels[place])
        for name, kind in PERTURBATIONS.items()
        for place in (len(kind.levels) // 2, -1)
    ]


def some_of_each_group(
    pictures: pd.DataFrame, per_group: int, most_groups: int = 250, seed: int = 0
) -> pd.DataFrame:
    """Draw pictures so that many groups are met rather than many pictures of one.

    Args:
        pictures: Rows of the manifest, with `label` and `group`.
        per_group: Pictures of one group and class at most.
        most_groups: Groups that hold a class at most, of each class; pairs stay together.
        seed: Seed of the draw.

    Returns:
        The rows drawn, numbered from 0.
    """
    shuffled = pictures.sample(frac=1, random_state=seed)
    rank = {group: place for place, group in enumerate(dict.fromkeys(shuffled["group"]))}
    shuffled = shuffled.assign(place=shuffled["group"].map(rank))
    among_class = shuffled.groupby("label")["place"].rank(method="dense")
    chosen = shuffled[
        (among_class <= most_groups) & (shuffled.groupby(["group", "label"]).cumcount() < per_group)
    ]
    return chosen.sort_index().drop(columns="place").reset_index(drop=True)


def draw_part(
    images: pd.DataFrame, part: Part, per_group: int, most_groups: int = 250, seed: int = 0
) -> Part:
    """Some pictures of a part, drawn by `some_of_each_group`.

    Args:
        images: Readable rows of the manifest.
        part: A part of them.
        per_group: Pictures of one group and class at most.
        most_groups: Groups that hold a class at most, of each class.
        seed: Seed of the draw.
    """
    return sub_part(images, part, some_of_each_group(part.images, per_group, most_groups, seed))


def measure_robustness(
    predictor: Predictor, part: Part, settings: Settings, steps: list[Step]
) -> pd.DataFrame:
    """Score a part's pictures after every change and measure each, see `robustness_table`."""
    scored = score_steps(predictor, part.images, settings.raw_dir, scores_folder(settings), steps)
    return robustness_table(scored, part.images, part.weight, seed=settings.seed)


def score_steps(
    predictor: Predictor,
    pictures: pd.DataFrame,
    raw_dir: Path,
    memory: Path,
    steps: list[Step],
    progress: bool = True,
) -> dict[Step, NDArray[np.float64]]:
    """Score the same pictures as they are and after every change.

    Returns:
        Log-odds of AI by step, float64 [n] each; `AS_THEY_ARE` comes first.
    """
    scores = {AS_THEY_ARE: score_pictures(predictor, pictures, raw_dir, memory, progress=progress)}
    for kind, level in steps:
        scores[kind, level] = score_pictures(
            predictor,
            pictures,
            raw_dir,
            memory,
            f"{kind}-{level:g}",
            damage(kind, level),
            progress,
        )
    return scores


def damage(kind: str, level: float) -> Change:
    """One change as a function of a picture and a seed."""

    def apply(image: Image.Image, seed: int) -> Image.Image:
        return perturb(image, kind, level, seed)

    return apply


def robustness_table(
    scores: Mapping[Step, NDArray[np.float64]],
    pictures: pd.DataFrame,
    weight: NDArray[np.float64] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure every step, and its drop against the pictures as they are over the same resamples.

    Args:
        scores: Log-odds of AI by step; one of them is `AS_THEY_ARE`. A picture is called AI above 0.
        pictures: `label` and `group`, a row a score.
        weight: Weights, [n]; one each if not given.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        A row a step, in their order: `kind`, `level`, and for each of `METRICS` its value, `_low` and
        `_high`; `auc_drop`, `auc_drop_low`, `auc_drop_high`. NaN where not defined or not estimable.
    """
    label = pictures["label"].to_numpy(dtype=int)
    smallest = sort_groups(pictures["group"], label).smallest
    first = measure_odds(label, scores[AS_THEY_ARE], scores[AS_THEY_ARE] >= 0)
    rows = []
    for (kind, level), odds in scores.items():
        measure = measure_odds(label, odds, odds >= 0)

        def with_drop(row_weight: NDArray[np.float64], measure=measure) -> dict[str, float]:
            now = measure(row_weight)
            return now | {"auc_drop": first(row_weight)["auc"] - now["auc"]}

        entries = bootstrap(with_drop, pictures["group"], label, weight, resamples, seed)
        row = {"kind": kind, "level": float(level)}
        for name, estimate in entries.items():
            row |= (estimate if name == "auc_drop" else never_certain(estimate, smallest)).columns(name)
        rows.append(row)
    return pd.DataFrame(rows)


def curves(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each kind, with the pictures as they are in front, in the order of `PERTURBATIONS`."""
    start = table[table["kind"] == AS_IT_IS]
    for kind in PERTURBATIONS:
        rows = table[table["kind"] == kind]
        if len(rows):
            yield kind, pd.concat([start, rows], ignore_index=True)


def curves_by_kind(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    """Turn tables by model into curves by kind of damage, then by model, for `robustness_curves`."""
    by_kind: dict[str, dict[str, pd.DataFrame]] = {kind: {} for kind in PERTURBATIONS}
    for model, table in tables.items():
        for kind, rows in curves(table):
            by_kind[kind][model] = rows
    return by_kind


def kind_names() -> dict[str, str]:
    """What the levels of each kind of damage are, for people."""
    return {kind: facts.axis for kind, facts in PERTURBATIONS.items()}


def pictures_of_each(parts: Mapping[str, Part]) -> str:
    """How many pictures each model was given, such as `148 for Improved model`."""
    return ", ".join(f"{len(part.images)} for {model_name(name)}" for name, part in parts.items())


def largest_losses(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The level of each kind that costs each model most, for people, the largest loss first.

    Args:
        tables: `robustness_table` by model.
    """
    rows = []
    for model, table in tables.items():
        for kind, steps in curves(table):
            worst = steps.iloc[1:].sort_values("auc_drop", ascending=False, kind="stable").iloc[0]
            rows.append(
                {
                    "model": model_name(model),
                    "damage": f"{PERTURBATIONS[kind].axis} = {worst['level']:g}",
                    "as they are": round(steps["auc"].iloc[0], 2),
                    "ROC-AUC": round(worst["auc"], 2),
                    "loss": Estimate.from_row(worst, "auc_drop").text(),
                    "drop": worst["auc_drop"],
                }
            )
    table = pd.DataFrame(rows).sort_values("drop", ascending=False, kind="stable", ignore_index=True)
    return table.drop(columns="drop")


def measure_odds(
    label: NDArray[np.intp], odds: NDArray[np.float64], called_ai: NDArray[np.bool_]
) -> Statistic:
    """A function from row weights to `METRICS`, with all sorting done beforehand; NaN where not defined.

    Args:
        label: Classes, int [n].
        odds: Log-odds of AI, float64 [n].
        called_ai: Which pictures are called AI, bool [n].
    """
    ranking, cell = ranking_statistic(label, odds), 2 * label + called_ai

    def statistic(weight: NDArray[np.float64]) -> dict[str, float]:
        tn, fp, fn, tp = np.bincount(cell, weights=weight, minlength=4)
        decisions = decision_metrics(tn, fp, fn, tp)
        return {
            "auc": ranking(weight)["auc"],
            "balanced_accuracy": decisions["balanced_accuracy"],
            "false_positive_rate": fp / (fp + tn) if fp + tn > 0 else np.nan,
            "recall": decisions["recall"],
        }

    return statistic
