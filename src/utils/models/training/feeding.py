"""Batches for training: shuffled indices, pixels read from the cache, and the next batch ready in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
import tensorflow as tf

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.data.split import group_weights
from src.utils.models.training.augmentation import vary_batch
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
    cache: PixelCache,
    examples: Examples,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    augment: bool = False,
) -> tf.data.Dataset:
    """Epoch after epoch, each in an order that follows from the seed and the epoch's number alone.

    So a training that continues at epoch 5 sees the pictures in the order the uninterrupted one would have.
    The same holds for how each picture is varied.

    Args:
        cache: The pixels.
        examples: What to feed.
        batch_size: Pictures a batch; the last one of an epoch may have fewer.
        seed: Seed of the order.
        first_epoch: Epoch to start with, from 0.
        augment: Whether every picture is varied a little, each time in another way.

    Returns:
        Endless batches of pixels (uint8 [b, size, size, 3]), labels (int64 [b]) and weights (float32 [b]);
        two are ready in time.
    """

    def positions() -> Iterator[tuple[int, np.ndarray]]:
        for epoch in count(first_epoch):
            order = np.random.default_rng([seed, epoch]).permutation(len(examples))
            for start in range(0, len(order), batch_size):
                yield epoch, order[start : start + batch_size]

    def read(epoch: int, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pixels = cache.gather(examples.rows[chosen])
        if augment:
            pixels = vary_batch(pixels, [(seed, int(epoch), int(one)) for one in chosen])
        return pixels, examples.labels[chosen], examples.weights[chosen]

    def load(epoch: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pixels, labels, weights = tf.numpy_function(read, [epoch, chosen], [tf.uint8, tf.int64, tf.float32])
        return (
            tf.ensure_shape(pixels, [None, cache.size, cache.size, 3]),
            tf.ensure_shape(labels, [None]),
            tf.ensure_shape(weights, [None]),
        )

    signature = (tf.TensorSpec([], tf.int64), tf.TensorSpec([None], tf.int64))
    indices = tf.data.Dataset.from_generator(positions, output_signature=signature)
    batches = indices.map(load, num_parallel_calls=2).prefetch(2)
    return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
