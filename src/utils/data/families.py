"""Which generators are relatives: versions and variants of one model count as one family."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

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


def known_sources(images: pd.DataFrame) -> np.ndarray:
    """Source of each picture: the generator family of an AI-generated one, the photo source of another.

    Args:
        images: Rows of the manifest: `label`, `generator` and `origin`.

    Returns:
        str [n]; empty where it is not known.
    """
    family = images["generator"].fillna("").map(generator_family)
    return family.where(images["label"] == 1, images["origin"].fillna("")).to_numpy(str)


def source_names(images: pd.DataFrame) -> np.ndarray:
    """As `known_sources`, but a group whose source is not known is a source of its own.

    Args:
        images: Rows of the manifest, with `group` besides.
    """
    known = known_sources(images)
    return np.where(known != "", known, "group " + images["group"].astype(str).to_numpy(str))
