"""The deck's convolutional network, to the parameter."""

from __future__ import annotations

import keras
import pandas as pd

from src.utils.settings import IMAGE_SIZE

PARAMETERS = 720_194
"""Trainable parameters, as on the deck's slide."""

_FILTERS = (32, 64, 64, 64, 64)


def build_deck_cnn(
    scaled: bool = False, seed: int = 0, policy: str = "float32", name: str | None = None
) -> keras.Sequential:
    """Build the deck's network: five 3×3 convolutions, four of them max-pooled, and two dense layers.

    Args:
        scaled: Whether a first layer divides the pixels by 255. The deck fed 0–255, with which Adam is
            unstable.
        seed: Seed of the initial weights; the same seed gives the same weights, scaled or not.
        policy: Keras dtype policy of all layers but the last, which gives float32.
        name: Name of the model; `cnn_scaled` or `cnn_deck` by default.

    Returns:
        An uncompiled model of 720,194 parameters: RGB [n, 255, 255, 3] in 0–255 (uint8 or float) → logits
        [n, 2].
    """
    seeds = iter(range(7 * seed, 7 * seed + 7))  # one for each of the seven layers with weights

    def weighted(
        kind: type[keras.layers.Layer], *sizes: int, layer_name: str, **options
    ) -> keras.layers.Layer:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return kind(*sizes, kernel_initializer=start, name=layer_name, **{"dtype": policy, **options})

    layers: list = [keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pixels")]
    if scaled:
        layers.append(keras.layers.Rescaling(1 / 255, dtype=policy, name="rescaling"))
    for number, filters in enumerate(_FILTERS, start=1):
        layers.append(
            weighted(keras.layers.Conv2D, filters, 3, activation="relu", layer_name=f"conv2d_{number}")
        )
        if number < len(_FILTERS):
            layers.append(keras.layers.MaxPooling2D(dtype=policy, name=f"max_pooling2d_{number}"))
    layers += [
        keras.layers.Flatten(dtype=policy, name="flatten"),
        weighted(keras.layers.Dense, 64, activation="relu", layer_name="dense_1"),
        weighted(keras.layers.Dense, 2, dtype="float32", layer_name="dense_2"),
    ]
    return keras.Sequential(layers, name=name or ("cnn_scaled" if scaled else "cnn_deck"))


def layer_table(model: keras.Model) -> pd.DataFrame:
    """Tabulate a model's layers as `model.summary()` prints them.

    Returns:
        Columns `layer`, `type`, `output_shape` (text, the batch as None) and `parameters`.
    """
    return pd.DataFrame(
        {
            "layer": layer.name,
            "type": type(layer).__name__,
            "output_shape": str(tuple(layer.output.shape)),
            "parameters": layer.count_params(),
        }
        for layer in model.layers
    )
