"""Faces are found where there are some."""

from __future__ import annotations

import numpy as np
import skimage.data
from PIL import Image

from src.utils.models.networks.faces import LONG_SIDE, count_faces, face_pixels


def test_a_face_is_found_and_a_cup_is_none() -> None:
    """In one batch, of different shapes, in order."""
    astronaut, coffee, chelsea = skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()
    crowd = np.concatenate([astronaut[:300], astronaut[:300]], axis=1)
    pictures = [face_pixels(Image.fromarray(one)) for one in (coffee, astronaut, chelsea, crowd)]
    assert list(count_faces(pictures)) == [0, 1, 0, 2]


def test_tiny_flat_and_no_pictures_have_no_faces() -> None:
    flat = [np.full((height, width, 3), 128, np.uint8) for height, width in ((8, 8), (20, 300), (400, 400))]
    assert list(count_faces(flat)) == [0, 0, 0]
    assert list(count_faces([])) == []


def test_large_pictures_are_shrunk_and_small_ones_stay() -> None:
    assert face_pixels(Image.new("RGB", (1600, 800))).shape == (LONG_SIDE // 2, LONG_SIDE, 3)
    assert face_pixels(Image.new("RGB", (100, 300))).shape == (300, 100, 3)
