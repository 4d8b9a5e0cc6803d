"""Which encoder is found by which name, and what is told where none can be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import requests

from src.utils.models.encoder import choice, hub
from src.utils.models.encoder.choice import CANDIDATES, candidates_here, find_encoder, must_compare
from src.utils.models.encoder.packaged import convert
from src.utils.models.encoder.runtime import EMBEDDING, Encoder
from src.utils.settings import Settings, UserError
from tests.models.tiny_detector import SIZE, WIDTH, features_of, write_detector
from tests.models.tiny_encoder import write_packaged
from tests.models.tiny_presets import write_preset

TABLE = f"""
[one]
title = "A detector (Somebody, 2026)"
licence = "MIT (weights)"
address = "https://example.org/one.onnx"
[one.recipe]
input_size = {SIZE}
views = ["squash"]
filter = "bicubic"
mean = [0.5, 0.5, 0.5]
standard_deviation = [0.25, 0.25, 0.5]
"""


@pytest.fixture
def sample_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the encoder of the sample's packages, once it is made into one that can be loaded."""
    path = tmp_path / "made.onnx"
    convert(write_packaged(tmp_path / "packaged.onnx"), path)
    monkeypatch.setattr(choice, "export_packaged", lambda settings: path)
    return path


@pytest.fixture
def silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """A network that nobody answers in, and nothing kept from before; the patience of each question."""
    asked = []

    def send(adapter, request, timeout=None, **options):
        asked.append(timeout)
        raise requests.exceptions.ConnectTimeout("no answer")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    return asked


def test_what_was_asked_for_is_not_replaced(tmp_path, sample_encoder, silence) -> None:
    with pytest.raises(UserError, match="dinov2_base cannot be downloaded, because Kaggle does not answer"):
        find_encoder(Settings(source="kaggle", root=tmp_path, encoder="dinov2_base"))
    assert requests.Session.send.__name__ == "send"
    assert len(silence) == 1
    connect, read = silence[0]
    assert connect <= 5
    assert read <= 30


@pytest.mark.parametrize(
    ("settings", "asked", "why"),
    [
        ({}, "auto", "so that its published numbers can be had anywhere"),
        ({"source": "kaggle", "profile": "smoke"}, "auto", "A smoke run downloads no larger encoder."),
        ({"source": "kaggle"}, "sample", "ENCODER=sample was asked for."),
    ],
)
def test_the_samples_encoder_needs_no_network(
    tmp_path, sample_encoder, silence, settings, asked, why
) -> None:
    chosen = Settings(root=tmp_path, **settings, encoder=asked)
    assert not must_compare(chosen)
    encoder, said = find_encoder(chosen)
    assert encoder.path == sample_encoder
    assert why in said
    assert not silence


def test_other_data_is_what_encoders_are_compared_on(tmp_path: Path) -> None:
    assert must_compare(Settings(root=tmp_path, source="kaggle"))
    assert must_compare(Settings(root=tmp_path, source="folder"))
    assert not must_compare(Settings(root=tmp_path, source="folder", encoder="dinov2_base"))


def test_a_folder_is_looked_for_in_the_project(tmp_path: Path) -> None:
    write_preset("siglip", tmp_path / "presets" / "tiny")
    encoder, why = find_encoder(Settings(root=tmp_path, encoder="presets/tiny"))
    assert encoder.layout.record["encoder"] == "SigLIP, tiny"
    assert why == "ENCODER=presets/tiny was asked for."


def test_the_candidates_are_known_and_stand_in_the_order_of_their_size() -> None:
    for one in CANDIDATES:
        if one.from_hub:
            assert hub.preset_family(one.name) == one.family
            assert one.licence == hub.LICENCES[one.family]
    assert [one.parameters for one in CANDIDATES] == sorted(one.parameters for one in CANDIDATES)
    assert [one.name for one in CANDIDATES if not one.eligible] == ["metaclip_2_vit_huge_patch14_224"]


def test_a_downloads_size_is_that_of_the_whole_preset() -> None:
    models = hub._keras_hub().models
    for one in CANDIDATES:
        if one.from_hub:
            presets = getattr(models, hub.CLASSES[one.family]).presets
            assert one.download == round(4 * presets[one.name]["metadata"]["params"] / 1e9, 1), one.name


def test_large_candidates_need_a_graphics_processor(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    assert [one.name for one in candidates_here(settings, gpu=False)] == [
        *("sample", "clip_vit_base_patch16", "dinov3_vit_base_lvd1689m", "siglip2_base_patch16_256")
    ]
    assert len(candidates_here(settings, gpu=True)) == 8
    place = choice.detector_file(settings.detectors_dir, "community_forensics")
    place.parent.mkdir(parents=True)
    place.touch()
    assert candidates_here(settings, gpu=False)[0].name == "community_forensics"


def test_a_detector_of_the_table_is_an_encoder(tmp_path: Path) -> None:
    (tmp_path / "detectors.toml").write_text(TABLE)
    settings = Settings(root=tmp_path, encoder="one")
    place = choice.detector_file(settings.detectors_dir, "one")
    place.parent.mkdir(parents=True)
    write_detector(place)
    encoder, _ = find_encoder(settings)
    assert encoder.layout.record["encoder"] == "A detector (Somebody, 2026), without its last layer"
    assert encoder.layout.record["encoder_licence"] == "MIT (weights)"
    assert (encoder.layout.size, encoder.layout.resample) == (SIZE, "bicubic")
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    expected = features_of(pixels, (0.5, 0.5, 0.5), (0.25, 0.25, 0.5))
    found = encoder.encode(pixels)[0][EMBEDDING]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)
    assert encoder.widths[EMBEDDING] == WIDTH

    before = choice.encoder_version(settings, "one")
    write_detector(place, seed=5)
    again, _ = find_encoder(settings)
    assert choice.encoder_version(settings, "one") != before
    assert again.sha256 != encoder.sha256


def test_a_detector_that_is_not_here_is_told_how_to_get(tmp_path: Path) -> None:
    (tmp_path / "detectors.toml").write_text(TABLE)
    with pytest.raises(UserError, match=r"one\.onnx is missing: fetch it with `make detector NAME=one`"):
        find_encoder(Settings(root=tmp_path, encoder="one"))


def test_the_samples_encoder_stands_in_while_there_is_no_model(tmp_path, sample_encoder) -> None:
    settings = Settings(root=tmp_path)
    assert choice.load_encoder(settings).sha256 == Encoder.load(sample_encoder).sha256
