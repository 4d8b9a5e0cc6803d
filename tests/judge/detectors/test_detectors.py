"""What a detector may be, and that a declaration is followed to the letter."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from src.utils.judge.detectors.load import load_detector, load_detectors
from src.utils.judge.detectors.network import Declaration
from src.utils.settings import PROJECT_ROOT, UserError
from tests.analysis.bright_model import bright_predictor, brightness_log_odds
from tests.models.calibrations import make_calibration

TOML = """
input_size = 8
resize = "squash"
mean = [0.5, 0.5, 0.5]
standard_deviation = [0.25, 0.25, 0.25]
output = "logit"
ai = 1
"""


def mean_network(path, outputs=1, channels_first=False):
    """Save a network that gives the mean of its input, and minus that as a second number."""
    shape = ["n", 3, 8, 8] if channels_first else ["n", 8, 8, 3]
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1), *_shaped(outputs)]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("flat", TensorProto.INT64, [2], [-1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def _shaped(outputs):
    if outputs == 1:
        return [helper.make_node("Reshape", ["mean", "flat"], ["y"])]
    return [
        helper.make_node("Reshape", ["mean", "flat"], ["one"]),
        helper.make_node("Neg", ["one"], ["other"]),
        helper.make_node("Concat", ["one", "other"], ["y"], axis=1),
    ]


def answer(detector, value):
    picture = Image.new("RGB", (30, 20), (value,) * 3)
    return detector.ask([detector.read(picture), detector.read(picture)]).tolist()


@pytest.mark.parametrize("channels_first", [False, True])
def test_an_onnx_file_is_asked_as_its_declaration_says(tmp_path, channels_first):
    mean_network(tmp_path / "net.onnx", channels_first=channels_first)
    (tmp_path / "net.toml").write_text(TOML + "threshold = 0.3\n")
    detector = load_detector(str(tmp_path / "net.onnx"))
    assert (detector.name, detector.threshold, detector.calibrated) == ("net", 0.3, False)
    assert answer(detector, 255) == pytest.approx([2, 2])
    assert answer(detector, 51) == pytest.approx([-1.2, -1.2], abs=1e-5)
    (tmp_path / "net.toml").write_text(TOML.replace("ai = 1", "ai = 0"))
    turned = load_detector(str(tmp_path / "net.onnx"))
    assert answer(turned, 255) == pytest.approx([-2, -2])
    assert turned.key != detector.key


def test_one_number_a_class_becomes_log_odds(tmp_path):
    mean_network(tmp_path / "net.onnx", outputs=2)
    (tmp_path / "net.toml").write_text(TOML.replace('"logit"', '"logits"').replace("ai = 1", "ai = 0"))
    assert answer(load_detector(str(tmp_path / "net.onnx")), 255) == pytest.approx([4, 4])


def test_every_kind_of_output_gives_the_same_log_odds():
    common = {"input_size": 8, "resize": "cut", "mean": [0] * 3, "standard_deviation": [1] * 3}
    for output, ai, given in (
        ("probability", 1, [[0.8]]),
        ("probability", 0, [[0.2]]),
        ("logit", 1, [[np.log(4)]]),
        ("probabilities", 1, [[0.2, 0.8]]),
        ("logits", 0, [[2.0, 2.0 - np.log(4)]]),
        ("logits", 2, [[1.0, 1.0, 1.0 + np.log(8)]]),
    ):
        found = Declaration(output=output, ai=ai, **common).log_odds(np.array(given))
        assert found == pytest.approx([np.log(4)]), (output, ai)


def test_three_ways_to_a_square():
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 10:30] = 200
    image, common = Image.fromarray(pixels), {"mean": [0] * 3, "standard_deviation": [1] * 3}
    squares = {
        name: Declaration(10, name, output="logit", ai=1, **common).read(image)
        for name in ("squash", "crop", "cut")
    }
    assert squares["squash"].mean() == pytest.approx(100 / 255, abs=0.01)
    assert squares["crop"].mean() == squares["cut"].mean() == pytest.approx(200 / 255)
    assert {one.shape for one in squares.values()} == {(10, 10, 3)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("input_size = 8", ""), "has no input_size"),
        (("input_size = 8", "input_size = 7"), "cannot be used as"),
        (("input_size = 8", "input_size = 0"), "input_size above 0"),
        (("squash", "stretch"), "use one of squash, crop, cut"),
        (("mean = [0.5, 0.5, 0.5]", "mean = 0.5"), "give three numbers"),
        (("0.25, 0.25, 0.25", "0.25, 0.25, 0"), "standard_deviation of 0"),
        (("ai = 1", "ai = 2"), "with ai = 2"),
        (('"logit"', '"logits"'), "gives 1 numbers a picture"),
        (("ai = 1", "ai = 1\nai_class = 3"), "unknown entry ai_class"),
        (("ai = 1", "ai = "), "is no TOML"),
    ],
)
def test_a_declaration_that_does_not_fit_is_one_sentence(tmp_path, change, sentence):
    mean_network(tmp_path / "net.onnx")
    (tmp_path / "net.toml").write_text(TOML.replace(*change))
    with pytest.raises(UserError, match=sentence):
        load_detector(str(tmp_path / "net.onnx"))


def test_a_network_without_a_declaration_or_a_damaged_one_is_one_sentence(tmp_path):
    mean_network(tmp_path / "net.onnx")
    with pytest.raises(UserError, match=r"net.toml is missing: write input_size, resize"):
        load_detector(str(tmp_path / "net.onnx"))
    (tmp_path / "net.toml").write_text(TOML)
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match=r"net.onnx cannot be used"):
        load_detector(str(tmp_path / "net.onnx"))


def test_a_bundle_answers_as_it_does_everywhere(tmp_path, monkeypatch):
    predictor = bright_predictor(tmp_path / "models" / "bright")
    monkeypatch.setattr("src.utils.judge.detectors.load.Predictor.load", lambda folder: predictor)
    detector = load_detector(str(tmp_path / "models" / "bright"))
    assert (detector.name, detector.threshold, detector.calibrated) == ("bright", 0.5, False)
    image = Image.new("RGB", (40, 30), (180,) * 3)
    odds = detector.ask([detector.read(image)])
    assert odds == pytest.approx([brightness_log_odds(np.full((16, 16, 3), 180))])
    assert detector.meaning(odds) == pytest.approx(predictor.predict_pixels(predictor.read(image)[None]))


def test_a_calibrated_bundle_says_what_make_predict_says(tmp_path, monkeypatch):
    plain = bright_predictor(tmp_path / "bright")
    calibrated = replace(plain, bundle=replace(plain.bundle, calibration=make_calibration(temperature=2.0)))
    monkeypatch.setattr("src.utils.judge.detectors.load.Predictor.load", lambda folder: calibrated)
    detector = load_detector(str(tmp_path / "bright"))
    image = Image.new("RGB", (40, 30), (180,) * 3)
    row = calibrated.row("a", calibrated.predict_pixels(calibrated.read(image)[None])[0])
    said = detector.meaning(detector.ask([detector.read(image)]))
    assert detector.calibrated and said == pytest.approx([row["probability_ai"]], abs=1e-6)


def test_detectors_of_one_name_are_told_apart_by_their_place(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        mean_network(tmp_path / folder / "net.onnx")
        (tmp_path / folder / "net.toml").write_text(TOML)
    paths = [str(tmp_path / folder / "net.onnx") for folder in ("a", "b")]
    assert [one.name for one in load_detectors(paths)] == paths


def test_the_documents_example_wraps_a_public_detector(tmp_path, monkeypatch):
    pytest.importorskip("minosse", reason="`make setup` installs it")
    (code,) = re.findall(r"```python\n(.*?)```", (PROJECT_ROOT / "docs/EVALUATE.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 15
    (tmp_path / "signals_example.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    detector = load_detector("signals_example:score")
    noise = np.random.default_rng(0).normal(0, 1, (128, 128, 3))
    calm, loud = (Image.fromarray((128 + size * noise).clip(0, 255).astype(np.uint8)) for size in (1, 30))
    said = detector.meaning(detector.ask([calm, loud]))
    assert said == pytest.approx([0, 0.75], abs=1e-9)  # what should be flat is noisy in the second alone
    assert "runs the code of signals_example.py" in detector.about
