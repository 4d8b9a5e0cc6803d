"""Splits and pairs measured with a linear model, on features whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.probes import (
    FOLDS,
    add_pairs,
    fit_probe,
    grouped_folds,
    pair_ranking,
    pair_rankings,
    probe_scores,
    random_folds,
    split_effect,
    split_rows,
    within_pairs,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.estimate import Estimate


def make_features(groups=60, per_group=4, class_signal=0.0, group_signal=3.0, seed=0):
    """Features that know the group (and, if asked, the class); groups of one class each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), per_group)
    label = group % 2
    features = group_signal * rng.normal(size=(groups, 40))[group] + rng.normal(size=(len(group), 40))
    features[:, 0] += class_signal * label
    return features, label, group


def test_a_random_split_rewards_what_is_learnt_by_heart():
    effect = split_effect(*make_features(), resamples=200)
    assert effect["random"].value > 0.85
    assert effect["group"].low < 0.5 < effect["group"].high
    assert effect["difference"].low > 0.15
    gap = effect["random"].value - effect["group"].value
    assert effect["difference"].value == pytest.approx(gap)


def test_a_random_split_adds_nothing_where_rows_are_unrelated():
    features, label, _ = make_features(240, 1, class_signal=4.0, group_signal=0.0)
    effect = split_effect(features, label, np.arange(240), resamples=200)
    assert effect["group"].value > 0.95
    assert effect["difference"].low < 0 < effect["difference"].high


def test_too_few_groups_give_no_numbers():
    effect = split_effect(*make_features(groups=2 * FOLDS - 2))
    assert all(entry == Estimate() for entry in effect.values())


def test_grouped_folds_keep_groups_whole_and_both_score_every_row_once():
    _, label, group = make_features()
    for fit, score in grouped_folds(label, group):
        assert not set(group[fit]) & set(group[score])
    for folds in (grouped_folds(label, group), random_folds(label)):
        assert sorted(np.concatenate([score for _, score in folds])) == list(range(len(label)))
    assert grouped_folds(label, group * 0 + label) == []


def test_the_probe_treats_the_classes_alike_however_many_pictures_they_have():
    rng = np.random.default_rng(0)
    label = np.array([0] * 900 + [1] * 100)
    features = rng.normal(size=(1000, 1)) + 2 * label[:, None]
    odds = probe_scores(fit_probe(features, label, np.ones(1000)), np.array([[1.0]]))
    assert abs(odds[0]) < 0.25


def test_pair_ranking_by_hand():
    label, group = [1, 0, 1, 0, 1, 0, 1, 0], ["a", "a", "b", "b", "c", "c", "d", "d"]
    score = [0.9, 0.1, 0.8, 0.7, 0.2, 0.3, 0.5, 0.5]
    assert pair_ranking(label, score, group) == Estimate((1 + 1 + 0 + 0.5) / 4)


def test_a_group_with_several_pictures_counts_as_one_pair():
    label, group = [1, 1, 0, 1, 0], ["a", "a", "a", "b", "b"]
    assert pair_ranking(label, [0.9, 0.1, 0.5, 0.4, 0.2], group).value == pytest.approx(0.75)


def test_pair_ranking_of_constructed_pairs():
    rng = np.random.default_rng(0)
    scene = rng.normal(0, 5, 300)  # shared by a pair, so that ranking over all pictures is hard
    score = np.concatenate([scene + 1 + rng.normal(0, 1, 300), scene + rng.normal(0, 1, 300)])
    label, group = np.repeat([1, 0], 300), np.tile(np.arange(300), 2)
    found = pair_ranking(label, score, group, resamples=300)
    truth = 0.7602  # P(N(1, √2) > 0)
    assert found.low < truth < found.high
    assert found.value == pytest.approx((score[:300] > score[300:]).mean())


def test_a_guess_has_one_half_inside_its_interval():
    rng = np.random.default_rng(1)
    found = pair_ranking(np.repeat([1, 0], 200), rng.random(400), np.tile(np.arange(200), 2), resamples=300)
    assert found.low < 0.5 < found.high


def test_without_pairs_there_is_nothing_to_rank():
    assert pair_ranking([0, 1, 1], [0.1, 0.2, 0.3], ["a", "b", "b"]) is None


def test_a_split_effect_is_laid_out_for_its_plot():
    rows = split_rows(split_effect(*make_features(), resamples=20), "Probe")
    assert rows["name"].tolist() == ["pictures split at random", "originals kept whole"]
    assert rows["value"].is_monotonic_decreasing
    assert split_rows(split_effect(*make_features(groups=4)), "Probe")["value"].isna().all()


def test_pairs_of_a_part_are_ranked_by_every_model_and_kept_beside_its_metrics():
    rows = pd.DataFrame({"file_name": list("wxyz"), "label": [0, 1, 0, 1], "group": list("aabb")})
    rows["split"] = ["test", "test", "train", "train"]
    odds = {"best": np.array([-1.0, 1, 5, -5]), "cnn_deck": np.array([1.0, -1, 0, 0])}
    pairs = pair_rankings(odds, part_of(rows, "test"))
    assert [pairs[name].value for name in odds] == [1, 0]
    assert within_pairs(pairs)["best"] == {"twin_above_its_photograph": pairs["best"]}
    assert add_pairs({"best": {"ece": 1}, "other": {}}, pairs) == {
        "best": {"ece": 1, "within_pair": pairs["best"]},
        "other": {},
    }
    assert pair_rankings(odds, part_of(rows.assign(group=list("abcd")), "test")) == {}
