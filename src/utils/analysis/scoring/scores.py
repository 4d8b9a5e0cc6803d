"""What a model says about pictures, as they are or changed on purpose, remembered by their content.

The score kept is the log-odds of AI before any temperature: a calibration can be applied to it, exactly,
afterwards. Pictures go through the one predictor, a batch at a time, however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.special import expit

from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.remembered import compute_once
from src.utils.files import hash_bytes, hash_file
from src.utils.models.bundle.bundle import FACTS_FILE, HISTORY_FILE, Bundle
from src.utils.models.bundle.calibration import CALIBRATION_FILE
from src.utils.models.bundle.predictor import BATCH_SIZE, Predictor
from src.utils.models.encoder.features import encode_pictures
from src.utils.models.encoder.runtime import WHOLE, EncoderRuntime
from src.utils.names import MODEL_NAMES
from src.utils.settings import Settings

AS_IT_IS = "as_it_is"
"""Name of the change that is none."""

SURE = 1e-15
"""Probabilities nearer than this to 0 or 1 are taken for it: float64 cannot tell them from 1."""

Change = Callable[[Image.Image, int], Image.Image]
"""A picture and a seed that follows from its content → another picture."""

Versions = Callable[[Image.Image], Iterable[Image.Image]]
"""A picture → several versions of it, always equally many."""


def trained_models(models_dir: Path) -> list[str]:
    """Names of the models that have a bundle, in the order of every table."""
    return [name for name in MODEL_NAMES if (models_dir / name / FACTS_FILE).is_file()]


def load_models(models_dir: Path) -> dict[str, Predictor]:
    """Load every trained model, by name, in the order of every table.

    Raises:
        UserError: A bundle is damaged or of a kind this code does not know.
    """
    return {name: Predictor.load(models_dir / name) for name in trained_models(models_dir)}


def score_models(
    predictors: Mapping[str, Predictor], pictures: pd.DataFrame, settings: Settings, progress: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Score unchanged pictures with several models, see `score_as_they_are`.

    Args:
        predictors: By name.
        pictures: Readable rows of the manifest: `file_name` and `content`.
        settings: Where the pictures lie, and what was scored before.
        progress: Whether to show progress bars.

    Returns:
        Log-odds of AI at temperature 1 by model, float64 [n] each.
    """
    memory, features = scores_folder(settings), settings.interim_dir / "features"
    return {
        name: score_as_they_are(one, pictures, settings.raw_dir, memory, features, progress)
        for name, one in predictors.items()
    }


def scores_folder(settings: Settings) -> Path:
    """Where scores are remembered."""
    return settings.interim_dir / "scores"


def score_pictures(
    predictor: Predictor,
    pictures: pd.DataFrame,
    raw_dir: Path,
    memory: Path,
    name: str = AS_IT_IS,
    change: Change | None = None,
    progress: bool = True,
) -> NDArray[np.float64]:
    """Score pictures, computing only what the memory does not know.

    Args:
        predictor: The model.
        pictures: Readable rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        memory: Folder of what was scored before, one table a model and change.
        name: What the change is called, such as `jpeg-50`; other changes have other names.
        change: Applied to each picture before it is read; None leaves it as it is.
        progress: Whether to show a progress bar.

    Returns:
        Log-odds of AI at temperature 1, float64 [n], in the order of the rows.

    Raises:
        ImageError: A picture cannot be read.
    """
    plain = predictor.uncalibrated()
    files, contents = pictures["file_name"].tolist(), pictures["content"].tolist()

    def read(position: int) -> NDArray[np.uint8]:
        path = raw_dir / files[position]
        if change is None:
            return plain.read(path)
        return plain.read(change(open_image(path), content_seed(contents[position])))

    def compute(positions: list[int]) -> Iterator[float]:
        pixels = map_ahead(read, positions, ahead=2 * BATCH_SIZE)
        while batch := list(islice(pixels, BATCH_SIZE)):
            for value in log_odds(plain.predict_pixels(np.stack(batch))):
                yield float(value)

    path = memory / predictor.bundle.name / f"{name}.sqlite"
    task = f"{predictor.bundle.name}: {name}"
    version = model_key(predictor.bundle, change)
    scores = compute_once(path, version, contents, compute, task, progress)
    return np.fromiter(scores, np.float64, len(contents))


