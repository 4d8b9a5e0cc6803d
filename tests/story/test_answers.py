"""Sentences about answers: rates where they are defined, and what is known without calibration or truth."""

from __future__ import annotations

import pandas as pd

from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.estimate import Estimate
from src.utils.story.answers import (
    better_detector,
    calibration_sentence,
    chance_sentences,
    fair_sentence,
    links,
    matrix_sentence,
    on_test,
    read_paths_sentence,
    trust_sentence,
)


def ways(other=(0, 2, 5), shift=(0.0, 0.1, 0.25)) -> pd.DataFrame:
    return pd.DataFrame(
        {"other_answers": other, "largest_shift": shift},
        index=["this project", "deck, URL cell", "deck, page"],
    )


def test_a_model_is_described_beside_its_baselines() -> None:
    known = {"balanced_accuracy": Estimate(0.5), "auc": Estimate(0.63, 0.5, 0.7), "f1": Estimate(0.67)}
    models = {"always_ai": known}
    models["cnn_deck"] = {**known, "confusion_matrix": [[45, 15], [6, 54]]}
    compared = {"cnn_scaled_minus_cnn_deck": {"test": {"auc": Estimate(0.1, 0.02, 0.2)}}}
    said = on_test("cnn_deck", models, compared, 1120, 24)
    assert said[0] == (
        "`cnn_deck` on 1,120 test pictures in 24 groups: balanced accuracy 0.50 (interval not estimable), "
        "ROC-AUC 0.63 [0.50, 0.70]."
    )
    assert said[1] == (
        "Of 60 human-made pictures it calls 15 AI-generated (false-positive rate 25 %); "
        "of 60 AI-generated ones it misses 6 (recall 90 %)."
    )
    assert said[2] == (
        "That cannot be told from guessing: the interval of its ROC-AUC, 0.63 [0.50, 0.70], holds 0.50. "
        "Notebook 09 looks for a better model."
    )
    assert said[3].endswith("change the deck's ROC-AUC by: test 0.10 [0.02, 0.20] (better).")
    assert "F1 of 0.67" in said[4] and len(said) == 6


def test_a_model_above_chance_is_not_called_a_guess() -> None:
    assert chance_sentences({"auc": Estimate(0.7, 0.51, 0.8)}, None) == []
    (worse,) = chance_sentences({"auc": Estimate(0.3, 0.2, 0.45)}, None)
    assert worse.startswith("That is worse than guessing: its ROC-AUC is 0.30 [0.20, 0.45].")
    (said,) = chance_sentences({"auc": Estimate(0.7)}, {"auc": Estimate(0.9, 0.8, 0.95)})
    assert said.startswith("On so few groups its ROC-AUC, 0.70 (interval not estimable), cannot be told")
    assert said.endswith("The improved model (notebook 09) reaches 0.90 [0.80, 0.95] on the same pictures.")


def test_a_difference_is_a_finding_only_where_its_interval_leaves_out_zero() -> None:
    kinds = {
        "no interval, so no finding": Estimate(0.1),
        "worse": Estimate(-0.1, -0.2, -0.01),
        "no measurable difference": Estimate(0.1, -0.1, 0.2),
    }
    for words, difference in kinds.items():
        said = fair_sentence({"cnn_scaled_minus_cnn_deck": {"unseen": {"auc": difference}}})
        assert said.endswith(f"unseen {difference.text()} ({words}).")
    assert fair_sentence({}).endswith("not measured.")


def test_a_rate_needs_pictures() -> None:
    assert matrix_sentence([[0, 0], [1, 3]]).startswith("There are no human-made pictures; of 4")
    assert matrix_sentence([[2, 0], [0, 0]]).endswith(
        "(false-positive rate 0 %); there are no AI-generated ones."
    )


def test_links_are_right_or_wrong_only_where_the_truth_is_known() -> None:
    answers = pd.DataFrame(
        {
            "verdict": ["Uncertain", "No sign of AI"],
            "label": ["AI-generated", "Human-made"],
            "truth": ["AI-generated", "AI-generated"],
        }
    )
    assert links("Trust.", answers, ways())[:2] == [
        "Trust.",
        "2 pictures read from links: 1 answered *Uncertain*, 1 on the right side of the threshold.",
    ]
    assert links("", answers.assign(truth=""), ways())[1] == (
        "2 pictures read from links: 1 answered *Uncertain*."
    )


def test_the_worst_way_of_reading_is_named_if_it_changes_anything() -> None:
    assert read_paths_sentence(ways(), 12) == (
        "Read as “deck, page”, 5 of 12 pictures get another answer; "
        "the largest change of a probability is 0.25."
    )
    said = read_paths_sentence(ways(other=(0, 0, 0)), 12)
    assert said.startswith("Read in the deck's three ways, no picture gets another answer")


def test_trust_is_what_was_measured() -> None:
    auc = {"value": 0.62, "low": None, "high": None}
    said = trust_sentence({"demonstration": True, "metrics": {"test": {"auc": auc}}})
    assert said.startswith(DEMONSTRATION) and "0.62 (interval not estimable)" in said
    assert "has not been measured" in trust_sentence({"metrics": {}})
    assert "not proof" in trust_sentence({"demonstration": False})
    others = {"detector": {}, "metrics": {"test": {"auc": {}}, "unseen": {"auc": auc}}}
    assert "On pictures of unseen sources, which it may have met, its ROC-AUC is 0.62" in trust_sentence(
        others
    )


def test_whoever_is_answered_by_a_demonstration_is_told_of_a_better_detector() -> None:
    assert better_detector({"demonstration": True}) == BETTER_DETECTOR
    assert better_detector({"demonstration": False}) == better_detector({}) == ""


def test_a_model_without_calibration_says_what_to_run() -> None:
    policy = {"ai_from": 0.85, "clear_up_to": 0.2, "why_no_ai": "", "why_no_clear": ""}
    assert "run notebook 10" in calibration_sentence({"calibrated": False, "policy": policy})
    others = {"calibrated": False, "policy": policy, "detector": {}, "name": "sieve"}
    assert "run `make calibrate MODEL=sieve`, then this" in calibration_sentence(others)
    assert calibration_sentence({"calibrated": True, "policy": policy}) == (
        "This model is calibrated. *AI-generated* where the whole interval lies above 85 %. "
        "*No sign of AI* where the whole interval lies below 20 %."
    )
    why = "Nothing supports a verdict."
    silent = {"ai_from": None, "clear_up_to": None, "why_no_ai": why, "why_no_clear": why}
    assert calibration_sentence({"calibrated": True, "policy": silent}) == f"This model is calibrated. {why}"
