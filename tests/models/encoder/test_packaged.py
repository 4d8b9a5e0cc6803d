"""The sample's encoder in the form that is served: scaled in the file, inner layers given, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from src.utils.models.bundle.onnx_session import onnx_session
from src.utils.models.encoder import packaged
from src.utils.models.encoder.packaged import INNER, LAST, LAYOUT, PIXELS, convert, export_packaged
from src.utils.models.encoder.runtime import Encoder
from src.utils.settings import Settings, UserError
from tests.models.tiny_encoder import write_packaged


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_packaged(tmp_path / "packaged.onnx")


def test_pixels_are_scaled_as_clip_was_trained(package: Path, tmp_path: Path) -> None:
    convert(package, tmp_path / "made.onnx")
    model = onnx.load(tmp_path / "made.onnx")
    onnx.checker.check_model(model)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(PIXELS))
    white = np.full((1, 224, 224, 3), 255, np.float32)
    (scaled,) = onnx_session(model.SerializeToString()).run([PIXELS], {"pixels": white})
    assert scaled.shape == (1, 3, 224, 224)
    np.testing.assert_allclose(scaled[0, :, 0, 0], [1.930336, 2.074882, 2.145897], rtol=1e-5)


def test_it_answers_as_the_packages_file_does_to_the_last_bit(package: Path, tmp_path: Path) -> None:
    convert(package, tmp_path / "made.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    mean, std = np.array(packaged._MEAN, np.float32), np.array(packaged._STD, np.float32)
    scaled = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    names = ["image_embeds", LAST]
    before = onnx_session(package).run(names, {PIXELS: scaled})
    encoder = Encoder.load(tmp_path / "made.onnx")
    for one, other in zip(encoder.session.run(names, {"pixels": pixels}), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert encoder.layout.outputs == ["image_embeds", *INNER, LAST]
    assert encoder.layout.record == LAYOUT.record


def test_it_is_made_once_and_always_the_same(package: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(packaged, "sample_package_file", lambda settings, name: package)
    settings = Settings(root=tmp_path)
    path = export_packaged(settings)
    content = path.read_bytes()
    path.unlink()
    assert export_packaged(settings).read_bytes() == content
    monkeypatch.setattr(packaged, "sample_package_file", None)
    assert export_packaged(settings) == path


def test_the_packages_own_file_is_refused_in_one_line(package: Path) -> None:
    with pytest.raises(UserError, match=r"packaged\.onnx is not .*metadata.*run notebook 09") as caught:
        Encoder.load(package)
    assert "\n" not in str(caught.value)
