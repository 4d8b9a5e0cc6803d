"""Sentences about the data: what is there, what gives the classes away, what crosses a split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.datasets import DATASETS
from src.utils.story.data import SAMPLE_HISTORY, dataset, files, split, strongest_fact


def pictures(**columns) -> pd.DataFrame:
    table = {"label": [0, 0, 1], "group": ["a", "a", "b"], "split": ["", "", "unseen"]}
    return pd.DataFrame(table | columns)


def audit(**columns) -> pd.DataFrame:
    table = {
        "feature": ["jpeg_quality", "all container facts", "brightness"],
        "kind": ["container", "container", "content"],
        "auc": [0.7, 0.74, 0.61],
        "low": [0.6, 0.66, np.nan],
        "high": [0.8, 0.81, np.nan],
        "direction": ["more in AI", "", "more in human"],
        "constant": [False] * 3,
    }
    return pd.DataFrame(table | columns)


def test_a_dataset_is_counted_with_what_is_set_aside_and_what_is_missing() -> None:
    assert dataset("sample", pictures(), 0) == [
        "`sample` gives 3 pictures in 2 groups: 2 human-made and 1 AI-generated.",
        "1 of them are set aside as *unseen*: training never meets their generators and photo sources.",
        "Every file that is named is there.",
    ]
    plain = pictures(group="", split="")
    assert dataset("folder", plain, 4) == [
        "`folder` gives 3 pictures: 2 human-made and 1 AI-generated.",
        "Files that are named but missing: 4.",
    ]


def test_the_strongest_fact_of_each_kind() -> None:
    assert strongest_fact(audit(), "container") == "Container facts together reach AUC 0.74 [0.66, 0.81]."
    alone = strongest_fact(audit(auc=[0.8, 0.74, 0.61]), "container")
    assert alone == "Of the container facts, JPEG quality tells most: AUC 0.80 [0.60, 0.80], more in AI."
    content = strongest_fact(audit(), "content")
    assert content.endswith("brightness tells most: AUC 0.61 (interval not estimable), more in human.")


def test_constant_and_unmeasured_facts_tell_nothing() -> None:
    nothing = "No container fact varies between the pictures: there is nothing to learn from it."
    assert strongest_fact(audit(constant=[True] * 3), "container") == nothing
    assert strongest_fact(audit(auc=[np.nan] * 3), "container") == nothing


def test_only_the_sample_has_the_samples_history() -> None:
    assert files(pictures(), audit(), DATASETS["sample"])[-1] == SAMPLE_HISTORY
    said = files(pictures(), audit(), DATASETS["kaggle"])
    assert len(said) == 3 and said[0] == "3 pictures can be read: 2 human-made and 1 AI-generated."


def test_what_crosses_a_split_is_said() -> None:
    clean = split(pictures(), merged=0, method="group", leaks=0, leaks_if_random=1138)
    assert clean[:3] == [
        "2 groups hold 3 pictures; no near-duplicates had to be merged.",
        "Split by group: nothing crosses.",
        "Split at random, as the deck did it, 1,138 would cross on these pictures. What that changes, and in "
        "which direction, notebook 10 measures.",
    ]
    assert clean[3].startswith("The test chooses nothing.")
    leaky = split(pictures(), merged=2, method="random", leaks=5, leaks_if_random=5)
    assert "the groups of 2 pictures were merged because of near-duplicates" in leaky[0]
    assert leaky[1] == "Split by random: 5 groups or near-duplicate pairs cross."
