"""KerasHub presets of a few kilobytes, made from small configurations of the real classes.

Their weights are random, positions included, so that no two layers, tokens or channels are alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIZE, PATCH, WIDTH, GRID = 64, 16, 24, 4
PROJECTED = 12
"""Width of CLIP's and MetaCLIP 2's embedding; that of the others is `WIDTH`."""

SIDES = {"dinov2": 98, "dinov3": 112}
"""Side, in pixels, that the presets of these families are saved with; that of the others is `SIZE`."""

SCALE, OFFSET = (0.02, 0.015, 0.01), (-2.0, -1.5, -1.0)
REGISTERS = 2
DEPTHS = {"clip": 6, "metaclip_2": 6, "siglip": 3, "dinov2": 4, "dinov3": 4}
"""Layers of each family's tiny preset."""

TAPPED = {
    "clip": (4, 4, 5, 6, 6),
    "metaclip_2": (4, 4, 5, 6, 6),
    "siglip": (2, 2, 2, 3, 3),
    "dinov2": (3, 3, 3, 4, 4),
    "dinov3": (3, 3, 3, 4, 4),
}
"""The layers nearest to 8, 9, 10, 11 and 12 twelfths of those depths, counted from 1."""


def write_preset(family: str, folder: Path) -> None:
    """Save a tiny preset of a family, as `from_preset` reads it."""
    from keras_hub import layers, models

    backbone = _BACKBONES[family](models)
    rng = np.random.default_rng(1)
    for weight in backbone.weights:
        if weight.name == "position_ids":
            weight.assign(np.arange(weight.shape[1])[None])
        else:
            weight.assign(weight + rng.normal(0, 0.15, weight.shape))
    backbone.save_to_preset(str(folder))
    converter = getattr(layers, type(backbone).__name__.replace("Backbone", "ImageConverter"))
    scaling = (
        {"scale": 1 / 127.5, "offset": -1.0} if family == "siglip" else {"scale": SCALE, "offset": OFFSET}
    )
    side = SIDES.get(family, SIZE)
    converter(image_size=(side, side), interpolation="bicubic", **scaling).save_to_preset(str(folder))


def scaled(family: str, pixels: np.ndarray) -> np.ndarray:
    """What a family's network takes: its converter's numbers, by hand."""
    return pixels / 127.5 - 1 if family == "siglip" else pixels * np.array(SCALE) + np.array(OFFSET)


def _clip(models):
    vision = models.CLIPVisionEncoder(
        PATCH, WIDTH, DEPTHS["clip"], num_heads=3, intermediate_dim=32, image_shape=(SIZE, SIZE, 3)
    )
    text = models.CLIPTextEncoder(
        20, 16, 16, num_layers=1, num_heads=2, intermediate_dim=16, max_sequence_length=8
    )
    return models.CLIPBackbone(vision, text, projection_dim=PROJECTED)


def _metaclip_2(models):
    vision = models.MetaCLIP2VisionEncoder(
        PATCH, WIDTH, DEPTHS["metaclip_2"], num_heads=3, intermediate_dim=32, image_shape=(SIZE, SIZE, 3)
    )
    text = models.MetaCLIP2TextEncoder(
        20, 16, 16, num_layers=1, num_heads=2, intermediate_dim=16, max_sequence_length=8
    )
    return models.MetaCLIP2Backbone(vision, text, projection_dim=PROJECTED)


def _siglip(models):
    vision = models.SigLIPVisionEncoder(
        PATCH, WIDTH, DEPTHS["siglip"], num_heads=3, intermediate_dim=32, image_shape=(SIZE, SIZE, 3)
    )
    text = models.SigLIPTextEncoder(
        20, WIDTH, WIDTH, num_layers=1, num_heads=2, intermediate_dim=16, max_sequence_length=8
    )
    return models.SigLIPBackbone(vision, text)


def _dinov2(models):
    """As published: pictures of one size in training, read at another."""
    return models.DINOV2Backbone(
        14,
        DEPTHS["dinov2"],
        WIDTH,
        num_heads=3,
        intermediate_dim=32,
        num_register_tokens=REGISTERS,
        image_shape=(98, 98, 3),
        position_embedding_shape=(98, 98, 3),
    )


def _dinov3(models):
    return models.DINOV3Backbone(
        PATCH,
        DEPTHS["dinov3"],
        WIDTH,
        num_heads=2,
        intermediate_dim=32,
        num_register_tokens=REGISTERS,
        image_shape=(112, 112, 3),
    )


_BACKBONES = {
    "clip": _clip,
    "metaclip_2": _metaclip_2,
    "siglip": _siglip,
    "dinov2": _dinov2,
    "dinov3": _dinov3,
}
