"""Splits: nothing crosses, shares are kept, and the folders survive interruptions."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from src.utils.data.duplicates import merge_near_duplicates
from src.utils.data.split import (
    assign_splits,
    build_split_tree,
    count_leaks,
    count_splits,
    find_leaks,
    group_weights,
    thin_for_smoke,
)
from src.utils.settings import UserError


def manifest_of(rows: list[tuple[int, str]], **columns) -> pd.DataFrame:
    """Readable, unrelated pictures from (label, group)."""
    count = len(rows)
    table = {
        "file_name": [f"train_data/{i:05d}.jpg" for i in range(count)],
        "label": np.array([label for label, _ in rows], np.int64),
        "group": [group for _, group in rows],
        "split": [""] * count,
        "readable": np.ones(count, bool),
        "content": [f"{i:032x}" for i in range(count)],
        "phash": [f"{int.from_bytes(np.random.default_rng(i).bytes(8)):016x}" for i in range(count)],
        "contrast": [50.0] * count,
    }
    return pd.DataFrame(table | columns)


def pairs_of(count: int) -> pd.DataFrame:
    """Kaggle's layout: rows 2k and 2k + 1 are an AI picture and its photograph."""
    return manifest_of([(label, f"pair_{k:06d}") for k in range(count) for label in (1, 0)])


@st.composite
def manifests(draw, min_rows: int = 0) -> pd.DataFrame:
    """Any mixture of single-class groups, mixed groups, no groups, unreadable files and near-duplicates."""
    row = st.tuples(st.integers(0, 1), st.sampled_from(["", "", *"abcdefghijklmnopqrstuvwxyz"]))
    rows = draw(st.lists(row, min_size=min_rows, max_size=80))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = len(rows)
    scenes = random.integers(0, 2**63, 300, dtype=np.uint64)[random.integers(0, 300, count)]
    hashes = scenes ^ (
        np.uint64(1) << random.integers(0, 64, count, dtype=np.uint64)
    )  # a bit off: near, not equal
    unseen_groups = draw(st.sets(st.sampled_from("abcdefg"), max_size=3))
    return manifest_of(
        rows,
        readable=random.random(count) < 0.9,
        split=["unseen" if group in unseen_groups or random.random() < 0.02 else "" for _, group in rows],
        phash=[f"{value:016x}" for value in hashes],
    )


def split_or_none(manifest: pd.DataFrame, **options) -> pd.DataFrame | None:
    """The split, or None where a class has fewer than three groups left to draw."""
    names = manifest["group"]
    unseen = set(names[manifest["readable"] & (manifest["split"] == "unseen")])
    drawn = manifest[manifest["readable"] & ~names.isin(unseen)]
    enough = drawn.groupby("label")["group"].nunique().reindex([0, 1], fill_value=0).min() >= 3
    if enough:
        return assign_splits(manifest, **options)
    with pytest.raises(UserError, match="add at least"):
        assign_splits(manifest, **options)
    return None


@given(manifests() | manifests(min_rows=40), st.integers(0, 3))
@settings(deadline=None, max_examples=150)
def test_whatever_the_manifest_nothing_crosses(manifest, seed):
    merged = merge_near_duplicates(manifest)
    result = split_or_none(merged, seed=seed)
    if result is None:
        return
    placed = result[result["readable"]]
    assert placed["split"].isin(["train", "validation", "test", "unseen"]).all()
    assert (result.loc[~result["readable"], "split"] == "").all()
    assert (placed.groupby("group")["split"].nunique() == 1).all()
    assert find_leaks(result).empty
    was_unseen = manifest["readable"] & (manifest["split"] == "unseen")
    assert (result.loc[was_unseen, "split"] == "unseen").all()
    unseen_groups = set(result.loc[was_unseen, "group"])
    assert set(result.loc[result["split"] == "unseen", "group"]) == unseen_groups
    counts = placed.groupby(["label", "split"]).size()
    for label in (0, 1):
        assert all(counts.get((label, part), 0) > 0 for part in ("train", "validation", "test"))


