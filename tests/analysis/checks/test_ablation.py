"""Sentences about the ablation, read from its table."""

from __future__ import annotations

import pandas as pd

from src.utils.analysis.checks.ablation import combination_sentence


def test_what_averaging_changes_is_read_from_the_table() -> None:
    table = pd.DataFrame(
        [("all", 0.9, 0.8), ("grain", 0.6666, 0.5), ("all + grain", 0.85, 0.7049)],
        columns=["candidate", "mean", "worst"],
    )
    said = combination_sentence(table, "all", "grain")
    assert said.startswith("`grain` alone has a mean AUC of 0.67 on left-out sources (chance is 0.50). ")
    assert said.endswith("Averaged with `all`, the worst source goes from 0.80 to 0.70.")
