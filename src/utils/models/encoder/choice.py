"""Which encoders the improved model can be built on, and how each is loaded by its name.

A KerasHub preset, the sample's own CLIP, or the network of a detector. Which of them `auto` takes is
measured, by `analysis.scoring.bake_off`.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.utils.code import code_digest
from src.utils.files import sha256_file
from src.utils.models.detectors.fetch import detector_file
from src.utils.models.detectors.recipe import Recipe
from src.utils.models.detectors.table import TABLE, Entry, read_table
from src.utils.models.encoder.cut import cut_detector
from src.utils.models.encoder.features import encode_pictures
from src.utils.models.encoder.hub import FAMILIES, LICENCES, load_preset
from src.utils.models.encoder.packaged import export_packaged
from src.utils.models.encoder.runtime import EMBEDDING, ENCODER_FILE, Encoder
from src.utils.settings import Settings, UserError

AUTO, SAMPLE = "auto", "sample"
"""Values of ENCODER beside the names of presets: choose by the data source; the sample's own encoder."""

DETECTOR = "community_forensics"
"""The detector whose network is compared with the presets, where its file is here."""


@dataclass(frozen=True)
class Candidate:
    """An encoder that `auto` may take.

    Attributes:
        name: What ENCODER calls it.
        family: A key of `hub.FAMILIES`, or `detector`.
        parameters: Of its image part, in millions.
        download: What has to be fetched, in gigabytes: a preset's text part too, at four bytes a parameter.
        licence: Of the weights, as the authors state it.
        needs_gpu: Whether a processor alone would take too long.
    """

    name: str
    family: str
    parameters: int
    download: float
    licence: str
    needs_gpu: bool = False

    @property
    def eligible(self) -> bool:
        """Whether `auto` may take it: a licence that forbids commercial use has to be asked for by name."""
        return "-NC" not in self.licence

    @property
    def part(self) -> str:
        """What it is, for people."""
        return f"{self.family}, {self.parameters} million parameters, {self.licence}"

    @property
    def from_hub(self) -> bool:
        """Whether KerasHub has it."""
        return self.family in FAMILIES and self.name != SAMPLE


CANDIDATES = (
    Candidate(DETECTOR, "detector", 22, 0.1, "MIT"),
    Candidate(SAMPLE, "clip", 86, 0.1, LICENCES["clip"]),
    Candidate("clip_vit_base_patch16", "clip", 86, 0.6, LICENCES["clip"]),
    Candidate("dinov3_vit_base_lvd1689m", "dinov3", 86, 0.3, LICENCES["dinov3"]),
    Candidate("siglip2_base_patch16_256", "siglip", 93, 1.5, LICENCES["siglip"]),
    Candidate("dinov3_vit_large_lvd1689m", "dinov3", 303, 1.2, LICENCES["dinov3"], needs_gpu=True),
    Candidate("clip_vit_large_patch14", "clip", 303, 1.7, LICENCES["clip"], needs_gpu=True),
    Candidate("siglip2_large_patch16_256", "siglip", 316, 3.5, LICENCES["siglip"], needs_gpu=True),
    Candidate(
        "metaclip_2_vit_huge_patch14_224", "metaclip_2", 632, 7.4, LICENCES["metaclip_2"], needs_gpu=True
    ),
)
"""What `auto` compares, the simplest first. In 8 bits the sample's own is simpler than the same in 32."""


def candidates_here(settings: Settings, gpu: bool) -> list[Candidate]:
    """The candidates for this machine; a detector only if its file is here, for it is fetched when asked for.

    Args:
        settings: Says where a detector's file would lie.
        gpu: Whether there is a graphics processor.
    """
    here = [one for one in CANDIDATES if gpu or not one.needs_gpu]
    folder = settings.detectors_dir
    return [one for one in here if one.family != "detector" or detector_file(folder, one.name).is_file()]


def must_compare(settings: Settings) -> bool:
    """Whether encoders are to be compared: for `auto` in a full run, with data other than the sample."""
    return settings.encoder == AUTO and not settings.smoke and not settings.dataset.demonstration


def find_encoder(settings: Settings) -> tuple[Encoder, str]:
    """Find the encoder to build on, where nothing is to be compared.

    Args:
        settings: Says which data, and where the sample's packages and what is made of presets lie. Its
            `encoder` is the name of a KerasHub preset; a folder with one, relative to the project's; `sample`
            for the encoder of the sample's package; a detector of `detectors.toml`; or `auto`: the sample's.

    Returns:
        The encoder, and a sentence that says why it is this one.

    Raises:
        UserError: What was asked for cannot be had, or there is no such encoder.
    """
    if settings.encoder != AUTO:
        return load_named(settings, settings.encoder), f"ENCODER={settings.encoder} was asked for."
    if settings.smoke:
        reason = "A smoke run downloads no larger encoder."
    else:
        reason = "The sample's own encoder, so that its published numbers can be had anywhere."
    return load_named(settings, SAMPLE), reason


def load_named(settings: Settings, name: str) -> Encoder:
    """Load an encoder by its name: whatever ENCODER can be but `auto`.

    Raises:
        Unreachable: It is not here, and Kaggle does not answer.
        UserError: It cannot be had, or there is no such encoder.
    """
    folder = settings.interim_dir / "encoders"
    if name == SAMPLE:
        return Encoder.load(export_packaged(settings))
    if name in _detectors(settings):
        return Encoder.load(export_detector(settings, name))
    place = settings.root / Path(name).expanduser()
    return load_preset(str(place) if place.is_dir() else name, folder)


def encoder_version(settings: Settings, name: str) -> str:
    """What tells apart states of an encoder that go by one name: a release or a file's checksum."""
    if name in _detectors(settings):
        return sha256_file(detector_file(settings.detectors_dir, name))
    return importlib.metadata.version("keras-hub")


def export_detector(settings: Settings, name: str) -> Path:
    """Make an encoder's file of a detector's network, unless it was made before.

    Args:
        settings: Says where the table, the detector's file and what is made of it lie.
        name: An entry of `detectors.toml`; its recipe says how the network is asked.

    Returns:
        An ONNX file for `Encoder.load`.

    Raises:
        UserError: The detector's file is missing or cannot be cut.
    """
    source = detector_file(settings.detectors_dir, name)
    if not source.is_file():
        raise UserError(f"{source} is missing: fetch it with `make detector NAME={name}`.")
    sha256, entry = sha256_file(source), _detectors(settings)[name]
    recipe = Recipe.of(entry.recipe)
    version = f"{sha256[:8]}.{code_digest(cut_detector.__module__)}"
    target = settings.interim_dir / "encoders" / f"{name}-{version}.onnx"
    if not target.is_file():
        record = {
            "encoder": f"{entry.title or name}, without its last layer",
            "encoder_licence": entry.licence,
            "encoder_from": f"{entry.address}, SHA-256 {sha256}",
        }
        asked = (recipe.input_size, recipe.mean, recipe.standard_deviation)
        cut_detector(source, target, *asked, record, recipe.filter)
    return target


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder that the improved model was built on; while there is none, the sample's own.

    Raises:
        UserError: It cannot be installed or read.
    """
    kept = settings.models_dir / "best" / ENCODER_FILE
    return Encoder.load(kept) if kept.is_file() else load_named(settings, SAMPLE)


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


def _detectors(settings: Settings) -> dict[str, Entry]:
    """The table of detectors, by name."""
    return read_table(settings.root / TABLE.name)
