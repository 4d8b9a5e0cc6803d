"""What is said of judged detectors."""

from __future__ import annotations

import pandas as pd
import pytest

from src.utils.estimate import Estimate
from src.utils.story import judging

SURE, CHANCE, WORSE, FEW = (
    Estimate(*numbers)
    for numbers in ((0.2, 0.1, 0.3), (0.02, -0.1, 0.1), (-0.2, -0.3, -0.1), (0.2, None, None))
)


def test_pictures_are_named_and_a_dataset_without_unseen_sources_says_so():
    said = judging.which_pictures("unseen", 1200, 37)
    assert said.startswith(
        "1,200 pictures of the unseen split, one of each original, in 37 groups. No model of"
    )
    assert "37 groups. This dataset has no unseen set" in judging.which_pictures("test", 40, 37)


def test_a_detector_is_told_with_what_is_left_once_all_were_made_alike():
    first = {
        "auc": SURE,
        "recall": Estimate(0.75, None, None),
        "false_positive_rate": Estimate(0.125, None, None),
    }
    said = judging.as_they_are_and_alike("Mine", {"as_it_is": first, "alike-224": {"auc": CHANCE}})
    assert said.startswith("Mine: ROC-AUC 0.20 [0.10, 0.30], and 0.02 [-0.10, 0.10] once all pictures")
    assert "recall 0.75" in said and "false-positive rate 0.1" in said


@pytest.mark.parametrize(
    ("above", "meaning"),
    [
        (SURE, "more than anything cheap explains"),
        (CHANCE, "which may be chance"),
        (WORSE, "less than that"),
        (FEW, "too few groups to say more"),
    ],
)
def test_something_cheap_stands_beside_it(above, meaning):
    said = judging.beside_cheap("Mine", "spectrum", Estimate(0.7, 0.6, 0.8), above)
    assert "0.70 [0.60, 0.80] (spectrum)" in said and said.endswith(
        f"Mine minus that: {above.text()}, {meaning}."
    )
    assert "too few groups" in judging.beside_cheap("Mine", "", None, None)


def test_a_pair_is_told_for_each_set_of_pictures():
    said = judging.paired("Mine", "Yours", {"the unseen split": FEW, "test and unseen": SURE, "test": WORSE})
    assert said == [
        f"Mine minus Yours on the unseen split: ROC-AUC {FEW.text()}, too few groups to say more.",
        "Mine minus Yours on test and unseen: ROC-AUC 0.20 [0.10, 0.30], better on pictures like these.",
        "Mine minus Yours on test: ROC-AUC -0.20 [-0.30, -0.10], worse on pictures like these.",
    ]


def test_detectors_of_others_are_told_with_what_is_not_known_of_them():
    absent = {"sieve": "make detector NAME=sieve fetches it (44 MB, licence MIT)"}
    said = judging.beside_others("Mine", {"theirs": WORSE}, "the unseen split", absent)
    assert said[0] == (
        f"Mine minus theirs on the unseen split: ROC-AUC {WORSE.text()}, worse on pictures like these."
    )
    assert "they may have met sources" in said[1]
    assert said[2].startswith("Detectors of others that were not asked: `sieve`: make detector NAME=sieve")
    assert len(judging.beside_others("Mine", {}, "the unseen split", absent)) == 1
    assert judging.beside_others("Mine", {}, "the unseen split", {}) == []


def test_a_detector_that_looks_at_nothing_is_not_praised():
    metrics = {
        "f1": Estimate(2 / 3, None, None),
        "recall": Estimate(1.0, None, None),
        "false_positive_rate": Estimate(1.0, None, None),
    }
    said = judging.says_always_ai(metrics)
    assert "F1 of 0.67" in said and "recall 100 %, and 100 % of photographs called AI" in said


def test_the_generator_that_is_missed_most_is_named_as_it_is():
    rows = [(1, "Flux", 0.9, 4), (1, "<b>", 0.25, 1), (0, "Archive", 0.0, 3)]
    sources = pd.DataFrame(rows, columns=["label", "source", "called_ai", "groups"])
    said = judging.hardest_source("Mine", sources)
    assert "25 % of pictures from 1 original." in said and "<b>" not in said and "Archive" not in said
    assert judging.hardest_source("Mine", sources[sources["label"] == 0]) == ""
    assert judging.hardest_source("Mine", sources.iloc[1:]) == ""  # one generator is the average


def test_a_calibration_that_had_not_met_a_generator_is_told_by_its_mean_and_its_range():
    rows = [
        left_out_row(1, "Flux", 0.9, FEW),
        left_out_row(1, "Kling", 0.25, FEW),
        left_out_row(1, "each of these in turn", 0.575, SURE),
        left_out_row(0, "Archive", 0.1, WORSE),
    ]
    said = judging.calibrated_elsewhere("Mine", pd.DataFrame(rows))
    assert said.startswith(
        "Mine, calibrated on these pictures without each of 2 generators in turn: recall 0.57 [0.10, 0.30] "
        "on those generators (0.25 to 0.90), false-positive rate 0.57"
    )
    assert said.endswith("a change of 0.20 [0.10, 0.30], worse than with them.")
    chance = judging.calibrated_elsewhere(
        "Mine", pd.DataFrame([*rows[:2], left_out_row(1, "all", 0.5, CHANCE)])
    )
    assert chance.endswith("a change of 0.02 [-0.10, 0.10], which may be chance.")
    none = judging.calibrated_elsewhere("Mine", pd.DataFrame([left_out_row(0, "Archive", 0.1, WORSE)]))
    assert none.startswith("Mine: no generator can be left out of a calibration here")


def left_out_row(label, source, value, change):
    numbers = Estimate(value, 0.1, 0.3)
    columns = {"label": label, "source": source, **change.columns("change")}
    for name in ("recall", "false_positive_rate", "brier"):
        columns |= numbers.columns(name)
    return columns
