"""Over-representation: counts by group, Fisher's test, exact intervals, and words that fit the counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from src.utils.analysis.content.association import (
    association_table,
    differing,
    label_record,
    shown_categories,
)


def pictures(counts: dict[str, tuple[int, int]], per_group: int = 1) -> pd.DataFrame:
    """As many groups of each class as told for each category, `per_group` pictures in each."""
    rows = [
        {"predict_1": category, "label": label, "group": f"{category}-{label}-{number}"}
        for category, both in counts.items()
        for label, groups in enumerate(both)
        for number in range(groups)
        for _ in range(per_group)
    ]
    return pd.DataFrame(rows, columns=["predict_1", "label", "group"])


KAGGLE_LIKE = {
    "lab_coat": (34, 28),
    "plate": (23, 14),
    "rapeseed": (6, 41),
    "alp": (14, 1),
    "cock": (900, 900),
}


def test_odds_and_p_values_are_scipys() -> None:
    result = association_table(pictures(KAGGLE_LIKE)).set_index("category")
    human_total, ai_total = (sum(both[one] for both in KAGGLE_LIKE.values()) for one in (0, 1))
    for category, (human, ai) in KAGGLE_LIKE.items():
        cells = [[ai, ai_total - ai], [human, human_total - human]]
        row, odds = result.loc[category], stats.contingency.odds_ratio(cells)
        interval = odds.confidence_interval()
        assert row["p"] == pytest.approx(stats.fisher_exact(cells)[1])
        assert [row["odds_ratio"], row["low"], row["high"]] == pytest.approx(
            [odds.statistic, interval.low, interval.high]
        )
        assert (row["groups_human"], row["groups_ai"]) == (human, ai)
        assert row["rate_ai"] == pytest.approx(ai / ai_total)
    expected = multipletests(result["p"], method="fdr_bh")[1]
    assert result["p_adjusted"].tolist() == pytest.approx(expected.tolist())
    assert result.loc["rapeseed", "verdict"] == "more often AI-generated"
    assert result.loc["alp", "verdict"] == "more often human-made"
    assert result.loc["lab_coat", "verdict"] == "no difference shown"
    assert "yellow" in result.loc["rapeseed", "meaning"]
    assert list(result.index[:2]) == ["rapeseed", "alp"]


def test_crops_of_one_original_count_once() -> None:
    once = association_table(pictures(KAGGLE_LIKE))
    five = association_table(pictures(KAGGLE_LIKE, per_group=5))
    assert (five["pictures_ai"] == 5 * once["pictures_ai"]).all()
    columns = ["category", "groups_human", "groups_ai", "odds_ratio", "low", "high", "p", "p_adjusted"]
    pd.testing.assert_frame_equal(once[columns], five[columns])


def test_a_group_may_show_several_categories_and_counts_in_each() -> None:
    table = pictures({"wig": (3, 3), "alp": (3, 3)})
    table["group"] = table["group"].str.replace(r"^\w+-", "", regex=True)
    result = association_table(table).set_index("category")
    assert result["groups_ai"].tolist() == [3, 3] and result["rate_ai"].tolist() == [1.0, 1.0]


def test_rare_categories_are_not_tested_and_few_counts_are_called_few() -> None:
    result = association_table(pictures({"wig": (2, 2), "alp": (0, 7), "cock": (60, 60)})).set_index(
        "category"
    )
    assert result.loc["wig", "verdict"] == "not tested: 4 groups" and np.isnan(result.loc["wig", "p"])
    row = result.loc["alp"]
    assert row["verdict"].endswith("few counts (7 groups)") and row["odds_ratio"] == np.inf and row["low"] > 0
    assert result["p_adjusted"].notna().sum() == 2


def test_false_alarms_are_rare_when_nothing_differs() -> None:
    """Five hundred pictures, thirty categories, no difference: at most a few runs in twenty find one."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(20):
        table = pd.DataFrame(
            {
                "predict_1": rng.choice([f"c{n}" for n in range(30)], 500),
                "label": rng.integers(0, 2, 500),
                "group": np.arange(500).astype(str),
            }
        )
        found += (association_table(table)["p_adjusted"] < 0.05).any()
    assert found <= 4


def test_one_class_one_category_and_nothing_at_all() -> None:
    one_class = association_table(pictures({"wig": (0, 9), "alp": (0, 8)}))
    assert one_class["p"].isna().all() and one_class["rate_human"].isna().all()
    assert set(one_class["verdict"]) == {"not tested: one class only"}
    alone = association_table(pictures({"wig": (9, 9)})).iloc[0]
    assert alone["p"] == 1 and alone["verdict"] == "no difference shown"
    empty = association_table(pictures({}))
    assert empty.empty and list(empty.columns) == list(association_table(pictures({"wig": (9, 9)})).columns)


def test_shown_are_the_wanted_that_occur_then_what_differs_then_what_both_classes_show_most() -> None:
    table = association_table(pictures({**KAGGLE_LIKE, "tench": (1, 0), "wig": (40, 0)}))
    assert shown_categories(table, ("plate", "quilt", "lab_coat"), 5) == [
        *("plate", "lab_coat"),
        *("cock", "rapeseed", "alp"),  # these differ and are shown by both classes, the most frequent first
    ]
    assert shown_categories(table, (), 99)[3:] == ["wig", "lab_coat", "plate"]  # wig: by one class alone


def test_one_picture_is_no_category_to_look_at() -> None:
    table = association_table(pictures({**KAGGLE_LIKE, "tench": (1, 0), "eft": (2, 0)}))
    assert shown_categories(table, ("tench", "eft"), 2) == ["eft", "rapeseed"]
    assert table.set_index("category").loc["tench", "verdict"] == "not tested: 1 group"
    assert not {"tench", "eft"} & set(shown_categories(table, (), 99))
    assert shown_categories(table.head(0), ("plate",)) == []


def test_the_record_keeps_what_was_tested_and_what_differs() -> None:
    table = association_table(pictures(KAGGLE_LIKE))
    record = label_record("VGG19", 2000, table)["labels"]
    assert (record["labeller"], record["pictures"]) == ("VGG19", 2000)
    assert record["categories_tested"] == table["p"].count()
    assert record["over_represented"] == differing(table) and "rapeseed" in differing(table)
