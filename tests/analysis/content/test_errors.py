"""What mistakes share: planted causes are found, absent ones are not, and poor data give fewer rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from src.utils.analysis.content.errors import (
    ERROR_KINDS,
    OUTCOMES,
    accuracy_by,
    accuracy_by_bins,
    accuracy_by_people,
    accuracy_views,
    all_accuracies,
    count_errors,
    count_outcomes,
    effect_table,
    error_record,
    explain_errors,
    join_errors,
    overall_accuracy,
    rule_table,
    share_of_ai,
    smallest_effect,
    smallest_effects,
    varying_properties,
    worst_errors,
)
from src.utils.analysis.content.properties import PROPERTY_NAMES
from src.utils.settings import UserError


def pictures(groups: int = 120, per_group: int = 3, cause: str = "", seed: int = 0) -> pd.DataFrame:
    """Answers that are wrong three times in ten, or exactly where the property called `cause` is low.

    Properties vary by group and a little within; `aspect` and `jpeg_quality` are the same for all.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), per_group)
    rows = len(group)
    table = pd.DataFrame({name: rng.normal(size=groups)[group] for name in PROPERTY_NAMES})
    table += rng.normal(0, 0.1, table.shape)
    table["people"] = (rng.random(groups) < 0.4)[group].astype(float)
    table["faces"] = table["people"] * rng.integers(0, 3, groups)[group]
    table["aspect"], table["jpeg_quality"] = 1.0, np.nan
    label = group % 2
    wrong = rng.random(groups)[group] < 0.3 if not cause else (table[cause] < -0.5).to_numpy()
    sure = rng.uniform(0.01, 0.49, rows)
    probability = np.where(label ^ wrong, 0.5 + sure, 0.5 - sure)
    return table.assign(
        file_name=[f"{row}.jpg" for row in range(rows)],
        label=label,
        group=[f"g{one}" for one in group],
        split="test",
        generator=np.where(label == 1, np.where(group % 4 == 1, "Flux", "SDXL"), ""),
        origin="",
        subject=np.where(table["people"] == 1, "people", "food"),
        weight=1.0,
        probability_ai=probability,
        outcome=[OUTCOMES[one][int(one ^ bad)] for one, bad in zip(label, wrong, strict=True)],
        error=wrong,
        category=np.where(group % 10 == 0, "wig", "plate"),
        confidence=0.5,
    )


def test_everything_known_of_a_picture_is_joined() -> None:
    images = pd.DataFrame(
        {
            "file_name": ["a", "b", "c", "d", "e"],
            "label": [0, 0, 1, 1, 1],
            "group": ["g", "", "h", "h", "h"],
            "split": "test",
            "generator": "",
            "origin": "",
            "subject": "food",
        }
    )
    predictions = pd.DataFrame({"file_name": list("dcbax"), "probability_ai": [0.5, 0.49, 0.5, 0.1, 0.9]})
    properties = pd.DataFrame({"file_name": list("abcde"), "brightness": [1.0, 2, 3, 4, 5]})
    labelled = pd.DataFrame({"file_name": ["a", "c"], "predict_1": ["wig", "alp"], "conf_1": [0.7, 0.3]})
    joined = join_errors(predictions, images, properties, labelled)
    assert joined["file_name"].tolist() == ["a", "b", "c", "d"]
    assert joined["outcome"].tolist() == [
        "true negative",
        "false positive",
        "false negative",
        "true positive",
    ]
    assert joined["error"].tolist() == [False, True, True, False]
    assert joined["category"].tolist() == ["wig", "", "alp", ""]
    assert joined["confidence"].tolist() == pytest.approx([0.7, np.nan, 0.3, np.nan], nan_ok=True)
    assert joined["group"].tolist() == ["g", "b", "h", "h"] and joined["brightness"].tolist() == [1, 2, 3, 4]
    assert joined["weight"].iloc[2] == pytest.approx(joined["weight"].iloc[0] / 3)
    none = join_errors(predictions, images.head(0), properties, labelled)
    assert none.empty and list(none.columns) == list(joined.columns)
    with pytest.raises(UserError, match="run notebook 05"):
        join_errors(predictions.head(0), images, properties, labelled)


