"""From pictures to rows: in order, in constant memory, whatever is wrong with some of them."""

from __future__ import annotations

import csv
import subprocess
import sys
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.utils.data.pictures.decode import open_image, squash
from src.utils.models.bundle.bundle import Bundle, save_bundle
from src.utils.models.bundle.calibration import Policy
from src.utils.models.bundle.predictor import COLUMNS, Predictor, probability_of_ai
from src.utils.models.networks.forward import BATCH_SIZE, trace_model
from src.utils.settings import CLASS_NAMES, PROJECT_ROOT, UserError
from tests.data.made_pictures import make_images
from tests.models.calibrations import POLICY, make_calibration
from tests.models.tiny import SIZE, build_tiny, fake_runtime, make_project, random_pixels


def make_predictor(policy: Policy = POLICY, **options) -> Predictor:
    calibration = make_calibration(policy, **options)
    return Predictor(
        Bundle(Path("tiny"), CLASS_NAMES, SIZE, "squash", "logits", {}, calibration), fake_runtime
    )


def test_probability_is_the_softmax_of_tempered_logits() -> None:
    logits = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, -1.0]], np.float32)
    softmax = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability_of_ai(logits, temperature=2.0), softmax[:, 1], rtol=1e-7)


def test_probability_stays_finite_for_any_logits() -> None:
    logits = np.array([[-1e6, 1e6], [1e6, -1e6]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert probability_of_ai(logits).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("probability", "label", "verdict", "lean"),
    [
        (0.9, "AI-generated", "AI-generated", "AI"),
        (0.76, "AI-generated", "AI-generated", "AI"),
        (0.74, "AI-generated", "Uncertain", "AI"),
        (0.53, "AI-generated", "Uncertain", "none"),
        (0.48, "Human-made", "Uncertain", "none"),
        (0.4, "Human-made", "Uncertain", "human"),
        (0.24, "Human-made", "No sign of AI", "human"),
        (0.0, "Human-made", "No sign of AI", "human"),
        (1.0, "AI-generated", "AI-generated", "AI"),
    ],
)
def test_a_verdict_needs_the_whole_interval(probability, label, verdict, lean) -> None:
    row = make_predictor().row("a.jpg", probability)
    assert tuple(row) == COLUMNS
    assert (row["file"], row["label"], row["verdict"], row["lean"]) == ("a.jpg", label, verdict, lean)
    assert bool(row["reason"]) == (verdict == "Uncertain") and row["error"] == ""
    low, high = row["probability_low"], row["probability_high"]
    assert low == pytest.approx(max(probability - 0.05, 0), abs=0.003)
    assert high == pytest.approx(min(probability + 0.05, 1), abs=0.003)
    point = high / (1 - low + high)
    assert row["probability_ai"] == pytest.approx(point, abs=1e-5)
    assert row["confidence"] == pytest.approx(100 * max(point, 1 - point), abs=1e-3)


def test_a_reason_is_in_words() -> None:
    predictor = make_predictor()
    assert predictor.row("", 0.74)["reason"] == "its interval, 69 % to 79 %, reaches below 70 %"
    assert predictor.row("", 0.5)["reason"] == "its interval, 45 % to 55 %, reaches across 50 %"
    assert predictor.row("", 0.27)["reason"] == "its interval, 22 % to 32 %, reaches above 30 %"
    silent = Policy(
        why_no_ai="It accused 9 of 10.", why_no_clear="This model cannot clear pictures: so it is."
    )
    predictor = make_predictor(silent)
    assert predictor.row("", 0.99)["reason"] == "it accused 9 of 10"
    assert predictor.row("", 0.01)["reason"] == "this model cannot clear pictures: so it is"
    assert predictor.row("", 0.99)["lean"] == "AI" and predictor.row("", 0.01)["lean"] == "human"


def test_a_picture_unlike_what_the_model_learned_gets_no_verdict() -> None:
    row = make_predictor().row("a", 0.99, outside="it is a drawing, and the model learned photographs")
    assert (row["verdict"], row["lean"], row["label"]) == ("Uncertain", "none", "AI-generated")
    assert row["reason"] == "it is a drawing, and the model learned photographs"
    assert row["probability_ai"] > 0.9


def test_the_content_gate_is_asked_about_every_file(tmp_path: Path) -> None:
    gated = make_predictor(content_gate={"limits": {"shorter_side": 25.0}})
    for side in (24, 25):
        Image.new("RGB", (40, side), "white").save(tmp_path / f"{side}.png")
    small, large = gated.predict_files([tmp_path / "24.png", tmp_path / "25.png"])
    assert (small["verdict"], small["reason"]) == ("Uncertain", "it is only 24 px on its shorter side")
    assert (large["verdict"], large["reason"]) == ("AI-generated", "")
    image = Image.new("RGB", (40, 24), "white")
    assert gated.outside(image) == small["reason"]
    for open_gate in (make_predictor(), make_predictor(content_gate=None), gated.uncalibrated()):
        assert open_gate.outside(image) == ""


def test_a_model_that_was_never_measured_gives_no_verdict() -> None:
    bundle = Bundle(Path("tiny"), CLASS_NAMES, SIZE, "squash", "logits", {})
    for probability in (0.0, 0.55, 1.0):
        row = Predictor(bundle, fake_runtime).row("a.jpg", probability)
        assert row["verdict"] == "Uncertain" and row["reason"].startswith("uncalibrated: ")
        assert row["label"] == CLASS_NAMES[probability >= 0.5] and row["lean"] == "none"
        assert (row["probability_ai"], row["probability_low"], row["probability_high"]) == (
            probability,
            None,
            None,
        )


def test_the_threshold_and_not_the_policy_decides_the_label() -> None:
    strict = make_predictor(Policy(0.9, 0.1), threshold=0.8)
    assert [strict.row("a", one)["label"] for one in (0.75, 0.85)] == ["Human-made", "AI-generated"]
    assert {strict.row("a", one)["verdict"] for one in (0.75, 0.85)} == {"Uncertain"}


def test_intervals_are_those_of_the_log_odds_before_the_temperature() -> None:
    warm, cold = make_predictor(temperature=3.0), make_predictor()
    pixels = random_pixels(5)
    for one, other in zip(warm.predict_pixels(pixels), cold.predict_pixels(pixels), strict=True):
        assert one != other and warm.interval(one) == cold.interval(other)


def test_a_file_its_bytes_and_the_decoded_picture_are_read_alike(tmp_path: Path) -> None:
    predictor, path = make_predictor(), tmp_path / "a.jpg"
    Image.fromarray(random_pixels(1, 50)[0]).resize((70, 40)).save(path)
    image = open_image(path)
    before = image.tobytes()
    pixels = predictor.read(image)
    assert (pixels.shape, pixels.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert np.array_equal(pixels, squash(image, SIZE))
    assert np.array_equal(pixels, predictor.read(path)) and np.array_equal(pixels, predictor.read(str(path)))
    assert np.array_equal(pixels, predictor.read(path.read_bytes()))
    assert image.tobytes() == before


def test_files_give_rows_in_order_with_errors_in_their_places(tmp_path: Path) -> None:
    paths = []
    for index in range(2 * BATCH_SIZE + 3):
        paths.append(tmp_path / f"{index}.png")
        if index % 7 == 3:
            paths[-1].write_bytes(b"no picture")
        else:
            Image.new("RGB", (20, 30), (index, index, index)).save(paths[-1])
    rows = list(make_predictor().predict_files([*paths, tmp_path / "absent.png"]))
    assert [row["file"] for row in rows] == [str(path) for path in paths] + [str(tmp_path / "absent.png")]
    for index, row in enumerate(rows[:-1]):
        if index % 7 == 3:
            assert row["probability_ai"] is None and "not a picture" in row["error"]
        else:
            score = index / 127.5 - 1
            said = make_predictor().row("", 1 / (1 + np.exp(-2 * score)))
            assert row["probability_ai"] == said["probability_ai"]
            assert row["error"] == ""
    assert "does not exist" in rows[-1]["error"]


def test_files_are_read_only_as_far_ahead_as_needed() -> None:
    picture = Image.new("RGB", (SIZE, SIZE))
    asked = []

    def load(number: int) -> bytes:
        asked.append(number)
        from io import BytesIO

        picture.save(buffer := BytesIO(), "PNG")
        return buffer.getvalue()

    rows = make_predictor().predict_files(count(), load)
    assert [row["file"] for row in islice(rows, 40)] == [str(number) for number in range(40)]
    assert len(asked) <= 40 + 4 * BATCH_SIZE
    rows.close()


def test_what_a_loader_refuses_is_a_row() -> None:
    def load(name: str) -> bytes:
        raise UserError(f"{name} is out of bounds.")

    (row,) = make_predictor().predict_files(["http://x"], load)
    assert row == dict.fromkeys(COLUMNS) | {"file": "http://x", "error": "http://x is out of bounds."}


def test_cached_pixels_and_files_agree_exactly(tmp_path: Path) -> None:
    settings, images, cache = make_project(tmp_path, 40)
    predictor = make_predictor()
    rows = np.array([3, 38, 0])
    from_files = [
        row["probability_ai"]
        for row in predictor.predict_files(settings.raw_dir / images["file_name"][row] for row in rows)
    ]
    cached = predictor.predict_cached(cache, rows)
    assert [predictor.row("", one)["probability_ai"] for one in cached] == from_files


def test_a_traced_model_is_traced_once_and_agrees_with_keras() -> None:
    model = build_tiny()
    run = trace_model(model)
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, SIZE, SIZE, 3), dtype=np.uint8)
    expected = model.predict(pixels.astype(np.float32), verbose=0)
    together = run(pixels)
    np.testing.assert_allclose(together, expected, atol=1e-6)
    alone = np.concatenate([run(pixels[index : index + 1]) for index in range(3)])
    np.testing.assert_allclose(alone, together[:3], atol=1e-6)
    assert run.__closure__[0].cell_contents.experimental_get_tracing_count() == 1


