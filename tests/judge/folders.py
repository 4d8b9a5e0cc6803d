"""Labelled folders made in code, and toy detectors whose answers are known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from src.utils.data.sources.folder import open_dataset
from src.utils.judge.detectors.detector import Detector
from src.utils.judge.pictures import Pictures, read_pictures
from src.utils.settings import Settings

HUMAN, AI = (0.1, 0.2, 0.6), (0.4, 0.8, 0.9)
"""Brightness of flat pictures: at 0.5 one of three is wrong in each class; 8 of 9 pairs are in order."""

BRIGHT = """
import numpy as np

def bright(pictures):
    return [np.asarray(one).mean() / 255 for one in pictures]

def dark(pictures):
    return [1 - np.asarray(one).mean() / 255 for one in pictures]

def wide(pictures):
    return [0.026 * one.width for one in pictures]

def three(pictures):
    return [0.5] * 3

def sure(pictures):
    return [1.5 for one in pictures]

def broken(pictures):
    raise KeyError("weights")
"""


def flat(path: Path, brightness: float, side: int = 20) -> None:
    """Save a picture of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (round(255 * brightness),) * 3).save(path)


def six_pictures(folder: Path) -> Path:
    """Three flat pictures of each class, `HUMAN` and `AI`, in class folders."""
    for name, values in (("human", HUMAN), ("ai", AI)):
        for number, value in enumerate(values):
            flat(folder / name / f"{number}.png", value)
    return folder


def noise_pictures(folder: Path, number: int = 50, sides: tuple[int, int] = (32, 32), seed: int = 0) -> Path:
    """Pictures of equal noise in both classes, of a side that may differ, and a CSV with sources."""
    rng = np.random.default_rng(seed)
    lines = ["file_name,label,generator,origin"]
    for index in range(number):
        label, side = index % 2, sides[index % 2]
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        name = f"{index}.png"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
        source = ("Flux", "SDXL")[index // 2 % 2] if label else ""
        lines.append(f"{name},{label},{source},{'' if label else 'Archive'}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def look_at(folder: Path, memory: Path) -> Pictures:
    """What `make evaluate` finds in a folder."""
    opened = open_dataset(Settings(source="folder", data_dir=folder, root=memory), progress=False)
    return read_pictures(folder.name, opened, memory, progress=False)


def brightness_detector(key: str = "bright", asked: list | None = None, **options) -> Detector:
    """Log-odds of AI are the mean brightness of 0–255 minus 127.5, a hundredth of it; `asked` counts."""

    def ask(pictures):
        if asked is not None:
            asked.extend(pictures)
        return np.array([np.asarray(one).mean() - 127.5 for one in pictures]) / 100

    return Detector(key, key, lambda image: image, ask, batch=4, **options)
