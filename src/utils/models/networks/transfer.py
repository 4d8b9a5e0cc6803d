"""Transfer learning: a network that knows ImageNet, first with a new top, then with its last stage set free.

Xception (Chollet 2017, arXiv 1610.02357), which the deck's page ran, is the first choice; its weights are a
download that Keras keeps. Where it cannot be had, EfficientNet-Lite0 comes from its package. Both go through
the same code; batch normalisation stays as ImageNet left it, for a few hundred pictures would only blur it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers

from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.models.networks.efficientnet_lite0 import INPUT_SIZE as LITE0_SIZE
from src.utils.models.networks.efficientnet_lite0 import load_efficientnet_lite0
from src.utils.models.networks.weights import downloading, first_or_other, lite0_weights
from src.utils.models.training.fitting import Recipe
from src.utils.models.training.train import TrainedModel, train_or_load
from src.utils.settings import IMAGE_SIZE, Settings, UserError

BACKBONES = ("xception", "efficientnet_lite0")
HEAD_EPOCHS, TUNE_EPOCHS = 4, 4
HEAD_RATE, TUNE_RATE = 1e-3, 1e-5
DROPOUT = 0.3


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    Attributes:
        name: One of `BACKBONES`.
        load: Builds it with its weights.
        size: Side of the square it reads, in pixels.
        scale, offset: What pixels 0–255 are multiplied by and what is added then.
        last_stage: How the names of the layers begin that fine-tuning sets free.
        note: Why it is not the first choice; empty if it is.
    """

    name: str
    load: Callable[[], keras.Model]
    size: int
    scale: float
    offset: float
    last_stage: tuple[str, ...]
    note: str = ""


def find_backbone(settings: Settings, backbone: str = "auto", weights: str | None = "imagenet") -> Backbone:
    """Find a backbone whose weights can be had.

    Args:
        settings: Says where the sample's packages are; a smoke run downloads nothing.
        backbone: One of `BACKBONES`, or `auto` for the first that can be had.
        weights: `imagenet`, a file made by Keras (Xception), or None for random ones.

    Raises:
        UserError: The name is not known, or the weights cannot be had.
    """
    if backbone == "xception":
        load = functools.partial(_load_xception, weights)
        load()
        return Backbone("xception", load, IMAGE_SIZE, 1 / 127.5, -1.0, ("block13", "block14"))
    if backbone == "efficientnet_lite0":
        return _lite0(settings)
    if backbone != "auto":
        raise UserError(f"There is no backbone {backbone}: use auto, {' or '.join(BACKBONES)}.")
    return first_or_other(
        lambda: find_backbone(settings, "xception", weights),
        lambda why: _lite0(settings, why),
        "A smoke run does not download Xception." if settings.smoke else "",
    )


def build_transfer(
    backbone: Backbone,
    fine_tune: bool = False,
    start: list[np.ndarray] | None = None,
    seed: int = 0,
    policy: str = "float32",
) -> keras.Model:
    """Put a new top on a backbone: exportable layers only, from RGB 0–255 to logits [n, 2].

    Args:
        backbone: From `find_backbone`.
        fine_tune: Whether the backbone's last stage is trained too.
        start: Weights of the whole network to begin with, such as those of a trained top.
        seed: Seed of the new top.
        policy: Keras dtype policy; the logits are float32 in any case.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        base = backbone.load()
    finally:
        keras.config.set_dtype_policy(before)
    _freeze(base, backbone.last_stage if fine_tune else ())
    initializer = keras.initializers.GlorotUniform(seed=seed)
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pixels")
    x = layers.RandomFlip("horizontal", seed=seed, name="flip")(pixels)
    if backbone.size != IMAGE_SIZE:
        x = layers.Resizing(backbone.size, backbone.size, name="resize")(x)
    x = layers.Rescaling(backbone.scale, backbone.offset, name="scale")(x)
    x = base(x, training=False)
    x = layers.Dropout(DROPOUT, seed=seed, name="dropout")(x)
    logits = layers.Dense(2, kernel_initializer=initializer, dtype="float32", name="logits")(x)
    model = keras.Model(pixels, logits, name=f"transfer_{backbone.name}")
    if start is not None:
        model.set_weights(start)
    return model


def train_transfer(
    images: pd.DataFrame, cache: PixelCache, settings: Settings, backbone: Backbone, progress: bool = True
) -> dict[str, TrainedModel]:
    """Train the top on the frozen backbone, then the top and the last stage together.

    Args:
        images: Readable rows of the manifest, the table `cache` was opened for.
        cache: Pixels at 255 px.
        settings: Seed and folders; a smoke run trains one epoch each.
        backbone: From `find_backbone`.
        progress: Whether to report.

    Returns:
        `frozen` and `fine_tuned`, bundles below `models/<source>/parts/`.

    Raises:
        UserError: A split lacks a class.
    """
    epochs = (1, 1) if settings.smoke else (HEAD_EPOCHS, TUNE_EPOCHS)
    build = functools.partial(build_transfer, backbone, seed=settings.seed)
    train = functools.partial(train_or_load, images=images, cache=cache, settings=settings, progress=progress)
    facts = {"backbone": backbone.name}
    frozen = train(
        f"parts/{backbone.name}_frozen",
        build,
        recipe=Recipe(epochs[0], settings.seed, learning_rate=HEAD_RATE),
        facts=facts,
    )
    start = keras.saving.load_model(frozen.bundle.check_model_file(), compile=False).get_weights()
    tuned = train(
        f"parts/{backbone.name}_fine_tuned",
        functools.partial(build, fine_tune=True, start=start),
        recipe=Recipe(epochs[1], settings.seed, learning_rate=TUNE_RATE),
        facts=facts,
    )
    return {"frozen": frozen, "fine_tuned": tuned}


def _freeze(base: keras.Model, free: tuple[str, ...]) -> None:
    """Freeze all layers but those whose names begin with one of `free`; batch normalisation always."""
    for layer in base.layers:
        normalises = isinstance(layer, layers.BatchNormalization)
        layer.trainable = layer.name.startswith(free) and not normalises if free else False


def _lite0(settings: Settings, note: str = "") -> Backbone:
    return lite0_backbone(lite0_weights(settings), note)


def lite0_backbone(weights_file: Path, note: str = "") -> Backbone:
    """EfficientNet-Lite0 from its package's file."""
    load = functools.partial(load_efficientnet_lite0, weights_file, include_top=False)
    stage = ("blocks_15", "conv_head")
    return Backbone("efficientnet_lite0", load, LITE0_SIZE, 1 / 128, -127 / 128, stage, note)


def _load_xception(weights: str | None) -> keras.Model:
    with downloading("Xception"):
        return keras.applications.Xception(
            include_top=False, weights=weights, pooling="avg", input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
        )