def test_the_command_line_needs_no_tensorflow_for_a_network(tmp_path: Path) -> None:
    model = build_tiny()
    save_bundle(tmp_path / "tiny", model, {})
    pixels = random_pixels(4)
    names = [str(tmp_path / f"{index}.png") for index in range(4)]
    for name, picture in zip(names, pixels, strict=True):
        Image.fromarray(picture).save(name)
    program = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing them would fail
from src.utils.predict import main
code = main(["--model", {str(tmp_path / "tiny")!r}, *{names!r}])
heavy = {{"tensorflow", "keras", "pandas", "scipy", "sklearn", "onnx", "tf2onnx"}}
assert not [name for name in heavy if sys.modules.get(name)], sorted(heavy & set(sys.modules))
sys.exit(code)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = [float(row["probability_ai"]) for row in csv.DictReader(run.stdout.splitlines())]
    expected = probability_of_ai(model.predict(pixels.astype(np.float32), verbose=0))
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_an_exported_network_is_given_one_picture_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    model = build_tiny()
    save_bundle(tmp_path / "tiny", model, {})
    predictor = Predictor.load(tmp_path / "tiny")
    shapes = []
    original = onnxruntime.InferenceSession.run
    monkeypatch.setattr(
        onnxruntime.InferenceSession,
        "run",
        lambda self, names, inputs: (
            shapes.append([one.shape for one in inputs.values()]) or original(self, names, inputs)
        ),
    )
    pixels = random_pixels(BATCH_SIZE + 2)
    together = predictor.predict_pixels(pixels)
    assert shapes == [[(1, SIZE, SIZE, 3)]] * (BATCH_SIZE + 2)
    alone = [predictor.predict_pixels(pixels[index : index + 1])[0] for index in range(len(pixels))]
    assert together.tolist() == alone


def test_a_few_pictures_are_read_together(tmp_path) -> None:
    images, predictor = make_images(tmp_path, 3), make_predictor()
    together = predictor.read_all(tmp_path, images["file_name"])
    assert together.shape == (3, SIZE, SIZE, 3)
    np.testing.assert_array_equal(together[2], predictor.read(tmp_path / images["file_name"][2]))
    assert predictor.read_all(tmp_path, []).shape == (0, SIZE, SIZE, 3)


def test_a_model_can_be_asked_as_it_was_trained() -> None:
    pixels = random_pixels()
    plain = make_predictor(temperature=3.0, threshold=0.9).uncalibrated()
    np.testing.assert_array_equal(plain.predict_pixels(pixels), make_predictor().predict_pixels(pixels))
    assert plain.bundle.threshold == 0.5 and plain.bundle.policy == Policy()
