"""A model whose answers are known: the redder a picture, the surer it is of AI; blue is human."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from src.app.model import Prediction

FACTS = {
    "class_names": ["Human-made", "AI-generated"],
    "input_size": 255,
    "resize": "squash",
    "threshold": 0.5,
    "temperature": 1.0,
    "policy": {"ai_from": 0.6, "clear_up_to": 0.4, "why_no_ai": "", "why_no_clear": ""},
    "calibrated": True,
    "track_record": {"sentences": ["It missed 5 of 9 pictures."]},
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
    """Answers red / (red + blue)."""

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
        lean = "none" if 0.4 < probability < 0.6 else "AI" if label == "AI-generated" else "human"
        verdict = {"none": "Uncertain", "AI": "AI-generated", "human": "No sign of AI"}[lean]
        reason = "its interval reaches across 50 %" if verdict == "Uncertain" else ""
        evidence = (red - blue) / 255 if self.has_evidence else None
        ends = max(probability - 0.05, 0.0), min(probability + 0.05, 1.0)
        return Prediction(
            probability, label, verdict, reason, evidence, *(round(one, 6) for one in ends), lean
        )


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
