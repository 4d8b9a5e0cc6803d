"""A frozen image encoder with a small linear head, on ONNX Runtime and NumPy alone: no TensorFlow.

The encoder is a vision transformer in an ONNX file that takes RGB 0–255 and says in its metadata how it is
used (`Layout`): what `packaged` makes of CLIP's ViT-B/16 (Radford and others 2021, arXiv 2103.00020) in the
sample's package, `hub` of a KerasHub preset, or `cut` of a detector's file. A linear head on its final
embedding is UnivFD (Ojha and others 2023, arXiv 2302.10174); reading earlier layers too, where a picture's
rendering is still visible beside its subject, follows RINE (Koutlis and Papadopoulos 2024, arXiv 2402.19091).
What the head reads comes in blocks: the embedding, the class token after some layers, and the mean of the
patch tokens after one. That mean is what makes an evidence map: each patch's own share of it is known.

Pictures are encoded one at a time. The 8-bit encoder chooses its scales from everything in a batch, and an
answer must not depend on what else was asked; and on a processor nothing is lost: a ViT-B/16 in float32 does
2.9 pictures a second on two cores, whether they come alone or sixteen at once. Several pictures are shared
out among the processors instead, one each: the same answers, sooner than with all of them at one picture.
"""

from __future__ import annotations

import functools
import itertools
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from src.utils.data.machines import ModelFiles
from src.utils.data.parallel import map_ahead
from src.utils.files import atomic_path, sha256_file
from src.utils.models.bundle.onnx_session import available_threads, onnx_session
from src.utils.settings import UserError

if TYPE_CHECKING:
    import onnxruntime

ENCODER_FILE = "encoder.onnx"
"""Name of the encoder's file, beside the head in a bundle."""

HEAD_FILE = "head.npz"

INPUT_SIZE = 224
"""Side, in pixels, of what most encoders read."""

CLASS_LAYERS = (8, 9, 10, 11, 12)
PATCH_LAYER = 8
LAYERS = 12
"""Layers are counted in twelfths of an encoder's depth: `class_8` of one with 24 layers is taken after 16."""

EMBEDDING = "embedding"
CLASS_BLOCKS = tuple(f"class_{layer}" for layer in CLASS_LAYERS)
PATCH_BLOCK = f"patches_{PATCH_LAYER}"
BLOCKS = (EMBEDDING, *CLASS_BLOCKS, PATCH_BLOCK)
"""What the encoder says about a picture, by name."""

WHOLE, CORNERS = "whole", "corners"
CROPS = (WHOLE, CORNERS)
"""What the head's answer is the mean of: the whole picture, or that and its four corners at native size."""

Features = dict[str, np.ndarray]
"""Block → float32, [width] for one picture or [n, width] for several."""

LAYOUT_KEY = "layout"
"""Entry of an ONNX file's metadata that holds a `Layout` as JSON."""


TOKEN_OUTPUTS = tuple(f"tokens_{layer}" for layer in CLASS_LAYERS)
"""Names of a preset's outputs beside `EMBEDDING`: all tokens after these layers."""


@dataclass(frozen=True)
class Layout:
    """What must be known of an encoder's file to use it.

    Attributes:
        family: Kind of encoder, as file names write it, such as `clip`.
        size: Side of the square it reads, in pixels.
        grid: Patches along a side.
        first_patch: Tokens before those of the patches: a class token, perhaps registers. Where it is 0, the
            mean token stands for the class token.
        resample: The Pillow filter that brings pictures to `size`, such as `bicubic`.
        outputs: Names of the file's outputs: the embedding, then all tokens after each of `CLASS_LAYERS`.
        record: What a bundle says of it: `encoder`, `encoder_licence`, `encoder_from`.
    """

    family: str
    size: int
    grid: int
    first_patch: int
    resample: str
    outputs: Sequence[str]
    record: Mapping[str, str]


def cut_crops(pixels: np.ndarray, crops: str, size: int = INPUT_SIZE) -> list[np.ndarray]:
    """Cut what is encoded out of a square picture.

    Args:
        pixels: uint8 [side, side, 3].
        crops: One of `CROPS`. Where the side is at most `size`, corners are the whole picture.
        size: Side of a corner, in pixels: what the encoder reads.

    Returns:
        Squares, the whole picture first.
    """
    if crops == WHOLE:
        return [pixels]
    rest = max(pixels.shape[0] - size, 0)
    corners = [(0, 0), (0, rest), (rest, 0), (rest, rest)]
    return [pixels, *(pixels[top:, left:][:size, :size] for top, left in corners)]


