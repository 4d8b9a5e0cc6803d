"""Sentences about labels and mistakes: found, not found, and not testable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.estimate import Estimate
from src.utils.story.content import (
    association_sentence,
    confidence_sentence,
    effects_sentence,
    labels,
    mistakes,
    smallest_sentence,
    tree_sentence,
)

LIMITS = {"false positives": {"groups": 61, "d": 1.04}}
DECK = {"deck_human": 0.39, "deck_ai": 0.43}


def first(human=0.31, ai=0.28, p_adjusted=0.5) -> pd.Series:
    return pd.Series({"human": human, "ai": ai, "p_adjusted": p_adjusted, **DECK})


def categories(p, p_adjusted) -> pd.DataFrame:
    return pd.DataFrame({"category": ["wig", "plate"], "p": p, "p_adjusted": p_adjusted})


def effects(p, p_adjusted) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "p": p,
            "p_adjusted": p_adjusted,
            "verdict": ["false positives have less", "no difference shown"],
            "property": ["sharpness", "contrast"],
        }
    )


def test_confidence_is_compared_where_it_can_be() -> None:
    assert confidence_sentence(first()) == (
        "Mean confidence of the first label: 0.31 on human-made, 0.28 on AI-generated pictures; "
        "the difference is within chance. The deck had 0.39 and 0.43."
    )
    assert "more than chance" in confidence_sentence(first(p_adjusted=0.01))
    assert "too few groups to test" in confidence_sentence(first(p_adjusted=np.nan))
    assert "only where there are pictures of both" in confidence_sentence(first(ai=np.nan))


def test_categories_are_named_only_if_they_differ() -> None:
    assert association_sentence(categories([0.01, 0.6], [0.02, 0.6])).endswith(
        "tested: 2; after correction, over-represented in one class are wig."
    )
    assert association_sentence(categories([0.3, np.nan], [0.3, np.nan])).endswith(
        "tested: 1; after correction, none differs."
    )
    nothing = association_sentence(categories([np.nan] * 2, [np.nan] * 2))
    assert nothing == "No category is frequent enough to be tested."


def test_labels_name_what_is_missing() -> None:
    labelled = pd.DataFrame({"label": [0, 0], "group": ["a", "b"], "predict_1": ["wig", "plate"]})
    table, confidence = categories([0.3, 0.3], [0.3, 0.3]), first().to_frame().T
    said = labels("EfficientNet-Lite0", labelled, confidence, table, ("lab_coat", "plate"))
    assert said[0] == "EfficientNet-Lite0 named 2 pictures in 2 groups with 2 different first labels."
    assert said[3:] == [
        "Of the deck's 2 categories, nothing here is called lab_coat.",
        "These are EfficientNet-Lite0's words, not VGG19's: compare shapes, not digits.",
        "No picture is AI-generated.",
    ]
    assert len(labels("VGG19", labelled.assign(label=[0, 1]), confidence, table, ("plate",))) == 3


def test_effects_hold_do_not_hold_or_cannot_be_tested() -> None:
    assert effects_sentence(effects([0.01, 0.4], [0.02, 0.4])) == (
        "Of 2 tested comparisons, 1 survives correction: false positives have less sharpness."
    )
    assert effects_sentence(effects([0.2, 0.4], [0.4, 0.4])) == (
        "Of 2 tested comparisons, no difference survives correction."
    )
    assert effects_sentence(effects([np.nan] * 2, [np.nan] * 2)).startswith("Nothing could be tested")
    assert effects_sentence(effects([0.1] * 2, [0.1] * 2).head(0)).startswith("Nothing could be tested")


def test_what_could_have_been_missed_is_said_where_something_was_tested() -> None:
    assert smallest_sentence({"false positives": {"groups": 61, "d": 1.04}}) == (
        "A smaller difference could have been missed: 61 groups cannot exclude one of d = 1.0 among false "
        "positives (in standard deviations; after correction, found in four of five samples)."
    )
    assert smallest_sentence({}) == ""


def test_a_tree_is_worth_its_interval() -> None:
    kind = "false positives"
    assert tree_sentence(kind, Estimate(), 0).startswith("**False positives**: too few of them")
    assert "cannot be judged" in tree_sentence(kind, Estimate(), 3)
    assert tree_sentence(kind, Estimate(0.51), 3).endswith("on so few groups that shows nothing either way.")
    assert tree_sentence(kind, Estimate(0.7, 0.6, 0.8), 3) == (
        "**False positives**: the tree's ROC-AUC out of fold is 0.70 [0.60, 0.80]: "
        "these properties tell them from right answers better than chance."
    )
    assert "cannot be told from right answers" in tree_sentence(kind, Estimate(0.51, 0.4, 0.6), 3)


def test_mistakes_are_counted_first() -> None:
    said = mistakes("cnn_deck", (1, 27), 1200, 0.667, effects([0.2, 0.4], [0.4, 0.4]), LIMITS, ["Tree."], 9)
    assert said[0] == (
        "Deck's CNN (faithful) makes 1 false positive and 27 false negatives on 1,200 test pictures; "
        "accuracy 67 %, every group counting the same."
    )
    assert said[2].startswith("A smaller difference could have been missed: 61 groups")
    assert said[3] == "Tree." and "9 vary between the test pictures" in said[4]