def score_versions(
    predictor: Predictor,
    pictures: pd.DataFrame,
    raw_dir: Path,
    memory: Path,
    name: str,
    versions: Versions,
    progress: bool = True,
) -> NDArray[np.float64]:
    """Score several versions of each picture, which is decoded once for all of them.

    Threads make the versions of the next pictures while the model reads this one's.

    Args:
        predictor: The model.
        pictures: Readable rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        memory: Folder of what was scored before, one table a model and name.
        name: What the versions are called together, such as `deliveries`.
        versions: Makes them; a function of a module, whose code the memory depends on.
        progress: Whether to show a progress bar.

    Returns:
        Log-odds of AI at temperature 1, float64 [n, versions], in the order of the rows; [0, 0] without any.

    Raises:
        ImageError: A picture cannot be read.
    """
    plain = predictor.uncalibrated()
    files, contents = pictures["file_name"].tolist(), pictures["content"].tolist()

    def read(position: int) -> NDArray[np.uint8]:
        return np.stack([plain.read(one) for one in versions(open_image(raw_dir / files[position]))])

    def compute(positions: list[int]) -> Iterator[list[float]]:
        for pixels in map_ahead(read, positions):
            yield log_odds(plain.predict_pixels(pixels)).tolist()

    path = memory / predictor.bundle.name / f"{name}.sqlite"
    task = f"{predictor.bundle.name}: {name}"
    version = model_key(predictor.bundle, versions)
    scores = compute_once(path, version, contents, compute, task, progress)
    return np.array(list(scores), np.float64) if contents else np.empty((0, 0))


def score_as_they_are(
    predictor: Predictor,
    pictures: pd.DataFrame,
    raw_dir: Path,
    memory: Path,
    features: Path,
    progress: bool = True,
) -> NDArray[np.float64]:
    """Score unchanged pictures; a head on a frozen encoder reads the features that are kept already.

    Args:
        predictor: The model.
        pictures: Readable rows of the manifest: `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        memory: As for `score_pictures`.
        features: Folder of the encoder's features.
        progress: Whether to show a progress bar.

    Returns:
        What `score_pictures` gives, float64 [n].
    """
    runtime = predictor.runtime
    if not isinstance(runtime, EncoderRuntime) or runtime.head.crops != WHOLE:
        return score_pictures(predictor, pictures, raw_dir, memory, progress=progress)
    encoded = encode_pictures(runtime.encoder, pictures, raw_dir, features, "whole", progress)
    return np.asarray(runtime.head.log_odds(encoded), dtype=float)


def model_key(bundle: Bundle, change: Change | Versions | None = None) -> str:
    """What a model's remembered scores belong to: other files, settings or code give another key.

    What is measured after training (temperature, thresholds, metrics) is no part of it.
    """
    measured = (FACTS_FILE, HISTORY_FILE, CALIBRATION_FILE)
    files = [path for path in sorted(bundle.folder.iterdir()) if path.is_file() and path.name not in measured]
    code = code_digest(__name__, *([change.__module__] if change else []))
    facts = [bundle.input_size, bundle.resize, bundle.output, bundle.facts.get("recipe")]
    key = json.dumps([[(path.name, hash_file(path)) for path in files], code, facts])
    return hash_bytes(key.encode())


def content_seed(content: str) -> int:
    """A seed that follows from a picture's content key alone, so its noise is the same in every run."""
    return int(content[:8], 16)


def log_odds(probability: ArrayLike) -> NDArray[np.float64]:
    """Log-odds of probabilities, finite also for 0 and 1."""
    probability = np.clip(np.asarray(probability, dtype=float), SURE, 1 - SURE)
    return np.log(probability) - np.log1p(-probability)


def at_temperature(log_odds: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probability of AI from log-odds, made less sure by a temperature above 1: float64 [n], 0–1."""
    return expit(np.asarray(log_odds, dtype=float) / temperature)


def calibrated_probabilities(
    predictors: Mapping[str, Predictor], pictures: pd.DataFrame, settings: Settings
) -> dict[str, NDArray[np.float64]]:
    """Probability of AI of unchanged pictures by model, at each model's own temperature, float64 [n] each.

    Args:
        predictors: By name.
        pictures: Readable rows of the manifest: `file_name` and `content`.
        settings: Where the pictures lie, and what was scored before.
    """
    odds = score_models(predictors, pictures, settings)
    return {name: at_temperature(one, predictors[name].bundle.temperature) for name, one in odds.items()}
