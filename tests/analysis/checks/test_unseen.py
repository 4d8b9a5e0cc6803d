"""Recall and false positives by hand; and generators that are, or are not, like those known."""

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.unseen import (
    ALL_IN_TURN,
    ALL_OF_IT,
    HOLDOUT_COLUMNS,
    NOT_KNOWN,
    PEOPLE,
    collection_table,
    lead_of_the_highest,
    leave_one_out,
    readable_collections,
    readable_holdout,
    readable_sources,
    shares_called_ai,
    source_table,
)
from src.utils.analysis.scoring.parts import part_of


def make_unseen(groups=6, per_group=2):
    rows = []
    for number in range(2 * groups):
        label = number % 2
        for _ in range(per_group):
            rows.append(
                {
                    "label": label,
                    "group": f"g{number}",
                    "generator": ("Kling 3", "Grok Imagine")[number // 2 % 2] if label else "",
                    "origin": "ComfyUI templates" if label else ("Pixel theme", "")[number // 2 % 2],
                }
            )
    return pd.DataFrame(rows)


def test_each_maker_has_its_row_with_shares_by_hand():
    pictures = make_unseen()
    probability = np.where(pictures["generator"] == "Kling 3", 0.9, 0.4)
    probability[pictures.index[pictures["origin"] == "Pixel theme"][:2]] = 0.95
    table = source_table(pictures, probability).set_index("source")
    assert sorted(table.index) == sorted(["Kling 3", "Grok Imagine", "Pixel theme", NOT_KNOWN])
    assert table["label"].tolist() == [1, 1, 0, 0]
    assert table["called_ai"].to_dict() == {
        "Kling 3": 1.0,
        "Grok Imagine": 0.0,
        "Pixel theme": pytest.approx(2 / 6),
        NOT_KNOWN: 0.0,
    }
    assert table.loc["Kling 3", "auc"] == pytest.approx(10 / 12)
    assert table["groups"].tolist() == [3] * 4
    assert table["pictures"].tolist() == [6] * 4
    assert table[["called_ai_low", "auc_low"]].isna().all(axis=None)


def test_makers_of_many_originals_have_intervals():
    pictures = make_unseen(groups=80, per_group=1)
    probability = np.random.default_rng(0).random(len(pictures))
    table = source_table(pictures, probability, resamples=200)
    for name, truth in (("called_ai", 0.5), ("auc", 0.5)):
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        assert ((low < table[name]) & (table[name] < high)).all()
        assert ((low < truth) & (truth < high)).sum() >= 3
    readable = readable_sources(table)
    assert readable["called AI"].str.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]").all()


def test_weights_let_groups_count_the_same():
    pictures = pd.DataFrame(
        {"label": 1, "group": ["a", "b", "b", "b"], "generator": "Kling 3", "origin": "somewhere"}
    )
    probability = [0.9, 0.1, 0.1, 0.1]
    assert source_table(pictures, probability)["called_ai"].item() == 0.25
    weight = [1, 1 / 3, 1 / 3, 1 / 3]
    assert source_table(pictures, probability, weight)["called_ai"].item() == pytest.approx(0.5)
    assert np.isnan(source_table(pictures, probability)["auc"].item())


def make_families(same_trace: bool, groups=25, per_group=2, seed=0):
    """Three families of one trace each, or all of the same; half of the pictures are human-made."""
    rng = np.random.default_rng(seed)
    rows, features = [], []
    for number in range(6 * groups):
        label, kind = number % 2, number // 2 % 3
        for _ in range(per_group):
            rows.append({"label": label, "group": number})
            trace = np.zeros(12)
            trace[0 if same_trace else kind] = 6.0 * label
            features.append(trace + rng.normal(size=12))
    pictures = pd.DataFrame(rows)
    family = np.where(pictures["label"] == 1, np.array(["A", "B", "C"])[pictures["group"] // 2 % 3], "")
    return np.array(features), pictures, family


def test_a_family_with_its_own_trace_is_lost_when_it_is_left_out():
    table = leave_one_out(*make_families(same_trace=False, groups=80), resamples=100)
    assert list(table.columns) == list(HOLDOUT_COLUMNS)
    assert sorted(table["source"][:3]) == ["A", "B", "C"]
    assert table["drop"][:3].is_monotonic_decreasing
    assert (table["met"] > 0.95).all()
    assert (table["left_out"] < 0.7).all()
    assert (table["drop_low"] > 0.2).all()
    assert table["groups"].tolist() == [80, 80, 80, 240]
    together = table.iloc[3]
    assert together["source"] == ALL_IN_TURN
    for column in ("met", "left_out", "drop"):
        assert together[column] == pytest.approx(table[column][:3].mean())
    assert together["drop_high"] - together["drop_low"] < (table["drop_high"] - table["drop_low"])[:3].min()
    assert readable_holdout(table, "family").shape == (4, 6)


def test_families_that_share_a_trace_stand_in_for_each_other():
    table = leave_one_out(*make_families(same_trace=True), resamples=100)
    assert (table["left_out"] > 0.95).all()
    assert table["drop"].abs().max() < 0.03


def test_small_and_nameless_families_are_not_left_out_by_themselves():
    features, pictures, family = make_families(True, groups=6)
    family = np.where(family == "C", "", family)
    family[np.flatnonzero(family == "B")[4:]] = "A"
    table = leave_one_out(features, pictures, family, resamples=10)
    assert table["source"].tolist() == ["A"]
    assert leave_one_out(features, pictures, np.where(family != "", "A", "")).loc[:, "source"].tolist() == [
        "A"
    ]


def test_photographers_can_be_left_out_too():
    features, pictures, family = make_families(True)
    pictures = pictures.assign(label=1 - pictures["label"])
    table = leave_one_out(features, pictures, family, side=0, resamples=10)
    assert sorted(table["source"][:3]) == ["A", "B", "C"]


def test_without_makers_or_with_few_groups_the_table_is_empty():
    features, pictures, family = make_families(True)
    assert leave_one_out(features, pictures, np.full(len(pictures), "")).empty
    few = pictures["group"] < 8
    assert leave_one_out(features[few], pictures[few], family[few]).empty


def test_tables_without_rows_are_sentences():
    no_rows = pd.DataFrame(columns=list(HOLDOUT_COLUMNS))
    assert readable_holdout(no_rows, "photo source") == (
        "No photo source here has enough originals to be left out."
    )
    sources = source_table(make_unseen(), np.full(24, 0.7))
    assert readable_sources(sources.head(0)) == "This dataset has no unseen set."


def test_shares_called_ai_count_every_original_once():
    rows = pd.DataFrame(
        {"label": [0, 0, 0, 1], "group": ["a", "b", "b", "c"], "split": "unseen", "file_name": list("wxyz")}
    )
    part = part_of(rows, "unseen")
    assert shares_called_ai(part, [0.9, 0.1, 0.1, 0.2]) == (pytest.approx(0.5), 0)
    assert np.isnan(shares_called_ai(part_of(rows.head(3), "unseen"), [0.9, 0.1, 0.1])[1])


def test_collections_are_counted_whole_by_subject_and_by_shared_family():
    rows = [
        ("a", "Kling 3", "one", "people"),
        ("b", "Gemini 3", "one", "food"),
        ("c", "Gemini 3", "two", "people"),
        ("d", "Nano Banana", "two", "people"),
    ]
    pictures = pd.DataFrame(rows, columns=["group", "generator", "origin", "subject"]).assign(label=1)
    human = pd.DataFrame([("h", "", "theme", "people", 0)], columns=[*pictures.columns])
    everything = pd.concat([pictures, human], ignore_index=True)
    table = collection_table(everything, [0.9, 0.8, 0.1, 0.2, 0.9], np.ones(5))
    found = table.set_index(["which", "collection"])["called_ai"].to_dict()
    assert found == {
        (ALL_OF_IT, "one"): 1.0,
        (ALL_OF_IT, "two"): 0.0,
        (PEOPLE, "one"): 1.0,
        (PEOPLE, "two"): 0.0,
        ("other subjects", "one"): 1.0,
        ("generator family Gemini", "one"): 1.0,
        ("generator family Gemini", "two"): 0.0,
    }
    assert table["pictures"].tolist() == [2, 2, 1, 2, 1, 1, 2]
    assert list(readable_collections(table).columns)[:2] == ["pictures of", "collection"]
    alone = collection_table(everything[everything["origin"] != "two"], [0.9, 0.8, 0.9], np.ones(3))
    assert alone.empty and "one collection" in readable_collections(alone)


def test_the_lead_of_the_highest_is_paired_with_every_other_model():
    images = make_unseen(groups=40, per_group=1).assign(split="unseen", file_name=[str(n) for n in range(80)])
    rng = np.random.default_rng(0)
    label = images["label"].to_numpy()
    odds = {"good": label + rng.normal(0, 0.3, 80), "bad": rng.normal(size=80)}
    lead = lead_of_the_highest(odds | {"same": odds["good"].copy()}, part_of(images, "unseen"))
    assert set(lead) == {"bad", "same"}
    assert lead["bad"].low > 0 and lead["same"].value == 0
    assert lead_of_the_highest(odds, part_of(images, "test")) == {}
