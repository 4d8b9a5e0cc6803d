"""What a picture's file tells before a pixel is read: facts about the container, and about the content."""

from __future__ import annotations

import numpy as np
import pandas as pd

CONTAINER, CONTENT = "container", "content"

FACT_KINDS = {
    "width": CONTAINER,
    "height": CONTAINER,
    "aspect": CONTAINER,
    "megapixels": CONTAINER,
    "multiple_of_8": CONTAINER,
    "multiple_of_64": CONTAINER,
    "format": CONTAINER,
    "mode": CONTAINER,
    "jpeg_quality": CONTAINER,
    "quantisation": CONTAINER,
    "subsampling": CONTAINER,
    "progressive": CONTAINER,
    "exif": CONTAINER,
    "icc": CONTAINER,
    "bytes": CONTENT,
    "bytes_per_pixel": CONTENT,
}
"""Facts about files. Bytes are content: at one size and one quality they measure how busy a picture is."""

MEASURED = ("brightness", "contrast", "saturation")
"""Columns of the manifest that were measured on pixels: content, and no fact about a file."""

CATEGORICAL = ("format", "mode", "quantisation", "subsampling")
MAX_CATEGORIES = 50


def file_facts(manifest: pd.DataFrame) -> pd.DataFrame:
    """Turn the manifest's columns about files into features.

    Args:
        manifest: Rows of `images.csv` with at least `width`, `height`, `bytes`, `format`, `mode` and
            `jpeg_quality`; the other facts are taken where there is such a column.

    Returns:
        A column per fact of `FACT_KINDS` that is known, index as in the manifest: float64 (NaN where a file
        has none, yes and no as 1 and 0), or category for those in `CATEGORICAL`, where all but the
        `MAX_CATEGORIES` commonest values are one, `other`.
    """
    width, height = manifest["width"].astype(float), manifest["height"].astype(float)
    size = pd.to_numeric(manifest["bytes"]).astype(float)
    known = {
        "width": width,
        "height": height,
        "aspect": width / height,
        "megapixels": width * height / 1e6,
        "multiple_of_8": ((width % 8 == 0) & (height % 8 == 0)).astype(float),
        "multiple_of_64": ((width % 64 == 0) & (height % 64 == 0)).astype(float),
        "bytes": size,
        "bytes_per_pixel": size / (width * height),
    }
    for name in FACT_KINDS:
        if name in manifest and name not in known:
            known[name] = _category(manifest[name]) if name in CATEGORICAL else _number(manifest[name])
    return pd.DataFrame({name: known[name] for name in FACT_KINDS if name in known}, index=manifest.index)


def _category(column: pd.Series) -> pd.Series:
    text = column.astype("string").fillna("none").replace("", "none").astype(object)
    common = text.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    return text.where(text.isin(common[:MAX_CATEGORIES]), "other").astype("category")


def _number(column: pd.Series) -> pd.Series:
    if pd.api.types.is_string_dtype(column.dtype):
        column = column.astype(object).replace({"True": 1, "False": 0, "": np.nan})
    numbers = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    return pd.Series(numbers, index=column.index)
