"""The ablation's table: the worst of the left-out sources, told apart by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.ablation import (
    ablation_table,
    choose_candidate,
    designs_to_show,
    left_out_kind,
    source_matrix,
    standard_error,
)
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
    assert table["mean_error"].isna().all()  # one fold says nothing about others
    assert choose_candidate(table) == "right"
    assert source_matrix(images, [fold], scores["right"]).loc["fold 1", "fold 1"] == 1


def table(*rows: tuple[str, bool, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["candidate", "eligible", "mean", "mean_error"])


@pytest.mark.parametrize(
    ("error", "chosen"), [(0.005, "rich"), (0.015, "middle"), (0.045, "plain"), (np.nan, "rich")]
)
def test_the_simplest_within_one_standard_error_of_the_best_is_chosen(error: float, chosen: str) -> None:
    rows = table(("plain", True, 0.90, 0.5), ("middle", True, 0.93, 0.5), ("rich", True, 0.94, error))
    assert choose_candidate(rows) == chosen


def test_only_what_is_eligible_is_chosen_or_sets_the_mark() -> None:
    rows = table(("plain", False, 0.93, 0.1), ("middle", True, 0.90, 0.005), ("best", False, 0.99, 0.1))
    assert choose_candidate(rows) == "middle"


def test_where_the_best_is_the_plain_one_it_is_chosen() -> None:
    assert choose_candidate(table(("plain", True, 0.95, 0.01), ("rich", True, 0.949, 0.1))) == "plain"


def test_the_error_is_that_of_sources_of_both_classes() -> None:
    nothing = np.empty(0, int)
    folds = [Fold(ai, human, nothing, nothing) for ai in ("a", "b") for human in ("x", "y")]
    values = np.array([0.9, 0.8, 0.7, 0.6])
    ai, human = 0.2 / 2, 0.1 / 2  # two means, 0.85 and 0.65, or 0.8 and 0.7: half their distance
    assert standard_error(folds, values) == pytest.approx(np.hypot(ai, human))
    alone = [Fold(f"fold {n}", f"fold {n}", nothing, nothing) for n in range(4)]
    assert standard_error(alone, values) == pytest.approx(np.std(values, ddof=1) / 2)
    assert np.isnan(standard_error(folds[:1], values[:1]))


def test_in_simulated_tables_the_rule_keeps_the_plain_design_unless_it_is_worse() -> None:
    rng = np.random.default_rng(0)
    nothing = np.empty(0, int)
    folds = [Fold(f"a{i}", f"h{j}", nothing, nothing) for i in range(8) for j in range(8)]

    def choice(gain: float) -> str:
        sources = np.add.outer(rng.normal(0, 0.03, 8), rng.normal(0, 0.03, 8)).ravel()
        noise = rng.normal(0, 0.01, (2, len(folds)))
        plain, rich = 0.85 + sources + noise[0], 0.85 + gain + sources + noise[1]
        return choose_candidate(
            table(
                ("plain", True, plain.mean(), standard_error(folds, plain)),
                ("rich", True, rich.mean(), standard_error(folds, rich)),
            )
        )

    assert [choice(0.0) for _ in range(20)].count("plain") == 20
    assert [choice(0.1) for _ in range(20)].count("rich") == 20


def test_the_plain_the_kept_and_the_highest_are_shown_and_the_rest_is_kept_apart() -> None:
    rows = table(("plain", True, 0.9, 0.01), ("kept", True, 0.96, 0.01), ("rich", True, 0.97, 0.01))
    rows = pd.concat([rows, table(("other kind", False, 0.99, 0.01), ("more", True, 0.95, 0.01))])
    shown, others = designs_to_show(rows, "kept", "plain")
    assert shown["candidate"].tolist() == ["plain", "kept", "rich"]
    assert others["candidate"].tolist() == ["other kind", "more"]
    same, _ = designs_to_show(rows, "plain", "plain")
    assert same["candidate"].tolist() == ["plain", "rich"]


def test_folds_and_sources_are_told_apart() -> None:
    assert left_out_kind(pd.DataFrame({"worst_source": ["fold 1 (AI)", "fold 2 (human)"]})) == "fold"
    assert left_out_kind(pd.DataFrame({"worst_source": ["Flux (AI)", "Argon theme (human)"]})) == "source"
