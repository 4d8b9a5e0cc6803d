"""What numbers are worth, said from small tables: also with one seed, no unseen set, nothing estimable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.estimate import Estimate
from src.utils.story.trust import (
    against_facts,
    confidence,
    content_gate,
    delivered,
    facts_sentence,
    luck_sentence,
    maps_sentence,
    maps_title,
    neutral_sentence,
    neutral_title,
    random_title,
    split_sentence,
    split_title,
    track_record,
    verdict_policy,
    what_it_sees,
)

NOTHING, ALONE, KNOWN = Estimate(), Estimate(0.55), Estimate(0.8, 0.7, 0.9)
LOSS = {"model": "Improved model", "damage": "JPEG quality = 30", "as they are": 0.9, "ROC-AUC": 0.7}
LUCK = {"model": "cnn_deck", "seeds": 3, "lowest": 0.612, "highest": 0.678}
MEASURED = (
    "ece",
    "ece_calibrated",
    "ece_venn_abers",
    "ece_by_chance",
    "false_positive_rate_fpr5",
    "recall_fpr5",
    "answered",
)


def test_confidence_is_said_with_its_intervals() -> None:
    said = confidence("best", 1.5, dict.fromkeys(MEASURED, KNOWN), LOSS, ALONE, LUCK)
    assert said[0] == (
        "`best` gets a temperature of 1.50. Its calibration error on the test goes from 0.80 [0.70, 0.90] to "
        "0.80 [0.70, 0.90], and by its intervals to 0.80 [0.70, 0.90]; chance alone would make 0.80."
    )
    assert (
        "false-positive rate of 5 % where photo sources were left out has one of 0.80 [0.70, 0.90]" in said[1]
    )
    assert said[2] == "80 % [70 %, 90 %] of the test pictures get a verdict."
    assert said[3].endswith("Improved model, JPEG quality = 30, ROC-AUC from 0.90 to 0.70.")
    assert said[4] == "A random split changes ROC-AUC by 0.550 (interval not estimable)."
    assert said[5] == (
        "Over 3 seeds the test ROC-AUC of `cnn_deck` runs from 0.61 to 0.68: smaller differences are luck."
    )


def test_nothing_estimable_is_no_error_and_no_claim() -> None:
    said = confidence("best", 1.5, dict.fromkeys(MEASURED, NOTHING), LOSS, NOTHING, LUCK)
    assert "from – to –, and by its intervals to –; chance alone would make –." in said[0]
    assert said[2].startswith("– of")
    assert said[4] == "There are too few groups here to measure what a random split changes."
    assert "cannot be measured" in split_title(NOTHING)


def test_a_random_splits_sign_is_read_and_twins_explained() -> None:
    assert split_title(KNOWN) == "A random split adds 0.800 [0.700, 0.900] of ROC-AUC without any skill"
    assert "are easier to rank" in split_sentence(KNOWN)
    lowered = Estimate(-0.06, -0.1, -0.02)
    assert split_title(lowered) == "A random split takes 0.060 [0.020, 0.100] of ROC-AUC away"
    assert split_sentence(lowered, twins=True).endswith("and carries the other label.")
    assert "label" not in split_sentence(lowered)
    neither = split_sentence(Estimate(-0.01, -0.05, 0.03), twins=True)
    assert neither == ("A random split changes ROC-AUC by -0.010 [-0.050, 0.030]: no measurable difference.")


def test_file_facts_and_the_loss_without_shortcuts_are_findings() -> None:
    won, lost, level = Estimate(0.2, 0.1, 0.3), Estimate(-0.2, -0.3, -0.1), Estimate(0.0, -0.1, 0.1)
    assert against_facts("M", KNOWN, ALONE, won).endswith(
        "reach a ROC-AUC of 0.55 (interval not estimable); M reaches 0.80 [0.70, 0.90], a paired difference "
        "of 0.20 [0.10, 0.30]: pixels tell it more than the files do."
    )
    assert against_facts("M", ALONE, KNOWN, lost).endswith("whoever reads no pixel does better.")
    assert against_facts("M", ALONE, KNOWN, level).endswith("the two cannot be told apart.")
    assert against_facts("M", ALONE, ALONE, ALONE).endswith("too few groups to tell the two apart.")
    assert neutral_sentence("M", won, "test and unseen").startswith(
        "Cut to one square and compressed alike, the test and unseen pictures cost M 0.20 [0.10, 0.30] of "
    )
    assert "rested on size, compression" in neutral_sentence("M", won, "test")
    assert "no measurable difference" in neutral_sentence("M", level, "test")
    assert "ranks better without" in neutral_sentence("M", lost, "test")
    assert neutral_sentence("M", NOTHING, "test") == ""


def test_a_title_names_whoever_loses_most_by_being_made_alike() -> None:
    level, lost, more = Estimate(0.0, -0.1, 0.1), Estimate(0.1, 0.05, 0.2), Estimate(0.2, 0.1, 0.3)
    assert (
        neutral_title({"A": lost, "B": more, "C": level}, "Cut")
        == "Cut: B loses 0.20 [0.10, 0.30] of ROC-AUC"
    )
    assert neutral_title({"A": level}, "Cut") == "Cut: no measurable loss of ROC-AUC"
    assert neutral_title({"A": Estimate(0.3)}, "Cut") == "Cut"
    table = pd.DataFrame({"feature": ["all facts"], "auc": [0.62], "low": [0.54], "high": [0.69]})
    assert facts_sentence(table).endswith("(chance is 0.50): all facts 0.62 [0.54, 0.69].")


def test_one_seed_is_one_number() -> None:
    said = luck_sentence(LUCK | {"seeds": 1, "highest": 0.612})
    assert said.startswith("One seed of `cnn_deck` was trained: its test ROC-AUC is 0.61.")


LEARNT = {"dense": 0.9, "conv2d": 0.3, "another picture": 0.2}


def test_maps_of_a_network_at_chance_explain_nothing() -> None:
    said = maps_sentence("M", Estimate(0.51, 0.3, 0.7), None)
    assert "0.51 [0.30, 0.70] on the test, not above chance: there is no learning to explain" in said
    assert maps_title("M", None) == random_title("M", False, LEARNT)
    assert maps_title("M", None) == "M is not above chance: no learning to explain"


def test_maps_pass_their_check_or_fail_it() -> None:
    passed, failed = Estimate(0.12, 0.05, 0.2), Estimate(0.01, -0.05, 0.07)
    assert maps_sentence("M", KNOWN, passed).startswith(
        "M: the maps depend on what was learnt: their likeness"
    )
    assert "cannot be told from those of shuffled labels" in maps_sentence("M", KNOWN, failed)
    assert "cannot be told" in maps_title("M", Estimate(0.3))
    assert random_title("M", True, LEARNT).startswith("Random weights keep 0.30 of the maps' order")


def test_residuals_are_judged_by_their_numbers() -> None:
    said = what_it_sees("Maps.", {"rings": 128, "rings_apart": {"as they are": 40, "after JPEG 75": 9}})
    assert said[0] == "Maps."
    assert said[1].startswith("In 40 of 128 rings") and "compression in 9;" in said[1]
    few = what_it_sees("Maps.", {"rings": 128, "rings_apart": {"a": None, "b": None}})
    assert few[1].startswith("There are too few originals")


def deliveries(worst: int = 1, low: float = 0.1) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "title": ["As they are", "JPEG 60", "Grey"],
            "transformation": [False, False, True],
            "worst": [row == worst for row in range(3)],
            "recall": [0.9, 0.6, 0.2],
            "false_positive_rate": [0.05, 0.1, 0.0],
            "balanced_accuracy": [0.925, 0.75, 0.6],
            "drop": [0.0, 0.18, 0.33],
        }
    )
    for name in ("recall", "false_positive_rate", "balanced_accuracy", "drop"):
        table[f"{name}_low"], table[f"{name}_high"] = np.nan, np.nan
    return table.assign(drop_low=low, drop_high=0.25)


CHANGES = pd.DataFrame(
    {
        "delivery": ["jpeg_60", "any"],
        "turned": [0.1, 0.1],
        "turned_low": [0.05, 0.05],
        "turned_high": [0.2, 0.2],
        "changed": [0.2, 0.3],
        "changed_low": [0.1, 0.2],
        "changed_high": [0.3, 0.4],
        "answered": [0.8, 0.6],
        "answered_low": [0.7, 0.5],
        "answered_high": [0.9, 0.7],
    }
)


def test_the_worst_delivery_is_named_with_both_rates_and_what_it_costs() -> None:
    worst, verdicts, reworked = delivered("Improved model", deliveries(), CHANGES)
    assert worst == (
        "The worst of 2 deliveries for Improved model is “JPEG 60”: recall 0.60 (interval not estimable), "
        "false-positive rate 0.10 (interval not estimable); as they are, recall 0.90 (interval not "
        "estimable), false-positive rate 0.05 (interval not estimable). It costs 0.18 [0.10, 0.25] of "
        "balanced accuracy."
    )
    assert verdicts == (
        "A share of 0.60 [0.50, 0.70] of the pictures gets a verdict through every one of them. At least one "
        "turns the verdict into its opposite for 0.10 [0.05, 0.20] of the pictures, and changes it at all "
        "for 0.30 [0.20, 0.40]."
    )
    assert "“Grey” leaves least: recall 0.20" in reworked
    assert reworked.endswith("a balanced accuracy of 0.60 against 0.93 as they are.")


def test_a_loss_that_may_be_chance_and_no_loss_are_called_so() -> None:
    assert delivered("x", deliveries(low=-0.1), CHANGES)[0].endswith(
        "of balanced accuracy, which may be chance."
    )
    said = delivered("x", deliveries(worst=0).iloc[:2], CHANGES)
    assert said[0].startswith("None of 2 deliveries costs x balanced accuracy: recall 0.90")
    assert len(said) == 2


def gate_tables(missed: tuple[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    kinds = pd.DataFrame(
        {
            "origin": ["drawn in code", "left out of the sample", "left out of the sample"],
            "kind": ["blank", "logo", "poster"],
            "pictures": [10, 20, 30],
            "missed": [0, *missed],
            "share": [0.0, missed[0] / 20, missed[1] / 30],
        }
    )
    alarms = pd.DataFrame(
        {
            "part": ["test", "unseen"],
            "label": [1, 0],
            "share": [0.0, 0.07],
            "share_low": [0.0, 0.01],
            "share_high": [0.08, 0.17],
        }
    )
    return kinds, alarms


def test_the_gate_is_said_with_what_it_stops_what_passes_and_what_it_costs() -> None:
    assert content_gate(*gate_tables((1, 24))) == [
        "The content gate stops 10 of 10 pictures drawn in code and 25 of 50 pictures left out of the "
        "sample. Most pass of kind poster: 24 of 30.",
        "Of the dataset's own pictures it stops most among the Human-made ones of the unseen split: a share "
        "of 0.07 [0.01, 0.17].",
    ]


def test_a_gate_without_a_miss_or_a_false_alarm_names_none() -> None:
    kinds, alarms = gate_tables((0, 0))
    assert content_gate(kinds, alarms[alarms["share"] == 0]) == [
        "The content gate stops 10 of 10 pictures drawn in code and 50 of 50 pictures left out of the "
        "sample.",
        "It stops none of the dataset's own pictures that were not used to choose its limits.",
    ]


def test_a_track_record_is_two_counts_with_their_intervals() -> None:
    missed = {"count": 52, "of": 95, "share": 52 / 95, "low": 0.42, "high": 0.66}
    called = {"count": 9, "of": 96, "share": 9 / 96, "low": None, "high": None}
    assert track_record({"missed": missed, "accused": called}) == [
        "On generators it had not met, it missed 52 of 95 pictures [42 %, 66 %].",
        "Of photographs from photo sources it had not met, it called 9 of 96 AI (interval not estimable).",
    ]
    assert track_record(None) == []


def test_a_policy_says_what_its_verdicts_were_worth_or_why_there_are_none() -> None:
    found = {"said": 40, "right": 38, "precision": {"value": 0.95, "low": 0.7, "high": 0.99}}
    policy = {"ai_from": 0.7, "clear_up_to": None, "why_no_ai": "", "why_no_clear": "It cannot clear."}
    assert verdict_policy(policy | {"evidence": {"ai": found}}) == [
        "*AI-generated* is said where the whole interval lies from 70 % on: by cut-offs chosen without "
        "the source at hand, it was said 40 times and right 38 times; at equal numbers of both classes, a "
        "share of 0.95 [0.70, 0.99] is right.",
        "It cannot clear.",
    ]
    silent = policy | {
        "ai_from": None,
        "why_no_ai": "Nothing supports it.",
        "why_no_clear": "Nothing supports it.",
    }
    assert verdict_policy(silent) == ["Nothing supports it."]
