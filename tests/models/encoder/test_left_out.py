"""Scores of heads that had not met a picture's source, on the scale of the head that is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.utils.data.families import source_names
from src.utils.data.split import group_weights
from src.utils.models.encoder.best import PROBE
from src.utils.models.encoder.heads import fit_head, scale_head, take
from src.utils.models.encoder.left_out import left_out_scores, plan_rounds
from src.utils.models.encoder.runtime import EMBEDDING


def make_images(pictures: int = 24) -> pd.DataFrame:
    """Two photo sources, two generator families (three names) and one picture of which nothing is known."""
    rows = np.arange(pictures)
    label = rows % 2
    generator = np.where(label == 1, np.array(["Flux.1 dev", "Flux.2", "Kling 3"])[rows // 2 % 3], "")
    origin = np.where(label == 0, np.array(["Alps", "Argon theme"])[rows // 2 % 2], "")
    origin[0] = ""
    return pd.DataFrame(
        {
            "file_name": rows.astype(str),
            "label": label,
            "group": rows.astype(str),
            "split": np.where(rows % 10 < 8, "train", "validation"),
            "generator": generator,
            "origin": origin,
        }
    )


def test_sources_are_families_and_photo_sources_and_what_is_not_known_is_one_of_its_own():
    assert set(source_names(make_images())) == {"Flux", "Kling", "Alps", "Argon theme", "group 0"}


def test_every_picture_is_scored_once_by_rounds_that_had_not_met_its_source_nor_its_group():
    images = make_images()
    images.loc[3, "group"] = "2"  # a picture of a generator in a photograph's group
    rounds, left_out = plan_rounds(images)
    assert left_out == "source" and len(rounds) == 5
    assert sorted(np.concatenate([score for _, score in rounds])) == list(range(24))
    source, group = source_names(images), images["group"].to_numpy()
    for fit, score in rounds:
        assert not set(source[fit]) & set(source[score]) and not set(group[fit]) & set(group[score])


def test_where_a_class_has_one_source_groups_are_left_out():
    images = make_images().assign(generator="One", origin="Other")
    rounds, left_out = plan_rounds(images)
    assert left_out == "group" and len(rounds) == 5
    unknown = make_images().assign(generator="", origin="")  # each group is a source, but none has a name
    assert plan_rounds(unknown)[1] == "group" and plan_rounds(make_images())[1] == "source"
    assert sorted(np.concatenate([score for _, score in rounds])) == list(range(24))


def test_scores_are_on_the_scale_of_the_kept_head_and_know_nothing_of_their_source():
    """One number tells all sources apart but Kling's pictures, which have a mark of their own."""
    images = make_images(96)
    rng = np.random.default_rng(0)
    label, source = images["label"].to_numpy(int), source_names(images)
    embedding = rng.normal(0, 0.1, (96, 2)).astype(np.float32)
    embedding[:, 0] += np.where(label == 1, 1, -1) * (source != "Kling")
    embedding[:, 1] += 3.0 * (source == "Kling")
    views, train = {"whole": {EMBEDDING: embedding}}, np.flatnonzero(images["split"] == "train")
    raw = fit_head([take(views["whole"], train)], label[train], group_weights(images)[train], (EMBEDDING,))
    kept = scale_head(raw, 4.0, 0.5)
    odds, left_out = left_out_scores(PROBE, kept, images, views)
    own = kept.log_odds(views["whole"])
    assert left_out == "source" and np.isfinite(odds).all()
    assert own[source == "Kling"].min() > 1 and np.abs(odds[source == "Kling"]).max() < own[label == 1].mean()
    for name in ("Alps", "Argon theme", "Flux"):
        mine = source == name
        assert odds[mine].mean() == pytest.approx(own[mine].mean(), rel=0.5)
        assert np.all(np.sign(odds[mine]) == np.sign(own[mine]))
