"""Which generators are relatives: versions and variants of one model count as one family."""

from __future__ import annotations

import re

ALIASES = {
    "SD": "Stable Diffusion",
    "SDXL": "Stable Diffusion",
    "Stable": "Stable Diffusion",
    "Nano": "Gemini",
    "Imagen": "Gemini",
    "GPT": "OpenAI",
    "DALL": "OpenAI",
    "Z": "Z-Image",
}
"""First words of names that say too little, or that one company's models share."""


def generator_family(generator: str) -> str:
    """Name the family of a generator: the first word of its name, without a version.

    Args:
        generator: Such as `Flux.1 dev`; empty where not known.

    Returns:
        Such as `Flux`; empty for an empty name.
    """
    first = re.match(r"[^\W\d_]+", generator.strip())
    if first is None:
        return generator.strip()
    return ALIASES.get(first[0], first[0])
