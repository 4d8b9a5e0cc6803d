"""Titles of the talk: each finding, and that it stays true where nothing is measurable."""

from __future__ import annotations

import math

import pytest

from src.utils.estimate import Estimate
from src.utils.story import slides

SURE, UNSURE, FEW = Estimate(0.72, 0.61, 0.8), Estimate(0.55, 0.44, 0.66), Estimate(0.61)


def test_a_number_is_written_with_its_interval_or_alone() -> None:
    assert slides.brief(SURE) == "0.72 [0.61, 0.80]"
    assert slides.brief(FEW) == "0.61"
    assert slides.brief(Estimate()) == "–"


def test_folds_are_not_called_sources() -> None:
    said = slides.design("layers", 0.97, 0.94, "fold 5 (AI)", "fold")
    assert said == "“layers” was kept: ROC-AUC 0.97 over left-out folds, 0.94 on the worst, fold 5 (AI)"


@pytest.mark.parametrize(
    ("area", "said"),
    [
        (SURE, "ranks pictures better than guessing: ROC-AUC 0.72 [0.61, 0.80]"),
        (UNSURE, "cannot be told from guessing: ROC-AUC 0.55 [0.44, 0.66]"),
        (Estimate(0.3, 0.2, 0.4), "ranks pictures worse than guessing: ROC-AUC 0.30 [0.20, 0.40]"),
    ],
)
def test_guessing_is_judged_by_the_interval(area: Estimate, said: str) -> None:
    assert slides.guessing("A model", area) == f"A model {said}"


def test_what_one_seed_reaches_and_another_does_not_is_no_more_than_that() -> None:
    assert slides.guessing("A model", SURE, lowest=0.47) == (
        "A model is better than guessing, ROC-AUC 0.72 [0.61, 0.80], but not with each seed: 0.47"
    )
    assert slides.guessing("A model", SURE, lowest=0.58) == slides.guessing("A model", SURE)
    assert slides.guessing("A model", UNSURE, lowest=0.47) == slides.guessing("A model", UNSURE)


def test_without_an_interval_nothing_is_claimed() -> None:
    assert slides.guessing("A model", FEW).endswith(
        "ROC-AUC 0.61, on too few originals to tell it from guessing"
    )


def test_data_with_and_without_unseen_sources() -> None:
    assert slides.data(1615, 185) == (
        "1,615 pictures to learn from and to test on, 185 more of sources that training never meets"
    )
    assert slides.data(1615, 0) == "1,615 pictures to learn from and to test on"


def test_luck_needs_more_than_one_seed() -> None:
    assert "from 0.39 to 0.61" in slides.learning({"seeds": 3, "lowest": 0.388, "highest": 0.612})
    assert slides.learning({"seeds": 1, "lowest": 0.6, "highest": 0.6}).startswith("Trained once")


def test_matrix_counts_what_is_wrong_in_either_class() -> None:
    assert slides.matrix("A model", [[47, 13], [27, 34]]) == (
        "A model: 13 of 60 human-made pictures called AI, 27 of 61 AI-generated ones missed"
    )


def test_links_whose_class_nobody_knows_are_not_counted_as_right_or_wrong() -> None:
    assert slides.links(12, 10, 6, 11) == (
        "12 pictures read from links: 6 of 10 on the right side, 11 answered Uncertain"
    )
    assert slides.links(3, 0, 0, 1) == "3 pictures read from links: 1 answered Uncertain"


@pytest.mark.parametrize(
    ("p", "said"), [(0.2, "about as sure"), (math.nan, "about as sure"), (0.01, "surer on")]
)
def test_confidence_differs_only_beyond_chance(p: float, said: str) -> None:
    assert said in slides.confidence("VGG19", 0.3, 0.4, p)


def test_confidence_says_which_class_it_is_surer_of() -> None:
    assert slides.confidence("VGG19", 0.31, 0.42, 0.001) == (
        "VGG19 is surer on AI-generated than on human-made pictures: 0.31 and 0.42 (human, AI)"
    )


def test_categories_none_some_and_many() -> None:
    assert slides.categories(0, []) == "No category is frequent enough to be tested"
    assert slides.categories(5, []) == "None of 5 tested categories is over-represented in one class"
    assert slides.categories(9, ["lab_coat", "wig", "pier", "bib", "cup"]).endswith(
        "lab coat, wig, pier and 2 more"
    )


def test_mistakes_with_and_without_a_finding() -> None:
    assert slides.mistakes("M", 13, 27, 0, 18).endswith("no difference survives correction")
    assert slides.mistakes("M", 13, 27, 2, 18).endswith("2 of 18 comparisons survive correction")
    assert slides.mistakes("M", 13, 27, 1, 18).endswith("1 of 18 comparisons survives correction")
    assert slides.mistakes("M", 13, 27, 0, 0).endswith("too few to compare")


def test_unseen_sources_stand_beside_the_test() -> None:
    assert slides.unseen(SURE, FEW) == (
        "On sources that it never met, its ROC-AUC is 0.61; on the test, 0.72 [0.61, 0.80]"
    )


def test_the_extremes_of_sources_are_named() -> None:
    rows = [
        {"label": 1, "source": "A", "called_ai": 0.9, "pictures": 5},
        {"label": 1, "source": "B", "called_ai": 0.2, "pictures": 6},
        {"label": 0, "source": "C", "called_ai": 0.1, "pictures": 7},
    ]
    assert slides.sources(rows) == (
        "Found least: B, 20 % of 6 pictures; most often called AI: C, 10 % of 7 pictures"
    )
    assert slides.sources(rows[2:]) == "Most often called AI: C, 10 % of 7 pictures"


def test_a_loss_that_may_be_chance_says_so() -> None:
    assert slides.damage("Blur", 3, 0.8, 0.7, Estimate(0.1, 0.02, 0.2)) == (
        "“Blur” at 3 costs most: ROC-AUC from 0.80 to 0.70"
    )
    assert slides.damage("Blur", 3, 0.8, 0.7, Estimate(0.1, -0.02, 0.2)).endswith(", which may be chance")
    assert (
        slides.damage("Blur", 3, 0.8, 0.8, Estimate(0.0))
        == "No damage that was tried lowers the ROC-AUC of 0.80"
    )
    assert slides.delivery("chat", 0.8, 0.7, Estimate(0.1)).endswith("from 0.80 to 0.70, which may be chance")
    assert slides.delivery("chat", 0.8, 0.9, Estimate(0.1)).startswith("No way to a viewer")


def test_verdicts_that_are_never_given() -> None:
    assert slides.verdicts(Estimate(0.0), Estimate()) == "No test picture gets a verdict: all are Uncertain"
    assert slides.verdicts(Estimate(0.8), Estimate(0.9)) == (
        "80 % of the test pictures get a verdict; of these, 90 % are right"
    )


def test_limits_name_the_strongest_first() -> None:
    assert slides.limits(True, 0).startswith("This shows a method")
    assert slides.limits(False, 0).startswith("Nothing here says")
    assert "no proof" in slides.limits(False, 9)
