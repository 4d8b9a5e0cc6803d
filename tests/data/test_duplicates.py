"""Near-duplicates: found exactly, merged transitively, and no strangers chained together."""

from __future__ import annotations

import io
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from src.utils.data.duplicates import (
    MAX_DISTANCE,
    merge_near_duplicates,
    merged_pictures,
    near_duplicate_pairs,
)
from src.utils.data.manifest import scan_images


def manifest_of(hashes: list[int], **columns) -> pd.DataFrame:
    """A manifest of clear, different, readable pictures without groups, but for what is given."""
    count = len(hashes)
    rows = {
        "file_name": [f"{i:05d}.jpg" for i in range(count)],
        "label": [i % 2 for i in range(count)],
        "group": [""] * count,
        "split": [""] * count,
        "readable": np.ones(count, bool),
        "content": [f"{i:032x}" for i in range(count)],
        "phash": [f"{value:016x}" for value in hashes],
        "contrast": [50.0] * count,
    }
    return pd.DataFrame(rows | columns)


def found(manifest: pd.DataFrame, **options) -> set[tuple[str, str]]:
    pairs = near_duplicate_pairs(manifest, **options)
    return set(zip(pairs["file_name_a"].str[:5], pairs["file_name_b"].str[:5], strict=True))


def groups(manifest: pd.DataFrame, **options) -> list[str]:
    return merge_near_duplicates(manifest, **options)["group"].tolist()


def test_the_distance_counts():
    manifest = manifest_of([0, 0b111, 0b111111, 0xFFFF << 40])
    assert found(manifest, max_distance=2) == set()
    assert found(manifest, max_distance=3) == {("00000", "00001"), ("00001", "00002")}
    assert found(manifest, max_distance=6) == {("00000", "00001"), ("00001", "00002"), ("00000", "00002")}
    pairs = near_duplicate_pairs(manifest, max_distance=6)
    assert pairs["distance"].tolist() == [3, 3, 6]
    assert list(pairs) == [
        *("file_name_a", "label_a", "group_a", "split_a"),
        *("file_name_b", "label_b", "group_b", "split_b"),
        "distance",
    ]


near_hashes = st.lists(
    st.builds(
        lambda base, bits: base ^ sum(1 << bit for bit in bits),
        st.sampled_from([0, 0x0123456789ABCDEF, 2**64 - 1]),
        st.sets(st.integers(0, 63), max_size=9),
    ),
    max_size=12,
)


@given(near_hashes, st.integers(0, 12))
@settings(deadline=None)
def test_no_pair_is_missed_and_none_is_invented(hashes, max_distance):
    """Against comparing all with all; equal hashes are linked through the first of them."""
    pairs = near_duplicate_pairs(manifest_of(hashes), max_distance)
    first = {value: position for position, value in reversed(list(enumerate(hashes)))}
    wanted = set()
    for b, value in enumerate(hashes):
        if first[value] != b:
            wanted.add((first[value], b, 0))
    for value, a in first.items():
        for other, b in first.items():
            distance = (value ^ other).bit_count()
            if a < b and distance <= max_distance:
                wanted.add((a, b, distance))
    numbers = pairs[["file_name_a", "file_name_b"]].map(lambda name: int(name[:5]))
    assert set(zip(numbers["file_name_a"], numbers["file_name_b"], pairs["distance"], strict=True)) == wanted
    assert len(pairs) == len(wanted)


def test_groups_are_joined_transitively_and_across_labels():
    twins = manifest_of(
        [0x0F, 0xF << 60, 0x1F, 0xFF << 30, 0xF << 60, 0xFFFF],
        group=["pair_000001", "pair_000001", "pair_000000", "pair_000000", "pair_000002", ""],
    )
    merged = merge_near_duplicates(twins, max_distance=1)
    # 0 and 2 are near (pairs 1 and 0), 1 and 4 are equal (pairs 1 and 2): all three pairs become one group
    assert merged["group"].tolist() == ["pair_000000"] * 5 + ["00005.jpg"]
    assert merged["source_group"].tolist() == twins["group"].tolist()
    assert twins["group"].tolist()[0] == "pair_000001"  # the argument is left as it was


def test_only_pictures_whose_group_was_joined_with_another_count_as_merged():
    hashes = [0, 0b1, 0xFF << 8, 0xFF << 24, 0xFF << 40, 0xFF << 40 | 1]
    manifest = merge_near_duplicates(manifest_of(hashes, group=["", "", "", "", "pair", "pair"]))
    # Every group without a name gets one; only the first two pictures are in a group that is new.
    assert merged_pictures(manifest).tolist() == [True, True, False, False, False, False]
    chained = merge_near_duplicates(manifest_of([0, 0xFF << 8, 1], group=["a", "a", "b"]))
    assert merged_pictures(chained).all()


