"""What the names of folders and the labels of tables mean: a class, a part of the split, or nothing.

A name means a class only when it is one of a few words, however it is written: case, spaces, hyphens and
underscores do not count, `0_` or `1_` may stand before it, and a word for pictures after it (`0_real`, `AI
Images`, `real-photos`). Any other name is refused, and `CLASSES` says what it means.
"""

from __future__ import annotations

import csv
import functools
import io
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from src.utils.settings import UserError

HUMAN_WORDS = (
    "human", "human-made", "real", "nature", "natural", "photo", "photos", "photograph", "photographs",
    "authentic", "genuine", "original", "originals",
)  # fmt: skip
AI_WORDS = (
    "ai", "ai-made", "ai-generated", "fake", "fakes", "synthetic", "generated", "artificial", "deepfake",
    "deepfakes",
)  # fmt: skip
PICTURE_WORDS = (
    "image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos", "art",
)  # fmt: skip
"""Words that may follow a class word, and that say nothing alone."""

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
    "unseen": "unseen",
}
"""What a dataset calls the parts of its own split, and what they are called here."""

_CLASS_WORDS = {**dict.fromkeys(HUMAN_WORDS, 0), **dict.fromkeys(AI_WORDS, 1)}
_CONTAINERS = {*PICTURE_WORDS, "data", "dataset", "archive", "train-data", "."}
_MEANINGS = {"human": 0, "ai": 1, "none": None, "skip": None}

Meanings = Mapping[str, str]
"""What `CLASSES` says: a plain name → `human`, `ai`, `none` (says nothing) or `skip` (leave it out)."""


@functools.lru_cache(1 << 16)
def plain_name(name: str) -> str:
    """A name as it is compared: in lower case, composed, with single hyphens for spaces and underscores."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return re.sub(r"[\s_-]+", "-", composed).strip("-")


def parse_classes(text: str) -> dict[str, str]:
    """Read the value of `CLASSES`.

    Args:
        text: Such as `laion=human, stable-diffusion-xl=ai`; a name with a comma in double quotes.

    Returns:
        `Meanings`, by `plain_name`.

    Raises:
        UserError: An entry is no `name=meaning`, or a name comes twice with two meanings.
    """
    classes: dict[str, str] = {}
    for entry in next(csv.reader(io.StringIO(" ".join(text.split())), skipinitialspace=True), []):
        name, equals, meaning = (part.strip() for part in entry.rpartition("="))
        known = {0: "human", 1: "ai", None: meaning.lower()}[class_of(meaning)]
        if not entry.strip():
            continue
        if not equals or not plain_name(name) or known not in _MEANINGS:
            raise UserError(
                f"CLASSES: '{entry}' is not understood: write name=human, name=ai, name=none (the name says "
                "nothing) or name=skip (leave its pictures out), with commas between."
            )
        if classes.setdefault(plain_name(name), known) != known:
            raise UserError(f"CLASSES gives '{name}' two meanings: keep one of them.")
    return classes


def classes_to_complete(names: Iterable[str], meaning: str = "?") -> str:
    """The setting that would explain some names, ready to be completed in a shell: `CLASSES='cats=?'`."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(f"{name}={meaning}" for name in names)
    return f"CLASSES={shlex.quote(line.getvalue())}"


def class_of(word: str, classes: Meanings | None = None) -> int | None:
    """The class that a folder's name or a label means.

    Args:
        word: As it is written.
        classes: What `CLASSES` says; it comes first.

    Returns:
        0 for human-made, 1 for AI-generated, None when it means neither.
    """
    name = plain_name(word)
    if classes and name in classes:
        return _MEANINGS[classes[name]]
    number = re.fullmatch(r"([01])(\.0+)?", name)
    if number:
        return int(number[1])
    parts = name.split("-")
    while len(parts) > 1 and parts[-1] in PICTURE_WORDS:
        parts.pop()
    if len(parts) > 1 and parts[0] in ("0", "1"):
        label = _CLASS_WORDS.get("-".join(parts[1:]))
        return label if label == int(parts[0]) else None
    return _CLASS_WORDS.get("-".join(parts))


def split_of(word: str) -> str:
    """The part of a split that a name means, one of `SPLITS`; empty when it means none."""
    return SPLIT_WORDS.get(plain_name(word), "")


@functools.lru_cache(1 << 16)
def split_of_path(folder: str) -> str:
    """The part of a split that a path means, by its outermost folder that means one; or empty."""
    return next(filter(None, map(split_of, PurePosixPath(folder).parts)), "")


class FolderFacts(NamedTuple):
    """What the folders on a picture's path say about it.

    Attributes:
        label: The class, None where no folder says it.
        word: The name that says it, as it is written.
        split: A part of the dataset's own split, or empty.
        source: The generator's or photo source's name, or empty.
        skipped: Whether `CLASSES` leaves the folder out.
    """

    label: int | None
    word: str
    split: str
    source: str
    skipped: bool


def read_folders(folder: str, classes: Meanings) -> FolderFacts:
    """Read what a folder's path says: class, part of a split, and who made the pictures.

    The source is the outermost folder that is neither a class word, nor a part of a split, nor a plain
    container such as `images` or a number. Photographs that lie in a class folder below it are somebody's
    selection to go with it, not its work: their source is called `<source>/<class folder>`, such as
    `BigGAN/nature`.

    Args:
        folder: Relative, with forward slashes; `.` for the top.
        classes: What `CLASSES` says.

    Raises:
        UserError: Two folders on the path contradict each other; both are named.
    """
    parts = PurePosixPath(folder).parts or (".",)
    said = [(index, class_of(part, classes)) for index, part in enumerate(parts)]
    said = [(index, label) for index, label in said if label is not None]
    for index, label in said[1:]:
        if label != said[0][1]:
            words = [parts[said[0][0]], parts[index]]
            raise UserError(
                f"'{folder}' contradicts itself: '{words[said[0][1]]}' means human-made and "
                f"'{words[label]}' AI-generated: rename one of them, or say which one does not name the "
                f"class, such as {classes_to_complete(words[1:], 'none')}."
            )
    names = [index for index, part in enumerate(parts) if _is_source(part)]
    source = parts[names[0]] if names else ""
    label, at = (said[-1][1], said[-1][0]) if said else (None, 0)
    if label == 0 and names and names[0] < at and not _is_source(parts[at]):
        source = f"{source}/{parts[at]}"
    return FolderFacts(
        label=label,
        word=parts[at] if said else "",
        split=split_of_path(folder),
        source=source,
        skipped=any(classes.get(plain_name(part)) == "skip" for part in parts),
    )


def _is_source(part: str) -> bool:
    name = plain_name(part)
    return not (class_of(part) is not None or split_of(part) or name in _CONTAINERS or name.isdigit())
