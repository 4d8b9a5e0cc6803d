"""The deck's tables: who is drawn, what is counted, and that means and tests are SciPy's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats
from statsmodels.stats.multitest import multipletests

from src.utils.analysis.content.labels import (
    DECK_CONFIDENCES,
    JOINED,
    LABEL_COLUMNS,
    MEANINGS_FILE,
    adjust,
    category_file,
    category_side,
    category_sides,
    choose_pictures,
    class_weights,
    confidence_table,
    describe_category,
    describe_labeller,
    frequent_labels,
    label_pictures,
    spread_pictures,
)
from src.utils.files import hash_file
from src.utils.models.networks.imagenet import Labeller, imagenet_classes


def manifest(human: int, ai: int) -> pd.DataFrame:
    label = [0] * human + [1] * ai
    return pd.DataFrame({"file_name": [f"{n}.jpg" for n in range(len(label))], "label": label})


def test_few_pictures_are_all_taken() -> None:
    rows = manifest(7, 3)
    assert choose_pictures(rows, limit=10).equals(rows)


def test_many_pictures_are_drawn_evenly_and_by_seed() -> None:
    rows = manifest(300, 100).sample(frac=1, random_state=1)
    drawn = choose_pictures(rows, limit=100, seed=3)
    assert drawn["label"].value_counts().to_dict() == {0: 50, 1: 50}
    assert list(drawn.index) == [index for index in rows.index if index in set(drawn.index)]
    assert drawn.equals(choose_pictures(rows, limit=100, seed=3))
    assert not drawn.equals(choose_pictures(rows, limit=100, seed=4))
    assert choose_pictures(manifest(300, 20), limit=100)["label"].value_counts().to_dict() == {0: 20, 1: 20}
    assert len(choose_pictures(manifest(300, 0), limit=100)) == 50


def write_pictures(raw_dir: Path) -> pd.DataFrame:
    """Three pictures, two of them equal."""
    rows = []
    for number, red in enumerate((10, 20, 10)):
        Image.new("RGB", (16, 16), (red, 0, 0)).save(raw_dir / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "label": number % 2, "group": "g" if number else ""})
    table = pd.DataFrame(rows).assign(split="test", generator="", origin="here", subject="object")
    return table.assign(content=[hash_file(raw_dir / name) for name in table["file_name"]])


def test_labels_are_joined_with_what_is_known_and_computed_once(tmp_path: Path) -> None:
    seen = []

    def classify(pixels: np.ndarray):
        seen.append(len(pixels))
        first = pixels[:, 0, 0, 0].astype(int)
        return np.tile(np.float32([0.5, 0.3, 0.1]), (len(pixels), 1)), np.stack(
            [first, first + 1, first + 2], 1
        )

    labeller = Labeller("fake", "Fake", "nowhere", "float32", classify)
    rows = write_pictures(tmp_path)
    merged = label_pictures(rows, labeller, tmp_path, tmp_path / "store", progress=False)
    names = [name for _, name in imagenet_classes()]
    assert tuple(merged.columns) == (*JOINED, *LABEL_COLUMNS, "labeller")
    assert list(merged["predict_1"]) == [names[10], names[20], names[10]]
    assert list(merged["predict_3"]) == [names[12], names[22], names[12]]
    assert list(merged["conf_2"]) == pytest.approx([0.3] * 3)
    assert list(merged["group"]) == ["0.png", "g", "g"] and set(merged["labeller"]) == {"Fake"}
    assert seen == [2]
    again = label_pictures(rows.iloc[::-1], labeller, tmp_path, tmp_path / "store", progress=False)
    assert seen == [2] and list(again["predict_2"]) == [names[11], names[21], names[11]]
    none = label_pictures(rows.head(0), labeller, tmp_path, tmp_path / "store", progress=False)
    assert list(none.columns) == list(merged.columns) and none.empty


def labelled(groups: int = 40, per_group: int = 3, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Groups of one class with their own mean confidence; AI's is higher by `shift`."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(groups):
        label, mean = number % 2, rng.uniform(0.2, 0.5) + shift * (number % 2)
        for _ in range(per_group if number % 3 else 1):
            row = {"group": f"g{number}", "label": label, "predict_1": rng.choice(["plate", "wig", "alp"])}
            for place in (1, 2, 3):
                row[f"conf_{place}"] = np.clip(mean + rng.normal(0, 0.05), 0, 1) / place
            rows.append(row)
    return pd.DataFrame(rows)


def test_means_count_groups_and_the_test_is_welchs() -> None:
    table = labelled(shift=0.2)
    result = confidence_table(table, resamples=200)
    means = table.groupby(["label", "group"])[["conf_1", "conf_2", "conf_3"]].mean()
    for row in result.itertuples():
        human, ai = (means.loc[one, f"conf_{row.place}"] for one in (0, 1))
        assert row.human == pytest.approx(human.mean()) and row.ai == pytest.approx(ai.mean())
        assert row.difference == pytest.approx(ai.mean() - human.mean())
        assert row.p == pytest.approx(stats.ttest_ind(human, ai, equal_var=False).pvalue)
        assert row.human_low < row.human < row.human_high
        assert 0 < row.difference_low < row.difference < row.difference_high
    assert list(result["p_adjusted"]) == pytest.approx(list(multipletests(result["p"], method="fdr_bh")[1]))
    assert result["deck_ai"].tolist() == [0.434599, 0.131992, 0.068514]
    assert result["deck_human"].tolist() == [0.385334, 0.129261, 0.070293]


def test_five_copies_of_a_group_change_nothing() -> None:
    table = labelled(per_group=1)
    once = confidence_table(table, resamples=50)
    copied = confidence_table(pd.concat([table, *[table[table["group"] == "g0"]] * 4]), resamples=50)
    pd.testing.assert_frame_equal(once, copied)


def test_intervals_cover_no_difference_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(60):
        row = confidence_table(labelled(groups=60, seed=seed), resamples=150).iloc[0]
        covered += row["difference_low"] <= 0 <= row["difference_high"]
    assert covered >= 51  # 95 % of 60 is 57; fewer than 51 has a chance below 1 in 100


def test_small_and_one_sided_data_give_what_they_can() -> None:
    small = confidence_table(labelled(groups=6), resamples=50)
    assert small["human_low"].isna().all() and small["human"].notna().all() and small["p"].notna().all()
    table = labelled()
    one_class = confidence_table(table[table["label"] == 1], resamples=50)
    assert one_class["human"].isna().all() and one_class["difference"].isna().all()
    assert one_class["ai"].notna().all() and one_class["p"].isna().all()
    empty = confidence_table(table.head(0), resamples=50)
    assert len(empty) == len(DECK_CONFIDENCES) and empty["ai"].isna().all()
    assert len(confidence_table(table.head(1), resamples=50)) == 3


def test_weights_add_up_to_one_a_group() -> None:
    table = labelled()
    sums = pd.Series(class_weights(table)).groupby(table["group"]).sum()
    assert sums.to_numpy() == pytest.approx(np.ones(40))


def test_frequent_labels_are_the_decks_value_counts() -> None:
    table = labelled(groups=30)
    result = frequent_labels(table, most=2)
    for one, name in enumerate(("Human-made", "AI-generated")):
        mine = table[table["label"] == one]
        expected = mine["predict_1"].value_counts().head(2)
        part = result[result["class"] == name]
        assert list(part["pictures"]) == list(expected)
        for row in part.itertuples():
            chosen = mine[mine["predict_1"] == row.category]
            assert row.pictures == len(chosen) and row.groups == chosen["group"].nunique()
            assert row.share == pytest.approx(len(chosen) / len(mine))
    assert set(frequent_labels(table[table["label"] == 0])["class"]) == {"Human-made"}
    assert frequent_labels(table.head(0)).empty


def test_pictures_shown_are_of_different_groups_and_span_the_confidence() -> None:
    pictures = pd.DataFrame({"group": list("aabbcde"), "conf_1": [0.5, 0.9, 0.1, 0.2, 0.7, 0.6, 0.3]})
    assert spread_pictures(pictures, 8) == [1, 4, 5, 6, 3]
    assert spread_pictures(pictures, 3) == [1, 5, 3]
    assert spread_pictures(pictures.head(0), 3) == [] and spread_pictures(pictures.head(1), 3) == [0]
    shuffled = pictures.set_index(pd.Index([9, 3, 7, 1, 0, 5, 4]))
    assert spread_pictures(shuffled, 3) == [1, 5, 3]


def test_a_categorys_slide_gets_its_numbers_and_pictures(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path).assign(predict_1=["wig", "alp", "wig"], conf_1=[0.25, 0.9, 0.75])
    rows["group"] = list("abc")
    confidence, groups, shown, pictures = category_side(rows, "wig", 0, tmp_path, 8)
    assert confidence.tolist() == [0.25, 0.75] and groups == 2 and shown == [1, 0]
    assert [picture.shape for picture in pictures] == [(16, 16, 3)] * 2
    confidence, groups, shown, pictures = category_side(rows, "wig", 1, tmp_path, 8)
    assert (len(confidence), groups, shown, pictures) == (0, 0, [], [])
    human, ai = category_sides(rows, "wig", tmp_path, 1)
    assert (human[1], human[2], len(human[3])) == (2, [1], 1) and ai[1:] == (0, [], [])


def test_a_labeller_says_what_it_is_and_why() -> None:
    labeller = Labeller("fake", "Fake", "nowhere", "float32", lambda pixels: ())
    facts = describe_labeller(labeller)
    assert list(facts.values()) == ["Fake", "nowhere", "float32", "it is the first choice"]
    other = Labeller("fake", "Fake", "nowhere", "float32", lambda pixels: (), note="No network.")
    assert list(describe_labeller(other).values())[-1] == "No network."


def test_p_values_are_corrected_as_statsmodels_does() -> None:
    p = np.random.default_rng(0).uniform(0, 0.2, 50)
    assert adjust(pd.Series(p)) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    some = np.array([0.01, np.nan, 0.04, np.nan])
    assert adjust(some)[[0, 2]] == pytest.approx([0.02, 0.04]) and np.isnan(adjust(some)[[1, 3]]).all()
    assert adjust(np.full(2, np.nan)).tolist() == pytest.approx([np.nan, np.nan], nan_ok=True)


def test_every_category_can_be_explained() -> None:
    assert "yellow flowers" in describe_category("rapeseed")
    assert "white coat" in describe_category("lab_coat")
    assert describe_category("borzoi") == "a breed of dog (ImageNet's borzoi)"
    assert describe_category("quilt").startswith("a thing made by people")
    assert describe_category("eft").startswith("an amphibian")
    assert describe_category("blue_jinn") == "not a category of ImageNet"
    assert all(describe_category(name) for _, name in imagenet_classes())


def test_a_category_is_part_of_a_file_name() -> None:
    assert category_file("jack-o'-lantern") == "jack_o_lantern" and category_file("lab_coat") == "lab_coat"
    names = [category_file(name) for _, name in imagenet_classes()]
    assert all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names)
    assert len(set(names)) == len({name for _, name in imagenet_classes()})


def test_only_real_categories_are_explained_and_each_once() -> None:
    lines = MEANINGS_FILE.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[0] for line in lines if not line.startswith("#")]
    assert len(names) == len(set(names)) and set(names) <= {name for _, name in imagenet_classes()}