def test_merging_again_changes_nothing():
    once = merge_near_duplicates(manifest_of([0, 1, 0xFF00], group=["b", "a", "c"]))
    pd.testing.assert_frame_equal(merge_near_duplicates(once), once)
    assert once["source_group"].tolist() == ["b", "a", "c"]


@given(near_hashes, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_does_not_matter(hashes, random):
    manifest = manifest_of(hashes, group=[random.choice(["", "x", "y", "z"]) for _ in hashes])
    wanted = merge_near_duplicates(manifest).set_index("file_name")["group"]
    order = random.sample(range(len(hashes)), len(hashes))
    merged = merge_near_duplicates(manifest.iloc[order])
    assert merged["file_name"].tolist() == manifest["file_name"].iloc[order].tolist()
    assert (merged.set_index("file_name")["group"] == wanted[merged["file_name"]]).all()


def test_flat_pictures_are_not_chained_but_equal_files_are_joined():
    flat = manifest_of([1 << 63] * 4, contrast=[0.0, 7.9, 3.0, 60.0], content=["a", "b", "a", "d"])
    assert found(flat) == {("00000", "00002")}
    assert groups(flat) == ["00000.jpg", "00001.jpg", "00000.jpg", "00003.jpg"]


def test_unreadable_pictures_keep_their_group():
    manifest = manifest_of([0, 0, 0], readable=[True, False, False], group=["a", "b", ""])
    manifest.loc[1:, ["phash", "content"]] = ""
    manifest.loc[1:, "contrast"] = np.nan
    assert groups(manifest) == ["a", "b", "00002.jpg"]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    manifest = manifest_of([7] * count)
    assert near_duplicate_pairs(manifest).empty
    assert groups(manifest) == ["00000.jpg"] * count


def test_thousands_of_equal_pictures_stay_thousands_of_pairs():
    manifest = manifest_of([42] * 3000)
    assert len(near_duplicate_pairs(manifest)) == 2999
    assert set(groups(manifest)) == {"00000.jpg"}


def test_eighty_thousand_pictures_take_seconds():
    hashes = np.random.default_rng(0).integers(0, 2**63, 80_000, dtype=np.uint64)
    hashes[40_000:40_100] = hashes[:100] ^ np.uint64(0b10011)
    manifest = manifest_of(hashes.tolist())
    start = time.process_time()
    pairs = near_duplicate_pairs(manifest)
    assert time.process_time() - start < 20  # 1.5 s on the machine this was written on
    planted = {(f"{i:05d}.jpg", f"{i + 40_000:05d}.jpg") for i in range(100)}
    assert set(zip(pairs["file_name_a"], pairs["file_name_b"], strict=True)) == planted


def scene(seed: int) -> Image.Image:
    """A picture with structure at all scales, as a photograph has."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(random.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(
                (256, 256), Image.Resampling.BICUBIC
            ),
            float,
        )
        for n in (3, 6, 12, 24)
    ]
    return Image.fromarray(np.average(layers, axis=0, weights=[4, 3, 2, 1]).astype(np.uint8))


def test_copies_are_found_among_real_files_and_strangers_are_not(tmp_path):
    original = scene(0)
    copies = {
        "original.png": original,
        "half.png": original.resize((128, 128)),
        "wide.png": original.resize((400, 256)),
    }
    copies["cropped.png"] = original.crop((2, 2, 254, 254))
    buffer = io.BytesIO()
    original.save(buffer, "JPEG", quality=40)
    copies["jpeg.png"] = Image.open(buffer)
    strangers = {f"stranger{i}.png": scene(i) for i in range(1, 30)}
    papers = {f"paper{i}.png": Image.new("RGB", (64, 64), (200 + i, 200, 200)) for i in range(5)}
    for name, image in (copies | strangers | papers).items():
        image.save(tmp_path / name)
    table = pd.DataFrame({"file_name": [*copies, *strangers, *papers], "label": 0, "group": ""})
    merged = merge_near_duplicates(scan_images(tmp_path, table, progress=False))
    assert set(merged["group"][: len(copies)]) == {"cropped.png"}
    assert merged["group"][len(copies) :].tolist() == [*strangers, *papers]


def test_the_distance_is_the_documented_one():
    assert MAX_DISTANCE == 6
    assert groups(manifest_of([0, 0b111111])) == ["00000.jpg"] * 2
    assert groups(manifest_of([0, 0b1111111])) == ["00000.jpg", "00001.jpg"]
