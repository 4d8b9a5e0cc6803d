"""Encoding pictures: a network of CLIP's size, and the encoder that the sample's improved model is built on.

Ours shares pictures out, a session of one thread for each processor; beside it stands the usual way, one
session that uses all processors for one picture. The first network's weights are random: how long it computes
does not depend on them, and CLIP's are a download.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.limits import onnx_needs
from benchmarks.timing import Task
from src.utils.data.pictures.decode import open_image, squash
from src.utils.models.encoder import hub
from src.utils.models.encoder.features import read_size
from src.utils.models.encoder.runtime import Encoder

ONE_SESSION = "one session, all processors"

PATCH, WIDTH, LAYERS, HEADS, PROJECTED, SIZE = 16, 768, 12, 12, 512, 224
"""CLIP's ViT-B/16 (Radford and others 2021, arXiv 2103.00020): its image part."""


def clip_task(paths: list[Path], scratch: Path) -> Task:
    """Encode pictures with a random network of CLIP's size, exported as every preset is."""
    preset = scratch / "clip_vit_base_patch16"
    write_preset(preset)
    return encoding_task("encoding, CLIP's size", hub.export_preset(str(preset), scratch), paths)


def encoding_task(name: str, encoder_file: Path, paths: list[Path]) -> Task:
    """Encode pictures that are decoded already with an encoder's file."""
    encoder = Encoder.load(encoder_file)
    side = read_size(encoder.layout.size)
    pixels = np.stack([squash(open_image(path), side) for path in paths])
    return Task(
        name,
        len(pixels),
        lambda: encoder.encode_flat(pixels),
        lambda: [encoder.encode(one) for one in pixels],
        onnx_needs(encoder_file),
        other=ONE_SESSION,
    )


def write_preset(folder: Path) -> None:
    """Save a KerasHub preset with an image part of CLIP's size, and as small a text part as there can be."""
    from keras_hub import layers, models

    vision = models.CLIPVisionEncoder(
        PATCH, WIDTH, LAYERS, num_heads=HEADS, intermediate_dim=4 * WIDTH, image_shape=(SIZE, SIZE, 3)
    )
    text = models.CLIPTextEncoder(
        20, 16, 16, num_layers=1, num_heads=2, intermediate_dim=16, max_sequence_length=8
    )
    models.CLIPBackbone(vision, text, projection_dim=PROJECTED).save_to_preset(str(folder))
    converter = layers.CLIPImageConverter(
        image_size=(SIZE, SIZE), interpolation="bicubic", scale=1 / 127.5, offset=-1.0
    )
    converter.save_to_preset(str(folder))
