"""Grad-CAM finds what a network was built to look at, and changes when its weights do."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.stats import spearmanr

from src.utils.models.networks.gradcam import (
    ANOTHER_PICTURE,
    grad_cam,
    last_convolution,
    map_similarity,
    randomisation_check,
    randomised_copy,
)

SIZE = 16


def build(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu", name="first"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(4, 3, activation="relu", name="second"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="logits"),
        ]
    )


def build_red_is_ai() -> keras.Model:
    """Map 0 passes red, map 1 passes blue; red speaks for AI, blue for human-made."""
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(2, 1, name="colours"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 0, 0] = kernel[0, 0, 2, 1] = 1
    model.layers[0].set_weights([kernel, np.zeros(2, np.float32)])
    model.layers[2].set_weights([np.array([[0, 1], [1, 0]], np.float32), np.zeros(2, np.float32)])
    return model


def noise(pictures: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (pictures, SIZE, SIZE, 3), dtype=np.uint8)


def test_maps_have_the_sign_and_the_place_of_what_speaks_for_each_class() -> None:
    pixels = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    pixels[0, :4, :4, 0] = 200  # red, upper left
    pixels[0, 12:, 12:, 2] = 200  # blue, lower right
    (cam,) = grad_cam(build_red_is_ai(), pixels)
    assert cam.shape == (SIZE, SIZE)
    assert (cam[:4, :4] > 0).all()
    assert (cam[12:, 12:] < 0).all()
    assert (cam[4:12, 4:12] == 0).all()


def test_maps_are_the_gradient_weighted_sum_of_the_last_convolution() -> None:
    model, pixels = build(), noise(2)
    inner = keras.Model(model.inputs[0], model.get_layer("second").output)
    features = inner(pixels.astype(np.float32)).numpy()
    kernel = model.get_layer("logits").get_weights()[0].reshape(*features.shape[1:], 2)
    weight = (kernel[..., 1] - kernel[..., 0]).mean(axis=(0, 1))
    np.testing.assert_allclose(grad_cam(model, pixels), features @ weight, rtol=1e-4, atol=1e-5)


def test_batches_do_not_change_the_maps() -> None:
    model, pixels = build(), noise(20)
    np.testing.assert_allclose(
        grad_cam(model, pixels)[17:], grad_cam(model, pixels[17:]), rtol=1e-4, atol=1e-5
    )


def test_a_model_from_its_file_gives_the_same_maps(tmp_path) -> None:
    model, pixels = build(), noise(2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(grad_cam(loaded, pixels), grad_cam(model, pixels), rtol=1e-4, atol=1e-5)


def test_the_last_convolution_is_found_or_missed_in_words() -> None:
    assert last_convolution(build()).name == "second"
    with pytest.raises(ValueError, match="no convolution"):
        last_convolution(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


def test_a_randomised_copy_leaves_the_original_and_what_lies_before_it_alone() -> None:
    model = build()
    before = [weight.copy() for weight in model.get_weights()]
    copy = randomised_copy(model, seed=1, from_layer="second")
    for old, kept in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)
    same = [np.array_equal(*pair) for pair in zip(before, copy.get_weights(), strict=True)]
    assert same == [True, True, False, False, False, False]
    spread = copy.get_layer("logits").get_weights()[0].std()
    assert spread == pytest.approx(model.get_layer("logits").get_weights()[0].std(), rel=0.2)
    assert not np.array_equal(copy.get_weights()[2], randomised_copy(model, 2, "second").get_weights()[2])


def test_similarity_by_hand() -> None:
    one = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    assert map_similarity(one, 5 * one + 3) == pytest.approx(1)
    assert map_similarity(one, -one) == pytest.approx(1)
    assert map_similarity(one, one * 0) == 0
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50, 12, 12)).astype(np.float32)
    expected = [abs(spearmanr(a.ravel(), b.ravel()).statistic) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(map_similarity(first, second), expected)
    assert np.mean(expected) < 0.1


def test_the_check_changes_the_map() -> None:
    model = build_red_is_ai()
    check = randomisation_check(model, noise(), seeds=20)
    assert list(check) == ["logits", "colours", ANOTHER_PICTURE]
    assert all(similarity.shape == (6,) for similarity in check.values())
    assert check["colours"].mean() < 0.8
    assert check[ANOTHER_PICTURE].mean() < 0.15
    assert map_similarity(grad_cam(model, noise()), grad_cam(model, noise())) == pytest.approx(1)


def test_a_check_that_always_passes_would_be_noticed() -> None:
    """A network that can read nothing but brightness has the same map with any weights."""
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(1, 1, use_bias=False, name="brightness"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    grey = np.repeat(noise()[..., :1], 3, axis=-1)
    check = randomisation_check(model, grey, seeds=5)
    assert check["brightness"] == pytest.approx(1)


def test_no_pictures_have_no_maps():
    assert len(grad_cam(build_red_is_ai(), np.empty((0, 16, 16, 3), np.uint8))) == 0
