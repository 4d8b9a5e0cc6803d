"""Small pictures on disk and the table that lists them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.files import hash_file


def make_images(raw_dir: Path, number: int, side: int = 24, seed: int = 0) -> pd.DataFrame:
    """Write noise pictures, brighter for class 1; list them with the columns training needs.

    Every group has a picture of each class; of five groups one is for validation.
    """
    folder = raw_dir / "train_data"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    rows = []
    for index in range(number):
        label, group = index % 2, index // 2
        path = folder / f"{seed}-{index}.png"
        pixels = random.integers(60 * label, 196 + 60 * label, (side, side + 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        rows.append(
            {
                "file_name": f"train_data/{path.name}",
                "label": label,
                "group": f"{seed}-{group}",
                "split": "validation" if group % 5 == 4 else "train",
                "readable": True,
                "content": hash_file(path),
            }
        )
    return pd.DataFrame(rows)
