"""What improving the model brought, in sentences (notebook 09)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from src.utils.analysis.checks.ablation import left_out_kind
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
    """
    return [
        *([NO_SOURCES] if left_out_kind(ablation) == "fold" else []),
        kept_sentence(ablation, kept, plain),
        twins_sentence(ablation),
        *(combination_sentence(ablation, PARTNER, kind) for kind in OTHER_KINDS),
        _compared("Test", test),
        _compared("Unseen sources", unseen)
        if unseen
        else "This dataset has no unseen sources to measure on.",
        *([] if kept == plain else difference_sentences(compared)),
        *([ONE_TASTE] if sample else []),
    ]


def kept_sentence(ablation: pd.DataFrame, kept: str, plain: str) -> str:
    """Say why a detector was kept, and how it does on left-out sources beside the plain probe."""
    rows = ablation.set_index("candidate")
    best, probe = rows.loc[kept], rows.loc[plain]
    reached = f"its AUC is {best['mean']:.2f} on average and {best['worst']:.2f} on the worst"
    where = f"On {left_out_kind(ablation)}s left out of training {reached}, {as_it_is(best['worst_source'])}"
    if kept == plain:
        return (
            f"Kept: `{kept}`, the plain probe. No design is better by more than one standard error over what "
            f"was left out, so `best` and `linear_probe` are the same model. {where}."
        )
    return (
        f"Kept: `{kept}`, the simplest within one standard error of the best. {where}; the plain "
        f"probe reaches {probe['mean']:.2f} and {probe['worst']:.2f}."
    )


def twins_sentence(ablation: pd.DataFrame) -> str:
    """Say what resampled twins of the photographs change on the worst source."""
    worst = ablation.set_index("candidate")["worst"]
    return (
        f"On the worst {left_out_kind(ablation)} the AUC is {worst['all blocks, clean']:.2f} without "
        f"resampled twins of the photographs, {worst['resampled twins as AI']:.2f} with the twins counted as "
        f"AI-generated and {worst['resampled twins as human']:.2f} with them counted as human-made."
    )


def combination_sentence(ablation: pd.DataFrame, partner: str, other: str) -> str:
    """Say what a detector of another kind reaches alone, and what averaging it with a partner changes.

    Args:
        ablation: A row a detector, with both alone and averaged.
        partner: The detector it was averaged with.
        other: The detector of another kind.
    """
    rows, kind = ablation.set_index("candidate"), left_out_kind(ablation)
    before, after = (rows.loc[name, "worst"] for name in (partner, f"{partner} + {other}"))
    return (
        f"`{other}` alone has a mean AUC of {rows.loc[other, 'mean']:.2f} on left-out {kind}s "
        f"(chance is 0.50). Averaged with `{partner}`, the worst {kind} goes from {before:.2f} "
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
