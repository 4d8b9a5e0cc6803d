"""Numbers that frozen networks give for pictures, computed once and kept by the pictures' content.

Three sources share one store: the encoder (`encode_pictures`), EfficientNet-Lite0 without its top
(`lite0_features`), and the fine grain (`grain_features`); all of them are `stored_features`. Which encoder it
is, `find_encoder` says: a KerasHub preset of CLIP, SigLIP or DINOv2 where one can be had, the sample's own
CLIP otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.augment import augment, crop_random, resize
from src.utils.data.pictures.decode import DECODER_VERSION, open_image, squash
from src.utils.models.encoder.forensics import FORENSICS_VERSION, forensic_features, middle_view
from src.utils.models.encoder.hub import Unreachable, first_choices, load_first, load_preset
from src.utils.models.encoder.packaged import export_packaged
from src.utils.models.encoder.runtime import (
    ENCODER_FILE,
    FAMILIES,
    INPUT_SIZE,
    PREPROCESSING_VERSION,
    Encoder,
    Features,
    split_blocks,
)
from src.utils.settings import Settings, UserError

AUTO, SAMPLE = "auto", "sample"
"""Values of ENCODER beside the names of presets: choose by the data source; the sample's own encoder."""

READ_SIZE = 288
"""Side, in pixels, of the square that is cut from and shrunk for the encoder; the sample's own."""

BATCH = 32

_TIMED = 5  # pictures

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


def find_encoder(settings: Settings, asked: str = AUTO) -> tuple[Encoder, str]:
    """Find the encoder to build on.

    Args:
        settings: Says which data, and where the sample's packages and what is made of presets lie.
        asked: The name of a KerasHub preset of CLIP, SigLIP or DINOv2; a folder with such a preset, relative
            to the project's; `sample` for the encoder of the sample's package; or `auto`: that one for the
            sample and in a smoke run, otherwise the first preset of `hub.first_choices` that can be
            had, and that one again if none can.

    Returns:
        The encoder, and a sentence that says why it is this one.

    Raises:
        UserError: What was asked for cannot be had, or there is no such preset.
    """
    folder = settings.interim_dir / "encoders"
    if asked not in (AUTO, SAMPLE):
        place = settings.root / Path(asked).expanduser()
        return load_preset(str(place) if place.is_dir() else asked, folder), f"ENCODER={asked} was asked for."
    if asked == SAMPLE:
        reason = f"ENCODER={SAMPLE} was asked for."
    elif settings.smoke:
        reason = "A smoke run downloads no larger encoder."
    elif settings.source == "sample":
        reason = "The sample's own encoder, so that its published numbers can be had anywhere."
    else:
        try:
            return load_first(first_choices(), folder)
        except Unreachable:
            reason = "Kaggle, which has KerasHub's presets, does not answer, so it is the sample's own."
        except UserError as error:
            reason = f"None of KerasHub's presets can be had, so it is the sample's own. {error}"
    return Encoder.load(export_packaged(settings)), reason


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder that the improved model was built on; while there is none, the sample's own.

    Raises:
        UserError: It cannot be installed or read.
    """
    kept = settings.models_dir / "best" / ENCODER_FILE
    return Encoder.load(kept) if kept.is_file() else Encoder.load(export_packaged(settings))


def encoding_estimate(encoder: Encoder, pictures: int) -> str:
    """Say how long encoding so many pictures takes here, from timing a few.

    Args:
        encoder: The encoder.
        pictures: How many there are, every view of a picture counted.

    Returns:
        Such as "About 3 minutes for 1,800 encodings at 12 a second; what is stored costs nothing.".
    """
    side = read_size(encoder.layout.size)
    squares = np.zeros((encoder.batch, side, side, 3), np.uint8)
    encoder.encode_flat(squares)
    began = time.perf_counter()
    for _ in range(_TIMED):
        encoder.encode_flat(squares)
    rate = _TIMED * len(squares) / (time.perf_counter() - began)
    minutes = max(round(pictures / rate / 60), 1)
    length = f"{minutes} minute{'s' if minutes > 1 else ''}" if minutes < 120 else f"{minutes / 60:.0f} hours"
    speed = f"{rate:.0f}" if rate >= 2 else f"{rate:.1f}"
    return f"About {length} for {pictures:,} encodings at {speed} a second; what is stored costs nothing."


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
    name = f"{family}-{encoder.sha256[:8]}-{PREPROCESSING_VERSION}.{DECODER_VERSION}-{view}"
    flat = stored_features(
        folder / f"{name}.sqlite",
        images,
        raw_dir,
        functools.partial(VIEWS[view], size=size),
        encoder.encode_flat,
        f"{FAMILIES[family]}, {view}",
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

    @functools.cache
    def network():
        import tensorflow as tf

        from src.utils.models.networks.efficientnet_lite0 import load_efficientnet_lite0, scale_input

        model = load_efficientnet_lite0(weights_file, include_top=False)

        def forward(pixels):
            small = tf.image.resize(pixels, model.input_shape[1:3], antialias=True)
            return model(scale_input(small), training=False)

        return tf.function(forward)

    def compute(pixels: np.ndarray) -> np.ndarray:
        return network()(pixels).numpy()

    path = folder / f"lite0-{DECODER_VERSION}-{view}.sqlite"
    task = f"EfficientNet-Lite0, {view}"
    return stored_features(path, images, raw_dir, VIEWS[view], compute, task, progress)


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
    path = folder / f"grain-{FORENSICS_VERSION}.{DECODER_VERSION}-{name}.sqlite"
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

    Pictures are read in threads, a batch ahead; an interruption loses one batch.

    Args:
        path: The store; its name must tell apart whatever the numbers depend on besides the picture.
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

    def read(row) -> np.ndarray:
        return view(open_image(raw_dir / row.file_name), np.random.default_rng(int(row.content[:8], 16)))

    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as store:
        store.execute("CREATE TABLE IF NOT EXISTS features (content TEXT PRIMARY KEY, numbers BLOB)")
        known = {content for (content,) in store.execute("SELECT content FROM features")}
        missing = images[~images["content"].isin(known)].drop_duplicates("content")
        bar = tqdm(desc=task, total=len(missing), unit="picture", disable=not progress or missing.empty)
        with bar:
            for rows, pixels in _batches(missing.itertuples(), read):
                numbers = np.asarray(compute(pixels), np.float32)
                entries = [(row.content, one.tobytes()) for row, one in zip(rows, numbers, strict=True)]
                with store:
                    store.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", entries)
                bar.update(len(rows))
        return _gather(store, images["content"])


def _batches(rows: Iterable, read: Callable) -> Iterator[tuple[list, np.ndarray]]:
    """Rows with their pixels, up to `BATCH` at a time, the next ones being read meanwhile."""
    pairs = map_ahead(lambda row: (row, read(row)), rows, ahead=2 * BATCH)
    while batch := list(islice(pairs, BATCH)):
        yield [row for row, _ in batch], np.stack([pixels for _, pixels in batch])


def _gather(store: sqlite3.Connection, contents: Iterable[str]) -> np.ndarray:
    """The stored rows of some contents, in their order."""
    rows = []
    for content in contents:
        (numbers,) = store.execute("SELECT numbers FROM features WHERE content = ?", (content,)).fetchone()
        rows.append(np.frombuffer(numbers, np.float32))
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)
