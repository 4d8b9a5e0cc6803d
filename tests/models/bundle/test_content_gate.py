"""The gate stops what is no photograph, says why, and lets a photograph pass."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from src.utils.data.pictures.drawn import drawn_pictures, plot, screenshot, text_page
from src.utils.models.bundle.content_gate import FACTS, picture_facts, why_outside

LIMITS = {name: fact.strictest for name, fact in FACTS.items()}


def photo_like(width: int = 480, height: int = 360, seed: int = 0) -> Image.Image:
    """Structure at every scale, in colour, as a photograph has it."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).resize(
                (width, height), Image.Resampling.BICUBIC
            ),
            float,
        )
        for side in (4, 12, 40, 120)
    ]
    return Image.fromarray(np.average(layers, axis=0, weights=(8, 4, 2, 1)).astype(np.uint8))


def gradient(width: int = 400, height: int = 300) -> Image.Image:
    ramp = np.linspace(0, 255, width)
    pixels = np.stack([ramp, ramp[::-1], np.full(width, 90)], axis=1)
    return Image.fromarray(np.broadcast_to(pixels, (height, width, 3)).astype(np.uint8))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def why(image: Image.Image) -> str:
    return why_outside(picture_facts(image), LIMITS)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.new("RGB", (500, 500), "white"), "it is almost blank"),
        (Image.new("RGB", (1, 1), "red"), "it is only 1 px on its shorter side"),
        (noise(30_000, 1), "it is only 1 px on its shorter side"),
        (noise(1_000, 100), "it is 10 times as long as it is wide"),
        (gradient(), "it is smooth all over, like a gradient of colours"),
        (noise(300, 300), "its neighbouring pixels have little in common, as in noise or dense patterns"),
        (photo_like().convert("L").convert("RGB"), "it is grey, without colour"),
    ],
)
def test_the_reason_is_the_first_fact_beyond_its_limit(image, reason):
    assert why(image) == reason


@pytest.mark.parametrize("make", [text_page, screenshot, plot])
def test_pages_windows_and_charts_are_told_by_their_few_colours(make):
    reason = why(make(np.random.default_rng(0)))
    assert reason.startswith("it looks like a drawing, a text or a screenshot: ")
    share = int(reason.split(": ")[1].split(" %")[0])
    assert 50 < share <= 100 and reason.endswith(f"{share} % of it has one of eight colours")


@pytest.mark.parametrize("size", [(480, 360), (64, 64), (300, 1_100), (1_300, 900)])
def test_a_picture_with_texture_and_colour_passes_at_every_size(size):
    assert why(photo_like(*size)) == ""


def test_facts_of_a_known_picture():
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 64:] = (0, 0, 255)
    facts = picture_facts(Image.fromarray(pixels))
    luma = 29  # of pure blue, ITU-R BT.601
    assert facts["shorter_side"] == 64 and facts["aspect"] == 2
    assert facts["luma_variance"] == pytest.approx((luma / 2) ** 2)
    assert facts["common_colours"] == 1
    assert facts["detail"] == 0  # the edge lies between blocks
    assert facts["neighbour_correlation"] == pytest.approx(125 / 127, abs=0.01)
    assert facts["chroma"] == 255


def test_common_colours_are_counted_exactly():
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels.reshape(-1, 3)[:, 1] = np.arange(200) // 5  # 40 colours, five pixels each
    assert picture_facts(Image.fromarray(pixels))["common_colours"] == pytest.approx(8 / 40)


def test_without_limits_nothing_is_asked():
    facts = picture_facts(Image.new("RGB", (1, 1)))
    assert why_outside(facts, None) == why_outside(facts, {}) == ""
    assert why_outside(facts, {"aspect": 4.0}) == ""
    assert why_outside(facts, {"shorter_side": 1.0}) == ""  # a value at the limit passes


def test_drawn_pictures_are_stopped_whatever_their_kind():
    passed = [kind for kind, image in drawn_pictures(of_each=2, seed=1) if not why(image)]
    assert passed == []


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    levels=st.integers(1, 256),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_has_finite_facts_in_their_ranges(width, height, levels, seed):
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    facts = picture_facts(image)
    assert list(facts) == list(FACTS)
    assert all(math.isfinite(value) for value in facts.values())
    assert facts["shorter_side"] == min(width, height) and facts["aspect"] >= 1
    assert 0 <= facts["luma_variance"] <= 127.5**2
    assert 0 < facts["common_colours"] <= 1 and 0 <= facts["detail"] <= 255 and 0 <= facts["chroma"] <= 255
    assert -1.01 * max(width, height) <= facts["neighbour_correlation"] <= 2
    assert np.array_equal(np.asarray(image), pixels)
    assert isinstance(why_outside(facts, LIMITS), str)


def test_the_gate_needs_pillow_and_numpy_alone():
    code = """
import sys
import src.utils.models.bundle.content_gate
heavy = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "scipy", "onnxruntime"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
