"""Counting faces with MTCNN (Zhang et al. 2016, arXiv 1604.02878), whose weights ship inside its package.

It finds faces from the front and half from the side; the back of a head, a masked or a tiny face it does not.
`analysis.properties.face_check` says how often it is right on the data at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from PIL import Image

LONG_SIDE = 400
"""Pictures are shrunk to this many pixels: a face of 20 pixels or more is then looked for."""

_BATCH = 32
_CONFIDENCE = 0.9


def face_pixels(image: Image.Image) -> np.ndarray:
    """Shrink a picture to what the detector looks at, uint8 [h, w, 3], at most `LONG_SIDE` either way."""
    small = image.copy()
    small.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small)


def count_faces(pictures: Iterable[np.ndarray]) -> Iterator[int]:
    """Count the faces in pictures, a batch at a time.

    Args:
        pictures: As `face_pixels` gives them, of any shapes.

    Yields:
        For each picture the number of faces found with a confidence of at least 0.9.
    """
    from mtcnn import MTCNN

    # Its other settings stay as they are: with min_face_size above 20, version 1.0.0 finds nothing at all.
    detector = MTCNN()
    remaining = iter(pictures)
    while batch := list(islice(remaining, _BATCH)):
        yield from map(len, detector.detect_faces(batch, threshold_onet=_CONFIDENCE))
