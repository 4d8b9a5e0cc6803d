"""Near-duplicates: pictures so alike that one in training and one in test would be cheating.

Two pictures are near-duplicates when their files are equal, or when their perceptual hashes differ in at most
`MAX_DISTANCE` of 64 bits. Nearly uniform pictures (fog, empty paper) are left to the first rule: their hash
is decided by noise, and would chain strangers into one giant group.

The distance was chosen by measurement, on 760 pictures of the sample's packages. At 6 bits, 98 % or more of
the copies are found that were compressed (JPEG 40), halved, blurred, squashed or lost 1 % at each edge, and
84 % of those that lost 2 %; of 180 million pairs of crops from unrelated pictures 8 are called duplicates. At
4 bits it is 92 % and 63 % of the cropped copies and 1 pair, at 8 bits 99 % and 95 % and 31 pairs.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_DISTANCE = 6
"""Bits, of 64, in which the hashes of near-duplicates may differ."""

FLAT_CONTRAST = 8.0
"""Below this standard deviation of luma (0–255) a hash says nothing."""


def near_duplicate_pairs(manifest: pd.DataFrame, max_distance: int = MAX_DISTANCE) -> pd.DataFrame:
    """Find the near-duplicates among the readable pictures.

    No pair is missed, but pictures with equal hashes, or equal files, are paired only with the first of their
    kind, so that a thousand equal pictures make a thousand pairs and not half a million.

    Args:
        manifest: Needs `file_name`, `label`, `group`, `split`, `readable`, `content`, `phash`, `contrast`.
        max_distance: Bits in which two hashes may differ, 0–16.

    Returns:
        A row a pair: `file_name`, `label`, `group` and `split` of both, ending in `_a` and `_b`, and
        `distance` in bits; nearest first.
    """
    rows = manifest[manifest["readable"]].reset_index(drop=True)
    hashes = np.array([int(text, 16) for text in rows["phash"]], np.uint64)
    clear = np.flatnonzero(rows["contrast"] >= FLAT_CONTRAST)
    pairs = np.concatenate([_equal(rows["content"].to_numpy()), clear[_near(hashes[clear], max_distance)]])
    a, b = np.unique(np.sort(pairs, axis=1), axis=0).T
    told = rows[["file_name", "label", "group", "split"]]
    table = pd.concat(
        [
            told.iloc[a].add_suffix("_a").reset_index(drop=True),
            told.iloc[b].add_suffix("_b").reset_index(drop=True),
            pd.Series(np.bitwise_count(hashes[a] ^ hashes[b]).astype(np.int64), name="distance"),
        ],
        axis=1,
    )
    return table.sort_values("distance", kind="stable", ignore_index=True)


def merge_near_duplicates(manifest: pd.DataFrame, max_distance: int = MAX_DISTANCE) -> pd.DataFrame:
    """Put near-duplicates, whatever their labels, and all that shares a group with them into one group.

    Args:
        manifest: As for `near_duplicate_pairs`.
        max_distance: Bits in which the hashes of near-duplicates may differ.

    Returns:
        A copy in which `group` is never empty. A merged group has the first of its names in the alphabet, a
        picture without a group is one of its own, named after the file; so the result does not depend on the
        order of rows. `source_group` keeps what the source said.
    """
    manifest = manifest.copy()
    if "source_group" not in manifest:
        manifest["source_group"] = manifest["group"]
    manifest["group"] = manifest["group"].where(manifest["group"] != "", manifest["file_name"])
    pairs = near_duplicate_pairs(manifest, max_distance)
    codes, names = pd.factorize(manifest["group"], sort=True)
    links = tuple(names.get_indexer(pairs[column]) for column in ("group_a", "group_b"))
    graph = coo_array((np.ones(len(pairs), bool), links), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, first_name = np.unique(component, return_index=True)
    manifest["group"] = names[first_name[component][codes]].astype("str")
    return manifest


def merged_pictures(manifest: pd.DataFrame) -> pd.Series:
    """Which pictures are in one group with pictures that the source did not put there.

    Args:
        manifest: From `merge_near_duplicates`.

    Returns:
        bool [rows]: whether the picture's group unites several groups of the source; a picture for which the
        source names none was a group of its own.
    """
    before = manifest["source_group"].where(manifest["source_group"] != "", manifest["file_name"])
    return before.groupby(manifest["group"]).transform("nunique") > 1


def _equal(values: np.ndarray) -> np.ndarray:
    """Pairs of positions, int [n, 2]: the first that has a value, and each later one that has it again."""
    codes, _ = pd.factorize(values)
    _, first = np.unique(codes, return_index=True)
    again = np.flatnonzero(first[codes] != np.arange(len(values)))
    return np.column_stack([first[codes][again], again])


def _near(hashes: np.ndarray, max_distance: int) -> np.ndarray:
    """Pairs of positions, int [n, 2], whose hashes (uint64) are near; for equal ones as in `_equal`.

    Cut into `max_distance` + 2 bands, two near hashes are equal in at least two of them (the pigeonhole
    principle), so only hashes that share two bands are compared: 1.4 million pairs instead of 3.2 billion for
    80,000 pictures, and none is missed.
    """
    different, first = np.unique(hashes, return_index=True)
    pairs = [_equal(hashes)]
    cuts = np.linspace(0, 64, max_distance + 3).astype(int)
    bands = [
        (different >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        for low, high in itertools.pairwise(cuts)
    ]
    for one, other in itertools.combinations(bands, 2):
        both = one << np.uint64(32) | other
        order = np.argsort(both, kind="stable")
        both, ordered = both[order], different[order]
        step, left = 1, np.arange(len(ordered))
        while len(left):  # neighbours in the sorted bands, then next neighbours, while there are equal ones
            left = left[left + step < len(ordered)]
            left = left[both[left] == both[left + step]]
            near = left[np.bitwise_count(ordered[left] ^ ordered[left + step]) <= max_distance]
            pairs.append(first[np.column_stack([order[near], order[near + step]])])
            step += 1
    return np.concatenate(pairs)
