"""KerasHub's presets as encoders: what they give, how they are served, and what happens without them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from src.utils.models.bundle.predictor import Predictor
from src.utils.models.encoder import choice
from src.utils.models.encoder import features as encoders
from src.utils.models.encoder import hub as hub_encoders
from src.utils.models.encoder.best import DESIGNS, EncoderModel, fit_design, head_probability, save_best
from src.utils.models.encoder.choice import find_encoder
from src.utils.models.encoder.features import READ_SIZE, encode_pictures
from src.utils.models.encoder.hub import CLASSES, EXAMPLES, FAMILIES, LICENCES, export_preset, load_preset
from src.utils.models.encoder.runtime import BLOCKS, CLASS_BLOCKS, EMBEDDING, PATCH_BLOCK, Encoder, Head
from src.utils.settings import Settings, UserError
from tests.data.made_pictures import make_images
from tests.models.tiny_encoder import load_tiny
from tests.models.tiny_presets import GRID, PROJECTED, REGISTERS, SIZE, TAPPED, WIDTH, scaled, write_preset

DESIGN = next(design for design in DESIGNS if design.name == "all blocks")
DINO_SIDES = {"dinov2": 70, "dinov3": 80}
"""What stands for `DINO_SIZE` here: smaller than the presets' own side, as 224 px is than DINOv2's 518."""


@pytest.fixture(scope="module", params=list(CLASSES))
def made(request, tmp_path_factory):
    """A family, a folder with a preset of it, and the encoder made of that while low precision was on."""
    family, root = request.param, tmp_path_factory.mktemp(request.param)
    write_preset(family, root / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub_encoders, "DINO_SIZE", DINO_SIDES.get(family))
        with low_precision():
            path = export_preset(str(root / "tiny"), root / "encoders")
        yield family, root / "tiny", Encoder.load(path, threads=1)


@contextlib.contextmanager
def low_precision() -> Iterator[None]:
    """As while a network is trained on a processor or graphics card that is quick at bfloat16."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def noise(number: int, side: int = READ_SIZE) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (number, side, side, 3), np.uint8)


