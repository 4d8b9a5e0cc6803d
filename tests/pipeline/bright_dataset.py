"""A dataset of soft textures made in code, split already, in which AI is the brighter class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.manifest import scan_images, write_manifest
from src.utils.settings import Settings

GENERATORS, PLACES = ["Flux", "Kling", "Krea", "Lens"], ["Alps", "Baltic", "Crete", "Dalarna"]


def textured(level: float, seed: int) -> Image.Image:
    """A soft coloured texture of some brightness, 96 × 80."""
    small = np.random.default_rng(seed).normal(255 * level, 25, (10, 12, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(small).resize((96, 80), Image.Resampling.BICUBIC)


def make_dataset(settings: Settings, unseen: bool = True) -> pd.DataFrame:
    """Eighty pictures of four sources a class, half for validation; AI is brighter, with a few exceptions."""
    rows = []
    (settings.raw_dir / "train_data").mkdir(parents=True)
    for row in range(80):
        label, source = row % 2, row // 2 % 4
        odd = row % 20 == 7
        name = f"train_data/{row:02d}.png"
        textured(0.75 if bool(label) != odd else 0.25, row).save(settings.raw_dir / name)
        rows.append(
            {
                "file_name": name,
                "label": label,
                "group": f"g{row}",
                "generator": GENERATORS[source] if label else "",
                "origin": "" if label else PLACES[source],
                "split": "validation" if row < 40 else "unseen" if unseen else "test",
            }
        )
    manifest = scan_images(settings.raw_dir, pd.DataFrame(rows), progress=False)
    write_manifest(settings.manifest_path, manifest)
    return manifest
