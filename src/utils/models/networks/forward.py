"""A network as a function from pixels to its output, over as many pictures as there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from src.utils.data.parallel import map_ahead

if TYPE_CHECKING:
    import keras

    from src.utils.data.pictures.pixel_cache import PixelCache

BATCH_SIZE = 32

Runtime = Callable[[np.ndarray], np.ndarray]
"""uint8 [n, size, size, 3] → logits [n, 2]."""


def trace_model(model: keras.Model) -> Runtime:
    """Turn a Keras model into a function that is traced once, for batches of any length.

    `model.predict` sets up a loop, a dataset and callbacks at every call, which costs ten times what one
    picture does.
    """
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.uint8)])
    def forward(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    return lambda pixels: forward(pixels).numpy()


def cached_logits(
    runtime: Runtime, cache: PixelCache, rows: np.ndarray, progress: bool = False
) -> np.ndarray:
    """The network's output for rows of a pixel cache, a batch at a time while the next one is read.

    Args:
        runtime: The network.
        cache: The pixels.
        rows: int [n], rows of the cache.
        progress: Whether to show a progress bar.

    Returns:
        float [n, 2].
    """
    from tqdm import tqdm

    chunks = [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]
    batches = map_ahead(cache.gather, chunks, workers=1, ahead=2)
    bar = tqdm(batches, "Predicting", len(chunks), disable=not progress, unit="batch")
    return np.concatenate([runtime(batch) for batch in bar])