@given(manifests(min_rows=60), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
@pytest.mark.parametrize("method", ["group", "random"])
def test_the_draw_is_repeatable_and_blind_to_the_order_of_rows(method, manifest, random):
    try:
        first = assign_splits(manifest, method, seed=5)
    except UserError:
        assume(False)
    order = random.sample(range(len(manifest)), len(manifest))
    second = assign_splits(manifest.iloc[order], method, seed=5)
    pd.testing.assert_frame_equal(second.sort_index(), first)
    assert (manifest["split"].isin(["", "unseen"])).all()  # the argument is left as it was


def class_shares(manifest: pd.DataFrame, label: int) -> dict[str, float]:
    groups = manifest[manifest["label"] == label].groupby("group")["split"].first()
    return groups.value_counts(normalize=True).to_dict()


@pytest.mark.parametrize(
    "manifest",
    [
        pairs_of(500),
        manifest_of([(k % 2, f"g{k}") for k in range(600)]),
        manifest_of([(0, f"h{k}") for k in range(100)] + [(1, f"a{k}") for k in range(500)]),
        manifest_of([(k % 2, f"g{k // 7}") for k in range(3000)]),
        manifest_of(
            [(0, f"h{k}") for k in range(300)]
            + [(1, f"a{k}") for k in range(200)]
            + [(k % 2, f"m{k // 2}") for k in range(400)]
        ),
    ],
    ids=["pairs", "single", "unequal", "mixed", "all kinds"],
)
def test_shares_are_kept_in_each_class(manifest):
    result = assign_splits(manifest)
    for label in (0, 1):
        shares = class_shares(result, label)
        assert shares["test"] == pytest.approx(0.20, abs=0.006)
        assert shares["validation"] == pytest.approx(0.16, abs=0.006)
        assert shares["train"] == pytest.approx(0.64, abs=0.012)


def test_seeds_differ():
    splits = [assign_splits(pairs_of(50), seed=seed)["split"].tolist() for seed in range(3)]
    assert splits[0] != splits[1] != splits[2] != splits[0]


@pytest.mark.parametrize("count", range(3, 9))
def test_tiny_data_has_something_in_every_split(count):
    for manifest in (pairs_of(count), manifest_of([(k % 2, "") for k in range(2 * count)])):
        counts = assign_splits(manifest).groupby(["split", "label"]).size()
        assert len(counts) == 6 and counts["test"].tolist() == [1 + (count == 8)] * 2
        assert counts["validation"].tolist() == [1, 1]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None, max_examples=200)
def test_mixed_and_single_groups_never_starve_a_split(mixed, human, generated):
    rows = [(label, f"m{k}") for k in range(mixed) for label in (0, 1)]
    rows += [(0, f"h{k}") for k in range(human)] + [(1, f"a{k}") for k in range(generated)]
    assume(mixed + min(human, generated) >= 3)
    result = assign_splits(manifest_of(rows))
    for label, count in ((0, mixed + human), (1, mixed + generated)):
        groups = result[result["label"] == label].groupby("split")["group"].nunique()
        assert groups["test"] == max(1, round(0.2 * count))
        assert groups["validation"] == max(1, round(0.16 * count))
        assert groups["train"] == count - groups["test"] - groups["validation"] >= 1


@pytest.mark.parametrize("method", ["group", "random"])
def test_too_few_groups_say_what_is_missing(method):
    manifest = manifest_of([(0, f"h{k}") for k in range(9)] + [(1, "a"), (1, "b")])
    words = "Only 2 unrelated AI-generated pictures can be read.*add at least 1 of that class"
    with pytest.raises(UserError, match=words):
        assign_splits(manifest, method)
    with pytest.raises(UserError, match="Only 0 unrelated Human-made"):
        assign_splits(manifest_of([(1, f"a{k}") for k in range(9)]), method)


def test_many_pictures_of_two_scenes_are_still_two_groups():
    manifest = manifest_of([(k % 2, f"scene{k % 4}") for k in range(100)])
    with pytest.raises(UserError, match="Only 2 unrelated"):
        assign_splits(manifest)
    assert assign_splits(manifest, "random")["split"].value_counts()["test"] == 20


