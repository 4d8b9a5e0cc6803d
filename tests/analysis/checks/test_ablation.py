"""The ablation's table: the worst of the left-out sources, told apart by class."""

from __future__ import annotations

import numpy as np

from src.utils.analysis.checks.ablation import ablation_table, choose_candidate, source_matrix
from src.utils.models.encoder.selection import Candidate, Fold
from tests.manifests import make_manifest


def test_of_two_sources_that_are_equally_bad_the_generated_one_is_named() -> None:
    images = make_manifest(groups=2, per_group=2)
    everything = np.arange(len(images))
    fold = Fold("fold 1", "fold 1", everything, everything)
    odds = np.where(images["label"] == 1, 1.0, -1.0)[None]
    candidates = [Candidate(name, "a part", None, True) for name in ("right", "wrong")]
    scores = {"right": [odds], "wrong": [-odds]}
    table = ablation_table(images, candidates, [fold], scores, resamples=2)
    assert table["worst_source"].tolist() == ["fold 1 (AI)"] * 2
    assert table["worst"].tolist() == [1, 0]
    assert choose_candidate(table) == "right"
    assert source_matrix(images, [fold], scores["right"]).loc["fold 1", "fold 1"] == 1
