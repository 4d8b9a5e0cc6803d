"""A model without a network: the brighter a picture, the surer it is of AI."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from src.utils.files import hash_bytes, write_json
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.predictor import Predictor
from tests.models.tiny import fake_runtime


def bright_predictor(folder: Path, weights: bytes = b"weights", runtime=fake_runtime, **facts) -> Predictor:
    """A predictor whose bundle lies in `folder`; log-odds of AI are (mean brightness / 127.5 − 1) × 2."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.keras").write_bytes(weights)
    told = {
        "schema": 1,
        "class_names": ["Human-made", "AI-generated"],
        "input_size": 16,
        "resize": "squash",
        "output": "logits",
        "metrics": {},
        "versions": {},
        "model_file": "model.keras",
        "model_sha256": hash_bytes(weights),
    }
    write_json(folder / "bundle.json", told | facts)
    return Predictor(load_bundle(folder), runtime)


def brightness_log_odds(pixels: np.ndarray) -> float:
    """What the model says of a picture of 16 × 16 pixels."""
    return float(2 * (pixels.mean() / 127.5 - 1))
