"""The work as the deck's slides do it: Keras's own helpers, float32, one `predict` call a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.settings import IMAGE_SIZE


def feed(folder: Path) -> tf.data.Dataset:
    """Batches straight from the files, decoded anew in every epoch."""
    return keras.utils.image_dataset_from_directory(
        folder,
        labels="inferred",
        image_size=(IMAGE_SIZE, IMAGE_SIZE),
        interpolation="bilinear",
        verbose=False,
    )


def make_feed(folder: Path) -> Callable[[], None]:
    """One pass over the files."""
    return make_pass(feed(folder))


def make_decoding(paths: list[Path]) -> Callable[[], None]:
    """Load and squash picture after picture."""

    def load_all() -> None:
        for path in paths:
            keras.utils.img_to_array(keras.utils.load_img(path, target_size=(IMAGE_SIZE, IMAGE_SIZE)))

    return load_all


def make_pass(batches: tf.data.Dataset) -> Callable[[], None]:
    """Take every batch once and do nothing with it."""

    def take_all() -> None:
        for _ in batches:
            pass

    return take_all


def make_epoch(folder: Path) -> Callable[[], None]:
    """One epoch of training."""
    model, batches = build_deck_cnn(), feed(folder)
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return lambda: model.fit(batches, shuffle=False, verbose=0)


def make_predict_pixels(pixels: np.ndarray) -> Callable[[], None]:
    """`model.predict` on one picture already in memory, float32 [1, 255, 255, 3]."""
    model, batch = build_deck_cnn(), pixels.astype(np.float32)
    return lambda: model.predict(batch, verbose=0)


def make_predict_files(paths: list[Path]) -> Callable[[], None]:
    """Load, predict and take the larger output, picture after picture."""
    model = build_deck_cnn()

    def predict_all() -> None:
        for path in paths:
            image = keras.utils.load_img(path, target_size=(IMAGE_SIZE, IMAGE_SIZE))
            array = keras.utils.img_to_array(image)[np.newaxis]
            np.argmax(model.predict(array, verbose=0))

    return predict_all
