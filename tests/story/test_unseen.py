"""What is said of unseen sources: weakest first, anecdotes called so, no winner without a paired lead."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.estimate import Estimate
from src.utils.story.unseen import best_sentence, collections, price_of_the_new, unseen_sources

NOTHING, ALONE, KNOWN = Estimate(), Estimate(0.55), Estimate(0.8, 0.7, 0.9)


def sources(shares=(0.0, 0.9, 1.0), low=np.nan) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": [1, 1, 0],
            "source": ["Grok_*Imagine", "Kling 3", "Pixel theme"],
            "groups": [3, 30, 1],
            "pictures": [6, 60, 2],
            "called_ai": shares,
            "called_ai_low": [np.nan, low, np.nan],
        }
    )


def test_the_weakest_generator_and_photo_source_are_named_and_anecdotes_called_so() -> None:
    said = " ".join(unseen_sources("Improved model", KNOWN, ALONE, sources(low=0.8), demonstration=True))
    assert "never met, Improved model has a ROC-AUC of 0.55 (interval not estimable)" in said
    assert "whose sources it knows, 0.80 [0.70, 0.90]" in said
    assert (
        "recall is lowest on <code>Grok&#95;&#42;Imagine</code>: 0 % of 6 pictures from 3 originals." in said
    )
    assert "false-positive rate is highest on Pixel theme: 100 % of 2 pictures from 1 original." in said
    assert "2 of the 3 rows" in said
    assert "as a whole has too few originals" in said and "tomorrow" in said


def test_one_answer_for_all_and_no_unseen_set_are_said_so() -> None:
    said = unseen_sources("x", KNOWN, KNOWN, sources((1.0, 1.0, 1.0)), demonstration=False)
    assert said[1] == "It calls every one of these pictures AI-generated, whatever its source."
    assert len(said) == 3
    (nothing,) = unseen_sources("x", KNOWN, None, sources().head(0), demonstration=True)
    assert "no unseen set" in nothing


def test_the_price_of_a_new_source_is_the_last_row() -> None:
    table = pd.DataFrame({"drop": [0.3, 0.1234], "groups": [5, 25]})
    said = price_of_the_new({}, {}, table.assign(drop_low=0.1, drop_high=0.2), table.head(0))
    assert said[0] == (
        "Never having met a generator family costs the probe 0.123 [0.100, 0.200] of ROC-AUC on average over "
        "25 originals."
    )
    assert len(said) == 2
    (level, *_) = price_of_the_new(
        {}, {}, table.assign(drop=-0.001, drop_low=-0.02, drop_high=0.1), table.head(0)
    )
    assert "nothing measurable: its ROC-AUC falls by -0.001 [-0.020, 0.100] on average" in level
    assert price_of_the_new({}, {}, table.head(0), table.head(0))[0].startswith("No generator family")


def test_best_is_said_only_with_a_lead_that_excludes_zero() -> None:
    unseen = {"a": {"auc": KNOWN}, "b": {"auc": ALONE}, "c": {"auc": NOTHING}}
    ahead, level = Estimate(0.2, 0.1, 0.3), Estimate(0.03, -0.01, 0.07)
    (best,) = best_sentence(unseen, {"b": ahead, "c": ahead})
    assert best.startswith("Best on the unseen set: `a` with 0.80 [0.70, 0.90]")
    (doubt,) = best_sentence(unseen, {"b": level, "c": ahead})
    assert doubt.endswith("does not exclude zero over `b` (0.03 [-0.01, 0.07]): none is best.")
    assert "Best" not in doubt and "Best" not in best_sentence(unseen, {})[0]
    assert best_sentence({}, {}) == []


def test_collections_are_compared_where_something_is_held_the_same() -> None:
    rows = [
        ("one", "all of it", 60, 0.9),
        ("two", "all of it", 30, 0.03),
        ("one", "people", 20, 0.8),
        ("two", "people", 30, 0.03),
        ("one", "other subjects", 40, 0.95),
    ]
    table = pd.DataFrame(rows, columns=["collection", "which", "pictures", "called_ai"])
    said = collections(table)
    assert said[:2] == [
        "Called AI, all of it: 90 % of 60 from one, 3 % of 30 from two.",
        "Called AI, people: 80 % of 20 from one, 3 % of 30 from two.",
    ]
    assert len(said) == 3 and "its collection or its subject" in said[2]
    assert collections(table[table["collection"] == "one"]) == collections(table.head(0)) == []
