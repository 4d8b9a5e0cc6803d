"""Transfer learning: weights found and put in, what is trained and what is not, to disk and back."""

from __future__ import annotations

import functools
from pathlib import Path

import keras
import numpy as np
import pytest

from src.utils.data.pictures.pixel_cache import open_pixel_cache
from src.utils.models.bundle.bundle import load_bundle, load_model, save_bundle
from src.utils.models.networks.transfer import (
    BACKBONES,
    Backbone,
    build_transfer,
    find_backbone,
    lite0_backbone,
    train_transfer,
)
from src.utils.settings import IMAGE_SIZE, Settings, UserError
from tests.data.made_pictures import make_images

SIDE = 32


def load_small() -> keras.Model:
    """A stage, batch normalisation, a last stage, pooled; always with the same weights."""
    start = functools.partial(keras.initializers.GlorotUniform, seed=4)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(4, 3, strides=4, activation="relu", kernel_initializer=start(), name="first"),
            layers.BatchNormalization(name="last_bn"),
            layers.Conv2D(6, 3, activation="relu", kernel_initializer=start(), name="last_conv"),
            layers.GlobalAveragePooling2D(),
        ]
    )


SMALL = Backbone("small", load_small, SIDE, 1 / 128, -127 / 128, ("last",))


@pytest.fixture(scope="module")
def xception_weights(tmp_path_factory) -> Path:
    keras.utils.set_random_seed(0)
    model = keras.applications.Xception(
        include_top=False, weights=None, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )
    path = tmp_path_factory.mktemp("weights") / "local.weights.h5"
    model.save_weights(path)
    return path


def test_xception_takes_weights_made_here(xception_weights: Path) -> None:
    backbone = find_backbone(Settings(), "xception", weights=str(xception_weights))
    one, other = backbone.load(), backbone.load()
    assert one.output_shape == (None, 2048)
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    fresh = keras.applications.Xception(include_top=False, weights=None)
    assert not np.array_equal(fresh.get_weights()[0], one.get_weights()[0])
    model = build_transfer(backbone, fine_tune=True)
    (base,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    free = {layer.name.split("_")[0] for layer in base.layers if layer.trainable_weights}
    assert free == {"block13", "block14"}
    assert model.output_shape == (None, 2)


def test_weights_that_do_not_fit_are_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    load_small().save_weights(path)
    with pytest.raises(UserError, match="Xception's weights cannot be had"):
        find_backbone(Settings(), "xception", weights=str(path))


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(UserError, match=f"no backbone resnet: use auto, {BACKBONES[0]}"):
        find_backbone(Settings(), "resnet")


def test_without_xception_lite0_steps_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "src.utils.models.networks.weights.sample_package_file", lambda settings, name: tmp_path / name
    )
    backbone = find_backbone(Settings(), "auto", weights=str(tmp_path / "missing.weights.h5"))
    assert backbone.name == "efficientnet_lite0"
    assert "Xception's weights cannot be had" in backbone.note
    smoke = find_backbone(Settings(profile="smoke"))
    assert (smoke.name, smoke.note) == ("efficientnet_lite0", "A smoke run does not download Xception.")


def test_lite0_has_a_last_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from src.utils.models.networks.efficientnet_lite0 import build_efficientnet_lite0

    monkeypatch.setattr(
        "src.utils.models.networks.transfer.load_efficientnet_lite0",
        lambda file, include_top: build_efficientnet_lite0(include_top),
    )
    model = build_transfer(lite0_backbone(tmp_path / "weights.pth"), fine_tune=True)
    (base,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    free = {layer.name for layer in base.layers if layer.trainable_weights}
    assert free == {
        "blocks_15_expand_conv",
        "blocks_15_depthwise_conv",
        "blocks_15_project_conv",
        "conv_head",
    }


@pytest.mark.parametrize(("fine_tune", "trained"), [(False, 2), (True, 4)])
def test_only_the_top_and_the_last_stage_are_trained(fine_tune: bool, trained: int) -> None:
    model = build_transfer(SMALL, fine_tune)
    assert len(model.trainable_weights) == trained
    assert "last_bn" not in {weight.path.split("/")[0] for weight in model.trainable_weights}


def test_the_network_reads_plain_pixels_and_is_scaled_inside() -> None:
    model, pixels = build_transfer(SMALL), np.full((1, IMAGE_SIZE, IMAGE_SIZE, 3), 200, np.float32)
    (dense,) = (layer for layer in model.layers if layer.name == "logits")
    inner = load_small()(np.full((1, SIDE, SIDE, 3), (200 - 127) / 128, np.float32)).numpy()
    expected = inner @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(model(pixels, training=False).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_only_exportable_layers_and_no_pickled_code() -> None:
    kinds = {type(layer).__name__ for layer in build_transfer(SMALL).layers}
    assert kinds <= {
        "InputLayer",
        "RandomFlip",
        "Resizing",
        "Rescaling",
        "Sequential",
        "Functional",
        "Dropout",
        "Dense",
    }


def test_export_round_trip(tmp_path: Path) -> None:
    model = build_transfer(SMALL, seed=3)
    pixels = np.random.default_rng(0).uniform(0, 255, (3, IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.float32)
    loaded = load_model(save_bundle(tmp_path / "transfer", model, {}))
    np.testing.assert_array_equal(loaded(pixels, training=False), model(pixels, training=False))


def test_training_starts_the_second_round_from_the_first(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, profile="smoke", seed=5)
    images = make_images(settings.raw_dir, 40)
    cache = open_pixel_cache(images, settings.raw_dir, settings.interim_dir / "pixels", progress=False)
    save_bundle(settings.models_dir / "cnn_scaled", build_transfer(SMALL), {})
    runs = train_transfer(images, cache, settings, SMALL, progress=False)
    frozen, tuned = (load_model(runs[name].bundle) for name in ("frozen", "fine_tuned"))
    first, before, after = (
        next(layer for layer in model.layers if isinstance(layer, keras.Model))
        for model in (build_transfer(SMALL), frozen, tuned)
    )
    for name in ("first", "last_bn", "last_conv"):
        for ours, theirs in zip(
            first.get_layer(name).get_weights(), before.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        after.get_layer("first").get_weights()[0], before.get_layer("first").get_weights()[0]
    )
    assert not np.array_equal(
        after.get_layer("last_conv").get_weights()[0], before.get_layer("last_conv").get_weights()[0]
    )
    assert np.allclose(
        after.get_layer("last_conv").get_weights()[0],
        before.get_layer("last_conv").get_weights()[0],
        atol=1e-3,
    )
    facts = load_bundle(settings.models_dir / "parts" / "small_fine_tuned").facts
    assert facts["backbone"] == "small"
    assert {"loss", "accuracy"} <= set(facts["metrics"]["validation"])
