"""What human-made and AI-generated pictures are of, in the words of an ImageNet network: the deck's tables.

A row of the labelled table is a picture with its three likeliest labels (`predict_1`, `conf_1` … `conf_3`)
joined with what the manifest knows of it. Crops of one original are no independent pictures, so a mean counts
every group of a class the same, and a test compares groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap
from src.utils.data.pictures.examples import read_previews
from src.utils.data.remembered import compute_once
from src.utils.models.networks.imagenet import TOP, Label, Labeller, imagenet_classes
from src.utils.settings import CLASS_NAMES

LIMIT = 2000
"""Pictures that are labelled at most, as in the deck."""

JOINED = ("file_name", "label", "group", "split", "generator", "origin", "subject")
LABEL_COLUMNS = tuple(f"{kind}_{place}" for place in range(1, TOP + 1) for kind in ("predict", "conf"))

DECK_CONFIDENCES = {
    "conf_1": (0.385334, 0.434599),
    "conf_2": (0.129261, 0.131992),
    "conf_3": (0.070293, 0.068514),
}
"""The deck's mean confidences, human-made and AI-generated: VGG19, 2,000 of Kaggle's pictures."""

MEANINGS_FILE = Path(__file__).with_name("category_meanings.txt")

_KINDS = (
    (0, "a fish"),
    (7, "a bird"),
    (25, "an amphibian"),
    (33, "a turtle"),
    (38, "a reptile"),
    (52, "a snake"),
    (69, "a spider or another small animal with many legs"),
    (80, "a bird"),
    (101, "an animal"),
    (127, "a bird"),
    (147, "an animal of the sea"),
    (151, "a breed of dog"),
    (269, "a wild animal of the dogs' family"),
    (281, "a house cat"),
    (286, "a beast of prey"),
    (300, "an insect"),
    (327, "an animal of the sea"),
    (330, "a mammal"),
    (389, "a fish"),
    (398, "a thing made by people"),
    (924, "something to eat or drink"),
    (970, "a landscape or something in it"),
    (981, "a person"),
    (984, "a plant or its fruit"),
    (991, "a fungus"),
    (998, "a plant or its fruit"),
    (999, "a thing made by people"),
)
"""ImageNet's classes are sorted by kind: the number from which on they are what."""


def choose_pictures(rows: pd.DataFrame, limit: int = LIMIT, seed: int = 42) -> pd.DataFrame:
    """Draw pictures to label: all if they are few, else as many of each class.

    Args:
        rows: Readable rows of the manifest.
        limit: Pictures at most.
        seed: Seed of the draw.

    Returns:
        The rows drawn, in their order: all of them up to `limit`, else half of it from each class, or as many
        as the rarer class has.
    """
    if len(rows) <= limit:
        return rows
    positions = rows.groupby("label").indices
    each = min(limit // 2, *map(len, positions.values()))
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(positions[label], each, replace=False) for label in sorted(positions)]
    return rows.iloc[np.sort(np.concatenate(drawn))]


def label_pictures(
    rows: pd.DataFrame, labeller: Labeller, raw_dir: Path, store_dir: Path, progress: bool = True
) -> pd.DataFrame:
    """Name what is in every picture, each file once however often this is called.

    Args:
        rows: Rows of the manifest, with `content`.
        labeller: See `imagenet.load_labeller`.
        raw_dir: Where `file_name` starts.
        store_dir: Keeps what was computed, in a file of this labeller's.
        progress: Show a progress bar.

    Returns:
        The deck's `df_merged`: columns `JOINED` (a picture without a group is a group of its own),
        `LABEL_COLUMNS` and `labeller`, its title; index 0, 1, 2 ….

    Raises:
        ImageError: A file cannot be read.
    """
    paths = [raw_dir / name for name in rows["file_name"]]

    def compute(positions: list[int]) -> Iterator[dict[str, object]]:
        return map(_as_columns, labeller.predict_files(paths[position] for position in positions))

    store, task = store_dir / f"labels-{labeller.key}.sqlite", f"Labels by {labeller.title}"
    values = compute_once(store, labeller.code, list(rows["content"]), compute, task, progress)
    labels = pd.DataFrame(values, columns=list(LABEL_COLUMNS))
    merged = rows[list(JOINED)].reset_index(drop=True).join(labels)
    merged["group"] = merged["group"].where(merged["group"] != "", merged["file_name"])
    return merged.assign(labeller=labeller.title)


def _as_columns(labels: Iterable[Label]) -> dict[str, object]:
    return dict(zip(LABEL_COLUMNS, (value for label in labels for value in label), strict=True))


def class_weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Weights with which every group counts the same within a class: 1 / (its pictures of that class)."""
    pictures = table.groupby(["group", "label"])["label"].transform("size")
    return 1 / pictures.to_numpy(dtype=float)


def confidence_table(labelled: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Compare the labeller's confidence in human-made and in AI-generated pictures, as the deck did.

    Args:
        labelled: From `label_pictures`.
        resamples: Of the bootstrap over groups.
        seed: Its seed.

    Returns:
        A row for each of the first, second and third label: `place`; `human` and `ai`, the mean confidence in
        either class, and their `difference` (AI minus human), each with `_low` and `_high` (NaN where not
        estimable); `p`, Welch's t-test (1947) between the groups' means, NaN below two groups of a
        class; `p_adjusted`, over the rows (Benjamini and Hochberg 1995); `deck_human` and `deck_ai`. A class
        without pictures has NaN.
    """
    label, weight = labelled["label"].to_numpy(), class_weights(labelled)
    rows = []
    for place, (column, deck) in enumerate(DECK_CONFIDENCES.items(), start=1):
        confidence = labelled[column].to_numpy(dtype=float)
        entries = bootstrap(
            lambda w, confidence=confidence: _class_means(w, label, confidence),
            labelled["group"],
            label,
            weight,
            resamples,
            seed,
        )
        means = labelled.groupby(["label", "group"])[column].mean()
        samples = [means[means.index.get_level_values("label") == one] for one in (0, 1)]
        enough = min(map(len, samples)) >= 2
        p = stats.ttest_ind(*samples, equal_var=False).pvalue if enough else np.nan
        rows.append(
            {"place": place}
            | {key: number for name, entry in entries.items() for key, number in entry.columns(name).items()}
            | {"p": p, "deck_human": deck[0], "deck_ai": deck[1]}
        )
    table = pd.DataFrame(rows)
    table.insert(table.columns.get_loc("p") + 1, "p_adjusted", adjust(table["p"]))
    return table


