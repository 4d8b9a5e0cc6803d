"""Detectors to set beside others: one that says AI, one that is a head in no bundle."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from src.utils.judge.detectors.load import load_bundle_detector
from src.utils.judge.detectors.own import always_ai, head_detector
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.encoder.best import EncoderModel
from src.utils.models.encoder.runtime import EMBEDDING, Head
from tests.models.tiny_encoder import WIDTH, load_tiny


def some_head(encoder, weight=2.0):
    weights = np.array([weight, *[-1.0] * (WIDTH - 1)], np.float32)
    return Head({EMBEDDING: weights}, {EMBEDDING: 0.5}, -0.25, encoder.sha256)


def answer(detector):
    picture = Image.new("RGB", (40, 30), (200, 90, 20))
    return detector.ask([detector.read(picture)] * 2)


def test_one_says_ai_of_everything():
    detector = always_ai()
    assert (detector.name, detector.title) == ("always_ai", "Always answers AI")
    assert detector.meaning(answer(detector)) == pytest.approx([1, 1])


def test_a_head_answers_as_a_bundle_of_it_would(tmp_path):
    encoder = load_tiny(tmp_path)
    head = some_head(encoder)
    bundle = save_bundle(tmp_path / "probe", EncoderModel(encoder, head), {"source": "sample"})
    mine, kept = head_detector("linear_probe", encoder, head), load_bundle_detector(bundle.folder)
    features, _ = encoder.encode(mine.read(Image.new("RGB", (40, 30), (200, 90, 20))))
    np.testing.assert_allclose(answer(mine), [head.log_odds(features)] * 2, rtol=1e-5)
    np.testing.assert_allclose(answer(mine), answer(kept), rtol=1e-5)
    assert mine.title == "Linear probe (frozen encoder)" and not mine.calibrated


def test_another_head_is_not_taken_for_it(tmp_path):
    encoder = load_tiny(tmp_path)
    keys = {head_detector("one", encoder, some_head(encoder, weight)).key for weight in (2.0, 2.0, 2.5)}
    assert len(keys) == 2
