"""Manifests made in code: facts about files without files."""

import numpy as np
import pandas as pd


def make_manifest(groups=60, per_group=3, seed=0):
    """Rows of `images.csv` whose file facts say nothing about the class; 64/16/20 by group."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(2 * groups), per_group)
    rows = len(group)
    split = np.resize(["train"] * 16 + ["validation"] * 4 + ["test"] * 5, 2 * groups)
    return pd.DataFrame(
        {
            "file_name": [f"train_data/{row:05d}.jpg" for row in range(rows)],
            "label": group % 2,
            "group": [f"g{one:04d}" for one in group],
            "split": split[group],
            "width": 384,
            "height": 384,
            "bytes": rng.integers(20_000, 90_000, rows),
            "format": "JPEG",
            "mode": "RGB",
            "jpeg_quality": 90.0,
        }
    )