def test_properties_that_never_change_are_left_out() -> None:
    names = varying_properties(pictures())
    assert "aspect" not in names and "jpeg_quality" not in names and "brightness" in names
    assert varying_properties(pictures().head(0)) == []


def test_effects_are_cliffs_delta_and_spearmans_test() -> None:
    table = pictures(per_group=1)
    effects = effect_table(table, resamples=20)
    for row in effects.itertuples():
        name = next(key for key, value in PROPERTY_NAMES.items() if value == row.property)
        mine = table[table["label"] == ERROR_KINDS.index(row.errors)]
        wrong, right = (mine.loc[mine["error"] == one, name].to_numpy() for one in (True, False))
        difference = np.sign(wrong[:, None] - right[None, :]).mean()
        assert row.delta == pytest.approx(difference)
        assert (row.wrong, row.right) == (len(wrong), len(right))
        assert row.wrong_mean == pytest.approx(wrong.mean())
        assert row.p == pytest.approx(stats.spearmanr(mine["error"], mine[name]).pvalue)
        assert row.p == pytest.approx(stats.mannwhitneyu(wrong, right).pvalue, abs=0.03)
    assert len(effects) == 2 * len(varying_properties(table))
    assert effects["p_adjusted"].tolist() == pytest.approx(
        stats.false_discovery_control(effects["p"]).tolist()
    )
    assert (effects["delta"].abs().diff().dropna() <= 0).all()


def test_a_planted_cause_is_found_and_hardly_anything_else() -> None:
    effects = effect_table(pictures(groups=160, cause="sharpness"), resamples=100)
    assert (effects["p_adjusted"] < 0.05).sum() <= 3
    found = effects.head(2)
    assert set(found["property"]) == {"sharpness"} and (found["p_adjusted"] < 1e-6).all()
    assert found["verdict"].tolist() == [f"{kind} have less" for kind in found["errors"]]
    assert (found["delta"] < -0.9).all() and (found["high"] < 0).all()


def test_without_a_cause_nothing_is_found() -> None:
    found = sum(
        (effect_table(pictures(seed=seed), resamples=2)["p_adjusted"] < 0.05).any() for seed in range(20)
    )
    assert found <= 4


def test_crops_are_not_taken_for_independent_pictures() -> None:
    """Twenty copies of each picture: the interval and the p-value stay as wide as with one."""
    once, copies = (effect_table(pictures(160, per_group), resamples=200) for per_group in (1, 20))
    width = [(one["high"] - one["low"]).median() for one in (once, copies)]
    assert width[1] > 0.8 * width[0]
    assert copies["p"].min() > 1e-4


def test_too_few_originals_give_no_interval_and_no_test() -> None:
    effects = effect_table(pictures(groups=14, per_group=5, cause="brightness"), resamples=20)
    assert len(effects) and effects["low"].isna().all() and effects["p"].isna().all()
    assert effects["verdict"].str.startswith("not tested").all()


def test_one_sided_answers_are_not_compared() -> None:
    table = pictures()
    always_ai = table.assign(error=table["label"] == 0)
    assert effect_table(always_ai, resamples=5).empty
    no_false_positive = table[~((table["label"] == 0) & table["error"])]
    assert set(effect_table(no_false_positive, resamples=5)["errors"]) == {"false negatives"}
    assert effect_table(table.head(0), resamples=5).empty
    unknown = table.assign(brightness=np.where(table["error"], np.nan, table["brightness"]))
    assert "brightness" not in set(effect_table(unknown, resamples=5)["property"])


def test_accuracy_by_category_counts_groups_alike() -> None:
    table = pictures()
    table["weight"] = 1 / table.groupby("group")["label"].transform("size")
    result = accuracy_by(table, "category", resamples=100).set_index("value")
    for category, part in table.groupby("category"):
        row = result.loc[category]
        expected = 1 - part.groupby("group")["error"].mean().mean()
        assert row["accuracy"] == pytest.approx(expected)
        assert (row["human"], row["ai"]) == tuple((part["label"] == one).sum() for one in (0, 1))
    assert result.loc["plate", "low"] < result.loc["plate", "accuracy"] < result.loc["plate", "high"]
    assert np.isnan(result.loc["wig", "low"]) and result.index[0] == "plate"
    assert accuracy_by(table, "category", least_groups=50)["value"].tolist() == ["plate"]