@dataclass(frozen=True)
class Encoder:
    """The encoder's file, loaded.

    Attributes:
        path: The file.
        sha256: Its checksum.
        session: Runs it.
        layout: How it is used.
        batch: Pictures that are encoded at once.
        threads: Processors it may use.
    """

    path: Path
    sha256: str
    session: onnxruntime.InferenceSession
    layout: Layout
    batch: int = 1
    threads: int = 1

    @classmethod
    def load(cls, path: Path, threads: int | None = None) -> Encoder:
        """Load an encoder.

        Args:
            path: An ONNX file from `hub.export_preset` or `packaged.export_packaged`.
            threads: Processors to use, 0 for all; by default what MODEL_THREADS says.

        Raises:
            UserError: The file is missing or is not such an encoder.
        """
        try:
            sha256 = sha256_file(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}): run notebook 09_improve_model again."
            ) from error
        try:
            session = onnx_session(path, threads)
            layout = _read_layout(session)
        except ValueError as error:
            raise UserError(
                f"{path} is not the encoder that is expected here ({error}): "
                "run notebook 09_improve_model again."
            ) from error
        return cls(path, sha256, session, layout, threads=threads or available_threads())

    def __reduce__(self):
        return Encoder.load, (ModelFiles(self.path),)

    @property
    def widths(self) -> dict[str, int]:
        """Numbers in each block."""
        widths = {one.name: one.shape[-1] for one in self.session.get_outputs()}
        embedding, tokens = (widths[name] for name in self.layout.outputs[:2])
        return {EMBEDDING: embedding} | dict.fromkeys(BLOCKS[1:], tokens)

    def encode(self, pixels: np.ndarray) -> tuple[Features, np.ndarray]:
        """Encode one picture.

        Args:
            pixels: uint8 [side, side, 3].

        Returns:
            Every block, float32 [width], the embedding of length 1; and the patch tokens behind
            `PATCH_BLOCK`, float32 [grid², width], row by row from the upper left.
        """
        return next(self.encode_each([pixels]))

    def encode_each(self, pictures: Sequence[np.ndarray]) -> Iterator[tuple[Features, np.ndarray]]:
        """What `encode` gives, for each of some pictures, in order.

        Args:
            pictures: Squares, uint8 [side, side, 3].
        """
        if self.batch == 1 and self.threads > 1 and len(pictures) > 1:
            session = self._one_thread
            yield from map_ahead(
                lambda picture: next(self._encode_batch(session, [picture])), pictures, self.threads
            )
            return
        for start in range(0, len(pictures), self.batch):
            yield from self._encode_batch(self.session, pictures[start : start + self.batch])

    def encode_flat(self, pixels: np.ndarray) -> np.ndarray:
        """All blocks of some pictures, one after the other in the order of `BLOCKS`.

        Args:
            pixels: uint8 [n, side, side, 3].

        Returns:
            float32 [n, sum of widths].
        """
        rows = [features for features, _ in self.encode_each(pixels)]
        return np.stack([np.concatenate([row[name] for name in BLOCKS]) for row in rows])

    @functools.cached_property
    def _one_thread(self) -> onnxruntime.InferenceSession:
        """The same network on one processor, which several threads ask at once; loaded when first needed."""
        return onnx_session(self.path, 1)

    def _encode_batch(
        self, session: onnxruntime.InferenceSession, pictures: Sequence[np.ndarray]
    ) -> Iterator[tuple[Features, np.ndarray]]:
        source = session.get_inputs()[0].name
        batch = np.stack([self._resize(picture) for picture in pictures])
        for embedding, *tokens in zip(*session.run(self.layout.outputs, {source: batch}), strict=True):
            yield self._blocks(embedding, tokens)

    def _resize(self, picture: np.ndarray) -> np.ndarray:
        """A square picture at the size that the file takes: float32 [size, size, 3], 0–255."""
        size, resample = self.layout.size, Image.Resampling[self.layout.resample.upper()]
        return np.asarray(Image.fromarray(picture).resize((size, size), resample), np.float32)

    def _blocks(self, embedding: np.ndarray, tokens: list[np.ndarray]) -> tuple[Features, np.ndarray]:
        """Blocks and patch tokens from one picture's outputs."""
        first = self.layout.first_patch
        patches = tokens[0][first:]
        features = {EMBEDDING: embedding / np.linalg.norm(embedding)}
        for name, layer in zip(CLASS_BLOCKS, tokens, strict=True):
            features[name] = layer[0] if first else layer.mean(axis=0)
        features[PATCH_BLOCK] = patches.mean(axis=0)
        return {name: block.astype(np.float32) for name, block in features.items()}, patches


