"""How much of a model's answer could come from a shortcut: the audit in full, and the test without shortcuts.

The first part asks what boosted trees can tell from facts about files and simple facts about content, one by
one (`audit`) and together. The second gives every picture the same square and the same compression and asks
the model again: what its ranking loses is the shortcut's share, together with what the cut itself removes,
which is why the cut is also scored alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from src.utils.analysis.checks.audit import AUDIT_COLUMNS, audit_table, cross_validated_auc
from src.utils.analysis.checks.file_facts import CONTENT, FACT_KINDS, MEASURED, file_facts
from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.scoring.scores import score_pictures, scores_folder
from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap, never_certain, sort_groups
from src.utils.analysis.stats.metrics import ranking_statistic
from src.utils.data.pictures.augment import recompress_jpeg
from src.utils.estimate import Estimate
from src.utils.models.bundle.predictor import Predictor
from src.utils.names import ALL_CONTAINER, model_name
from src.utils.settings import Settings

ALL_CONTENT = "all content facts"
ALL_FACTS = "all facts"

COMMON_QUALITY = 85
"""JPEG quality that every picture gets in the neutralised re-run."""

COMMON_RANK = 0.05
"""The common square is the short side of which this share of the pictures have a smaller one."""

NEUTRAL_NAMES = ("as they are", "same square", "same square and compression")


def full_audit(
    manifest: pd.DataFrame, weight: ArrayLike | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """The audit with three last rows: all container facts, all content facts, and everything together.

    Args:
        manifest: Readable rows of `images.csv`.
        weight: Weight of each row; the groups of a class count the same if not given.
        resamples: Number of bootstrap resamples.
        seed: Seed of folds and resamples.

    Returns:
        Columns `AUDIT_COLUMNS`; the last three rows are `names.ALL_CONTAINER`, `ALL_CONTENT` and `ALL_FACTS`.
    """
    table = audit_table(manifest, None, weight, resamples, seed)
    facts = file_facts(manifest)
    facts = facts.assign(**{name: manifest[name].to_numpy(float) for name in MEASURED if name in manifest})
    content = [name for name in facts if FACT_KINDS.get(name, CONTENT) == CONTENT]
    label, group = manifest["label"].astype(int).to_numpy(), manifest["group"].to_numpy()
    rows = []
    for name, kind, columns in ((ALL_CONTENT, CONTENT, content), (ALL_FACTS, "both", list(facts))):
        found = cross_validated_auc(facts[columns], label, group, weight, resamples, seed)
        rows.append({"feature": name, "kind": kind, "constant": False, "direction": ""} | found)
    return pd.concat([table, pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))], ignore_index=True)


def together(audit: pd.DataFrame) -> pd.DataFrame:
    """The audit's rows about facts together, with their intervals."""
    rows = audit[audit["feature"].isin([ALL_CONTAINER, ALL_CONTENT, ALL_FACTS])]
    return rows[["feature", "auc", "low", "high"]].reset_index(drop=True)


def common_side(pictures: pd.DataFrame) -> int:
    """Side of the square that all pictures are cut to, in pixels: what nearly all of them have.

    Args:
        pictures: Rows of the manifest, with `width` and `height`.
    """
    shorter = np.minimum(pictures["width"], pictures["height"])
    return int(np.quantile(shorter, COMMON_RANK, method="lower"))


def cut_square(image: Image.Image, side: int) -> Image.Image:
    """Cut the middle square of `side` pixels; the middle of a smaller picture is enlarged to it, bicubic."""
    own = min(side, *image.size)
    left, top = (image.width - own) // 2, (image.height - own) // 2
    square = image.crop((left, top, left + own, top + own))
    return square if own == side else square.resize((side, side), Image.Resampling.BICUBIC)


def neutralise(image: Image.Image, side: int, quality: int = COMMON_QUALITY) -> Image.Image:
    """Give a picture the size, the shape and the last compression that every other one gets."""
    return recompress_jpeg(cut_square(image, side), quality)


def score_neutralised(
    predictor: Predictor,
    pictures: pd.DataFrame,
    raw_dir: Path,
    memory: Path,
    side: int,
    progress: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Score the same pictures as they are, cut to one square, and compressed alike on top.

    Returns:
        Log-odds of AI by `NEUTRAL_NAMES`, float64 [n] each.
    """
    changes = {
        "as_it_is": None,
        f"square-{side}": lambda image, _: cut_square(image, side),
        f"square-{side}-jpeg-{COMMON_QUALITY}": lambda image, _: neutralise(image, side),
    }
    scored = [
        score_pictures(predictor, pictures, raw_dir, memory, name, change, progress)
        for name, change in changes.items()
    ]
    return dict(zip(NEUTRAL_NAMES, scored, strict=True))


def neutral_table(
    scores: dict[str, NDArray[np.float64]],
    pictures: pd.DataFrame,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """AUC of each version of the pictures, and its drop against the first one over the same resamples.

    Returns:
        A row a version: `pictures`, `auc`, `low`, `high`, `drop`, `drop_low`, `drop_high`; NaN where not
        defined or not estimable.
    """
    label = pictures["label"].to_numpy(dtype=int)
    ranking = {name: ranking_statistic(label, odds) for name, odds in scores.items()}
    first = next(iter(ranking))

    def statistic(row_weight: NDArray[np.float64]) -> dict[str, float]:
        auc = {name: one(row_weight)["auc"] for name, one in ranking.items()}
        return auc | {f"drop {name}": auc[first] - value for name, value in auc.items()}

    entries = bootstrap(statistic, pictures["group"], label, weight, resamples, seed)
    smallest = sort_groups(pictures["group"], label).smallest
    return pd.DataFrame(
        {"pictures": name}
        | never_certain(entries[name], smallest).columns("auc", "low", "high")
        | entries[f"drop {name}"].columns("drop")
        for name in ranking
    )


def measure_neutralised(predictor: Predictor, part: Part, settings: Settings, side: int) -> pd.DataFrame:
    """Score a part's pictures as they are, cut and compressed alike; measure each, see `neutral_table`."""
    memory = scores_folder(settings)
    scored = score_neutralised(predictor, part.images, settings.raw_dir, memory, side)
    return neutral_table(scored, part.images, part.weight, seed=settings.seed)


def neutral_rows(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Lay out several models' `neutral_table` for `plots.robustness.difference_plot`."""
    rows = []
    for model, table in tables.items():
        for row in table.to_dict("records"):
            drop = Estimate.of(-row["drop"], -row["drop_high"], -row["drop_low"])
            change = drop.text().removesuffix(" (interval not estimable)")
            rows.append(
                {"set": model_name(model), "name": row["pictures"], "model": model, "value": row["auc"]}
                | {"low": row["low"], "high": row["high"]}
                | {"difference": "" if row["pictures"] == NEUTRAL_NAMES[0] else f"({change})"}
            )
    return pd.DataFrame(rows)