class TestOwnSplit:
    @staticmethod
    def own(**parts: int):
        """So many pictures of each class in each part, all unrelated."""
        told = [part for part, count in parts.items() for _ in range(2 * count)]
        return manifest_of([(k % 2, "") for k in range(len(told))], split=told)

    def test_three_parts_stay_as_they_are(self):
        manifest = self.own(train=5, validation=2, test=3, unseen=1)
        manifest.loc[0, ["readable", "split"]] = [False, ""]
        assert list(assign_splits(manifest, "own")["split"]) == list(manifest["split"])

    def test_one_part_beside_training_is_the_test_whatever_it_is_called(self):
        for name in ("test", "validation"):
            manifest = self.own(train=20, **{name: 5})
            placed = assign_splits(manifest, "own", seed=3)
            assert ((placed["split"] == "test") == (manifest["split"] == name)).all()
            drawn = placed[placed["split"] == "validation"]
            assert list(drawn["label"].value_counts()) == [4, 4]
            assert set(manifest.loc[drawn.index, "split"]) == {"train"}

    def test_validation_is_drawn_by_groups(self):
        manifest = self.own(train=40, test=2).assign(
            group=lambda all: [f"g{k // 4}" for k in range(len(all))]
        )
        placed = assign_splits(manifest, "own")
        by_group = placed[placed["split"] != "test"].groupby("group")["split"].nunique()
        assert (by_group == 1).all() and (placed["split"] == "validation").sum() == 16

    def test_pictures_in_no_part_are_for_training(self):
        manifest = self.own(train=3, validation=3, test=3, rest=1)
        manifest["split"] = manifest["split"].replace("rest", "")
        assert (assign_splits(manifest, "own")["split"] == "train").sum() == 8

    def test_the_other_methods_do_not_look_at_it(self):
        manifest = self.own(train=10, validation=10, test=10)
        for method in ("group", "random"):
            assert assign_splits(manifest, method).equals(assign_splits(manifest.assign(split=""), method))

    @pytest.mark.parametrize("parts", [{"train": 5}, {"test": 5}, {"train": 1, "test": 3}])
    def test_what_a_part_lacks_is_said(self, parts):
        with pytest.raises(UserError, match=r"SPLIT=own: the dataset's \w+ part has no .* use SPLIT=group"):
            assign_splits(self.own(**parts), "own")

    def test_smoke_keeps_groups_of_every_part(self):
        thin = thin_for_smoke(self.own(train=30, validation=30, test=30))
        assert dict(thin["split"].value_counts()) == {"train": 16, "validation": 16, "test": 16}


def test_an_unknown_method_is_refused():
    with pytest.raises(UserError, match="SPLIT=pairs"):
        assign_splits(pairs_of(5), "pairs")


def test_the_decks_random_split():
    """As the deck drew it: a fifth of each class, whatever belongs together."""
    result = assign_splits(pairs_of(1000), "random")
    counts = result.groupby(["split", "label"]).size()
    assert counts["test"].tolist() == [200, 200]
    assert counts["validation"].tolist() == [160, 160] and counts["train"].tolist() == [640, 640]
    leaks = find_leaks(result)
    crossing = result.groupby("group")["split"].nunique() > 1
    assert len(leaks) == crossing.sum() > 400


def test_leaks_are_named():
    manifest = manifest_of([(0, "g"), (1, "g"), (0, "h"), (1, "i"), (0, ""), (1, "")], content=[*"abcdee"])
    manifest["split"] = ["train", "test", "train", "validation", "train", "unseen"]
    manifest.loc[3, "phash"] = manifest.loc[2, "phash"]
    leaks = find_leaks(manifest)
    assert leaks.to_dict("records")[0] == {
        "kind": "group",
        "name": "g",
        "splits": "test, train",
        "pictures": 2,
    }
    assert set(leaks["kind"][1:]) == {"near_duplicate"}
    assert set(leaks["name"][1:]) == {
        "train_data/00002.jpg, train_data/00003.jpg",
        "train_data/00004.jpg, train_data/00005.jpg",
    }
    assert sorted(leaks["splits"][1:]) == ["train, unseen", "train, validation"]
    manifest["split"] = "train"
    assert find_leaks(manifest).empty and list(find_leaks(manifest)) == ["kind", "name", "splits", "pictures"]


