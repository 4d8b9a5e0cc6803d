"""Robustness: the same pictures at every strength, drops with paired intervals."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from src.utils.analysis.checks.robustness import (
    AS_THEY_ARE,
    all_steps,
    curves,
    curves_by_kind,
    damage,
    draw_part,
    few_steps,
    kind_names,
    largest_losses,
    measure_robustness,
    pictures_of_each,
    robustness_table,
    score_steps,
    some_of_each_group,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.data.pictures.augment import PERTURBATIONS
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


def make_scores(groups=80, lost=1.5, seed=0):
    """Two pictures a group; as they are the classes lie 2 apart, after `jpeg 30` less by `lost`."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), 2)
    pictures = pd.DataFrame({"label": group % 2, "group": group})
    signal, noise = 2.0 * pictures["label"].to_numpy() - 1, rng.normal(0, 1, groups)[group]
    weaker = signal * (1 - lost / 2)
    return pictures, {AS_THEY_ARE: signal + noise, ("jpeg", 95): signal + noise, ("jpeg", 30): weaker + noise}


def test_values_are_scikit_learns():
    pictures, scores = make_scores()
    table = robustness_table(scores, pictures, resamples=20)
    for row, odds in zip(table.itertuples(), scores.values(), strict=True):
        assert row.auc == pytest.approx(roc_auc_score(pictures["label"], odds))
        assert row.balanced_accuracy == pytest.approx(balanced_accuracy_score(pictures["label"], odds >= 0))
        assert row.false_positive_rate == pytest.approx((odds[pictures["label"] == 0] >= 0).mean())
        assert row.recall == pytest.approx((odds[pictures["label"] == 1] >= 0).mean())


def test_a_drop_is_found_where_there_is_one_and_only_there():
    pictures, scores = make_scores()
    table = robustness_table(scores, pictures, resamples=300).set_index(["kind", "level"])
    unchanged, weaker = table.loc[("jpeg", 95)], table.loc[("jpeg", 30)]
    assert (unchanged[["auc_drop", "auc_drop_low", "auc_drop_high"]] == 0).all()
    assert weaker["auc_drop"] == pytest.approx(table["auc"].iloc[0] - weaker["auc"])
    assert 0 < weaker["auc_drop_low"] < weaker["auc_drop"] < weaker["auc_drop_high"]
    own_width = weaker["auc_high"] - weaker["auc_low"]
    assert weaker["auc_drop_high"] - weaker["auc_drop_low"] < own_width  # pairing pays


def test_a_model_that_guesses_has_one_half_inside_its_interval():
    pictures, _ = make_scores(200)
    guess = np.random.default_rng(1).normal(size=200)[pictures["group"]]
    row = robustness_table({AS_THEY_ARE: guess}, pictures, resamples=300).iloc[0]
    assert row["auc_low"] < 0.5 < row["auc_high"]


def test_few_groups_have_no_interval():
    pictures, scores = make_scores(20)
    table = robustness_table(scores, pictures)
    assert table["auc"].notna().all()
    assert table[["auc_low", "auc_high", "auc_drop_low"]].isna().all(axis=None)


def test_curves_begin_with_the_pictures_as_they_are():
    pictures, scores = make_scores()
    ((kind, rows),) = curves(robustness_table(scores, pictures, resamples=5))
    assert kind == "jpeg"
    assert rows["level"].tolist() == [0, 95, 30]


def test_the_largest_loss_comes_first_in_words():
    pictures, scores = make_scores()
    scores[("blur", 1)] = scores[AS_THEY_ARE] * 2
    losses = largest_losses({"best": robustness_table(scores, pictures, resamples=50)})
    assert losses["damage"].tolist() == ["JPEG quality = 30", "Blur σ, pixels = 1"]
    assert losses["model"].tolist() == ["Improved model"] * 2
    first, second = losses.to_dict("records")
    assert first["ROC-AUC"] < first["as they are"] == second["ROC-AUC"]
    assert second["loss"].startswith("0.00 [0.00, 0.00]")


def test_steps_cover_every_kind_from_mild_to_severe():
    steps = all_steps()
    assert {kind for kind, _ in steps} == set(PERTURBATIONS)
    assert len(steps) == sum(len(kind.levels) for kind in PERTURBATIONS.values())
    few = few_steps()
    assert set(few) <= set(steps)
    assert {kind for kind, _ in few} == set(PERTURBATIONS)
    assert all((kind, PERTURBATIONS[kind].levels[-1]) in few for kind in PERTURBATIONS)


def test_damage_is_the_same_for_the_same_seed():
    image = Image.fromarray(np.full((20, 20, 3), 128, np.uint8))
    noisy = damage("noise", 5)
    assert noisy(image, 1).tobytes() == noisy(image, 1).tobytes()
    assert noisy(image, 1).tobytes() != noisy(image, 2).tobytes()


def test_many_groups_rather_than_many_pictures_and_pairs_stay_together():
    pictures = pd.DataFrame({"label": [0, 0, 0, 1, 1, 1] * 10, "group": np.repeat(np.arange(10), 6)})
    chosen = some_of_each_group(pictures, per_group=2, most_groups=4, seed=1)
    assert chosen.groupby(["group", "label"]).size().tolist() == [2] * 8
    assert chosen.equals(some_of_each_group(pictures, per_group=2, most_groups=4, seed=1))
    assert some_of_each_group(pictures, 5).groupby("label")["group"].nunique().tolist() == [10, 10]
    one_class_each = pd.DataFrame({"label": np.arange(40) % 2, "group": np.arange(40)})
    chosen = some_of_each_group(one_class_each, 1, most_groups=7)
    assert chosen.groupby("label")["group"].nunique().tolist() == [7, 7]


def test_every_step_scores_the_same_pictures_changed(tmp_path):
    images = make_images(tmp_path / "raw", 6)
    predictor = bright_predictor(tmp_path / "bright")
    steps = [("jpeg", 30), ("noise", 10)]
    scores = score_steps(predictor, images, tmp_path / "raw", tmp_path / "memory", steps, progress=False)
    assert list(scores) == [AS_THEY_ARE, *steps]
    for step in steps:
        assert (scores[step] != scores[AS_THEY_ARE]).all()
        np.testing.assert_allclose(scores[step], scores[AS_THEY_ARE], atol=0.1)
    again = score_steps(predictor, images, tmp_path / "raw", tmp_path / "afresh", steps, progress=False)
    for step in scores:
        np.testing.assert_array_equal(again[step], scores[step])


def test_curves_of_several_models_are_sorted_by_kind():
    pictures, scores = make_scores()
    table = robustness_table(scores, pictures, resamples=5)
    by_kind = curves_by_kind({"best": table, "cnn_deck": table})
    assert list(by_kind) == list(kind_names()) == list(PERTURBATIONS)
    assert list(by_kind["jpeg"]) == ["best", "cnn_deck"] and by_kind["blur"] == {}
    assert kind_names()["jpeg"] == "JPEG quality"


def test_a_part_is_drawn_and_measured_as_its_pictures_alone_would_be(tmp_path):
    settings = Settings(root=tmp_path)
    images = make_images(settings.raw_dir, 12)
    train = part_of(images, "train")
    drawn = draw_part(images, train, 1, most_groups=3)
    assert len(drawn.images) == 6 and set(drawn.images["split"]) == {"train"}
    assert pictures_of_each({"best": drawn}) == "6 for Improved model"
    table = measure_robustness(bright_predictor(tmp_path / "bright"), drawn, settings, [("jpeg", 30)])
    assert table["kind"].tolist() == ["as_it_is", "jpeg"]
    assert table["auc"].iloc[0] == 1
