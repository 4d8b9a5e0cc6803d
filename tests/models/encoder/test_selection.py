"""Choosing by what is left out, and never by test: a signal that exists there only must not be found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.ablation import (
    ablation_table,
    readable_ablation,
    score_candidates,
    source_matrix,
)
from src.utils.data.split import group_weights
from src.utils.models.bundle.predictor import probability_of_ai
from src.utils.models.encoder.best import (
    DESIGNS,
    design_candidates,
    fit_design,
    head_probability,
    other_candidates,
    validation_score,
)
from src.utils.models.encoder.heads import balance, calibrate, fit_head, scale_head, take
from src.utils.models.encoder.runtime import BLOCKS, EMBEDDING, PATCH_BLOCK
from src.utils.models.encoder.selection import (
    OTHERS,
    Fold,
    combined_candidate,
    head_candidate,
    held_out_scores,
    limit_groups,
    plan_folds,
    selection_rows,
    sources_of,
)

AI_SOURCES = ("Flux.1 dev", "Qwen-Image", "HiDream-I1")
HUMAN_SOURCES = ("campus", "flowers", "themes")


def make_table(groups: int = 6, pictures: int = 2, test_groups: int = 6) -> pd.DataFrame:
    """Some groups of every source in training and validation, and as many sources in test and unseen."""
    rows = []
    for label, names in ((1, AI_SOURCES), (0, HUMAN_SOURCES)):
        for name in names:
            for number in range(groups + test_groups):
                split = "train" if number < groups - 1 else "validation" if number < groups else "test"
                rows += [
                    {
                        "label": label,
                        "generator": name if label else "",
                        "origin": "web" if label else name,
                        "group": f"{name}-{number}",
                        "split": split,
                    }
                ] * pictures
    return pd.DataFrame(rows).assign(file_name=lambda table: table.index.astype(str))


def signal(images: pd.DataFrame, strength: float = 1.0, width: int = 6, seed: int = 0) -> np.ndarray:
    """Features in which the first number speaks for the class."""
    numbers = np.random.default_rng(seed).normal(size=(len(images), width)).astype(np.float32)
    numbers[:, 0] += strength * (2 * images["label"].to_numpy() - 1)
    return numbers


def candidate(images: pd.DataFrame, numbers: np.ndarray, name: str = "one", eligible: bool = True):
    views = [{EMBEDDING: numbers}]
    return head_candidate(name, "a part", images, views, [views], (EMBEDDING,), eligible)


def test_only_training_and_validation_count() -> None:
    images = make_table()
    assert set(images["split"].iloc[selection_rows(images)]) == {"train", "validation"}
    used = {row for fold in plan_folds(images) for row in (*fold.fit, *fold.score)}
    assert used == set(selection_rows(images))


def test_a_signal_planted_in_test_is_not_found() -> None:
    images = make_table()
    numbers = signal(images, 0.0)
    planted = numbers.copy()
    test = (images["split"] == "test").to_numpy()
    planted[test, 1] = 100 * (2 * images["label"].to_numpy()[test] - 1)
    folds = plan_folds(images)
    honest, tempted = candidate(images, numbers), candidate(images, planted, "tempted")
    scores = score_candidates([honest, tempted], folds)
    for one, other in zip(scores["one"], scores["tempted"], strict=True):
        np.testing.assert_array_equal(one, other)
    table = ablation_table(images, [honest, tempted], folds, scores, resamples=20)
    assert table["mean"].iloc[0] == table["mean"].iloc[1]
    assert 0.3 < table["mean"].iloc[0] < 0.7
    everything = images.assign(split="train")
    found = held_out_scores(candidate(everything, planted), plan_folds(everything))
    assert source_matrix(everything, plan_folds(everything), found).to_numpy().mean() > 0.7


def test_each_pair_of_sources_is_left_out_with_all_that_is_related() -> None:
    images = make_table()
    images.loc[images["group"] == "campus-0", "group"] = "shared"
    images.loc[images["group"] == "themes-0", "group"] = "shared"
    folds = plan_folds(images)
    assert [(fold.ai, fold.human) for fold in folds] == [
        (ai, human) for ai in ("Flux", "HiDream", "Qwen") for human in sorted(HUMAN_SOURCES)
    ]
    for fold in folds:
        fit, score = images.iloc[fold.fit], images.iloc[fold.score]
        assert not set(fit["group"]) & set(score["group"])
        assert set(score.loc[score["label"] == 0, "origin"]) == {fold.human}
        assert set(score.loc[score["label"] == 1, "generator"].str.split(r"[.\-]").str[0]) == {fold.ai}


def test_small_and_unknown_sources_are_left_out_together() -> None:
    images = make_table()
    images.loc[images["generator"] == "Qwen-Image", "generator"] = ""
    images.loc[images["origin"] == "campus", "group"] = "one group"
    source = sources_of(images.iloc[selection_rows(images)])
    assert set(source) == {"Flux", "HiDream", OTHERS, "flowers", "themes"}


def test_pairs_of_one_source_get_grouped_folds() -> None:
    images = pd.DataFrame(
        [
            {"label": label, "generator": "", "origin": "", "group": f"pair-{number}", "split": "train"}
            for number in range(20)
            for label in (1, 0)
        ]
    )
    folds = plan_folds(images)
    assert [fold.ai for fold in folds] == [f"fold {number}" for number in range(1, 6)]
    assert sorted(np.concatenate([fold.score for fold in folds])) == list(range(40))
    for fold in folds:
        assert not set(images["group"].iloc[fold.fit]) & set(images["group"].iloc[fold.score])


def test_the_table_names_the_source_a_detector_fails_on() -> None:
    images = make_table()
    numbers = signal(images, 3.0)
    numbers[(images["origin"] == "campus").to_numpy(), 0] = 3.0  # to this detector, campus looks generated
    folds = plan_folds(images)
    one, other = candidate(images, numbers), candidate(images, signal(images, 1.5, seed=1), "steady")
    scores = score_candidates([one, other], folds)
    table = ablation_table(images, [one, other], folds, scores, resamples=50).set_index("candidate")
    assert table.loc["one", "worst_source"] == "campus (human)"
    assert table.loc["one", "worst"] == pytest.approx(
        source_matrix(images, folds, scores["one"])["campus"].mean()
    )
    assert table.loc["one", "worst"] < 0.65 < table.loc["steady", "worst"]
    assert np.isnan(table["worst_low"]).all()  # 18 groups of a class are too few for an interval
    assert "not estimable" in readable_ablation(table.reset_index()).to_string()


def test_intervals_come_with_enough_groups() -> None:
    images = make_table(groups=8)
    one, folds = candidate(images, signal(images, 1.0)), plan_folds(images)
    table = ablation_table(images, [one], folds, score_candidates([one], folds), resamples=100)
    (row,) = table.to_dict("records")
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert row["worst"] <= row["mean"]


def test_treatments_are_ranked_together() -> None:
    images = make_table()
    numbers = signal(images, 3.0)
    shifted = numbers + np.array(
        [20, 0, 0, 0, 0, 0], np.float32
    )  # each ranks well; a common level is missing
    folds = plan_folds(images)
    views = [{EMBEDDING: numbers}]
    both = head_candidate("both", "", images, views, [views, [{EMBEDDING: shifted}]], (EMBEDDING,))
    alone = held_out_scores(candidate(images, numbers), folds)
    together = held_out_scores(both, folds)
    assert together[0].shape == (2, len(folds[0].score))
    assert source_matrix(images, folds, alone).to_numpy().mean() > 0.95
    assert source_matrix(images, folds, together).to_numpy().mean() < 0.8


def test_a_combination_is_the_mean() -> None:
    images = make_table()
    parts = [candidate(images, signal(images, seed=seed), str(seed)) for seed in (0, 1)]
    fold = Fold("x", "y", *(np.flatnonzero(images["split"] == split) for split in ("train", "validation")))
    (odds,) = held_out_scores(combined_candidate("both", "", parts), [fold])
    expected = np.mean([held_out_scores(part, [fold])[0] for part in parts], axis=0)
    np.testing.assert_array_equal(odds, expected)


def test_blocks_have_an_equal_say_and_unit_spread() -> None:
    images = make_table()
    label, weight = images["label"].to_numpy(), np.ones(len(images))
    view = {EMBEDDING: signal(images), PATCH_BLOCK: 1000 * signal(images, seed=1) + 500}
    head = fit_head([view], label, weight, (EMBEDDING, PATCH_BLOCK), "key")
    for share in head.shares(view).values():
        assert share.mean() == pytest.approx(0, abs=1e-3)
        assert share.std() == pytest.approx(0.5, rel=1e-3)
    alone = fit_head([{PATCH_BLOCK: view[PATCH_BLOCK]}], label, weight, (PATCH_BLOCK,))
    np.testing.assert_allclose(alone.log_odds(view) / 2, head.shares(view)[PATCH_BLOCK], rtol=1e-3, atol=1e-4)


def test_classes_weigh_the_same() -> None:
    label, weight = np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 3.0, 1.0])
    balanced = balance(label, weight)
    assert balanced[label == 0].sum() == pytest.approx(balanced[label == 1].sum())
    assert balanced.mean() == pytest.approx(1)


def test_calibration_gives_log_odds_their_true_size() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 4000)
    numbers = rng.normal(size=(4000, 2)).astype(np.float32)
    numbers[:, 0] += label  # true log-odds: x − 0.5
    view, weight, group = {EMBEDDING: numbers}, np.ones(4000), np.arange(4000)
    head = calibrate(fit_head([view], label, weight, (EMBEDDING,)), [view], label, group, weight)
    slope, level = np.polyfit(numbers[:, 0], head.log_odds(view), 1)
    assert slope == pytest.approx(1, abs=0.1)
    assert level == pytest.approx(-0.5, abs=0.1)


def test_scaling_keeps_the_ranking() -> None:
    images = make_table()
    view = {EMBEDDING: signal(images)}
    head = fit_head([view], images["label"].to_numpy(), np.ones(len(images)), (EMBEDDING,))
    np.testing.assert_allclose(scale_head(head, 3, -1).log_odds(view), 3 * head.log_odds(view) - 1, rtol=1e-4)


class FakeEncoder:
    """All that fitting asks of an encoder."""

    sha256 = "key"


def features(images: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    return {
        view: {name: signal(images, 1.0, seed=10 * number + place) for place, name in enumerate(BLOCKS)}
        for number, view in enumerate(("whole", "damaged", "crop"))
    }


def test_every_design_can_be_compared() -> None:
    images = make_table()
    views, folds = features(images), plan_folds(images)[:2]
    designs = design_candidates(images, views)
    others = other_candidates(images, [signal(images)] * 2, [signal(images)] * 2, designs[-1])
    candidates = [*designs, *others]
    assert len({one.name for one in candidates}) == len(candidates)
    for scores in score_candidates(candidates, folds).values():
        assert [odds.shape for odds in scores] == [(2, len(fold.score)) for fold in folds]
    assert any(one.eligible for one in designs)
    assert not any(one.eligible for one in others)


def test_a_design_scores_as_its_head_does() -> None:
    images = make_table()
    views, fold = features(images), plan_folds(images)[0]
    label, weight = images["label"].to_numpy()[fold.fit], group_weights(images)[fold.fit]
    for design, candidate in zip(DESIGNS, design_candidates(images, views), strict=True):
        head = fit_head(
            [take(views[name], fold.fit) for name in design.fit_views], label, weight, design.blocks
        )
        expected = np.array([head.log_odds(take(views[name], fold.score)) for name in ("whole", "damaged")])
        if design.crops:
            expected = (expected + head.log_odds(take(views["crop"], fold.score))) / 2
        np.testing.assert_allclose(held_out_scores(candidate, [fold])[0], expected, rtol=1e-3, atol=1e-4)


def test_the_kept_head_is_fitted_on_training_alone() -> None:
    images = make_table()
    views, design = features(images), DESIGNS[-2]
    head = fit_design(design, FakeEncoder(), images, views, seed=0)
    other = (images["split"] != "train").to_numpy()
    for view in views.values():
        for block in view.values():
            block[other] = np.random.default_rng(9).normal(size=block[other].shape)
    again = fit_design(design, FakeEncoder(), images, views, seed=0)
    assert head.bias == again.bias
    for name in design.blocks:
        np.testing.assert_array_equal(head.weights[name], again.weights[name])


def test_validation_metrics_are_those_of_validation() -> None:
    images = make_table()
    views = features(images)
    head = fit_design(DESIGNS[0], FakeEncoder(), images, views, seed=0)
    rows = np.flatnonzero(images["split"] == "validation")
    odds = head.log_odds(take(views["whole"], rows)).astype(float)
    label = images["label"].to_numpy()[rows]
    probability = 1 / (1 + np.exp(-odds))
    score = validation_score(head, images, views["whole"])
    assert score["accuracy"] == pytest.approx(np.mean((odds >= 0) == label))
    assert score["loss"] == pytest.approx(-np.log(np.where(label, probability, 1 - probability)).mean())


def test_a_limit_keeps_whole_groups_and_all_of_test() -> None:
    images = make_table()
    fewer = limit_groups(images, 10, seed=3)
    chosen = fewer["split"].isin(["train", "validation"])
    assert fewer.loc[chosen, "group"].nunique() == 10
    assert (fewer["split"] == "test").sum() == (images["split"] == "test").sum()
    assert set(fewer.groupby("group").size()) == {2}
    pd.testing.assert_frame_equal(fewer, limit_groups(images, 10, seed=3))
    pd.testing.assert_frame_equal(limit_groups(images, 1000), images)


def test_probability_is_the_predictors() -> None:
    images = make_table()
    view = {EMBEDDING: signal(images)}
    head = fit_head([view], images["label"].to_numpy(), np.ones(len(images)), (EMBEDDING,))
    odds = head.log_odds(view)
    logits = np.stack([-odds / 2, odds / 2], axis=1)
    np.testing.assert_allclose(head_probability(head, view), probability_of_ai(logits), rtol=1e-6)