def test_pictures_without_a_group_are_strangers():
    manifest = manifest_of([(k % 2, "") for k in range(40)])
    result = assign_splits(manifest)
    assert result["split"].value_counts().to_dict() == {"train": 26, "test": 8, "validation": 6}
    assert find_leaks(result).empty


def test_a_training_picture_that_resembles_an_unseen_one_joins_it():
    manifest = manifest_of([(k % 2, f"g{k}") for k in range(20)])
    manifest.loc[0, "split"] = "unseen"
    manifest.loc[7, "phash"] = manifest.loc[0, "phash"]
    result = assign_splits(merge_near_duplicates(manifest))
    assert result.index[result["split"] == "unseen"].tolist() == [0, 7]


def test_every_group_weighs_the_same():
    manifest = manifest_of(
        [(0, "a")] * 4 + [(0, "b")] + [(1, "a")] * 2 + [(1, "c")] + [(0, "d")] * 3 + [(1, "e"), (1, "")]
    )
    manifest["split"] = ["train"] * 8 + ["test"] * 5
    weight = group_weights(manifest)
    assert weight.dtype == np.float64 and len(weight) == 13
    by_group = pd.Series(weight).groupby([manifest["split"], manifest["label"], manifest["group"]]).sum()
    assert np.ptp(by_group["train"]) < 1e-12 and np.ptp(by_group["test"]) < 1e-12
    assert weight[:8].mean() == pytest.approx(1) and weight[8:].mean() == pytest.approx(1)
    assert weight[0] == pytest.approx(
        1 / 4 / (4 / 8)
    )  # a quarter of a group; four groups over eight pictures


def test_weights_of_pairs_are_ones_and_of_unreadable_files_nothing():
    manifest = assign_splits(pairs_of(20))
    assert (group_weights(manifest) == 1).all()
    manifest.loc[3, ["readable", "split"]] = [False, ""]
    weight = group_weights(manifest)
    assert weight[3] == 0 and (np.delete(weight, 3) == 1).all()
    assert len(group_weights(manifest[:0])) == 0


@given(manifests())
@settings(deadline=None, max_examples=60)
def test_weights_whatever_the_manifest(manifest):
    manifest["split"] = manifest["split"].where(manifest["readable"], "")
    weight = pd.Series(group_weights(manifest))
    assert np.isfinite(weight).all() and ((weight > 0) == (manifest["split"] != "")).all()
    for _, part in weight[weight > 0].groupby(manifest["split"]):
        assert part.mean() == pytest.approx(1)


