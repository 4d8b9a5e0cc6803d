"""A frozen image encoder with a small linear head, on ONNX Runtime and NumPy alone: no TensorFlow.

The encoder is CLIP's ViT-B/16 (Radford and others 2021, arXiv 2103.00020). A linear head on its final
embedding is UnivFD (Ojha and others 2023, arXiv 2302.10174); reading earlier layers too, where a picture's
rendering is still visible beside its subject, follows RINE (Koutlis and Papadopoulos 2024, arXiv 2402.19091).
What the head reads comes in blocks: the embedding, the class token after some layers, and the mean of the
patch tokens after one. That mean is what makes an evidence map: each patch's own share of it is known.

The 8-bit encoder chooses its scales from everything in a batch, so pictures are encoded one at a time: an
answer must not depend on what else was asked. Nothing is lost, a batch is no faster here.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from src.utils.files import atomic_path
from src.utils.settings import UserError

if TYPE_CHECKING:
    import onnxruntime

ENCODER_FILE = "encoder.onnx"
"""Name of the encoder's file, beside the head in a bundle."""

HEAD_FILE = "head.npz"

INPUT_SIZE = 224
GRID = 14
"""The encoder reads 224 px as 14 × 14 patches."""

PREPROCESSING_VERSION = 1
"""Raised whenever the same pixels would give the encoder other numbers."""

CLASS_LAYERS = (8, 9, 10, 11, 12)
PATCH_LAYER = 8
LAYERS = 12
EMBEDDING = "embedding"
CLASS_BLOCKS = tuple(f"class_{layer}" for layer in CLASS_LAYERS)
PATCH_BLOCK = f"patches_{PATCH_LAYER}"
BLOCKS = (EMBEDDING, *CLASS_BLOCKS, PATCH_BLOCK)
"""What the encoder says about a picture, by name."""

WHOLE, CORNERS = "whole", "corners"
CROPS = (WHOLE, CORNERS)
"""What the head's answer is the mean of: the whole picture, or that and its four corners at native size."""

_MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
_STD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)

Features = dict[str, np.ndarray]
"""Block → float32, [width] for one picture or [n, width] for several."""


def prepare(pixels: np.ndarray) -> np.ndarray:
    """Bring a square picture to what the encoder reads: bicubic to 224 px, CLIP's mean and deviation.

    Args:
        pixels: uint8 [side, side, 3].

    Returns:
        float32 [1, 3, 224, 224].
    """
    image = Image.fromarray(pixels).resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BICUBIC)
    scaled = (np.asarray(image, np.float32) / 255 - _MEAN) / _STD
    return scaled.transpose(2, 0, 1)[None]


def cut_crops(pixels: np.ndarray, crops: str) -> list[np.ndarray]:
    """Cut what is encoded out of a square picture.

    Args:
        pixels: uint8 [side, side, 3].
        crops: One of `CROPS`. Where the side is at most 224 px, corners are the whole picture.

    Returns:
        Squares, the whole picture first.
    """
    if crops == WHOLE:
        return [pixels]
    rest = max(pixels.shape[0] - INPUT_SIZE, 0)
    corners = [(0, 0), (0, rest), (rest, 0), (rest, rest)]
    return [pixels, *(pixels[top:, left:][:INPUT_SIZE, :INPUT_SIZE] for top, left in corners)]


