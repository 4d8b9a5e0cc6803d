"""Naming what is in pictures with VGG19: `python -m benchmarks.labelling PICTURE…`.

The weights are random: how long a network computes does not depend on them, and theirs is a large download.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.applications import vgg19

from benchmarks.timing import Task, measure
from src.utils.models.networks.imagenet import INPUT_SIZE, TOP, load_vgg19


def main() -> int:
    """Time both ways on some pictures and print the medians."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.labelling", description=__doc__.partition(":")[0]
    )
    parser.add_argument("pictures", nargs="+", type=Path)
    row = benchmark_labelling(parser.parse_args().pictures)
    for way in ("deck", "ours"):
        print(f"{way}: {row[way]['pictures_per_second']} pictures a second")
    print(f"{row['times_faster']} times as fast")
    return 0


def benchmark_labelling(paths: list[Path], repeats: int = 3) -> dict[str, Any]:
    """Median seconds of both ways on the same pictures, and their ratio."""
    return measure(labelling_task(paths), repeats)


def labelling_task(paths: list[Path]) -> Task:
    """Three labels for each file, the deck's way and ours."""
    labeller = load_vgg19(weights=None)
    return Task(
        "VGG19 labels of files",
        len(paths),
        make_deck_labels(paths),
        lambda: list(labeller.predict_files(paths)),
    )


def make_deck_labels(paths: list[Path]) -> Callable[[], None]:
    """Load, prepare and `predict` in float32, picture after picture, as in the deck's class example."""
    model = vgg19.VGG19(weights=None)

    def label_all() -> None:
        for path in paths:
            image = keras.utils.load_img(path, target_size=(INPUT_SIZE, INPUT_SIZE))
            batch = vgg19.preprocess_input(keras.utils.img_to_array(image)[np.newaxis])
            np.argsort(model.predict(batch, verbose=0)[0])[-TOP:]

    return label_all


if __name__ == "__main__":
    sys.exit(main())
