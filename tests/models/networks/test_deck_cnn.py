"""The deck's network, to the parameter."""

from __future__ import annotations

import numpy as np

from src.utils.models.networks.deck_cnn import PARAMETERS, build_deck_cnn, layer_table

DECK_TABLE = [
    ("Conv2D", (None, 253, 253, 32), 896),
    ("MaxPooling2D", (None, 126, 126, 32), 0),
    ("Conv2D", (None, 124, 124, 64), 18_496),
    ("MaxPooling2D", (None, 62, 62, 64), 0),
    ("Conv2D", (None, 60, 60, 64), 36_928),
    ("MaxPooling2D", (None, 30, 30, 64), 0),
    ("Conv2D", (None, 28, 28, 64), 36_928),
    ("MaxPooling2D", (None, 14, 14, 64), 0),
    ("Conv2D", (None, 12, 12, 64), 36_928),
    ("Flatten", (None, 9216), 0),
    ("Dense", (None, 64), 589_888),
    ("Dense", (None, 2), 130),
]


def test_layers_and_parameters_are_the_decks() -> None:
    model = build_deck_cnn()
    table = layer_table(model)
    found = list(zip(table["type"], table["output_shape"], table["parameters"], strict=True))
    assert found == [(kind, str(shape), parameters) for kind, shape, parameters in DECK_TABLE]
    assert model.count_params() == PARAMETERS == 720_194
    assert {layer.activation.__name__ for layer in model.layers if layer.name.startswith("conv")} == {"relu"}


def test_scaled_differs_in_the_scale_alone() -> None:
    deck, scaled = build_deck_cnn(seed=3), build_deck_cnn(scaled=True, seed=3)
    assert scaled.count_params() == PARAMETERS
    pixels = np.random.default_rng(0).integers(0, 256, (2, 255, 255, 3), dtype=np.uint8)
    logits = scaled(pixels).numpy()
    assert logits.dtype == np.float32 and np.ptp(logits) > 1e-4
    np.testing.assert_allclose(logits, deck(pixels / np.float32(255)).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(logits, scaled(pixels.astype(np.float32)).numpy())


def test_seed_and_nothing_else_decides_the_first_weights() -> None:
    kernels = [
        [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
        for model in (
            build_deck_cnn(seed=1),
            build_deck_cnn(seed=1, policy="mixed_bfloat16"),
            build_deck_cnn(seed=2),
        )
    ]
    for same, also_same, other in zip(*kernels, strict=True):
        assert np.array_equal(same, also_same) and not np.array_equal(same, other)
    assert not np.array_equal(kernels[0][2], kernels[0][3])  # two layers of one shape
