"""Versions and variants of one generator are one family."""

import pytest

from src.utils.data.families import generator_family


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
