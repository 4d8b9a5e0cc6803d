"""Naming what is in pictures: `python -m benchmarks.labelling PICTURE…` times VGG19.

The weights are random: how long a network computes does not depend on them, and VGG19's are a large download.
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

from benchmarks.limits import Need, decoding_need, forward_operations, tensorflow_products
from benchmarks.timing import Task, measure
from src.utils.models.networks.efficientnet_lite0 import build_efficientnet_lite0, scale_input
from src.utils.models.networks.imagenet import INPUT_SIZE, TOP, load_lite0_labeller, load_vgg19


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
    return measure(vgg19_task(paths), repeats)


def vgg19_task(paths: list[Path]) -> Task:
    """Three labels for each file by VGG19, the deck's way and ours."""
    model = vgg19.VGG19(weights=None)
    labeller = load_vgg19(weights=None)
    needs = (Need(forward_operations(model), tensorflow_products(labeller.precision)), decoding_need(paths))
    return Task(
        "VGG19 labels of files",
        len(paths),
        lambda: list(labeller.predict_files(paths)),
        make_deck_labels(paths, model, vgg19.preprocess_input),
        needs,
    )


def lite0_task(paths: list[Path]) -> Task:
    """The same by EfficientNet-Lite0, which steps in where VGG19 cannot be had."""
    model, labeller = build_efficientnet_lite0(), load_lite0_labeller(None)
    needs = (Need(forward_operations(model), tensorflow_products()), decoding_need(paths))
    return Task(
        "EfficientNet-Lite0 labels of files",
        len(paths),
        lambda: list(labeller.predict_files(paths)),
        make_deck_labels(paths, model, scale_input),
        needs,
    )


def make_deck_labels(
    paths: list[Path], model: keras.Model, prepare: Callable[[np.ndarray], np.ndarray]
) -> Callable[[], None]:
    """Load, prepare and `predict` in float32, picture after picture, as in the deck's class example."""

    def label_all() -> None:
        for path in paths:
            image = keras.utils.load_img(path, target_size=(INPUT_SIZE, INPUT_SIZE))
            batch = prepare(keras.utils.img_to_array(image)[np.newaxis])
            np.argsort(model.predict(batch, verbose=0)[0])[-TOP:]

    return label_all


if __name__ == "__main__":
    sys.exit(main())
