"""Numbers that frozen networks give for pictures, computed once and kept by the pictures' content.

Three sources are kept in the same way: the encoder (`encode_pictures`), EfficientNet-Lite0 without its top
(`lite0_features`), and the fine grain (`grain_features`); all of them are `stored_features`.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.code import code_digest
from src.utils.data.machines import ModelFiles
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.augment import augment, crop_random, resize
from src.utils.data.pictures.decode import open_image, squash
from src.utils.data.remembered import compute_once
from src.utils.models.encoder.forensics import forensic_features, middle_view
from src.utils.models.encoder.runtime import INPUT_SIZE, Encoder, Features, split_blocks

READ_SIZE = 288
"""Side, in pixels, of the square that is cut from and shrunk for the encoder; the sample's own."""

BATCH = 32

_TIMED = 8  # pictures, several at once as where they are encoded

View = Callable[..., np.ndarray]
"""A picture, a source of chance that follows from its content, and the side of what the network reads (224 px
unless given) → uint8 [side, side, 3]."""

Compute = Callable[[np.ndarray], np.ndarray]
"""uint8 [n, side, side, 3] → float32 [n, width]; `side` is one for all."""


def read_size(size: int) -> int:
    """Side, in pixels, of the square a picture is read as for an encoder that takes `size`."""
    return max(READ_SIZE, size)


def whole_view(image: Image.Image, rng: np.random.Generator, size: int = INPUT_SIZE) -> np.ndarray:
    """The picture squashed to `read_size`, as a predictor reads it."""
    return squash(image, read_size(size))


def damaged_view(image: Image.Image, rng: np.random.Generator, size: int = INPUT_SIZE) -> np.ndarray:
    """The same after `augment`: recompressed, perhaps resized, blurred, noisy, mirrored."""
    return squash(augment(image, rng), read_size(size))


def crop_view(image: Image.Image, rng: np.random.Generator, size: int = INPUT_SIZE) -> np.ndarray:
    """A random crop of what the encoder reads, at the picture's own resolution."""
    return squash(crop_random(image, size, rng), size)


def resampled_view(image: Image.Image, rng: np.random.Generator, size: int = INPUT_SIZE) -> np.ndarray:
    """The picture at half its size and brought back: an up-scaler's traces on the same picture."""
    half = resize(image, 0.5, Image.Resampling.LANCZOS)
    return squash(half.resize(image.size, Image.Resampling.LANCZOS), read_size(size))


VIEWS: dict[str, View] = {
    "whole": whole_view,
    "damaged": damaged_view,
    "crop": crop_view,
    "resampled": resampled_view,
}
"""What of a picture is encoded, by name."""


def encoding_rate(encoder: Encoder) -> float:
    """Pictures that an encoder encodes a second here, from timing a few."""
    side = read_size(encoder.layout.size)
    squares = np.zeros((_TIMED * encoder.batch, side, side, 3), np.uint8)
    encoder.encode_flat(squares[: 2 * encoder.batch])
    began = time.perf_counter()
    encoder.encode_flat(squares)
    return len(squares) / (time.perf_counter() - began)


def encoding_estimate(encoder: Encoder, pictures: int) -> str:
    """Say how long encoding so many pictures takes here, from timing a few.

    Args:
        encoder: The encoder.
        pictures: How many there are, every view of a picture counted.

    Returns:
        Such as "About 3 minutes for 1,800 encodings at 12 per second; stored results are reused.".
    """
    rate = encoding_rate(encoder)
    minutes = max(round(pictures / rate / 60), 1)
    length = f"{minutes} minute{'s' if minutes > 1 else ''}" if minutes < 120 else f"{minutes / 60:.0f} hours"
    speed = f"{rate:.0f}" if rate >= 2 else f"{rate:.1f}"
    return f"About {length} for {pictures:,} encodings at {speed} per second; stored results are reused."


