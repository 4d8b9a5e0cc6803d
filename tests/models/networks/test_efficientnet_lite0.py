"""The port of EfficientNet-Lite0: shape, padding, and that every tensor finds its layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from src.utils.models.networks.efficientnet_lite0 import (
    FEATURES,
    INPUT_SIZE,
    build_efficientnet_lite0,
    load_efficientnet_lite0,
    scale_input,
)
from src.utils.settings import UserError
from tests.models.torch_files import fake_torch, write_state_dict

KINDS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def torch_name(layer: str) -> str:
    """`blocks_3_bn1` as PyTorch spells it."""
    if not layer.startswith("blocks_"):
        return f"_{layer}"
    _, number, rest = layer.split("_", 2)
    return f"_blocks.{number}._{rest}"


def torch_layout(array: np.ndarray, depthwise: bool) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    return array.T


@pytest.fixture(scope="module")
def network():
    """The whole network with weights that are told apart."""
    model = build_efficientnet_lite0()
    rng = np.random.default_rng(0)
    model.set_weights(
        [np.abs(rng.normal(0.1, 0.05, w.shape)).astype(np.float32) for w in model.get_weights()]
    )
    return model


@pytest.fixture(scope="module")
def state(network) -> dict[str, np.ndarray]:
    arrays = {}
    for layer in network.layers:
        for weight in layer.weights:
            name = f"{torch_name(layer.name)}.{KINDS[weight.name]}"
            arrays[name] = np.ascontiguousarray(
                torch_layout(weight.numpy(), layer.name.endswith("_depthwise_conv"))
            )
        if "moving_mean" in [weight.name for weight in layer.weights]:
            arrays[f"{torch_name(layer.name)}.num_batches_tracked"] = np.array(1, dtype=np.int64)
    return arrays


def test_the_network_is_lite0(network) -> None:
    assert network.count_params() == 4_694_024
    assert network.input_shape == (None, INPUT_SIZE, INPUT_SIZE, 3) and network.output_shape == (None, 1000)
    assert network.get_layer("conv_stem").kernel.shape == (3, 3, 3, 32)
    assert network.get_layer("blocks_15_project_conv").output.shape == (None, 7, 7, 320)
    assert sum(layer.name.endswith("_add") for layer in network.layers) == 9
    norms = [layer for layer in network.layers if "bn" in layer.name and layer.weights]
    assert len(norms) == 49 and {layer.epsilon for layer in norms} == {1e-3}
    assert {layer.max_value for layer in network.layers if layer.name.endswith("relu6")} == {6}
    assert build_efficientnet_lite0(include_top=False).output_shape == (None, FEATURES)


def test_padding_is_tensorflows(network) -> None:
    """With stride 2 on an even side, the first output looks at rows 0 to 2: nothing is padded above."""
    import keras

    stem = keras.Model(network.inputs, network.get_layer("conv_stem").output)
    pixels = np.zeros((1, INPUT_SIZE, INPUT_SIZE, 3), np.float32)
    pixels[0, 2, 2] = 1
    first = stem([pixels]).numpy()[0, 0, 0]
    np.testing.assert_allclose(first, network.get_layer("conv_stem").kernel.numpy()[2, 2].sum(0), rtol=1e-5)


def test_every_tensor_finds_its_layer(network, state, tmp_path: Path, monkeypatch) -> None:
    fake_torch(monkeypatch)
    write_state_dict(tmp_path / "weights.pth", state)
    loaded = load_efficientnet_lite0(tmp_path / "weights.pth")
    for ours, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    features = load_efficientnet_lite0(tmp_path / "weights.pth", include_top=False)
    pixels = scale_input(np.random.default_rng(1).uniform(0, 255, (1, INPUT_SIZE, INPUT_SIZE, 3)))
    top = network.get_layer("fc")
    expected = features(pixels).numpy() @ top.kernel.numpy() + top.bias.numpy()
    np.testing.assert_allclose(network(pixels).numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_another_networks_weights_are_refused(change: str, state, tmp_path: Path, monkeypatch) -> None:
    fake_torch(monkeypatch)
    arrays = dict(state)
    if change == "missing":
        arrays = {name: array for name, array in arrays.items() if not name.startswith("_blocks.15._bn2")}
    elif change == "extra":
        arrays["_blocks.16._bn2.weight"] = np.ones(320, np.float32)
    else:
        arrays["_conv_head.weight"] = np.ones((1280, 320, 3, 3), np.float32)
    write_state_dict(tmp_path / "weights.pth", arrays)
    with pytest.raises(UserError, match=r"weights\.pth does not fit EfficientNet-Lite0"):
        load_efficientnet_lite0(tmp_path / "weights.pth")


def test_input_is_scaled_as_it_was_trained() -> None:
    np.testing.assert_allclose(scale_input(np.array([0.0, 127.0, 255.0])), [-127 / 128, 0, 1])
