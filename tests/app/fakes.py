"""A model whose answers are known: the redder a picture, the surer it is of AI; blue shows no sign of it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from src.app.model import Prediction
from src.utils.models.bundle.predictor import UNCALIBRATED

MISSED = "On generators it had not met, it missed 52 of 95 pictures [42 %, 66 %]."
CALLED = "Of photographs from photo sources it had not met, it called 9 of 96 AI [4 %, 17 %]."
POLICY = {"ai_from": 0.6, "clear_up_to": 0.4, "why_no_ai": "", "why_no_clear": ""}
ACROSS, TOO_CLOSE = "its interval reaches across 50 %", "its interval reaches too close to 50 %"

FACTS = {
    "class_names": ["Human-made", "AI-generated"],
    "input_size": 255,
    "resize": "squash",
    "threshold": 0.5,
    "temperature": 1.0,
    "calibrated": True,
    "policy": POLICY,
    "track_record": {"sentences": [MISSED, CALLED]},
    "source": "sample",
    "demonstration": True,
    "training": {"pictures": 1234},
    "metrics": {
        "validation": {"loss": 0.6, "accuracy": 0.7},
        "test": {"auc": {"value": 0.66, "low": 0.55, "high": 0.76}},
    },
    "model_sha256": "0" * 64,
}


class RednessModel:
    """Answers red / (red + blue), with an interval of 0.1 to each side, and a verdict by its policy."""

    name = "cnn_scaled"

    def __init__(self, facts=FACTS, evidence=True):
        self.facts = facts
        self.has_evidence = evidence
        self.asked = 0

    def predict(self, image):
        self.asked += 1
        cells = np.asarray(image.resize((8, 8)), float)
        red, blue = cells[..., 0], cells[..., 2]
        probability = float(red.mean() / max(1.0, red.mean() + blue.mean()))
        label = self.facts["class_names"][int(probability >= 0.5)]
        evidence = (red - blue) / 255 if self.has_evidence else None
        if not self.facts.get("calibrated"):
            return Prediction(probability, label, "Uncertain", UNCALIBRATED, evidence)
        low, high = round(max(probability - 0.1, 0.0), 6), round(min(probability + 0.1, 1.0), 6)
        verdict, lean, reason = judge(low, high, **self.facts["policy"])
        return Prediction(probability, label, verdict, reason, evidence, low, high, lean)


def judge(low, high, ai_from, clear_up_to, why_no_ai, why_no_clear):
    """Verdict, lean and reason for an interval."""
    if low < 0.5 < high:
        return "Uncertain", "none", ACROSS
    if low >= 0.5:
        sure = ai_from is not None and low >= ai_from
        return ("AI-generated", "AI", "") if sure else ("Uncertain", "AI", why_no_ai or TOO_CLOSE)
    sure = clear_up_to is not None and high <= clear_up_to
    return ("No sign of AI", "human", "") if sure else ("Uncertain", "human", why_no_clear or TOO_CLOSE)


RED, BLUE, GREY = (230, 60, 20), (20, 60, 230), (128, 128, 128)
"""Colours the model calls AI-generated (0.92), No sign of AI (0.08) and Uncertain (0.5)."""


def picture(colour=RED, kind="PNG", size=(90, 60), left=None, **options) -> bytes:
    """A picture of one colour, or with another one in its left half."""
    width, height = size
    image = Image.new("RGB", size, colour)
    image.paste(left or colour, (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def upload(*files, query="", client, **headers):
    """POST files, each (name, bytes), to /predict."""
    data = {"file": [(io.BytesIO(content), name) for name, content in files]}
    return client.post(f"/predict{query}", data=data, content_type="multipart/form-data", **headers)