def test_smoke_keeps_a_few_groups_of_each_class_and_of_the_unseen():
    rows = [(k % 2, f"g{k % 60}") for k in range(240)]
    manifest = manifest_of(rows, split=["unseen" if k % 60 >= 40 else "" for k in range(240)])
    thin = thin_for_smoke(manifest, seed=1, groups_per_class=5)
    groups = thin.groupby(["split", "label"])["group"].nunique()
    assert groups.to_dict() == {("", 0): 5, ("", 1): 5, ("unseen", 0): 5, ("unseen", 1): 5}
    whole = manifest[manifest["group"].isin(thin["group"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(thin, whole)
    pd.testing.assert_frame_equal(thin_for_smoke(manifest, seed=1, groups_per_class=5), thin)
    assert set(thin_for_smoke(manifest, seed=2, groups_per_class=5)["group"]) != set(thin["group"])


@pytest.mark.parametrize("groups_per_class", [1, 3, 8])
def test_smoke_is_never_too_thin_to_split(groups_per_class):
    for manifest in (pairs_of(40), manifest_of([(k % 2, "") for k in range(80)])):
        thin = thin_for_smoke(manifest, groups_per_class=groups_per_class)
        assert len(thin) == 2 * max(groups_per_class, 3)
        assert assign_splits(thin).groupby(["split", "label"]).ngroups == 6


def test_smoke_chooses_readable_groups():
    manifest = manifest_of([(k % 2, f"g{k}") for k in range(40)], readable=[k >= 30 for k in range(40)])
    assert thin_for_smoke(manifest, groups_per_class=4)["readable"].sum() == 8


@pytest.fixture
def raw(tmp_path) -> tuple[pd.DataFrame, Path, Path]:
    """Forty small raw files (their bytes are their names) with splits, and an empty place for the tree."""
    manifest = assign_splits(pairs_of(20))
    raw_dir = tmp_path / "raw"
    (raw_dir / "train_data").mkdir(parents=True)
    for name in manifest["file_name"]:
        (raw_dir / name).write_text(name)
    return manifest, raw_dir, tmp_path / "processed"


def build(manifest, raw_dir, processed_dir) -> pd.DataFrame:
    return build_split_tree(manifest, raw_dir, processed_dir, progress=False)


def tree(processed_dir: Path) -> dict[str, str]:
    """Every file below the folder, with what is in it."""
    files = sorted(path for path in processed_dir.rglob("*") if path.is_file())
    return {path.relative_to(processed_dir).as_posix(): path.read_text() for path in files}


def wanted(manifest: pd.DataFrame) -> dict[str, str]:
    placed = manifest[manifest["split"] != ""]
    return {
        f"{row.split}/{row.label}/{Path(row.file_name).name}": row.file_name for row in placed.itertuples()
    }


def snapshot(folder: Path) -> dict[str, tuple]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_text())
        for path in folder.rglob("*.jpg")
    }


def test_the_tree_is_made_of_hard_links(raw):
    manifest, raw_dir, processed_dir = raw
    before = snapshot(raw_dir)
    counts = build(*raw)
    assert tree(processed_dir) == wanted(manifest)
    assert snapshot(raw_dir) == before
    assert all((raw_dir / source).samefile(processed_dir / link) for link, source in wanted(manifest).items())
    folders = {f"{row.split}/{row.label}": row.pictures for row in counts.itertuples()}
    assert (
        folders == pd.Series([link.rsplit("/", 1)[0] for link in wanted(manifest)]).value_counts().to_dict()
    )


def test_a_second_run_does_nothing(raw, monkeypatch):
    build(*raw)
    monkeypatch.setattr(os, "link", None)  # would fail if called
    before = snapshot(raw[2])
    build(*raw)
    assert snapshot(raw[2]) == before


def test_another_split_moves_links_and_touches_nothing_else(raw):
    manifest, raw_dir, processed_dir = raw
    build(*raw)
    (processed_dir / "images.csv").write_text("the manifest lies beside the tree")
    before = snapshot(raw_dir)
    other = assign_splits(manifest, "random", seed=9)
    other.loc[0, ["split", "readable"]] = ["", False]
    other.loc[1, "split"] = "unseen"
    build(other, raw_dir, processed_dir)
    assert tree(processed_dir) == wanted(other) | {"images.csv": "the manifest lies beside the tree"}
    assert snapshot(raw_dir) == before


def test_a_changed_raw_file_is_linked_anew(raw):
    manifest, raw_dir, processed_dir = raw
    build(*raw)
    name = manifest["file_name"][0]
    (raw_dir / "new").write_text(name.upper())
    (raw_dir / "new").replace(raw_dir / name)
    build(*raw)
    assert name.upper() in tree(processed_dir).values() and len(tree(processed_dir)) == 40


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_copies_where_links_cannot_be_made(raw, monkeypatch, error):
    manifest, raw_dir, processed_dir = raw

    def refuse(*_):
        raise OSError(error, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    build(*raw)
    assert tree(processed_dir) == wanted(manifest)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", None)  # would fail if called: copies that are up to date stay
        build(*raw)
    link, source = next(iter(wanted(manifest).items()))
    (raw_dir / source).write_text("changed")
    os.utime(raw_dir / source, ns=(1, 1))
    build(*raw)
    assert (processed_dir / link).read_text() == "changed"


def test_equal_names_in_different_folders(tmp_path):
    manifest = manifest_of([(0, "")] * 4, split=["train"] * 4)
    manifest["file_name"] = ["a/x.jpg", "b/x.jpg", "c/X.JPG", "c/y.jpg"]
    for name in manifest["file_name"]:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text(name)
    build(manifest, tmp_path / "raw", tmp_path / "out")
    files = tree(tmp_path / "out")
    assert sorted(files.values()) == sorted(manifest["file_name"])
    assert len({name.lower() for name in files}) == 4 and "train/0/y.jpg" in files
    assert all(name.lower().endswith(".jpg") for name in files)
    build(manifest[1:], tmp_path / "raw", tmp_path / "out")
    assert len(tree(tmp_path / "out")) == 3


def test_raw_files_that_are_symbolic_links(raw):
    manifest, raw_dir, processed_dir = raw
    real = raw_dir / "elsewhere.jpg"
    (raw_dir / manifest["file_name"][0]).replace(real)
    (raw_dir / manifest["file_name"][0]).symlink_to(real)
    build(*raw)
    assert tree(processed_dir) == wanted(manifest)
    assert not any(path.is_symlink() for path in processed_dir.rglob("*"))


def test_a_missing_raw_file_is_named(raw):
    manifest, raw_dir, _ = raw
    (raw_dir / manifest["file_name"][3]).unlink()
    with pytest.raises(UserError, match=r"00003\.jpg is gone: get the data again"):
        build(*raw)


def test_a_full_disk_is_explained(raw, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(UserError, match="No space left on device"):
        build(*raw)
    assert tree(raw[2]) == {}


def test_a_folder_that_leads_out_of_the_tree_is_refused(raw, tmp_path):
    processed_dir = raw[2]
    (tmp_path / "mine" / "0").mkdir(parents=True)
    (tmp_path / "mine" / "0" / "precious.jpg").write_text("precious")
    processed_dir.mkdir()
    (processed_dir / "train").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="is a link to"):
        build(*raw)
    assert (tmp_path / "mine" / "0" / "precious.jpg").read_text() == "precious"


KILLED_BUILD = """
import os, signal, sys
from pathlib import Path
from src.utils.data import split
import pandas as pd

link, made = os.link, []

def dies_at_the_15th(source, target):
    if len(made) == 14:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(target)
    {action}

os.link = dies_at_the_15th
manifest = pd.read_csv(sys.argv[1], keep_default_na=False)
split.build_split_tree(manifest, Path(sys.argv[2]), Path(sys.argv[3]), progress=False)
"""


@pytest.mark.parametrize(
    "action", ["link(source, target)", "raise OSError(18, 'no links here')"], ids=["links", "copies"]
)
def test_a_killed_build_is_finished_by_the_next(raw, tmp_path, action):
    manifest, raw_dir, processed_dir = raw
    manifest.to_csv(tmp_path / "images.csv", index=False)
    before = snapshot(raw_dir)
    code = KILLED_BUILD.replace("{action}", action)
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "images.csv", raw_dir, processed_dir])
    assert done.returncode == -signal.SIGKILL
    assert len(tree(processed_dir)) == 14
    (processed_dir / "train" / "0" / ".00001-half.jpg").write_text(
        "what a kill in the middle of a copy leaves"
    )
    build(*raw)
    assert tree(processed_dir) == wanted(manifest)
    assert snapshot(raw_dir) == before


def test_splits_and_leaks_are_counted():
    images = manifest_of([(0, "a"), (0, "a"), (0, "b"), (1, "c")], split=["train", "test", "test", "test"])
    counts = count_splits(images).set_index(["split", "label"])
    assert counts.loc[("test", 0)].to_dict() == {"pictures": 2, "groups": 2}
    assert counts.loc[("train", 0)].to_dict() == {"pictures": 1, "groups": 1} and len(counts) == 3
    assert count_leaks(find_leaks(images)).loc["group", "leaks"] == 1
    assert count_leaks(find_leaks(images.head(0))) == "Nothing crosses."
