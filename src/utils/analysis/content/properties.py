"""What can be measured on a picture and named: light, colour, sharpness, noise, shape, file, faces.

Brightness, contrast and saturation come with the manifest; the others need more of the pixels and are
measured once per content.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from skimage.restoration import estimate_sigma

from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.remembered import compute_once
from src.utils.models.networks.faces import count_faces, face_pixels

PROPERTY_NAMES = {
    "brightness": "brightness",
    "contrast": "contrast",
    "saturation": "saturation",
    "colourfulness": "colourfulness",
    "sharpness": "sharpness",
    "residual_noise": "residual noise",
    "megapixels": "size, megapixels",
    "aspect": "width / height",
    "bytes_per_pixel": "bytes per pixel",
    "jpeg_quality": "JPEG quality",
    "faces": "faces found",
    "people": "subject is people",
}
"""The properties that are numbers, and what figures call them."""

MEASURED = ("colourfulness", "sharpness", "residual_noise", "faces")

PEOPLE = "people"
"""The `subject` of pictures that show people."""

_MIDDLE = 1024  # pixels: sharpness and noise are measured on the middle of larger pictures, never resampled
_COLOUR_SIDE = 512


def measure_pictures(
    rows: pd.DataFrame, raw_dir: Path, store_dir: Path, progress: bool = True
) -> pd.DataFrame:
    """Measure every picture, each file once however often this is called.

    Args:
        rows: Rows of the manifest, with `content`, `brightness`, `contrast` and `saturation`.
        raw_dir: Where `file_name` starts.
        store_dir: Keeps what was measured.
        progress: Show a progress bar.

    Returns:
        `file_name` and a float column for each of `PROPERTY_NAMES`, index 0, 1, 2 …: `brightness` 0–255,
        `contrast` 0–128, `saturation` 0–255, `colourfulness` about 0–150 (see `colourfulness`), `sharpness`
        (variance of the Laplacian of luma), `residual_noise` (standard deviation in grey levels),
        `megapixels`, `aspect` (width over height), `bytes_per_pixel`, `jpeg_quality` 1–100 (NaN for other
        formats), `faces` (found), `people` (1 if the subject is people, 0 if another one, NaN if unknown).

    Raises:
        ImageError: A file cannot be read.
    """
    paths = [raw_dir / name for name in rows["file_name"]]

    def compute(positions: list[int]) -> Iterator[dict[str, float]]:
        pictures = map_ahead(_look_at, (paths[position] for position in positions), ahead=32)
        for_numbers, for_faces = itertools.tee(pictures)
        counts = count_faces(small for _, small in for_faces)
        return ({**numbers, "faces": count} for (numbers, _), count in zip(for_numbers, counts, strict=True))

    store, code = store_dir / "properties.sqlite", code_digest(__name__)
    values = compute_once(store, code, list(rows["content"]), compute, "Properties", progress)
    measured = pd.DataFrame(values, columns=list(MEASURED))
    rows = rows.reset_index(drop=True)
    pixels = rows["width"] * rows["height"]
    known = {
        **{name: rows[name] for name in ("brightness", "contrast", "saturation", "jpeg_quality")},
        **{name: measured[name] for name in MEASURED},
        "megapixels": pixels / 1e6,
        "aspect": rows["width"] / rows["height"],
        "bytes_per_pixel": rows["bytes"] / pixels,
        "people": (rows["subject"] == PEOPLE).astype(float).where(rows["subject"] != ""),
    }
    numbers = pd.DataFrame(known, columns=list(PROPERTY_NAMES), index=rows.index).astype(float)
    return rows[["file_name"]].join(numbers)


def _look_at(path: Path) -> tuple[dict[str, float], np.ndarray]:
    """Measure one file, and give what the face detector looks at."""
    image = open_image(path)
    return measure_image(image), face_pixels(image)


def measure_image(image: Image.Image) -> dict[str, float]:
    """Measure an upright RGB picture.

    Returns:
        `colourfulness`, `sharpness` and `residual_noise`; the latter two on the middle of large pictures.
    """
    small = image.copy()
    small.thumbnail((_COLOUR_SIDE, _COLOUR_SIDE), Image.Resampling.BOX)
    left, top = (max(0, (side - _MIDDLE) // 2) for side in image.size)
    middle = image.crop((left, top, left + min(image.width, _MIDDLE), top + min(image.height, _MIDDLE)))
    luma = np.asarray(middle.convert("L"), dtype=np.float64)
    return {
        "colourfulness": colourfulness(np.asarray(small)),
        "sharpness": float(ndimage.laplace(luma).var()),
        "residual_noise": float(estimate_sigma(luma)),
    }


def colourfulness(pixels: np.ndarray) -> float:
    """How colourful a picture looks: the measure M3 of Hasler and Süsstrunk (2003).

    0 is grey, 15 slightly, 45 quite and 109 extremely colourful by the authors' table.

    Args:
        pixels: uint8 [h, w, 3], RGB.
    """
    red, green, blue = np.moveaxis(pixels.astype(np.float64), -1, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue]).reshape(2, -1)
    return float(np.hypot(*opponents.std(axis=1)) + 0.3 * np.hypot(*opponents.mean(axis=1)))


def face_check(properties: pd.DataFrame) -> pd.DataFrame:
    """Compare the faces found with whether the subject is people: the detector's own error, roughly.

    A picture of people may show backs and hands only, and a room may have somebody in it, so neither share
    counts errors alone.

    Args:
        properties: From `measure_pictures`.

    Returns:
        A row for pictures of people and one for others, where there are any: `subject`, `pictures`,
        `with_a_face`, `share`. Empty where subjects are not known.
    """
    known = properties[properties["people"].notna()]
    rows = []
    for value, name in ((1.0, "people"), (0.0, "anything else")):
        found = known.loc[known["people"] == value, "faces"] > 0
        if len(found):
            rows.append((name, len(found), int(found.sum()), float(found.mean())))
    return pd.DataFrame(rows, columns=["subject", "pictures", "with_a_face", "share"])
