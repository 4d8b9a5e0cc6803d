"""A folder of pictures whose names, and the words of their table, hold everything that Linux allows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

ODD_NAMES = (
    "name (35).jpg",
    "[1] {a} ~ *!;^`.png",
    "a#b?c%20d%.png",
    'it\'s "so" & so, then.jpg',
    "<b>bold<img src=x onerror=alert(1)>.png",
    "$x$ $\\frac{.png",
    "$(id) `id` ${HOME} %s {0}.png",
    "line\nbreak\rand\ttab.png",
    "a\\b | c.jpg",
    "-q --json.png",
    "=1+1,@x.png",
    "NA.png",
    "\N{GRINNING FACE} é e\u0301 \u202eright to left.png",
    "\x1b[31mred\x07.png",
    "long" * 44 + ".jpg",
)
"""One kind each; none is hidden (a leading dot), which every listing passes over."""

HIDDEN_NAME = ".hidden.png"

ODD_WORDS = (
    "<b>Gen</b> & $\\frac{$ Co",
    "$x$ | *y* _z_ `w` [a](b)",
    'NA, "none"\tor\x07 \N{GRINNING FACE}',
    "a source whose name goes on " + "and on " * 20 + "to its end",
)
"""What a table may call a generator, an origin or a subject."""

SEEN, PICTURES = 36, 48
"""How many of the pictures are not set aside as unseen, and how many there are."""


def odd_name(number: int) -> str:
    """A name that holds every kind at once, so that whichever picture is drawn brings all of them.

    Those of class 0 (even numbers) begin with a dash, those of class 1 have 180 characters.
    """
    kinds = " (35)[1]#b?%20c'd\"e&<b>f$x$g$(id)h\ti\nj\\k\N{GRINNING FACE}"
    tail = f"{kinds} {number}.{('jpg', 'png')[number // 2 % 2]}"
    return f"{'l' * (180 - len(tail)) if number % 2 else '-a'}{tail}"


def write_picture(path: Path, number: int, side: int = 96) -> None:
    """Save a picture of broad random patches, brighter for odd numbers; JPEG or PNG as its name says."""
    random = np.random.default_rng(number)
    patches = random.integers(60 * (number % 2), 196 + 60 * (number % 2), (6, 6, 3), dtype=np.uint8)
    size = (side, side + number % 7)
    picture = Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)
    with path.open("wb") as file:
        picture.save(file, "JPEG" if path.suffix == ".jpg" else "PNG")


def write_odd_folder(folder: Path, pictures: int = PICTURES) -> dict[str, int]:
    """Fill a folder, and one in it, with pictures, hidden ones among them, and the table that names them.

    Returns:
        Path below `folder` → label.
    """
    rows = []
    for number in range(pictures):
        label, word = number % 2, ODD_WORDS[number // 2 % len(ODD_WORDS)]
        path = folder / ("<i>deep</i> #" if label else ".") / odd_name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, number)
        rows.append(
            {
                "file_name": path.relative_to(folder).as_posix(),
                "label": label,
                "generator": word if label else "",
                "origin": "" if label else word,
                "split": "unseen" if number >= SEEN else "",
                "subject": ODD_WORDS[number // 8 % len(ODD_WORDS)],
            }
        )
        write_picture(path.with_name(HIDDEN_NAME), number)
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows(rows)
    return {row["file_name"]: row["label"] for row in rows}