def _read_layout(session: onnxruntime.InferenceSession) -> Layout:
    """The layout in a file's metadata.

    Raises:
        ValueError: There is none, or it is of another version.
    """
    try:
        return Layout(**json.loads(session.get_modelmeta().custom_metadata_map[LAYOUT_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("its metadata does not say how to use it") from error


def split_blocks(flat: np.ndarray, widths: Mapping[str, int]) -> Features:
    """Undo `Encoder.encode_flat`: views of the blocks, [n, width] each."""
    ends = np.cumsum(list(widths.values()))
    return dict(zip(widths, np.split(flat, ends[:-1], axis=-1), strict=True))


@dataclass(frozen=True)
class Head:
    """A linear function of an encoder's blocks: log-odds that a picture is AI-generated.

    Attributes:
        weights: Block → float32 [width].
        offsets: Block → what is added to that block's sum, so that the average training picture gives 0.
        bias: Log-odds of the average training picture.
        encoder_sha256: The encoder it was fitted on; another build of the same network would not do.
        crops: One of `CROPS`.
    """

    weights: Mapping[str, np.ndarray]
    offsets: Mapping[str, float]
    bias: float
    encoder_sha256: str
    crops: str = WHOLE

    def shares(self, features: Features) -> Features:
        """What each block adds to the log-odds, [n] or a single number."""
        return {name: features[name] @ weight + self.offsets[name] for name, weight in self.weights.items()}

    def log_odds(self, features: Features) -> np.ndarray:
        """Log-odds of AI: the sum of all shares and the bias."""
        return sum(self.shares(features).values()) + self.bias

    def save(self, path: Path) -> None:
        """Write the head as plain arrays."""
        arrays = {f"weights_{name}": weight.astype(np.float32) for name, weight in self.weights.items()}
        arrays |= {f"offset_{name}": np.float64(offset) for name, offset in self.offsets.items()}
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                bias=np.float64(self.bias),
                encoder_sha256=self.encoder_sha256,
                crops=self.crops,
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read a head; no code in the file is run.

        Raises:
            UserError: The file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as saved:
                names = [name for name in BLOCKS if f"weights_{name}" in saved]
                return cls(
                    {name: saved[f"weights_{name}"] for name in names},
                    {name: float(saved[f"offset_{name}"]) for name in names},
                    float(saved["bias"]),
                    str(saved["encoder_sha256"]),
                    str(saved["crops"]),
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is no head of a model ({error}): train again.") from error


class EncoderRuntime:
    """The network behind a predictor: from pixels to two logits, and a coarse map of where they come from."""

    def __init__(self, encoder: Encoder, head: Head):
        self.encoder = encoder
        self.head = head

    @classmethod
    def load(cls, head_file: Path) -> EncoderRuntime:
        """Load a head and the encoder that lies beside it.

        Raises:
            UserError: A file is missing or damaged, or the encoder is not the head's.
        """
        head = Head.load(head_file)
        encoder = Encoder.load(head_file.with_name(ENCODER_FILE))
        if encoder.sha256 != head.encoder_sha256:
            raise UserError(
                f"{encoder.path} is not the encoder that {head_file.name} was fitted on: train again."
            )
        return cls(encoder, head)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Logits of the two classes.

        Args:
            pixels: uint8 [n, side, side, 3].

        Returns:
            float32 [n, 2]; their difference is the mean of the crops' log-odds.
        """
        return self.explain(pixels)[0]

    def explain(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits, and where the whole picture's patches speak for AI (above 0) or for a person (below 0).

        Each picture is encoded once for both. The mean over a map is the share of the patch block in the
        log-odds, exactly.

        Args:
            pixels: uint8 [n, side, side, 3].

        Returns:
            Logits as above; and float32 [n, grid, grid], in parts of the log-odds, or None if the head
            does not read patches.
        """
        crops = [cut_crops(one, self.head.crops, self.encoder.layout.size) for one in pixels]
        encoded = self.encoder.encode_each([crop for one in crops for crop in one])
        looks = [self._look(itertools.islice(encoded, len(one))) for one in crops]
        half = np.asarray([odds for odds, _ in looks], np.float32).reshape(-1, 1) / 2
        logits = np.concatenate([-half, half], axis=1)
        if PATCH_BLOCK not in self.head.weights:
            return logits, None
        weight, offset = self.head.weights[PATCH_BLOCK], self.head.offsets[PATCH_BLOCK]
        grid = self.encoder.layout.grid
        maps = np.stack([tokens @ weight + offset for _, tokens in looks])
        return logits, maps.reshape(-1, grid, grid).astype(np.float32)

    def _look(self, crops: Iterable[tuple[Features, np.ndarray]]) -> tuple[float, np.ndarray]:
        """Log-odds of a picture, and the patch tokens of the whole of it, from its encoded crops."""
        encoded = list(crops)
        return np.mean([self.head.log_odds(features) for features, _ in encoded]), encoded[0][1]