def encode_pictures(
    encoder: Encoder,
    images: pd.DataFrame,
    raw_dir: Path,
    folder: Path,
    view: str = "whole",
    progress: bool = True,
) -> Features:
    """Encode pictures, each content once.

    Args:
        encoder: The encoder.
        images: Readable rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        folder: Where the stores lie.
        view: A key of `VIEWS`.
        progress: Whether to show a progress bar.

    Returns:
        Block → float32 [n, width].

    Raises:
        ImageError: A picture cannot be read.
    """
    family, size = encoder.layout.family, encoder.layout.size
    flat = stored_features(
        folder / f"{family}-{encoder.sha256[:8]}-{view}.sqlite",
        images,
        raw_dir,
        functools.partial(VIEWS[view], size=size),
        encoder.encode_flat,
        f"{encoder.layout.record['encoder']}, {view}",
        progress,
    )
    return split_blocks(flat, encoder.widths)


def lite0_features(
    weights_file: Path,
    images: pd.DataFrame,
    raw_dir: Path,
    folder: Path,
    view: str = "whole",
    progress: bool = True,
) -> np.ndarray:
    """Pooled features of EfficientNet-Lite0 with ImageNet weights; arguments as for `encode_pictures`.

    The network is only built if a picture is missing.

    Returns:
        float32 [n, 1280].

    Raises:
        UserError: The weights cannot be read.
    """
    path = folder / f"lite0-{view}.sqlite"
    task = f"EfficientNet-Lite0, {view}"
    return stored_features(path, images, raw_dir, VIEWS[view], Lite0(weights_file), task, progress)


class Lite0:
    """EfficientNet-Lite0 without its top, as `Compute`; built when it is first asked."""

    def __init__(self, weights_file: Path):
        self._weights_file = weights_file

    def __reduce__(self):
        return Lite0, (ModelFiles(self._weights_file),)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features: float32 [n, 1280]."""
        return self._network(pixels).numpy()

    @functools.cached_property
    def _network(self) -> Callable:
        import tensorflow as tf

        from src.utils.models.networks.efficientnet_lite0 import load_efficientnet_lite0, scale_input

        model = load_efficientnet_lite0(self._weights_file, include_top=False)

        def forward(pixels):
            small = tf.image.resize(pixels, model.input_shape[1:3], antialias=True)
            return model(scale_input(small), training=False)

        return tf.function(forward)


def grain_features(
    images: pd.DataFrame, raw_dir: Path, folder: Path, damaged: bool = False, progress: bool = True
) -> np.ndarray:
    """Statistics of the fine grain (`forensics.forensic_features`) of the middle at its own resolution.

    Args:
        images: Readable rows of the manifest.
        raw_dir: What `file_name` is relative to.
        folder: Where the stores lie.
        damaged: Whether each picture goes through `augment` first.
        progress: Whether to show a progress bar.

    Returns:
        float32 [n, 101].
    """

    def view(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        return middle_view(augment(image, rng) if damaged else image)

    name = "damaged" if damaged else "whole"
    path = folder / f"grain-{name}.sqlite"
    return stored_features(path, images, raw_dir, view, forensic_features, f"Grain, {name}", progress)


def stored_features(
    path: Path,
    images: pd.DataFrame,
    raw_dir: Path,
    view: View,
    compute: Compute,
    task: str,
    progress: bool = True,
) -> np.ndarray:
    """Features of every picture, computing only those the store does not have.

    Pictures are read in threads, a batch ahead; an interruption loses the batch in hand.

    Args:
        path: The store; its name must tell apart whatever the numbers depend on besides picture and code.
        images: Readable rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        view: What is taken from each picture.
        compute: The numbers.
        task: What the progress bar says.
        progress: Whether to show it.

    Returns:
        float32 [n, width], a row a picture.

    Raises:
        ImageError: A picture cannot be read.
    """
    files, contents = images["file_name"].tolist(), images["content"].tolist()

    def read(position: int) -> np.ndarray:
        chance = np.random.default_rng(int(contents[position][:8], 16))
        return view(open_image(raw_dir / files[position]), chance)

    def numbers(positions: list[int]) -> Iterator[np.ndarray]:
        pixels = map_ahead(read, positions, ahead=2 * BATCH)
        while batch := list(itertools.islice(pixels, BATCH)):
            yield from np.asarray(compute(np.stack(batch)), np.float32)

    rows = compute_once(path, code_digest(__name__), contents, numbers, task, progress)
    first = next(rows, np.empty(0))
    table = np.empty((len(images), len(first)), np.float32)
    for place, row in enumerate(itertools.chain([first], rows) if len(images) else ()):
        table[place] = row
    return table
