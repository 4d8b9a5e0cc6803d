"""A part of the pictures to measure on: its rows, and what every measure needs to know about them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.analysis.stats.bootstrap import sort_groups
from src.utils.data.split import group_weights
from src.utils.models.encoder.selection import sources_of


class Part(NamedTuple):
    """Pictures of one or more splits.

    Attributes:
        name: Such as `test` or `test and unseen`.
        rows: Which rows of the manifest, bool [all].
        images: Those rows, numbered from 0.
        label: Their classes, int [n].
        group: Their groups, [n].
        weight: Their weights, float64 [n]: every group counts the same within its split.
    """

    name: str
    rows: NDArray[np.bool_]
    images: pd.DataFrame
    label: NDArray[np.intp]
    group: NDArray
    weight: NDArray[np.float64]


def part_of(images: pd.DataFrame, *splits: str) -> Part:
    """The pictures of some splits.

    Args:
        images: Readable rows of the manifest.
        *splits: Such as `test`.
    """
    rows = images["split"].isin(splits).to_numpy()
    return _part(images, rows, " and ".join(splits))


def held_out_part(images: pd.DataFrame) -> Part:
    """What no training met, enough of it for an interval: the test, and the unseen set where it takes both.

    Args:
        images: Readable rows of the manifest.

    Returns:
        The test pictures if each class has enough groups among them, or if there is no unseen set; otherwise
        test and unseen together.
    """
    test = part_of(images, "test")
    return test if sort_groups(test.group, test.label).estimable else never_met_part(images)


def never_met_part(images: pd.DataFrame) -> Part:
    """All that no training met: test and unseen together, or the test alone where there is no unseen set.

    Args:
        images: Readable rows of the manifest.
    """
    unseen = (images["split"] == "unseen").any()
    return part_of(images, "test", "unseen") if unseen else part_of(images, "test")


def newest_part(images: pd.DataFrame) -> Part:
    """The pictures that are newest to a model: the unseen set, or the test where there is none.

    Args:
        images: Readable rows of the manifest.
    """
    return part_of(images, "unseen" if (images["split"] == "unseen").any() else "test")


def sub_part(images: pd.DataFrame, part: Part, chosen: pd.DataFrame) -> Part:
    """Some pictures of a part.

    Args:
        images: Readable rows of the manifest.
        part: A part of them.
        chosen: Some of its rows, told by `file_name`.
    """
    return _part(images, images["file_name"].isin(chosen["file_name"]).to_numpy(), part.name)


def source_weights(part: Part) -> NDArray[np.float64]:
    """Weights that let every source of a class count the same, and every group within its source and split.

    Sources are those of `selection.sources_of`: small ones count as one together, as does what is not known,
    so that without sources nothing changes. Each class keeps its sum.

    Args:
        part: The pictures.

    Returns:
        float64 [n].
    """
    weight, source = pd.Series(part.weight), sources_of(part.images)
    of_class = weight.groupby(part.label).transform("sum")
    sources = pd.Series(source).groupby(part.label).transform("nunique")
    of_source = weight.groupby([part.label, source]).transform("sum")
    return (weight * of_class / sources / of_source).to_numpy(np.float64)


def _part(images: pd.DataFrame, rows: NDArray[np.bool_], name: str) -> Part:
    mine = images[rows].reset_index(drop=True)
    weight = group_weights(mine) if len(mine) else np.empty(0)
    return Part(name, rows, mine, mine["label"].to_numpy(int), mine["group"].to_numpy(), weight)