def test_values_that_are_not_known_are_left_out() -> None:
    table = pictures()
    assert set(accuracy_by(table, "generator", resamples=5)["value"]) == {"Flux", "SDXL"}
    nothing = accuracy_by(table, "origin", resamples=5)
    assert nothing.empty and "accuracy" in nothing


def test_bins_share_the_pictures_and_show_the_cause() -> None:
    table = pictures(groups=200, cause="sharpness")
    bins = accuracy_by_bins(table, resamples=50)
    sharp = bins[bins["property"] == "sharpness"]
    assert len(sharp) == 5 and (sharp["human"] + sharp["ai"]).tolist() == [120] * 5
    assert sharp["accuracy"].iloc[0] == 0 and sharp["accuracy"].iloc[-1] == 1
    assert (sharp["from"].to_numpy()[1:] >= sharp["to"].to_numpy()[:-1]).all()
    assert not {"width / height", "JPEG quality", "faces found", "subject is people"} & set(bins["property"])
    few = accuracy_by_bins(pictures(groups=10), resamples=5)
    assert (few.groupby("property").size() == 2).all() and few["low"].isna().all()
    assert accuracy_by_bins(table.head(0), resamples=5).empty
    assert accuracy_by_bins(table.head(1), resamples=5).empty


def test_a_property_that_is_nearly_always_the_same_still_gives_bins() -> None:
    table = pictures().assign(jpeg_quality=90.0)
    table.loc[:9, "jpeg_quality"] = 50.0
    bins = accuracy_by_bins(table, resamples=5)
    quality = bins[bins["property"] == "JPEG quality"]
    assert (quality["human"] + quality["ai"]).tolist() == [10, len(table) - 10]


def test_with_and_without_people() -> None:
    table = pictures()
    result = accuracy_by_people(table, resamples=5).set_index("value")
    assert set(result.index) == {"subject is people", "another subject", "a face found", "no face found"}
    people = table["people"] == 1
    assert result.loc["subject is people", "accuracy"] == pytest.approx(1 - table.loc[people, "error"].mean())
    unknown = accuracy_by_people(table.assign(people=np.nan, faces=0.0), resamples=5)
    assert unknown["value"].tolist() == ["no face found"]
    assert accuracy_by_people(table.head(0), resamples=5).empty


def test_a_planted_cause_is_learnt_and_put_into_words() -> None:
    model = explain_errors(pictures(groups=200, cause="sharpness"), label=0, resamples=100)
    assert model.errors == "false positives" and model.auc.value > 0.9 and model.auc.low > 0.5
    assert (
        re.match(r"sharpness up to -0\.[45]", model.rules["rule"][0]) and model.rules["error_rate"][0] > 0.95
    )
    assert model.rules["pictures"].sum() == 300
    assert model.rules["error_rate"].is_monotonic_decreasing


def test_nothing_to_learn_is_said_and_groups_do_not_leak() -> None:
    """Errors follow the group, so a fold that shared groups would look clever."""
    models = [explain_errors(pictures(240, 6, seed=seed), label=1, resamples=100) for seed in range(5)]
    assert np.mean([model.auc.value for model in models]) == pytest.approx(0.5, abs=0.08)
    assert sum(model.auc.low <= 0.5 for model in models) >= 4


def test_the_tree_is_judged_out_of_fold() -> None:
    """One picture a group, so the folds can be redone by hand with scikit-learn."""
    from src.utils.analysis.content import errors as module

    table = pictures(per_group=1, cause="contrast")
    mine = table[table["label"] == 0]
    features = mine[varying_properties(mine)]
    probability = module._out_of_fold(features, mine, 5, seed=0)
    model = explain_errors(table, 0, resamples=5, seed=0)
    assert model.auc.value == pytest.approx(roc_auc_score(mine["error"], probability))


def test_too_few_errors_are_not_learnt_from() -> None:
    table = pictures()
    clean = table.assign(error=False)
    for poor in (clean, table.head(0), clean.assign(error=clean["group"] == "g0")):
        model = explain_errors(poor, label=0, resamples=5)
        assert model.auc.value is None and model.rules.empty
    small = explain_errors(pictures(groups=20, seed=1), label=0, resamples=5)
    assert small.auc.value is not None and small.auc.low is None and len(small.rules)


