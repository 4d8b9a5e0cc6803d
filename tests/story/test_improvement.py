"""Sentences about the improved model, read from small tables."""

from __future__ import annotations

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.story.improvement import ONE_TASTE, combination_sentence, difference_sentences, improvement

ABLATION = pd.DataFrame(
    [
        ("embedding", 0.9, 0.7, "Flux (AI)"),
        ("all blocks", 0.95, 0.8, "campus (human)"),
        ("all blocks, clean", 0.94, 0.75, "Flux (AI)"),
        ("resampled twins as AI", 0.93, 0.71, "Flux (AI)"),
        ("resampled twins as human", 0.93, 0.72, "Flux (AI)"),
        ("grain", 0.6666, 0.5, "Flux (AI)"),
        ("all blocks + grain", 0.85, 0.7049, "Flux (AI)"),
        ("EfficientNet-Lite0", 0.8, 0.6, "Flux (AI)"),
        ("all blocks + EfficientNet-Lite0", 0.9, 0.81, "Flux (AI)"),
    ],
    columns=["candidate", "mean", "worst", "worst_source"],
)


def metrics(best: float, probe: float) -> dict:
    return {name: {"auc": Estimate(value)} for name, value in (("best", best), ("linear_probe", probe))}


def test_what_was_kept_stands_beside_the_plain_probe_with_its_worst_source() -> None:
    said = improvement(ABLATION, "all blocks", "embedding", metrics(0.97, 0.9), metrics(0.8, 0.6), {}, True)
    assert said[0] == (
        "Kept: `all blocks`, the simplest within one standard error of the best. On sources left out of "
        "training its AUC is 0.95 on average and 0.80 on the worst, campus (human); the plain probe "
        "reaches 0.90 and 0.70."
    )
    assert "0.75 without" in said[1] and "0.71 with the twins counted as AI" in said[1] and "0.72" in said[1]
    assert said[4].startswith("Test: the improved model's ROC-AUC is 0.97")
    assert said[5].endswith("the plain probe's is 0.60 (interval not estimable).")
    assert said[6] == ONE_TASTE


def test_folds_are_not_called_sources() -> None:
    folded = ABLATION.assign(worst_source="fold 5 (AI)")
    reached = metrics(0.97, 0.9)
    said = improvement(folded, "all blocks", "embedding", reached, {}, {}, False, left_out="fold")
    assert said[0].startswith("The sources of these pictures are not known, so folds of originals")
    assert "On folds left out of training" in said[1] and said[2].startswith("On the worst fold the AUC is")
    assert "on left-out folds" in said[3] and not any("worst source" in one for one in said)


def test_without_unseen_sources_it_says_so_and_other_datasets_have_no_taste() -> None:
    said = improvement(ABLATION, "all blocks", "embedding", metrics(0.97, 0.9), {}, {}, False)
    assert said[5:] == ["This dataset has no unseen sources to measure on."]


def test_what_averaging_changes_is_read_from_the_table() -> None:
    said = combination_sentence(ABLATION, "all blocks", "grain")
    assert said.startswith("`grain` alone has a mean AUC of 0.67 on left-out sources (chance is 0.50). ")
    assert said.endswith("Averaged with `all blocks`, the worst source goes from 0.80 to 0.70.")


def test_a_kept_plain_probe_is_not_compared_with_itself() -> None:
    said = improvement(ABLATION, "embedding", "embedding", metrics(0.9, 0.9), {}, {}, False)
    assert said[0] == (
        "Kept: `embedding`, the plain probe. No design is better by more than one standard error over what "
        "was left out, so `best` and `linear_probe` are the same model. On sources left out of "
        "training its AUC is 0.90 on average and 0.70 on the worst, Flux (AI)."
    )


def test_better_is_said_only_where_the_interval_leaves_out_zero() -> None:
    def said(*numbers: float) -> str:
        compared = {"best_minus_linear_probe": {"test": {"auc": Estimate(*numbers)}}}
        return difference_sentences(compared)[0]

    assert said(0.1, 0.05, 0.2).endswith("ROC-AUC on test: 0.10 [0.05, 0.20]; it is better.")
    assert said(-0.1, -0.2, -0.05).endswith("it is worse.")
    assert said(0.1, -0.1, 0.2).endswith("these pictures cannot tell the two apart.")
    assert said(0.1).endswith("so it is no finding.")
