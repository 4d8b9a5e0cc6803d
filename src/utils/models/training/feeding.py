"""Batches for training: shuffled indices, pixels read from the cache, and the next batch ready in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
import tensorflow as tf

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.data.split import group_weights
from src.utils.settings import CLASS_NAMES, UserError


@dataclass(frozen=True)
class Examples:
    """What one split feeds to training.

    Attributes:
        rows: int64 [n], rows of the pixel cache.
        labels: int64 [n], 0 or 1.
        weights: float32 [n], mean 1: every group counts the same.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.rows)


def split_examples(images: pd.DataFrame, split: str) -> Examples:
    """Pick the pictures of one split.

    Args:
        images: The readable rows of the manifest, the table the pixel cache was opened for.
        split: `train`, `validation`, `test` or `unseen`.

    Raises:
        UserError: The split lacks pictures of a class.
    """
    chosen = (images["split"] == split).to_numpy()
    labels = images["label"].to_numpy(np.int64)[chosen]
    for label, class_name in enumerate(CLASS_NAMES):
        if label not in labels:
            raise UserError(
                f"The {split} split has no {class_name} picture: add pictures of both classes, "
                "then run notebook 03_split_directories again."
            )
    weights = np.asarray(group_weights(images))[chosen].astype(np.float32)
    return Examples(np.flatnonzero(chosen), labels, weights)


def endless_batches(
    cache: PixelCache, examples: Examples, batch_size: int, seed: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Epoch after epoch, each in an order that follows from the seed and the epoch's number alone.

    So a training that continues at epoch 5 sees the pictures in the order the uninterrupted one would have.

    Args:
        cache: The pixels.
        examples: What to feed.
        batch_size: Pictures a batch; the last one of an epoch may have fewer.
        seed: Seed of the order.
        first_epoch: Epoch to start with, from 0.

    Returns:
        Endless batches of pixels (uint8 [b, size, size, 3]), labels (int64 [b]) and weights (float32 [b]).
    """

    def positions() -> Iterator[np.ndarray]:
        for epoch in count(first_epoch):
            order = np.random.default_rng([seed, epoch]).permutation(len(examples))
            yield from _chunks(order, batch_size)

    return _read_batches(cache, examples, positions, tf.data.INFINITE_CARDINALITY)


def batches_in_order(cache: PixelCache, examples: Examples, batch_size: int) -> tf.data.Dataset:
    """All pictures once, in order; batches as those of `endless_batches`."""
    order = np.arange(len(examples))
    number = math.ceil(len(examples) / batch_size)
    return _read_batches(cache, examples, lambda: _chunks(order, batch_size), number)


def _chunks(order: np.ndarray, length: int) -> Iterator[np.ndarray]:
    return (order[start : start + length] for start in range(0, len(order), length))


def _read_batches(
    cache: PixelCache, examples: Examples, positions: Callable[[], Iterator[np.ndarray]], number: int
) -> tf.data.Dataset:
    """Read `number` batches of positions in `examples`: pixels, labels and weights, two batches ahead."""

    def read(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return cache.gather(examples.rows[chosen]), examples.labels[chosen], examples.weights[chosen]

    def load(chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pixels, labels, weights = tf.numpy_function(read, [chosen], [tf.uint8, tf.int64, tf.float32])
        return (
            tf.ensure_shape(pixels, [None, cache.size, cache.size, 3]),
            tf.ensure_shape(labels, [None]),
            tf.ensure_shape(weights, [None]),
        )

    indices = tf.data.Dataset.from_generator(positions, output_signature=tf.TensorSpec([None], tf.int64))
    batches = indices.map(load, num_parallel_calls=2).prefetch(2)
    return batches.apply(tf.data.experimental.assert_cardinality(number))
