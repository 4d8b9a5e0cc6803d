"""What improving the model brought, in sentences (notebook 09)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import as_it_is, interval_text
from src.utils.story.reading import read_difference

PARTNER = "all blocks"
"""The detector that those of another kind are averaged with."""

OTHER_KINDS = ("grain", "EfficientNet-Lite0")
"""Detectors that are no head on the encoder."""

ONE_TASTE = (
    "All generated pictures that were learnt from come from one collection with one taste. Leaving "
    "generators out one by one does not leave that taste out; notebook 11 shows an unseen collection apart."
)

NO_SOURCES = (
    "The sources of these pictures are not known, so folds of originals were left out instead of generators "
    "and photo sources: an easier question, and no answer for a new generator."
)

Metrics = Mapping[str, Mapping[str, Any]]
"""By model, its metrics, an `Estimate` each."""


def improvement(
    ablation: pd.DataFrame,
    kept: str,
    plain: str,
    test: Metrics,
    unseen: Metrics,
    compared: Mapping[str, Mapping[str, Mapping[str, Estimate]]],
    sample: bool,
    left_out: str = "source",
) -> list[str]:
    """Say which detector was kept, what its parts bring, and what it reaches.

    Args:
        ablation: A row a detector: `candidate`, `mean`, `worst` (AUC, 0–1) and `worst_source`.
        kept: The detector that was chosen.
        plain: The plain probe it is compared with.
        test: Metrics of `best` and `linear_probe` on the test split.
        unseen: The same on unseen sources; empty where there are none.
        compared: `best_minus_linear_probe` → split → metric → estimate.
        sample: Whether the dataset is the sample.
        left_out: What was left out in turn: a `source`, or a `fold` where sources are not known.
    """
    return [
        *([NO_SOURCES] if left_out == "fold" else []),
        kept_sentence(ablation, kept, plain, left_out),
        twins_sentence(ablation, left_out),
        *(combination_sentence(ablation, PARTNER, kind, left_out) for kind in OTHER_KINDS),
        _compared("Test", test),
        _compared("Unseen sources", unseen)
        if unseen
        else "This dataset has no unseen sources to measure on.",
        *([] if kept == plain else difference_sentences(compared)),
        *([ONE_TASTE] if sample else []),
    ]


def kept_sentence(ablation: pd.DataFrame, kept: str, plain: str, left_out: str = "source") -> str:
    """Say why a detector was kept, and how it does on what was left out beside the plain probe."""
    rows = ablation.set_index("candidate")
    best, probe = rows.loc[kept], rows.loc[plain]
    reached = f"its AUC is {best['mean']:.2f} on average and {best['worst']:.2f} on the worst"
    where = f"On {left_out}s left out of training {reached}, {as_it_is(best['worst_source'])}"
    if kept == plain:
        return (
            f"Kept: `{kept}`, the plain probe. No design is better by more than one standard error over what "
            f"was left out, so `best` and `linear_probe` are the same model. {where}."
        )
    return (
        f"Kept: `{kept}`, the simplest within one standard error of the best. {where}; the plain "
        f"probe reaches {probe['mean']:.2f} and {probe['worst']:.2f}."
    )


def twins_sentence(ablation: pd.DataFrame, left_out: str = "source") -> str:
    """Say what resampled twins of the photographs change on the worst of what was left out."""
    worst = ablation.set_index("candidate")["worst"]
    return (
        f"On the worst {left_out} the AUC is {worst['all blocks, clean']:.2f} without "
        f"resampled twins of the photographs, {worst['resampled twins as AI']:.2f} with the twins counted as "
        f"AI-generated and {worst['resampled twins as human']:.2f} with them counted as human-made."
    )


def combination_sentence(ablation: pd.DataFrame, partner: str, other: str, left_out: str = "source") -> str:
    """Say what a detector of another kind reaches alone, and what averaging it with a partner changes.

    Args:
        ablation: A row a detector, with both alone and averaged.
        partner: The detector it was averaged with.
        other: The detector of another kind.
        left_out: What was left out in turn.
    """
    rows = ablation.set_index("candidate")
    before, after = (rows.loc[name, "worst"] for name in (partner, f"{partner} + {other}"))
    return (
        f"`{other}` alone has a mean AUC of {rows.loc[other, 'mean']:.2f} on left-out {left_out}s "
        f"(chance is 0.50). Averaged with `{partner}`, the worst {left_out} goes from {before:.2f} "
        f"to {after:.2f}."
    )


def difference_sentences(compared: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> list[str]:
    """Say whether the improved model is measurably better than the plain probe; `compared` as above."""
    said = []
    for split, metrics in compared.get("best_minus_linear_probe", {}).items():
        area = metrics["auc"]
        verdict = read_difference(
            area,
            above="it is better",
            below="it is worse",
            around="these pictures cannot tell the two apart",
            unknown="too few groups for an interval, so it is no finding",
        )
        said.append(f"Improved model minus plain probe, ROC-AUC on {split}: {area.text()}; {verdict}.")
    return said


def _compared(where: str, metrics: Metrics) -> str:
    best, probe = (interval_text(metrics[name]["auc"]) for name in ("best", "linear_probe"))
    return f"{where}: the improved model's ROC-AUC is {best}; the plain probe's is {probe}."
