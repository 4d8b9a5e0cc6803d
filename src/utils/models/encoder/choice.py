"""Which encoder the improved model is built on.

A KerasHub preset of CLIP, SigLIP or DINOv2 where one can be had, the sample's own CLIP otherwise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from src.utils.models.encoder.features import encode_pictures
from src.utils.models.encoder.hub import Unreachable, first_choices, load_first, load_preset
from src.utils.models.encoder.packaged import export_packaged
from src.utils.models.encoder.runtime import EMBEDDING, ENCODER_FILE, Encoder
from src.utils.settings import Settings, UserError

AUTO, SAMPLE = "auto", "sample"
"""Values of ENCODER beside the names of presets: choose by the data source; the sample's own encoder."""


def find_encoder(settings: Settings) -> tuple[Encoder, str]:
    """Find the encoder to build on.

    Args:
        settings: Says which data, and where the sample's packages and what is made of presets lie. Its
            `encoder` is the name of a KerasHub preset of CLIP, SigLIP or DINOv2; a folder with such a preset,
            relative to the project's; `sample` for the encoder of the sample's package; or `auto`: that one
            for the sample and in a smoke run, otherwise the first preset of `hub.first_choices` that can be
            had, and that one again if none can.

    Returns:
        The encoder, and a sentence that says why it is this one.

    Raises:
        UserError: What was asked for cannot be had, or there is no such preset.
    """
    asked, folder = settings.encoder, settings.interim_dir / "encoders"
    if asked not in (AUTO, SAMPLE):
        place = settings.root / Path(asked).expanduser()
        return load_preset(str(place) if place.is_dir() else asked, folder), f"ENCODER={asked} was asked for."
    if asked == SAMPLE:
        reason = f"ENCODER={SAMPLE} was asked for."
    elif settings.smoke:
        reason = "A smoke run downloads no larger encoder."
    elif settings.dataset.demonstration:
        reason = "The sample's own encoder, so that its published numbers can be had anywhere."
    else:
        try:
            return load_first(first_choices(), folder)
        except Unreachable:
            reason = "Kaggle, which has KerasHub's presets, does not answer, so it is the sample's own."
        except UserError as error:
            reason = f"None of KerasHub's presets can be had, so it is the sample's own. {error}"
    return _sample_encoder(settings), reason


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder that the improved model was built on; while there is none, the sample's own.

    Raises:
        UserError: It cannot be installed or read.
    """
    kept = settings.models_dir / "best" / ENCODER_FILE
    return Encoder.load(kept) if kept.is_file() else _sample_encoder(settings)


def embed_pictures(settings: Settings, images: pd.DataFrame) -> np.ndarray:
    """Final embeddings of pictures, from the encoder that `load_encoder` gives: float32 [n, width].

    Args:
        settings: Where the pictures, the encoder and the stored features lie.
        images: Readable rows of the manifest: `file_name` and `content`.

    Raises:
        ImageError: A picture cannot be read.
        UserError: The encoder cannot be installed or read.
    """
    folder = settings.interim_dir / "features"
    return encode_pictures(load_encoder(settings), images, settings.raw_dir, folder)[EMBEDDING]


def _sample_encoder(settings: Settings) -> Encoder:
    """CLIP's image encoder, installing the sample's packages if it is missing."""
    return Encoder.load(export_packaged(settings))