def by_hand(family: str, folder: Path, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Embedding and all tokens after each layer, step by step through the preset's own layers."""
    import keras_hub

    side = DINO_SIDES.get(family, SIZE)
    options = {"image_shape": (side, side, 3)} if family in DINO_SIDES else {}
    backbone = keras_hub.models.Backbone.from_preset(str(folder), dtype="float32", **options)
    small = np.stack([Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in pixels])
    x, after = scaled(family, small.astype(np.float64)).astype(np.float32), []
    if family in DINO_SIDES:
        told = {}
        if family == "dinov3":
            told = {"position_embeddings": backbone.rope_embedding(x), "num_prefix_tokens": 1 + REGISTERS}
        x = backbone.embeddings(x)
        for layer in backbone.encoder.layers:
            x = layer(x, **told)
            after.append(np.asarray(x))
        return np.asarray(backbone.layernorm(x))[:, 0], after
    embedding = np.asarray(backbone.get_vision_embeddings(x))
    vision = backbone.vision_encoder
    x = vision.embedding(x) if family == "siglip" else vision.pre_layer_norm(vision.embedding(x))
    for layer in vision.encoder_layers:
        x = layer(x)
        after.append(np.asarray(x))
    return embedding, after


def test_blocks_are_what_the_preset_itself_computes(made) -> None:
    family, folder, encoder = made
    pictures = noise(3)
    embedding, after = by_hand(family, folder, pictures)
    first = {"siglip": 0, "dinov2": 1 + REGISTERS, "dinov3": 1 + REGISTERS}.get(family, 1)
    for number, picture in enumerate(pictures):
        features, patches = encoder.encode(picture)
        direction = embedding[number] / np.linalg.norm(embedding[number])
        np.testing.assert_allclose(features[EMBEDDING], direction, atol=1e-4)
        for name, layer in zip(CLASS_BLOCKS, TAPPED[family], strict=True):
            tokens = after[layer - 1][number]
            expected = tokens.mean(axis=0) if family == "siglip" else tokens[0]
            np.testing.assert_allclose(features[name], expected, atol=1e-4)
        expected = after[TAPPED[family][0] - 1][number, first:]
        np.testing.assert_allclose(patches, expected, atol=1e-4)
        np.testing.assert_allclose(features[PATCH_BLOCK], expected.mean(axis=0), atol=1e-4)


def test_the_file_says_how_it_is_used(made) -> None:
    family, _, encoder = made
    layout = encoder.layout
    size, grid = DINO_SIDES.get(family, SIZE), 5 if family in DINO_SIDES else GRID
    assert (layout.family, layout.size, layout.grid, layout.resample) == (family, size, grid, "bicubic")
    width = PROJECTED if family in ("clip", "metaclip_2") else WIDTH
    assert encoder.widths == {EMBEDDING: width} | dict.fromkeys(BLOCKS[1:], WIDTH)
    assert encoder.encode(noise(1)[0])[1].shape == (grid**2, WIDTH)
    assert layout.record["encoder"] == f"{FAMILIES[family]}, tiny"


def test_an_answer_does_not_depend_on_what_else_is_asked(made) -> None:
    encoder, pictures = made[-1], noise(4)
    alone = np.concatenate([encoder.encode_flat(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(encoder.encode_flat(pictures), alone)
    together = dataclasses.replace(encoder, batch=3).encode_flat(pictures)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_graphics_processor_would_give_the_same(made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder, encoder = made
    monkeypatch.setattr(hub_encoders, "has_gpu", lambda: True)
    quick = load_preset(str(folder), encoder.path.parent)
    assert (quick.sha256, quick.layout, quick.widths) == (encoder.sha256, encoder.layout, encoder.widths)
    assert quick.batch == hub_encoders.GPU_BATCH
    pictures = noise(3)
    np.testing.assert_allclose(quick.encode_flat(pictures), encoder.encode_flat(pictures), atol=1e-4)


def test_it_becomes_a_bundle_that_serves_what_was_measured(made, tmp_path: Path) -> None:
    family, _, encoder = made
    settings = Settings(root=tmp_path, seed=3)
    images = make_images(settings.raw_dir, 30)
    where = (settings.raw_dir, settings.interim_dir / "features")
    views = {view: encode_pictures(encoder, images, *where, view, False) for view in ("whole", "damaged")}
    assert (where[1] / f"{family}-{encoder.sha256[:8]}-whole.sqlite").is_file()
    head = fit_design(DESIGN, encoder, images, views, settings.seed)
    bundle = save_best(settings, encoder, head, images, views["whole"], {})
    assert bundle.facts["encoder"] == encoder.layout.record["encoder"]
    assert bundle.input_size == READ_SIZE
    assert choice.load_encoder(settings).sha256 == encoder.sha256

    predictor = Predictor.load(bundle.folder)
    rows = list(predictor.predict_files([settings.raw_dir / name for name in images["file_name"][:6]]))
    expected = head_probability(head, views["whole"])
    np.testing.assert_allclose([row["probability_ai"] for row in rows], expected[:6], atol=2e-6)
    assert expected[images["label"] == 1].mean() > expected[images["label"] == 0].mean() + 0.2

    pixels = np.stack([predictor.read(settings.raw_dir / name) for name in images["file_name"][:2]])
    _, maps = predictor.explain(pixels)
    assert maps.shape == (2, encoder.layout.grid, encoder.layout.grid)
    shares = head.shares({name: block[:2] for name, block in views["whole"].items()})[PATCH_BLOCK]
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), shares, rtol=1e-3, atol=1e-4)


def test_neither_keras_nor_tensorflow_is_needed_afterwards(made) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from src.utils.models.encoder.runtime import Encoder;"
        f"Encoder.load(Path({str(made[-1].path)!r})).encode(np.zeros((90, 90, 3), np.uint8));"
        "assert not {'tensorflow', 'keras', 'keras_hub', 'onnx', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_preset_is_converted_once(made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder, encoder = made
    monkeypatch.setattr(hub_encoders, "build_graph", None)
    assert export_preset(str(folder), encoder.path.parent) == encoder.path


def test_a_wrong_conversion_is_not_kept(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder, encoder = made
    model = onnx.load(encoder.path)
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    largest.raw_data = bytes(len(largest.raw_data))
    monkeypatch.setattr(hub_encoders, "to_onnx", lambda graph, layout: model)
    with pytest.raises(UserError, match="tiny answers otherwise once it is exported"):
        export_preset(str(folder), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def preset(tmp_path_factory) -> Path:
    """A preset of CLIP that was saved in low precision."""
    folder = tmp_path_factory.mktemp("presets") / "clip"
    with low_precision():
        write_preset("clip", folder)
    return folder


@pytest.fixture
def clip(preset: Path, tmp_path: Path) -> Path:
    """A copy of `preset` to spoil."""
    return shutil.copytree(preset, tmp_path / "clip")


def test_low_precision_in_a_preset_is_undone(preset: Path) -> None:
    graph, _ = hub_encoders.build_graph(str(preset))
    assert {layer.compute_dtype for layer in graph._flatten_layers()} == {"float32"}


def test_weights_too_large_in_32_bits_are_kept_in_16(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = hub_encoders.build_graph(str(preset))
    monkeypatch.setattr(hub_encoders, "_LARGEST", 3 * whole.count_params())
    rounded, layout = hub_encoders.build_graph(str(preset))
    for one, other in zip(whole.weights, rounded.weights, strict=True):
        if one.dtype == "float32":
            np.testing.assert_array_equal(other, np.asarray(one).astype(np.float16).astype(np.float32))
    model = hub_encoders.to_onnx(rounded, layout)
    stored = {one.data_type for one in model.graph.initializer if one.name.startswith("weight_")}
    assert stored == {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}  # positions are counted
    (tmp_path / "half.onnx").write_bytes(model.SerializeToString())
    session = Encoder.load(tmp_path / "half.onnx", threads=1).session
    pixels = noise(1, SIZE).astype(np.float32)
    expected = rounded(pixels, training=False)
    for name, found in zip(expected, session.run(list(expected), {"pixels": pixels}), strict=True):
        np.testing.assert_allclose(found, np.asarray(expected[name]), atol=1e-4)


def test_a_preset_too_large_for_a_file_is_refused_before_its_weights_are_fetched(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clip / "model.weights.h5").unlink()
    monkeypatch.setattr(hub_encoders, "_LARGEST", 1000)
    with pytest.raises(UserError, match=r"clip is too large for an ONNX file \(2 GB; its image part takes"):
        export_preset(str(clip), tmp_path / "encoders")


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"num_layers": 40, "hidden_dim": 1664, "intermediate_dim": 8192}, 3.1),
        ({"num_layers": 40, "hidden_dim": 1536, "intermediate_dim": 4096, "use_gated_mlp": True}, 2.3),
    ],
)
def test_the_size_is_known_from_the_configuration(tmp_path: Path, settings: dict, size: float) -> None:
    (tmp_path / "giant").mkdir()
    for config in (settings, {"vision_encoder": {"config": settings}, "text_encoder": {}}):
        content = json.dumps({"class_name": "DINOV3Backbone", "config": config})
        (tmp_path / "giant" / "config.json").write_text(content)
        with pytest.raises(UserError, match=f"giant is too large .* takes {size} GB at 16 bits a weight"):
            export_preset(str(tmp_path / "giant"), tmp_path / "encoders")


@pytest.mark.parametrize(
    ("missing", "problem"), [("model.weights.h5", "weights"), ("image_converter.json", "image")]
)
def test_an_incomplete_preset_is_named(clip: Path, tmp_path: Path, missing: str, problem: str) -> None:
    (clip / missing).unlink()
    with pytest.raises(UserError, match=rf"clip cannot be loaded \(.*{problem}"):
        export_preset(str(clip), tmp_path / "encoders")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (None, "holds no KerasHub preset"),
        ("{", "holds no KerasHub preset"),
        (
            json.dumps({"class_name": "ResNetBackbone"}),
            "holds a ResNetBackbone: an encoder is one of CLIPBackbone,",
        ),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path: Path, config: str | None, problem: str) -> None:
    (tmp_path / "mine").mkdir()
    if config is not None:
        (tmp_path / "mine" / "config.json").write_text(config)
    with pytest.raises(UserError, match=problem):
        find_encoder(Settings(root=tmp_path, encoder="mine"))


@pytest.mark.parametrize("name", ["clip_vit_base_patch17", "resnet_50_imagenet", "medsiglip_900m_448"])
def test_a_wrong_name_is_answered_with_right_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=f"There is no encoder {name}: use auto, sample, .*dinov2_base"
    ) as caught:
        find_encoder(Settings(root=tmp_path, encoder=name))
    assert "\n" not in str(caught.value)


def test_every_family_has_an_example_and_a_licence() -> None:
    assert {hub_encoders.preset_family(name) for name in EXAMPLES} == set(CLASSES)
    assert set(FAMILIES) == set(LICENCES) == set(CLASSES)


def test_an_encoder_that_reads_more_gets_more(tmp_path: Path) -> None:
    small = load_tiny(tmp_path)
    large = dataclasses.replace(small, layout=dataclasses.replace(small.layout, size=384))
    head = Head({EMBEDDING: np.ones(3, np.float32)}, {EMBEDDING: 0.0}, 0.0, small.sha256)
    assert EncoderModel(small, head).input_shape == (None, READ_SIZE, READ_SIZE, 3)
    assert EncoderModel(large, head).input_shape == (None, 384, 384, 3)
    image, rng = Image.new("RGB", (500, 400)), np.random.default_rng(0)
    shapes = {name: view(image, rng, size=384).shape for name, view in encoders.VIEWS.items()}
    assert set(shapes.values()) == {(384, 384, 3)}