def test_rules_name_people_and_faces_as_people_do() -> None:
    table = pictures(groups=200)
    table["error"] = table["people"] == 1
    rules = explain_errors(table, 0, resamples=5).rules["rule"]
    assert rules[0].startswith("subject is people") and rules.iloc[-1].startswith("subject is not people")
    table = table.assign(error=table["faces"] > 1, people=np.nan)
    assert explain_errors(table, 0, resamples=5).rules["rule"][0].startswith("faces found over 1")


def test_the_worst_mistakes_come_first_one_a_group() -> None:
    table = pictures()
    worst = worst_errors(table, 1, most=4)
    assert (worst["outcome"] == "false negative").all() and worst["group"].is_unique
    assert worst["probability_ai"].is_monotonic_increasing and len(worst) == 4
    assert (
        worst["probability_ai"].iloc[0]
        == table.loc[table["label"] == 1, "probability_ai"].where(table["error"]).min()
    )
    assert worst_errors(table.assign(error=False), 1).empty


def test_mistakes_are_counted_in_pictures_and_accuracy_in_groups() -> None:
    table = pd.DataFrame(
        {
            "label": [0, 0, 1, 1],
            "group": ["a", "a", "b", "c"],
            "error": [True, True, False, True],
            "outcome": ["false positive", "false positive", "true positive", "false negative"],
            "weight": [0.5, 0.5, 1.0, 1.0],
        }
    )
    assert count_errors(table) == (2, 1)
    assert overall_accuracy(table) == pytest.approx(1 / 3)
    assert share_of_ai(table) == pytest.approx(2 / 3)
    assert count_outcomes(table).loc[(0, "false positive")].to_dict() == {"pictures": 2, "groups": 1}


def test_views_are_those_that_accuracy_by_gives() -> None:
    table = pictures(groups=40)
    views = accuracy_views(table, resamples=5)
    assert list(views) == ["ImageNet category", "generator", "subject", "people in the picture"]
    pd.testing.assert_frame_equal(views["subject"], accuracy_by(table, "subject", resamples=5))
    joined = all_accuracies(accuracy_by_bins(table, resamples=5), views)
    assert list(joined["by"].unique()) == ["property", *views]
    assert (joined["by"] == "subject").sum() == len(views["subject"])


def test_the_record_keeps_what_held_and_what_the_trees_are_worth() -> None:
    table = pictures(groups=200, cause="sharpness")
    effects = effect_table(table, resamples=5)
    trees = [explain_errors(table, label, resamples=5) for label in (0, 1)]
    record = error_record("cnn_deck", table, effects, trees)["errors"]
    assert (record["false_positives"], record["false_negatives"]) == count_errors(table)
    assert "false positives: sharpness" in record["held"] and record["comparisons"] == effects["p"].count()
    assert record["error_auc"]["false negatives"] == trees[1].auc
    assert len(rule_table(trees)) == sum(len(tree.rules) for tree in trees)
    assert set(rule_table(trees)["errors"]) == set(ERROR_KINDS)


@pytest.mark.parametrize(("first", "second", "tests"), [(12, 13, 18), (30, 90, 1), (400, 380, 5)])
def test_the_smallest_effect_is_that_of_the_two_sample_t_test(first, second, tests):
    """Reference: statsmodels."""
    from statsmodels.stats.power import TTestIndPower

    expected = TTestIndPower().solve_power(None, first, 0.05 / tests, 0.8, second / first)
    assert smallest_effect(first, second, 0.05 / tests) == pytest.approx(expected, rel=1e-3)


def test_where_nothing_was_tested_there_is_no_smallest_effect():
    assert np.isnan(smallest_effect(1, 0.5, 0.05))
    few = effect_table(pictures(groups=6), resamples=20)
    assert few["smallest"].isna().all() and smallest_effects(few) == {}


def test_each_kind_of_mistake_has_its_smallest_effect_and_more_groups_lower_it():
    small, large = (smallest_effects(effect_table(pictures(groups), resamples=20)) for groups in (60, 240))
    assert set(small) == set(large) == set(ERROR_KINDS)
    for kind in ERROR_KINDS:
        assert small[kind]["groups"] == 30 and large[kind]["groups"] == 120
        assert 0 < large[kind]["d"] < small[kind]["d"]
