"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring.parts import part_of
from src.utils.judge.measure import (
    COMPARED,
    METRICS,
    Said,
    measure,
    measure_file_facts,
    measure_sources,
    pair_up,
    paired_difference,
)
from tests.judge.folders import AI, HUMAN


def part_with(probability, label, group=None):
    rows = len(label)
    images = pd.DataFrame(
        {
            "file_name": [f"{row}.png" for row in range(rows)],
            "label": label,
            "group": range(rows) if group is None else group,
            "split": "judged",
            "generator": ["Flux" if one else "" for one in label],
            "origin": ["" if one else "Archive" for one in label],
        }
    )
    return part_of(images, "judged"), np.asarray(probability)


def test_six_answers_give_the_metrics_that_one_counts_on_paper():
    part, said = part_with([*HUMAN, *AI], [0, 0, 0, 1, 1, 1])
    found = measure(part, Said(said, said, 0.5))
    assert set(METRICS) <= found.keys()
    expected = {
        "auc": 8 / 9,
        "balanced_accuracy": 2 / 3,
        "recall": 2 / 3,
        "false_positive_rate": 1 / 3,
        "f1": 2 / 3,
        "brier": 0.82 / 6,
        "average_precision": (1 + 1 + 3 / 4) / 3,
        "ece": (0.1 + 0.2 + 0.6 + 0.6 + 0.2 + 0.1) / 6,
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].low is None, name  # three groups of a class
    assert found["confusion_matrix"] == [[2, 1], [1, 2]]


def test_file_facts_are_learnt_from_training_and_measured_elsewhere():
    rows = [(split, row % 2) for split in ("train", "unseen") for row in range(80)]
    images = pd.DataFrame(rows, columns=["split", "label"])
    images["file_name"] = [f"{row}.png" for row in range(len(images))]
    images["group"] = images["file_name"]
    images = images.assign(format="PNG", mode="RGB", bytes=9000, height=64, generator="", origin="")
    images["width"] = 64 + 64 * images["label"]  # AI is wider, but for eight of the forty that are unseen
    odd = (images["split"] == "unseen") & (images["label"] == 1) & (np.arange(len(images)) % 5 == 0)
    images.loc[odd, "width"] = 64
    drawn = part_of(images.sample(frac=1, random_state=0).reset_index(drop=True), "unseen")
    found = measure_file_facts(images, drawn)
    assert found["confusion_matrix"] == [[40, 0], [8, 32]] and found["auc"].value == pytest.approx(0.9)


def test_the_threshold_decides_what_is_called_ai():
    part, said = part_with([*HUMAN, *AI], [0, 0, 0, 1, 1, 1])
    found = measure(part, Said(said, said, 0.85))
    assert (found["false_positive_rate"].value, found["recall"].value) == (0, pytest.approx(1 / 3))
    assert found["auc"].value == pytest.approx(8 / 9)


def test_many_groups_give_intervals_that_hold_the_value_and_are_never_certain():
    rng = np.random.default_rng(0)
    label = np.arange(80) % 2
    part, said = part_with(np.clip(rng.normal(0.35 + 0.3 * label, 0.2), 0, 1), label)
    found = measure(part, Said(said, said, 0.5))
    for name in ("auc", "balanced_accuracy", "brier", "recall", "false_positive_rate"):
        assert found[name].low < found[name].value < found[name].high, name
    right = np.where(label == 1, 0.9, 0.1)
    perfect = measure(part, Said(right, right, 0.5))
    assert perfect["auc"].value == perfect["auc"].high == 1
    assert 0.9 < perfect["auc"].low < 1


def test_differences_are_paired_and_each_set_of_answers_has_its_threshold():
    rng = np.random.default_rng(0)
    label = np.arange(80) % 2
    part, said = part_with(np.clip(rng.normal(0.35 + 0.3 * label, 0.2), 0, 1), label)
    same = paired_difference(part, Said(said, said, 0.5), Said(said, said / 2, 0.25))
    for name in COMPARED:
        assert (same[name].value, same[name].low, same[name].high) == (0, 0, 0), name
    worse = paired_difference(part, Said(said, said, 0.5), Said(1 - said, 1 - said, 0.5))
    assert worse["auc"].low > 0.3


def test_a_generator_is_ranked_against_all_photographs():
    part, said = part_with([*HUMAN, *AI], [0, 0, 0, 1, 1, 1])
    part.images.loc[3, "generator"] = "SDXL"
    table = measure_sources(part, Said(said, said, 0.5)).set_index("source")
    assert table.loc["SDXL", "auc"] == pytest.approx(2 / 3)
    assert table.loc["Flux", ["called_ai", "auc"]].tolist() == [1, 1]
    assert table.loc["Archive", "called_ai"] == pytest.approx(1 / 3)


def test_pictures_are_paired_by_content_and_a_copy_with_the_first():
    here = pd.DataFrame({"content": ["a", "b", "c", "b"]})
    there = pd.DataFrame({"content": ["x", "b", "a", "b"]})
    mine, theirs = pair_up(here, there)
    assert (mine.tolist(), theirs.tolist()) == ([0, 1, 3], [2, 1, 1])


def test_pictures_are_ranked_by_the_score_and_called_by_the_probability():
    part, score = part_with([*HUMAN, *AI], [0, 0, 0, 1, 1, 1])
    tied = np.where(score >= 0.5, 0.7, 0.3)  # what a calibration makes of them
    found = measure(part, Said(score, tied, 0.5))
    assert found["auc"].value == pytest.approx(8 / 9)
    assert found["brier"].value == pytest.approx((4 * 0.09 + 2 * 0.49) / 6)
    table = measure_sources(part, Said(score, tied, 0.5)).set_index("source")
    assert table.loc["Flux", "auc"] == pytest.approx(8 / 9)