def _class_means(weight: NDArray, label: NDArray, values: NDArray) -> dict[str, float]:
    human, ai = (_weighted_mean(weight[label == one], values[label == one]) for one in (0, 1))
    return {"human": human, "ai": ai, "difference": ai - human}


def _weighted_mean(weight: NDArray, values: NDArray) -> float:
    return float(np.average(values, weights=weight)) if weight.sum() > 0 else np.nan


def adjust(p: pd.Series) -> NDArray[np.float64]:
    """Correct p-values for their number: the false discovery rate of Benjamini and Hochberg (1995).

    Args:
        p: P-values; NaN stays NaN and is not counted.
    """
    p = np.asarray(p, dtype=float)
    adjusted, tested = np.full(p.shape, np.nan), np.isfinite(p)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p[tested])
    return adjusted


def frequent_labels(labelled: pd.DataFrame, most: int = 5) -> pd.DataFrame:
    """Count the most frequent first labels of each class: the deck's `value_counts`.

    Returns:
        Rows `class`, `category`, `pictures`, `groups`, `share` (of the class's pictures); the most frequent
        first, equal ones by name. A class without pictures has no row.
    """
    tables = []
    for one, name in enumerate(CLASS_NAMES):
        mine = labelled[labelled["label"] == one]
        counts = mine.groupby("predict_1").agg(pictures=("group", "size"), groups=("group", "nunique"))
        counts = counts.sort_values("pictures", ascending=False, kind="stable").head(most)
        counts = counts.rename_axis("category").reset_index()
        tables.append(counts.assign(share=counts["pictures"] / max(len(mine), 1)))
        tables[-1].insert(0, "class", name)
    return pd.concat(tables, ignore_index=True)


def spread_pictures(pictures: pd.DataFrame, most: int) -> list[int]:
    """Choose pictures of a category to show: of different groups, from the surest to the least sure.

    Args:
        pictures: Rows with `group` and `conf_1`.
        most: Pictures at most.

    Returns:
        Positions in `pictures`, the surest first.
    """
    surest = pictures["conf_1"].reset_index(drop=True).sort_values(ascending=False, kind="stable")
    groups = pictures["group"].to_numpy()
    firsts = surest.index[~pd.Index(groups[surest.index]).duplicated()]
    places = np.linspace(0, len(firsts) - 1, min(most, len(firsts))).round().astype(int)
    return [int(firsts[place]) for place in places]


def describe_labeller(labeller: Labeller) -> dict[str, str]:
    """Which network names the pictures, and why this one, to show as a table."""
    return {
        "labeller": labeller.title,
        "weights": labeller.weights_source,
        "computes in": labeller.precision,
        "instead of the first choice because": labeller.note or "it is the first choice",
    }


Side = tuple[NDArray[np.float64], int, list[int], list[NDArray[np.uint8]]]
"""One class's pictures of one category, see `category_side`."""


def category_sides(labelled: pd.DataFrame, category: str, raw_dir: Path, most: int) -> tuple[Side, Side]:
    """Gather what a slide shows of one category: human-made, AI-generated; see `category_side`."""
    human, ai = (category_side(labelled, category, label, raw_dir, most) for label in (0, 1))
    return human, ai


def category_side(labelled: pd.DataFrame, category: str, label: int, raw_dir: Path, most: int) -> Side:
    """Gather what a slide shows of one category and class.

    Args:
        labelled: From `label_pictures`.
        category: A first label.
        label: The class.
        raw_dir: Where `file_name` starts.
        most: Pictures to read at most.

    Returns:
        The confidence of every such picture, the number of their groups, the positions of those to show, and
        these pictures.
    """
    mine = labelled[(labelled["predict_1"] == category) & (labelled["label"] == label)]
    shown = spread_pictures(mine, most)
    pictures = read_previews(raw_dir, mine["file_name"].iloc[shown])
    return mine["conf_1"].to_numpy(dtype=float), mine["group"].nunique(), shown, pictures


def category_file(category: str) -> str:
    """A category as part of a file's name: `lab_coat`, `jack_o_lantern`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", category)


def describe_category(category: str) -> str:
    """Say in one line what an ImageNet category is; where nobody wrote one, of what kind it is."""
    if category in _meanings():
        return _meanings()[category]
    numbers = [number for number, (_, name) in enumerate(imagenet_classes()) if name == category]
    if not numbers:
        return "not a category of ImageNet"
    kind = [kind for start, kind in _KINDS if start <= numbers[0]][-1]
    return f"{kind} (ImageNet's {category.replace('_', ' ')})"


@cache
def _meanings() -> dict[str, str]:
    lines = MEANINGS_FILE.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
