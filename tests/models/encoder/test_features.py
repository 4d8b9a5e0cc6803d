"""The encoder without TensorFlow: what it gives, how it is kept, and that serving equals fitting."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from src.utils.data.pictures.decode import open_image, read_pixels, squash
from src.utils.models.encoder import features as encoders
from src.utils.models.encoder.best import EncoderModel
from src.utils.models.encoder.features import READ_SIZE, encode_pictures, stored_features
from src.utils.models.encoder.packaged import _MEAN, _STD
from src.utils.models.encoder.runtime import (
    BLOCKS,
    CLASS_LAYERS,
    CORNERS,
    EMBEDDING,
    ENCODER_FILE,
    HEAD_FILE,
    PATCH_BLOCK,
    PATCH_LAYER,
    WHOLE,
    Encoder,
    EncoderRuntime,
    Head,
    cut_crops,
    split_blocks,
)
from src.utils.settings import UserError
from tests.data.made_pictures import make_images
from tests.models.tiny_encoder import GROWTH, WIDTH, load_tiny, write_encoder


def noise(number: int, side: int = 300, seed: int = 0) -> np.ndarray:
    """Coarse coloured noise, so that it survives a resize."""
    small = np.random.default_rng(seed).integers(0, 256, (number, 12, 12, 3), np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.NEAREST)) for one in small]
    )


def random_head(encoder: Encoder, crops: str = WHOLE, seed: int = 1) -> Head:
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=WIDTH).astype(np.float32) for name in BLOCKS}
    return Head(weights, {name: float(rng.normal()) for name in BLOCKS}, 0.25, encoder.sha256, crops)


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return load_tiny(tmp_path)


def test_inner_layers_come_out_of_the_file_as_they_are(encoder: Encoder) -> None:
    picture = noise(1)[0]
    scaled = (encoder._resize(picture) / 255 - _MEAN) / _STD
    squares = scaled.reshape(14, 16, 14, 16, 3).mean(axis=(1, 3)).reshape(-1, 3)
    features, patches = encoder.encode(picture)
    np.testing.assert_allclose(patches, squares * GROWTH**PATCH_LAYER, rtol=1e-4, atol=1e-5)
    for layer in CLASS_LAYERS:
        expected = squares.mean(axis=0) * GROWTH**layer
        np.testing.assert_allclose(features[f"class_{layer}"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features[PATCH_BLOCK], patches.mean(axis=0), rtol=1e-5)
    assert np.linalg.norm(features[EMBEDDING]) == pytest.approx(1)


def test_blocks_survive_being_laid_flat(encoder: Encoder) -> None:
    pictures = noise(3)
    blocks = split_blocks(encoder.encode_flat(pictures), encoder.widths)
    assert tuple(blocks) == BLOCKS
    for row, picture in enumerate(pictures):
        for name, numbers in encoder.encode(picture)[0].items():
            np.testing.assert_array_equal(blocks[name][row], numbers)


def test_an_answer_does_not_depend_on_what_else_is_asked(encoder: Encoder) -> None:
    runtime, pictures = EncoderRuntime(encoder, random_head(encoder)), noise(4)
    together = runtime(pictures)
    alone = np.concatenate([runtime(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(together, alone)


def test_processors_share_pictures_and_answer_as_one_would(encoder: Encoder) -> None:
    pictures = np.random.default_rng(5).integers(0, 256, (7, 240, 240, 3), dtype=np.uint8)
    alone, together = (dataclasses.replace(encoder, threads=number) for number in (1, 3))
    np.testing.assert_array_equal(alone.encode_flat(pictures), together.encode_flat(pictures))
    logits = [EncoderRuntime(one, random_head(encoder))(pictures) for one in (alone, together)]
    np.testing.assert_array_equal(*logits)


def test_logits_differ_by_the_log_odds(encoder: Encoder) -> None:
    head, pictures = random_head(encoder), noise(2)
    logits = EncoderRuntime(encoder, head)(pictures)
    features = split_blocks(encoder.encode_flat(pictures), encoder.widths)
    assert (logits.shape, logits.dtype) == ((2, 2), np.float32)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], head.log_odds(features), rtol=1e-5)


def test_several_crops_are_the_mean_of_each(encoder: Encoder) -> None:
    picture = noise(1)[0]
    several = EncoderRuntime(encoder, random_head(encoder, CORNERS))
    single = EncoderRuntime(encoder, dataclasses.replace(several.head, crops=WHOLE))
    parts = [picture, picture[:224, :224], picture[:224, 76:], picture[76:, :224], picture[76:, 76:]]
    expected = np.mean([single(part[None])[0] for part in parts], axis=0)
    np.testing.assert_allclose(several(picture[None])[0], expected, rtol=1e-5)
    assert not np.allclose(expected, single(picture[None])[0])


def test_corners_of_a_small_picture_are_the_picture() -> None:
    picture = noise(1, 100)[0]
    for crop in cut_crops(picture, CORNERS):
        np.testing.assert_array_equal(crop, picture)


def test_the_evidence_map_adds_up_and_points_to_the_place(encoder: Encoder) -> None:
    weights = {PATCH_BLOCK: np.array([1.0, 0, -1.0], np.float32), EMBEDDING: np.ones(WIDTH, np.float32)}
    head = Head(weights, {PATCH_BLOCK: 0.5, EMBEDDING: 0.0}, 0.1, encoder.sha256)
    picture = np.full((224, 224, 3), 128, np.uint8)
    picture[:112, 112:] = (255, 128, 0)
    _, (evidence,) = EncoderRuntime(encoder, head).explain(picture[None])
    assert evidence.shape == (14, 14)
    share = head.shares(encoder.encode(picture)[0])[PATCH_BLOCK]
    assert evidence.mean() == pytest.approx(share, rel=1e-4)
    assert evidence[:7, 7:].min() > evidence[7:, :].max()


def test_a_picture_is_encoded_once_for_answer_and_map(encoder: Encoder, monkeypatch) -> None:
    calls, resize = [], Encoder._resize
    monkeypatch.setattr(Encoder, "_resize", lambda self, picture: calls.append(1) or resize(self, picture))
    runtime = EncoderRuntime(encoder, random_head(encoder))
    logits, maps = runtime.explain(noise(2))
    assert (len(calls), len(maps)) == (2, 2)
    np.testing.assert_array_equal(logits, runtime(noise(2)))


def test_a_head_without_patches_has_no_map(encoder: Encoder) -> None:
    head = Head({EMBEDDING: np.ones(WIDTH, np.float32)}, {EMBEDDING: 0.0}, 0.0, encoder.sha256)
    assert EncoderRuntime(encoder, head).explain(noise(1))[1] is None


def test_what_is_saved_answers_the_same_when_loaded(encoder: Encoder, tmp_path: Path) -> None:
    model, pictures = EncoderModel(encoder, random_head(encoder, CORNERS)), noise(2)
    folder = tmp_path / "best"
    folder.mkdir()
    model.save(folder / HEAD_FILE)
    assert sorted(path.name for path in folder.iterdir()) == [ENCODER_FILE, HEAD_FILE]
    loaded = EncoderRuntime.load(folder / HEAD_FILE)
    before = EncoderRuntime(encoder, model.head)
    np.testing.assert_array_equal(loaded(pictures), before(pictures))
    np.testing.assert_array_equal(loaded.explain(pictures)[1], before.explain(pictures)[1])


def test_another_encoder_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    random_head(encoder).save(tmp_path / HEAD_FILE)
    write_encoder(tmp_path / ENCODER_FILE, growth=1.2)
    with pytest.raises(UserError, match=r"not the encoder that head\.npz was fitted on"):
        EncoderRuntime.load(tmp_path / HEAD_FILE)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_a_damaged_encoder_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"encoder\.onnx is not the encoder"):
        Encoder.load(path)


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.onnx cannot be read"):
        Encoder.load(tmp_path / "encoder.onnx")


def test_a_damaged_head_is_named(tmp_path: Path) -> None:
    (tmp_path / HEAD_FILE).write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(UserError, match=r"head\.npz is no head"):
        Head.load(tmp_path / HEAD_FILE)


def test_pickled_code_in_a_head_is_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / HEAD_FILE, bias=np.array([print], dtype=object), encoder_sha256="", crops=WHOLE)
    with pytest.raises(UserError):
        Head.load(tmp_path / HEAD_FILE)


def test_serving_reads_what_was_fitted_on(encoder: Encoder, tmp_path: Path) -> None:
    images = make_images(tmp_path / "raw", 4, side=120)
    features = encode_pictures(encoder, images, tmp_path / "raw", tmp_path / "store", progress=False)
    head = random_head(encoder)
    pixels = np.stack([read_pixels(tmp_path / "raw" / name, READ_SIZE) for name in images["file_name"]])
    logits = EncoderRuntime(encoder, head)(pixels)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], head.log_odds(features), rtol=1e-5)


def test_a_picture_is_computed_once_whatever_its_name(tmp_path: Path) -> None:
    images = make_images(tmp_path, 4)
    images = pd.concat([images, images.assign(file_name=images["file_name"])], ignore_index=True)
    asked = []

    def compute(pixels: np.ndarray) -> np.ndarray:
        asked.append(len(pixels))
        return pixels.reshape(len(pixels), -1)[:, :5]

    def run(rows: pd.DataFrame) -> np.ndarray:
        view = encoders.VIEWS["whole"]
        return stored_features(tmp_path / "s.sqlite", rows, tmp_path, view, compute, "", progress=False)

    first = run(images.iloc[:2])
    every = run(images)
    assert asked == [2, 2]
    np.testing.assert_array_equal(every[:2], first)
    np.testing.assert_array_equal(every[:4], every[4:])


def test_an_interruption_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "BATCH", 2)
    images, done = make_images(tmp_path, 6), []

    def compute(pixels: np.ndarray) -> np.ndarray:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(len(pixels))
        return np.ones((len(pixels), 3))

    def run() -> np.ndarray:
        view = encoders.VIEWS["whole"]
        return stored_features(tmp_path / "s.sqlite", images, tmp_path, view, compute, "", progress=False)

    with pytest.raises(KeyboardInterrupt):
        run()
    done.clear()
    assert run().shape == (6, 3)
    assert done == [2]


def test_lite0_gives_its_pooled_features_and_is_built_only_when_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    from src.utils.models.networks import efficientnet_lite0 as lite0

    network, built = lite0.build_efficientnet_lite0(include_top=False), []
    monkeypatch.setattr(
        lite0, "load_efficientnet_lite0", lambda file, include_top: built.append(file) or network
    )
    images, store = make_images(tmp_path, 3), tmp_path / "store"
    found = encoders.lite0_features(tmp_path / "w.pth", images, tmp_path, store, progress=False)
    pixels = np.stack([squash(open_image(tmp_path / name), READ_SIZE) for name in images["file_name"]])
    small = tf.image.resize(pixels, (224, 224), antialias=True)
    expected = network(lite0.scale_input(small), training=False)
    assert found.shape == (3, lite0.FEATURES) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    again = encoders.lite0_features(tmp_path / "w.pth", images, tmp_path, store, progress=False)
    np.testing.assert_array_equal(again, found)
    assert built == [tmp_path / "w.pth"]


@pytest.mark.parametrize("view", encoders.VIEWS)
def test_views_repeat_themselves(view: str) -> None:
    image = Image.fromarray(noise(1, 260)[0])
    one, other = (encoders.VIEWS[view](image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.uint8
    assert one.shape[0] == one.shape[1]


def test_the_runtime_needs_neither_tensorflow_nor_pandas() -> None:
    code = (
        "import sys, src.utils.models.encoder.runtime, src.utils.models.bundle.predictor, onnxruntime;"
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_wait_is_estimated(encoder: Encoder) -> None:
    said = encoders.encoding_estimate(encoder, 12_345)
    assert "12,345 encodings" in said
    assert said.startswith("About ")
