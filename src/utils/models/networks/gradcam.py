"""Where a convolutional network looked: Grad-CAM, and the check that it says anything about the network.

Grad-CAM (Selvaraju and others 2017, arXiv 1610.02391) weighs the maps of the last convolution by how much
each of them, on average, moves the answer. The sign is kept here: what is above zero speaks for AI, what is
below speaks for human-made. A map that looks the same for a network with random weights shows the picture's
edges, not what was learnt (Adebayo and others 2018, arXiv 1810.03292), so the same maps are made from
networks whose weights were drawn anew, and compared.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.stats import rankdata

BATCH = 16

ANOTHER_PICTURE = "another picture"
"""Entry of the check that says how alike unrelated maps are."""

Maps = NDArray[np.float32]
"""float32 [n, h, w], one value for each place of the last convolution; above zero speaks for AI."""


def last_convolution(model: keras.Model) -> keras.layers.Layer:
    """The convolution nearest to the output.

    Raises:
        ValueError: The network has none.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    if not convolutions:
        raise ValueError(f"{model.name} has no convolution to look at")
    return convolutions[-1]


def grad_cam(model: keras.Model, pixels: NDArray[np.uint8]) -> Maps:
    """Signed Grad-CAM of the log-odds of AI.

    Args:
        model: A chain of layers, logits [n, 2] from RGB pixels 0–255; the last convolution is looked at.
        pixels: uint8 [n, size, size, 3].

    Returns:
        Maps on the grid of the last convolution; none of no pictures.
    """
    if not len(pixels):
        return np.empty((0, 1, 1), np.float32)
    explain = _explainer(model)
    parts = [explain(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    return np.concatenate(parts)


def _explainer(model: keras.Model) -> Callable[[NDArray[np.uint8]], Maps]:
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    behind = layers.index(last_convolution(model)) + 1

    def explain(pixels: NDArray[np.uint8]) -> Maps:
        features = _through(layers[:behind], tf.cast(pixels, tf.float32))
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = _through(layers[behind:], features)
            log_odds = logits[:, 1] - logits[:, 0]
        weight = tf.reduce_mean(tape.gradient(log_odds, features), axis=(1, 2), keepdims=True)
        return tf.reduce_sum(weight * features, axis=-1).numpy()

    return explain


def _through(layers: list[keras.layers.Layer], tensor: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def randomised_copy(model: keras.Model, seed: int, from_layer: str | None = None) -> keras.Model:
    """The same network with weights drawn anew, each array from a normal distribution of its own spread.

    Args:
        model: A network; it is left as it is.
        seed: Seed of the draw.
        from_layer: Name of the first layer that is drawn anew, in the order of the network; all if not given.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    names = [layer.name for layer in copy.layers]
    rng = np.random.default_rng(seed)
    for layer in copy.layers[names.index(from_layer) if from_layer else 0 :]:
        layer.set_weights(
            [rng.normal(0, max(weight.std(), 1e-3), weight.shape) for weight in layer.get_weights()]
        )
    return copy


def map_similarity(one: Maps, other: Maps) -> NDArray[np.float64]:
    """How alike two maps order the places of a picture, whichever side they take.

    Args:
        one: Maps, [n, h, w].
        other: Maps of the same pictures.

    Returns:
        Size of the rank correlation (Spearman), float64 [n]: 1 where both order all places alike or exactly
        the other way round, 0 where one of them is the same everywhere. Random weights flip sides as often as
        not, so with its sign even the same edges would seem unrelated on average.
    """
    first, second = (
        rankdata(maps.reshape(len(maps), -1), axis=1) - (maps[0].size + 1) / 2 for maps in (one, other)
    )
    lengths = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    products = np.abs((first * second).sum(axis=1))
    return np.divide(products, lengths, out=np.zeros(len(one)), where=lengths > 0)


def randomisation_check(
    model: keras.Model, pixels: NDArray[np.uint8], seeds: int = 3
) -> dict[str, NDArray[np.float64]]:
    """How much of the maps is left when weights are drawn anew, from the output down to the first layer.

    Args:
        model: The trained network.
        pixels: uint8 [n, size, size, 3], at least two.
        seeds: Random networks at each depth, averaged.

    Returns:
        By the deepest layer drawn anew, `map_similarity` with the trained network's maps, float64 [n]; then
        `ANOTHER_PICTURE`, what the trained maps of two different pictures have in common.
    """
    trained = grad_cam(model, pixels)
    similarity = {}
    for name in [layer.name for layer in model.layers if layer.weights][::-1]:
        random = [grad_cam(randomised_copy(model, seed, name), pixels) for seed in range(seeds)]
        similarity[name] = np.mean([map_similarity(trained, maps) for maps in random], axis=0)
    return similarity | {ANOTHER_PICTURE: map_similarity(trained, np.roll(trained, 1, axis=0))}
