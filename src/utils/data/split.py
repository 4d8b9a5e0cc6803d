"""Who is trained on and who is tested: splits that no group crosses, and the folders that show them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from tqdm import tqdm

from src.utils.data.duplicates import MAX_DISTANCE, near_duplicate_pairs
from src.utils.files import hash_bytes, link_or_copy
from src.utils.settings import CLASS_NAMES, SPLIT_METHODS, SPLITS, UserError

SHARES = {"test": 0.20, "validation": 0.16}
"""Shares of the groups of each class; the rest, 64 %, is for training."""

MIN_GROUPS = 3
"""Groups of a class without which one of the three splits would have none of it."""


def assign_splits(manifest: pd.DataFrame, method: str = "group", seed: int = 42) -> pd.DataFrame:
    """Draw train, validation and test: 64, 16 and 20 % of the groups of each class.

    The draw follows from the seed and the names of groups and files, not from the order of rows.

    Args:
        manifest: With `file_name`, `label`, `group` (near-duplicates merged), `split` and `readable`.
        method: `group` keeps every group on one side. `random` is the deck's way: a fifth of each class's
            pictures is the test, whatever they are related to (and a fifth of the rest is for validation,
            which the deck did not have). `own` keeps the parts that the dataset came with, see `keep_own`.
        seed: Seed of the draw.

    Returns:
        A copy with `split` filled in. Unseen pictures stay so, and by `group` so does all that shares a group
        with one. Unreadable pictures have no split.

    Raises:
        UserError: A class has too few groups (by `random`: pictures) for three splits, or the dataset has
            no split of its own.
    """
    if method not in SPLIT_METHODS:
        raise UserError(f"SPLIT={method} is not known: use one of {', '.join(SPLIT_METHODS)}.")
    if method == "own":
        return keep_own(manifest, seed)
    manifest = manifest.copy()
    units = _group_names(manifest) if method == "group" else manifest["file_name"]
    readable = manifest["readable"]
    unseen = readable & units.isin(units[readable & (manifest["split"] == "unseen")])
    drawn = readable & ~unseen
    placed = _draw(units[drawn], manifest.loc[drawn, "label"], seed)
    manifest["split"] = units.map(placed).where(drawn, "").mask(unseen, "unseen").astype("str")
    return manifest


def keep_own(manifest: pd.DataFrame, seed: int = 42) -> pd.DataFrame:
    """Keep the split that a dataset came with, to compare with numbers that others published on it.

    A dataset with one part beside its training part reports on that part, whatever it is called (GenImage on
    `val`): it is the test. Where no validation part is left then, a fifth of the training part's groups are
    drawn for it, as by `group`. Pictures in no part belong to the training part. What crosses stays so;
    `find_leaks` names it.

    Args:
        manifest: As for `assign_splits`; `split` is the dataset's own.
        seed: Seed of the draw.

    Returns:
        A copy with `split` filled in; unreadable pictures have none.

    Raises:
        UserError: One of the three parts has no readable picture of one of the classes.
    """
    readable = manifest["readable"]
    own = manifest["split"].mask(manifest["split"] == "", "train").where(readable, "").astype("str")
    if not (own == "test").any():
        own = own.mask(own == "validation", "test")
    if not (own == "validation").any():
        own = own.mask(
            _drawn_for_validation(_group_names(manifest), manifest["label"], own, seed), "validation"
        )
    for split in SPLITS[:3]:
        for label, name in enumerate(CLASS_NAMES):
            if not ((own == split) & (manifest["label"] == label)).any():
                raise UserError(
                    f"SPLIT=own: the dataset's {split} part has no {name} picture that can be read: use "
                    "SPLIT=group, which draws the parts."
                )
    return manifest.assign(split=own)


def find_leaks(manifest: pd.DataFrame, max_distance: int = MAX_DISTANCE) -> pd.DataFrame:
    """Find what crosses from one split to another: groups, and near-duplicates whatever their group.

    Args:
        manifest: With splits assigned.
        max_distance: Bits in which the hashes of near-duplicates may differ.

    Returns:
        A row a leak, so none for a clean split: `kind` (`group` or `near_duplicate`), `name` (of the group,
        or of both files), `splits` (such as "test, train") and `pictures` (their number).
    """
    placed = manifest[manifest["split"] != ""]
    by_group = placed.groupby(_group_names(placed).rename("name"))["split"]
    crossing = by_group.unique()[by_group.nunique() > 1]
    groups = pd.DataFrame(
        {"kind": "group", "splits": crossing.map(_join), "pictures": by_group.size()[crossing.index]}
    )
    pairs = near_duplicate_pairs(placed, max_distance)
    pairs = pairs[pairs["split_a"] != pairs["split_b"]]
    twins = pd.DataFrame(
        {
            "kind": "near_duplicate",
            "name": pairs["file_name_a"] + ", " + pairs["file_name_b"],
            "splits": [_join(both) for both in zip(pairs["split_a"], pairs["split_b"], strict=True)],
            "pictures": 2,
        }
    )
    return pd.concat([groups.reset_index(), twins], ignore_index=True)[["kind", "name", "splits", "pictures"]]


def count_leaks(leaks: pd.DataFrame) -> pd.DataFrame | str:
    """How many leaks there are of each kind.

    Args:
        leaks: From `find_leaks`.

    Returns:
        By `kind`, the number of `leaks`; a sentence where there is none.
    """
    if leaks.empty:
        return "Nothing crosses."
    return leaks["kind"].value_counts().to_frame("leaks")


def count_splits(images: pd.DataFrame) -> pd.DataFrame:
    """How many pictures and groups of each class every split holds.

    Args:
        images: Readable rows of the manifest, with splits assigned.

    Returns:
        `split`, `label`, `pictures`, `groups`; a row for each split and class that occurs.
    """
    by_class = images.groupby(["split", "label"])
    return by_class.agg(pictures=("file_name", "size"), groups=("group", "nunique")).reset_index()


def group_weights(manifest: pd.DataFrame) -> np.ndarray:
    """Weights that let every group count the same, however many pictures it has.

    A picture weighs 1 / (pictures of its group and label in its split), scaled so that the mean over each
    split is 1.

    Args:
        manifest: With `file_name`, `label`, `group` and `split`.

    Returns:
        float64 [rows]; 0 for pictures without a split.
    """
    split = manifest["split"]
    same = manifest.groupby([split, _group_names(manifest), manifest["label"]])
    weight = (1 / same["label"].transform("size")).where(split != "", 0.0)
    mean = weight.groupby(split).transform("mean").where(split != "", 1.0)
    return (weight / mean).to_numpy(np.float64)


def thin_for_smoke(manifest: pd.DataFrame, seed: int = 42, groups_per_class: int = 8) -> pd.DataFrame:
    """Keep a few groups of each class for a run that only proves the road, and as many of each part told.

    Args:
        manifest: With groups, before splits are assigned (but for `unseen` and the dataset's own).
        seed: Seed of the choice.
        groups_per_class: Groups with readable pictures to keep of each class; never fewer than three.

    Returns:
        All rows of the chosen groups, in their order, numbered from 0.
    """
    names = _group_names(manifest)
    wanted = max(groups_per_class, MIN_GROUPS)
    chosen: set[str] = set()
    for part in (manifest["split"] == told for told in sorted(set(manifest["split"]))):
        for label in range(len(CLASS_NAMES)):
            candidates = set(names[part & manifest["readable"] & (manifest["label"] == label)])
            missing = max(wanted - len(candidates & chosen), 0)
            chosen.update(_shuffled(candidates - chosen, seed, label)[:missing])
    return manifest[names.isin(chosen)].reset_index(drop=True)


def build_split_tree(
    manifest: pd.DataFrame, raw_dir: Path, processed_dir: Path, progress: bool = True
) -> pd.DataFrame:
    """Show the split as folders: `{train,validation,test,unseen}/{0,1}/` below `processed_dir`.

    The files are hard links to the raw ones (copies where the disk does not allow links), so raw files are
    neither moved nor renamed; do not edit a picture here. Run again after an interruption it makes what is
    missing; after another split it also removes what does not belong any more.

    Args:
        manifest: With splits assigned.
        raw_dir: The folder that `file_name` is relative to.
        processed_dir: Where the folders are made.
        progress: Whether to show a progress bar.

    Returns:
        Pictures in each folder: `split`, `label`, `pictures`.

    Raises:
        UserError: A raw file is gone, the disk is full, or a folder of the tree is a link to somewhere else.
    """
    placed = manifest[manifest["split"] != ""]
    folders = placed["split"] + "/" + placed["label"].astype(str)
    names = _file_names(manifest["file_name"])[placed.index]
    sources = dict(zip(folders + "/" + names, placed["file_name"], strict=True))
    for split in SPLITS:
        for label in range(len(CLASS_NAMES)):
            _make_folder(processed_dir, f"{split}/{label}", sources)
    for target, source in tqdm(sources.items(), "Linking", unit="picture", disable=not progress):
        _link(raw_dir / source, processed_dir / target)
    return placed.groupby(["split", "label"]).size().rename("pictures").reset_index()


def _group_names(manifest: pd.DataFrame) -> pd.Series:
    """The group of each row; a picture without one is a group of its own."""
    return manifest["group"].where(manifest["group"] != "", manifest["file_name"])


def _join(splits) -> str:
    return ", ".join(sorted(splits))


def _shuffled(names: set[str], seed: int, label: int) -> list[str]:
    """Names in an order that follows from the seed and the names alone."""
    ordered = sorted(names)
    return [ordered[i] for i in np.random.default_rng([seed, label]).permutation(len(ordered))]


def _draw(units: pd.Series, labels: pd.Series, seed: int) -> dict[str, str]:
    """Place each unit (a group, or a picture) in one split.

    The class with fewer units is drawn first and gets its exact shares. What it shares with the other class
    is then already placed, and the rest of the other class fills up its own shares: so pairs, single pictures
    and any mixture of them are stratified. A share never shrinks as the number of units grows, so what is
    already placed always fits.

    Returns:
        Split by unit.
    """
    members = {label: set(units[labels == label]) for label in range(len(CLASS_NAMES))}
    placed: dict[str, str] = {}
    for label, names in sorted(members.items(), key=lambda item: len(item[1])):
        if len(names) < MIN_GROUPS:
            raise UserError(
                f"Only {len(names)} unrelated {CLASS_NAMES[label]} pictures can be read, but train, "
                f"validation and test need one each: add at least {MIN_GROUPS - len(names)} of that class."
            )
        taken = [placed[name] for name in names if name in placed]
        free = _shuffled(names - placed.keys(), seed, label)
        slots = [
            split for split, share in _shares(len(names)).items() for _ in range(share - taken.count(split))
        ]
        placed.update(zip(free, slots + ["train"] * len(free), strict=False))
    return placed


def _drawn_for_validation(units: pd.Series, labels: pd.Series, own: pd.Series, seed: int) -> pd.Series:
    """Which pictures of the training part belong to the groups that are drawn for validation: bool [rows]."""
    share = SHARES["validation"] / (1 - SHARES["test"])
    chosen: set[str] = set()
    for label in range(len(CLASS_NAMES)):
        names = set(units[(own == "train") & (labels == label)])
        wanted = round(share * len(names)) - len(names & chosen)
        chosen.update(_shuffled(names - chosen, seed, label)[: max(wanted, 0)])
    return (own == "train") & units.isin(chosen)


def _shares(count: int) -> dict[str, int]:
    """How many of `count` units go to test and validation, at least one each; training takes what is left."""
    return {split: max(1, round(share * count)) for split, share in SHARES.items()}


def _file_names(paths: pd.Series) -> pd.Series:
    """The last part of each path; where two would be equal (on any disk), with a digest of the whole path."""
    names = paths.map(lambda path: PurePosixPath(path).name)
    clashes = names.str.lower().duplicated(keep=False)

    def tagged(path: str) -> str:
        name = PurePosixPath(path)
        return f"{name.stem}-{hash_bytes(path.encode())[:8]}{name.suffix}"

    return names.mask(clashes, paths[clashes].map(tagged))


def _make_folder(root: Path, folder: str, sources: dict[str, str]) -> None:
    """Make a folder of the tree, and remove from it what is not in `sources`."""
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    if path.resolve() != root.resolve() / folder:
        raise UserError(f"{path} is a link to {path.resolve()}: remove the link, the folder is made anew.")
    for entry in path.iterdir():
        if f"{folder}/{entry.name}" not in sources and not entry.is_dir():
            entry.unlink()


def _link(source: Path, target: Path) -> None:
    """Link or copy a raw file into the tree, and explain what stops it."""
    try:
        link_or_copy(source, target)
    except FileNotFoundError as error:
        raise UserError(f"{source} is gone: get the data again with notebook 01_download_data.") from error
    except OSError as error:
        raise UserError(
            f"{target} cannot be made ({error.strerror}): check the disk and run again."
        ) from error
