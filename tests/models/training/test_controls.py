"""Two networks that differ in their labels only, on whole groups, trained once."""

import numpy as np
import pytest

from src.utils.models.training import controls
from src.utils.models.training.controls import SHUFFLED, TRUE, draw_few, shuffle_labels, train_controls
from tests.manifests import make_manifest
from tests.models.tiny import build_tiny, make_project


def manifest(groups=40, per_group=3):
    return make_manifest(groups=groups, per_group=per_group).assign(split="train")


def test_few_are_whole_groups_of_both_classes():
    images = manifest()
    few = draw_few(images, 30, seed=1)
    kept = few[few["split"] == "train"]
    assert len(few) == len(images) and 0 < len(kept) <= 30
    assert kept.groupby("group").size().eq(3).all()
    assert kept["label"].value_counts().tolist() == [15, 15]
    assert draw_few(images, 1, seed=1).query("split == 'train'")["label"].nunique() == 2
    assert draw_few(images.assign(split="test"), 30, seed=1)["split"].eq("").all()


def test_shuffled_labels_change_by_group_and_say_nothing_of_the_class():
    images = manifest()
    images.loc[images["group"] == images["group"].iloc[0], "split"] = "test"
    shuffled = shuffle_labels(images, seed=1)
    changed = shuffled["label"] != images["label"]
    assert not changed[images["split"] == "test"].any()
    assert changed.groupby(images["group"]).nunique().eq(1).all()
    training = images["split"] == "train"
    assert changed[training].groupby(images["label"]).mean().to_numpy() == pytest.approx([0.5, 0.5], abs=0.03)
    pairs = images.assign(group=np.repeat(np.arange(120), 2).astype(str), label=[0, 1] * 120, split="train")
    swapped = shuffle_labels(pairs, seed=1)
    assert (swapped.groupby("group")["label"].sum() == 1).all()
    assert (swapped["label"] != pairs["label"]).mean() == 0.5


def test_controls_start_alike_learn_other_labels_and_are_trained_once(tmp_path, monkeypatch):
    settings, images, cache = make_project(tmp_path)
    images = images.assign(split="train")
    monkeypatch.setattr(controls, "build_deck_cnn", lambda policy, **_: build_tiny(policy))
    found = train_controls("cnn_scaled", images, cache, settings, progress=False)
    assert list(found) == [TRUE, SHUFFLED]
    first, second = (network.get_weights() for network in found.values())
    assert any(not np.array_equal(*both) for both in zip(first, second, strict=True))
    trained = []
    monkeypatch.setattr(
        "src.utils.models.training.fitting._score", lambda *_: trained.append(1) or pytest.fail("trained")
    )
    again = train_controls("cnn_scaled", images, cache, settings, progress=False)
    for one, other in zip(found.values(), again.values(), strict=True):
        assert all(np.array_equal(*both) for both in zip(one.get_weights(), other.get_weights(), strict=True))
    assert not trained
