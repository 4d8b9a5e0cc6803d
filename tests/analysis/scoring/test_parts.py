"""Parts of the pictures, and when the unseen set has to help out."""

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring.parts import held_out_part, never_met_part, part_of, source_weights, sub_part


def make_images(test_groups, unseen_groups):
    rows = [
        {
            "file_name": f"{split}-{number}-{crop}.jpg",
            "label": number % 2,
            "group": f"{split}-{number}",
            "split": split,
        }
        for split, groups in (("train", 4), ("test", test_groups), ("unseen", unseen_groups))
        for number in range(groups)
        for crop in range(1 + number % 3)
    ]
    return pd.DataFrame(rows)


def test_a_part_holds_its_rows_and_weighs_groups_alike():
    images = make_images(10, 4)
    part = part_of(images, "test")
    assert part.name == "test"
    assert (part.images["split"] == "test").all()
    np.testing.assert_array_equal(images["label"].to_numpy()[part.rows], part.label)
    per_group = pd.Series(part.weight).groupby(part.group).sum()
    assert per_group.max() == pytest.approx(per_group.min())
    assert part.weight.mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("test_groups", "unseen_groups", "name"),
    [(40, 10, "test"), (38, 10, "test and unseen"), (10, 0, "test"), (40, 0, "test")],
)
def test_unseen_pictures_help_out_only_where_the_test_is_too_small(test_groups, unseen_groups, name):
    part = held_out_part(make_images(test_groups, unseen_groups))
    assert part.name == name
    assert set(part.images["split"]) == set(name.split(" and "))


def test_what_no_training_met_is_test_and_unseen():
    assert set(never_met_part(make_images(40, 10)).images["split"]) == {"test", "unseen"}
    assert never_met_part(make_images(40, 0)).name == "test"


def test_some_pictures_of_a_part():
    images = make_images(10, 4)
    part = part_of(images, "test", "unseen")
    some = sub_part(images, part, part.images.iloc[[3, 1]])
    assert some.name == "test and unseen"
    assert some.images["file_name"].tolist() == part.images["file_name"].iloc[[1, 3]].tolist()


def test_an_empty_part_is_no_error():
    part = part_of(make_images(4, 0), "unseen")
    assert len(part.images) == len(part.weight) == 0


def test_every_source_of_a_class_weighs_the_same_and_without_sources_nothing_changes():
    images = make_images(60, 0)
    small = images["group"].isin([f"test-{number}" for number in range(1, 17, 2)])
    named = images.assign(generator=np.where(small, "Flux.1 dev", "Z-Image"), origin="")
    part = part_of(named, "test")
    weight = pd.Series(source_weights(part))
    family = part.images["generator"].where(part.label == 1, "")
    sums = weight.groupby(family).sum()
    assert sums["Flux.1 dev"] == pytest.approx(sums["Z-Image"])
    assert sums[""] == pytest.approx(part.weight[part.label == 0].sum())  # each class keeps its sum
    per_group = weight[family == "Flux.1 dev"].groupby(part.group[family == "Flux.1 dev"]).sum()
    assert len(per_group) == 8 and per_group.max() == pytest.approx(per_group.min())
    unknown = part_of(images.assign(generator="", origin=""), "test")
    np.testing.assert_allclose(source_weights(unknown), unknown.weight)