@dataclass(frozen=True)
class Encoder:
    """The encoder's file, loaded.

    Attributes:
        path: The file.
        sha256: Its checksum.
        session: Runs it.
    """

    path: Path
    sha256: str
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, path: Path, threads: int = 0) -> Encoder:
        """Load the encoder so that it also gives its inner layers.

        Args:
            path: An ONNX file of CLIP's ViT-B/16 with the inputs and outputs of the sample's package.
            threads: Processors to use; 0 for all.

        Raises:
            UserError: The file is missing or is not this encoder.
        """
        import onnxruntime

        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}): run notebook 09_improve_model again."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                with_outputs(content, _layer_outputs()), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            reason = str(error).partition("\n")[0]
            raise UserError(f"{path} is not the encoder that is expected here ({reason}).") from error
        return cls(path, hashlib.sha256(content).hexdigest(), session)

    @property
    def widths(self) -> dict[str, int]:
        """Numbers in each block."""
        embedding, tokens = self.session.get_outputs()[:2]
        return {EMBEDDING: embedding.shape[-1]} | dict.fromkeys(BLOCKS[1:], tokens.shape[-1])

    def encode(self, pixels: np.ndarray) -> tuple[Features, np.ndarray]:
        """Encode one picture.

        Args:
            pixels: uint8 [side, side, 3].

        Returns:
            Every block, float32 [width], the embedding of length 1; and the patch tokens behind
            `PATCH_BLOCK`, float32 [196, width], row by row from the upper left.
        """
        names = [one.name for one in self.session.get_outputs()]
        embedding, last, *inner = self.session.run(names, {"pixel_values": prepare(pixels)})
        tokens = dict(zip(range(1, LAYERS + 1), [*inner, last], strict=True))
        patches = tokens[PATCH_LAYER][0, 1:]
        features = {EMBEDDING: embedding[0] / np.linalg.norm(embedding[0])}
        features |= {f"class_{layer}": tokens[layer][0, 0] for layer in CLASS_LAYERS}
        features[PATCH_BLOCK] = patches.mean(axis=0)
        return {name: block.astype(np.float32) for name, block in features.items()}, patches

    def encode_flat(self, pixels: np.ndarray) -> np.ndarray:
        """All blocks of some pictures, one after the other in the order of `BLOCKS`.

        Args:
            pixels: uint8 [n, side, side, 3].

        Returns:
            float32 [n, sum of widths].
        """
        rows = [self.encode(picture)[0] for picture in pixels]
        return np.stack([np.concatenate([row[name] for name in BLOCKS]) for row in rows])


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
        odds = [
            np.mean(
                [
                    self.head.log_odds(self.encoder.encode(crop)[0])
                    for crop in cut_crops(picture, self.head.crops)
                ]
            )
            for picture in pixels
        ]
        half = np.asarray(odds, np.float32).reshape(-1, 1) / 2
        return np.concatenate([-half, half], axis=1)

    def evidence(self, pixels: np.ndarray) -> np.ndarray | None:
        """Where the whole picture's patches speak for AI (above 0) or for a person (below 0).

        The mean over a map is the share of the patch block in the log-odds, exactly.

        Args:
            pixels: uint8 [n, side, side, 3].

        Returns:
            float32 [n, 14, 14], in parts of the log-odds; None if the head does not read patches.
        """
        if PATCH_BLOCK not in self.head.weights:
            return None
        weight, offset = self.head.weights[PATCH_BLOCK], self.head.offsets[PATCH_BLOCK]
        maps = [self.encoder.encode(picture)[1] @ weight + offset for picture in pixels]
        return np.stack(maps).reshape(-1, GRID, GRID).astype(np.float32)


def with_outputs(model: bytes, names: list[str]) -> bytes:
    """Make inner tensors of an ONNX model outputs of it.

    A message appended to a serialised one is merged into it by every reader (Protocol Buffers, "Encoding":
    last one wins, repeated fields are joined), so a graph with nothing but outputs is appended.

    Args:
        model: A serialised `ModelProto`.
        names: Names of tensors.

    Returns:
        The longer model.
    """
    graph_field, output_field, name_field = 7, 12, 1
    outputs = b"".join(message(output_field, message(name_field, name.encode())) for name in names)
    return model + message(graph_field, outputs)


def message(field: int, content: bytes) -> bytes:
    """One length-delimited field of a Protocol Buffers message."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, lowest first."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def _layer_outputs() -> list[str]:
    """Names of the residual stream after layers 1 to 11; the last layer's is an output already."""
    return [f"/vision_model/encoder/layers.{index}/Add_1_output_0" for index in range(LAYERS - 1)]
