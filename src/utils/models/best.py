"""The improved model as a bundle: a head, the encoder it was fitted on beside it, and their record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from src.utils.data.split import group_weights
from src.utils.models.bundle import Bundle, choose_default, save_bundle
from src.utils.models.encoder_runtime import ENCODER_FILE, HEAD_FILE, Encoder, Features, Head
from src.utils.models.encoders import CLIP_SOURCE, READ_SIZE
from src.utils.models.heads import balance, calibrate, fit_head, take
from src.utils.settings import Settings


@dataclass(frozen=True)
class EncoderModel:
    """An encoder and a head, saved the way a Keras model is: `save_bundle` needs no more than this.

    Attributes:
        encoder: The encoder; its file goes into the bundle, linked where the disk can, else copied.
        head: The head.
    """

    encoder: Encoder
    head: Head
    file_name: ClassVar[str] = HEAD_FILE
    input_shape: ClassVar[tuple] = (None, READ_SIZE, READ_SIZE, 3)

    def save(self, path: Path) -> None:
        """Write the head to `path` and put the encoder beside it."""
        self.head.save(path)
        target = path.with_name(ENCODER_FILE)
        try:
            os.link(self.encoder.path.resolve(), target)
        except OSError:  # another disk, or one without links
            shutil.copy2(self.encoder.path, target)


def fit_best(
    encoder: Encoder, images: pd.DataFrame, views: list[Features], blocks: tuple[str, ...], seed: int
) -> Head:
    """Fit and calibrate the head on the training split alone; validation stays for the temperature.

    Args:
        encoder: The encoder behind the features.
        images: Rows of the manifest, as many as every view has.
        views: Features to fit on, what predictions are made from first.
        blocks: What the head reads.
        seed: Seed of the folds that calibrate.
    """
    rows = np.flatnonzero(images["split"] == "train")
    label, group = images["label"].to_numpy(int)[rows], images["group"].to_numpy()[rows]
    weight = group_weights(images)[rows]
    parts = [take(view, rows) for view in views]
    head = fit_head(parts, label, weight, blocks, encoder.sha256)
    return calibrate(head, parts, label, group, weight, seed)


def save_best(
    settings: Settings,
    encoder: Encoder,
    head: Head,
    images: pd.DataFrame,
    whole: Features,
    facts: Mapping[str, Any],
) -> Bundle:
    """Save the head as `models/<source>/best` with its validation loss, and make it the default.

    Args:
        settings: Says where.
        encoder: The encoder.
        head: From `fit_best`.
        images: Rows of the manifest.
        whole: Features of the whole pictures, for the validation metrics.
        facts: More entries of bundle.json.
    """
    training = images["split"].value_counts()
    record = {
        "source": settings.source,
        "demonstration": settings.source == "sample",
        "seed": settings.seed,
        **CLIP_SOURCE,
        "encoder_sha256": encoder.sha256,
        "blocks": list(head.weights),
        "crops": head.crops,
        "training": {
            "pictures": int(training.get("train", 0)),
            "validation_pictures": int(training.get("validation", 0)),
        },
        "metrics": {"validation": validation_score(head, images, whole)},
    }
    bundle = save_bundle(settings.models_dir / "best", EncoderModel(encoder, head), {**record, **facts})
    choose_default(settings.models_dir)
    return bundle


def validation_score(head: Head, images: pd.DataFrame, whole: Features) -> dict[str, float]:
    """Weighted cross-entropy (`loss`, nats) and accuracy (0–1) on the validation split."""
    rows = np.flatnonzero(images["split"] == "validation")
    label = images["label"].to_numpy(int)[rows]
    weight = balance(label, group_weights(images)[rows])
    odds = head.log_odds(take(whole, rows)).astype(np.float64)
    return {
        "loss": float(np.average(np.logaddexp(0, np.where(label == 1, -odds, odds)), weights=weight)),
        "accuracy": float(np.average((odds >= 0) == label, weights=weight)),
    }
