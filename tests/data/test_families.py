"""Versions and variants of one generator are one family."""

import pandas as pd
import pytest

from src.utils.data.families import generator_family, known_sources, source_names


@pytest.mark.parametrize(
    ("generator", "family"),
    [
        ("Flux.1 dev", "Flux"),
        ("Flux.2 klein", "Flux"),
        ("Qwen-Image-Edit 2511", "Qwen"),
        ("Chroma1 Radiance", "Chroma"),
        ("OmniGen2", "OmniGen"),
        ("Z-Image Turbo", "Z-Image"),
        ("SDXL Turbo", "Stable Diffusion"),
        ("Stable Diffusion 3.5", "Stable Diffusion"),
        ("Gemini 3 Pro Image", "Gemini"),
        ("Nano Banana Pro", "Gemini"),
        ("ERNIE-Image Turbo", "ERNIE"),
        ("  Krea 2 ", "Krea"),
        ("4o image", "4o image"),
        ("", ""),
    ],
)
def test_family(generator, family):
    assert generator_family(generator) == family


def test_only_sources_with_a_name_are_known():
    images = pd.DataFrame(
        {
            "label": [1, 1, 1, 0, 0, 0],
            "generator": ["Flux.1 dev", "Flux.2", "Kling 3", "", "", ""],
            "origin": ["", "", "", "Alps", "", ""],
            "group": list("abcdef"),
        }
    )
    assert known_sources(images).tolist() == ["Flux", "Flux", "Kling", "Alps", "", ""]
    assert source_names(images).tolist() == ["Flux", "Flux", "Kling", "Alps", "group e", "group f"]
    assert known_sources(images.assign(generator="")).tolist() == ["", "", "", "Alps", "", ""]
