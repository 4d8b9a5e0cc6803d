"""A network of seconds, on pictures of 16 pixels, for tests of what surrounds a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from src.utils.data.pictures.pixel_cache import PixelCache, open_pixel_cache
from src.utils.settings import Settings
from tests.data.made_pictures import make_images

SIZE = 16


def build_tiny(policy: str = "float32"):
    """A convolution, dropout (so that its random state matters too) and logits; always with equal weights."""
    import keras

    start = keras.initializers.GlorotUniform(seed=1)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255, dtype=policy),
            keras.layers.Conv2D(4, 3, activation="relu", dtype=policy, kernel_initializer=start),
            keras.layers.GlobalAveragePooling2D(dtype=policy),
            keras.layers.Dropout(0.2, seed=3, dtype=policy),
            keras.layers.Dense(2, dtype="float32", kernel_initializer=start),
        ]
    )


def build_unexportable():
    """A network with an operation that ONNX does not have: the inverse error function of the mean colour."""
    import keras

    pixels = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 300)(pixels))
    return keras.Model(pixels, keras.layers.Dense(2)(keras.ops.erfinv(mean)), name="odd")


def make_project(root: Path, pictures: int = 40) -> tuple[Settings, pd.DataFrame, PixelCache]:
    """A project folder with pictures of two classes and their cache."""
    settings = Settings(root=root, epochs=3, seed=7)
    images = make_images(settings.raw_dir, pictures)
    cache = open_pixel_cache(images, settings.raw_dir, settings.interim_dir / "pixels", SIZE, progress=False)
    return settings, images, cache


def random_pixels(number: int = 5, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Pictures of noise, uint8 [number, size, size, 3], each of another brightness."""
    random = np.random.default_rng(seed)
    brightest = np.linspace(60, 256, number)[:, None, None, None]
    return (random.random((number, size, size, 3)) * brightest).astype(np.uint8)


def fake_runtime(pixels: np.ndarray) -> np.ndarray:
    """Logits from the mean brightness, without a network: probability 0.5 at 127.5."""
    score = pixels.mean((1, 2, 3)) / 127.5 - 1
    return np.stack([-score, score], axis=1)
