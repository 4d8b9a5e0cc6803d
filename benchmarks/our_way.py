"""The same work as this project does it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.deck_way import make_pass
from benchmarks.limits import Need, tensorflow_products, training_operations
from src.utils.data.manifest import scan_images
from src.utils.data.pictures.pixel_cache import PixelCache, open_pixel_cache
from src.utils.files import hash_file
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training.feeding import Examples, endless_batches
from src.utils.models.training.fitting import Recipe, build_and_compile
from src.utils.models.training.precision import choose_precision
from src.utils.settings import Settings

RECIPE = Recipe(epochs=1, seed=0)


def list_images(folder: Path) -> pd.DataFrame:
    """The pictures of a split folder with the columns a pixel cache needs."""
    paths = sorted(folder.glob("[01]/*"))
    return pd.DataFrame(
        {
            "file_name": [str(path.relative_to(folder)) for path in paths],
            "label": [int(path.parent.name) for path in paths],
            "content": [hash_file(path) for path in paths],
        }
    )


def build_cache(images: pd.DataFrame, folder: Path, cache_folder: Path) -> PixelCache:
    """Decode all pictures into a cache."""
    return open_pixel_cache(images, folder, cache_folder, progress=False)


def make_decoding(images: pd.DataFrame, folder: Path, scratch: Path) -> Callable[[], None]:
    """Decode all pictures into a cache that is new each time."""
    turns = itertools.count()
    return lambda: build_cache(images, folder, scratch / str(next(turns)))


def scan(images: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Look at every file anew, as the manifest does: container, content, hashes."""
    table = images[["file_name", "label"]].assign(group="")
    return scan_images(folder, table, None, progress=False)


def all_examples(images: pd.DataFrame) -> Examples:
    """Every picture with weight 1."""
    labels = images["label"].to_numpy(np.int64)
    return Examples(np.arange(len(images)), labels, np.ones(len(images), np.float32))


def make_feed(cache: PixelCache, examples: Examples) -> Callable[[], None]:
    """One pass over the cached pictures."""
    steps = math.ceil(len(examples) / RECIPE.batch_size)
    return make_pass(endless_batches(cache, examples, RECIPE.batch_size, RECIPE.seed).take(steps))


def training_needs() -> tuple[Need, ...]:
    """The arithmetic of training on a picture, at the rate of the precision that is trained in."""
    policy = choose_precision(Settings.from_env().precision).policy
    dtype = policy.removeprefix("mixed_")
    return (Need(training_operations(build_deck_cnn()), tensorflow_products(dtype)),)


def make_epoch(cache: PixelCache, examples: Examples) -> Callable[[], None]:
    """One epoch of training, in the precision this machine is given."""
    model = build_and_compile(build_deck_cnn, RECIPE, choose_precision(Settings.from_env().precision).policy)
    batches = endless_batches(cache, examples, RECIPE.batch_size, RECIPE.seed)
    steps = math.ceil(len(examples) / RECIPE.batch_size)
    return lambda: model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)


def make_predictor(folder: Path) -> Predictor:
    """A network saved with its export, and loaded as it is served: without TensorFlow."""
    save_bundle(folder, build_deck_cnn(), {})
    return Predictor.load(folder)
