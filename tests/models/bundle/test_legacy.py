"""Models from elsewhere, made here with known weights: the brighter a picture, the higher their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from src.utils.models.bundle import legacy
from src.utils.models.bundle.export import probe_pictures
from src.utils.models.bundle.legacy import SCALINGS, Told, convert_legacy, load_legacy
from src.utils.models.bundle.predictor import probability_of_ai
from src.utils.models.networks.forward import trace_model
from src.utils.settings import UserError
from tests.models.tiny import SIZE, build_tiny, random_pixels

STEEP = 8.0
"""A white picture scores 4, a black one −4."""


def brightness_score(pixels: np.ndarray) -> np.ndarray:
    """What a model of `build_legacy` says before its activation, float64 [n]."""
    return STEEP * (pixels.mean((1, 2, 3)) / 255 - 0.5)


def build_legacy(end: str, pixels: str = "0-1", steep: float = STEEP, policy: str | None = None):
    """A network that scores brightness, with one or two outputs and one of the ends that models have.

    Args:
        end: `sigmoid`, `logit`, `sigmoid layer`, `sigmoid inside`, `sigmoid operation` (one output);
            `softmax`, `logits`, `softmax layer`, `softmax inside` (two, the first's score always 0).
        pixels: The range it expects its pixels in.
        steep: How far white and black lie apart.
        policy: Keras dtype policy.
    """
    import keras
    from keras import layers

    scale, offset = SCALINGS[pixels]
    one = end.startswith(("sigmoid", "logit")) and end != "logits"
    weight = steep / 3 / (255 * scale)
    kernel = np.full((3, 1), weight)
    bias = np.array([-steep * (0.5 + offset / (255 * scale))])
    if not one:
        kernel, bias = np.hstack([0 * kernel, kernel]), np.append([0], bias)
    activation = end if end in ("sigmoid", "softmax") else None
    scores = layers.Dense(len(bias), activation=activation, dtype=policy)
    given = keras.Input((SIZE, SIZE, 3))
    mean = layers.GlobalAveragePooling2D(dtype=policy)(given)
    if end.endswith("inside"):
        last = layers.Activation("sigmoid") if one else layers.Softmax()
        model = keras.Model(given, keras.Sequential([keras.Input((3,)), scores, last])(mean))
    else:
        found = scores(mean)
        found = {
            "sigmoid layer": layers.Activation("sigmoid"),
            "softmax layer": layers.Softmax(),
            "sigmoid operation": keras.ops.sigmoid,
        }.get(end, lambda numbers: numbers)(found)
        model = keras.Model(given, found)
    scores.set_weights([kernel, bias])
    return model


def answers(model, pixels: np.ndarray) -> np.ndarray:
    return probability_of_ai(trace_model(model)(pixels))


ENDS = [
    ("sigmoid", None, "sigmoid", True),
    ("sigmoid", "sigmoid", "sigmoid", True),
    ("sigmoid layer", None, "sigmoid", True),
    ("sigmoid inside", None, "sigmoid", True),
    ("sigmoid operation", "sigmoid", "sigmoid", False),
    ("logit", "logits", "logits", True),
    ("softmax", None, "softmax", True),
    ("softmax layer", "softmax", "softmax", True),
    ("softmax inside", None, "softmax", False),
    ("logits", "logits", "logits", True),
]


@pytest.mark.parametrize("high", ["human", "ai"])
@pytest.mark.parametrize(("end", "output", "kind", "exact"), ENDS)
def test_every_end_becomes_two_logits_the_right_way_round(end, output, kind, exact, high) -> None:
    one = end.startswith("sigmoid") or end == "logit"
    other = {"human": "ai", "ai": "human"}[high]
    told = Told("0-1", high if one else None, None if one else f"{other},{high}", output)
    converted = convert_legacy(build_legacy(end), told)
    assert (converted.outputs, converted.output, converted.exact) == (1 if one else 2, kind, exact)
    pixels = probe_pictures(SIZE)
    of_high = 1 / (1 + np.exp(-brightness_score(pixels)))
    np.testing.assert_allclose(
        answers(converted.model, pixels), of_high if high == "ai" else 1 - of_high, atol=1e-5
    )
    assert converted.difference < 1e-5
    white, black = np.full((1, SIZE, SIZE, 3), 255, np.uint8), np.zeros((1, SIZE, SIZE, 3), np.uint8)
    bright_is_ai = answers(converted.model, white)[0] > 0.98 > 0.02 > answers(converted.model, black)[0]
    bright_is_human = answers(converted.model, white)[0] < 0.02 < 0.98 < answers(converted.model, black)[0]
    assert (bright_is_ai, bright_is_human) == (high == "ai", high == "human")


@pytest.mark.parametrize("pixels", list(SCALINGS))
def test_pixels_are_scaled_as_the_model_expects(pixels: str) -> None:
    converted = convert_legacy(build_legacy("sigmoid", pixels), Told(pixels, "ai"))
    found = answers(converted.model, random_pixels())
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-brightness_score(random_pixels()))), atol=1e-5)


def test_a_sure_model_keeps_its_logits() -> None:
    converted = convert_legacy(build_legacy("sigmoid", steep=200), Told("0-1", "ai"))
    white = np.full((1, SIZE, SIZE, 3), 255, np.uint8)
    np.testing.assert_allclose(trace_model(converted.model)(white), [[0, 100]], rtol=1e-5)


def test_low_precision_is_left_behind() -> None:
    converted = convert_legacy(build_legacy("sigmoid", policy="mixed_float16"), Told("0-1", "human"))
    inner = next(layer for layer in converted.model.layers if hasattr(layer, "layers"))
    assert {layer.dtype_policy.name for layer in [*converted.model.layers, *inner.layers]} == {"float32"}
    score = brightness_score(random_pixels())
    np.testing.assert_allclose(answers(converted.model, random_pixels()), 1 / (1 + np.exp(score)), atol=1e-5)


ONE, TWO = Told("0-1", high_means="ai"), Told("0-1", classes="human,ai")


@pytest.mark.parametrize(
    ("end", "told", "problem"),
    [
        ("sigmoid", Told("0-1"), "one output.*--high-means human"),
        ("sigmoid", TWO, "one output.*without --classes"),
        ("softmax", Told("0-1"), "two outputs.*--classes human,ai"),
        ("softmax", ONE, "two outputs.*without --high-means"),
        ("sigmoid", Told("0-1", "ai", output="logits"), "ends in a sigmoid: give --output sigmoid"),
        ("sigmoid inside", Told("0-1", "ai", output="softmax"), "ends in a sigmoid: give --output sigmoid"),
        (
            "softmax layer",
            Told("0-1", None, "ai,human", "logits"),
            "ends in a softmax: give --output softmax",
        ),
        ("logit", ONE, "without an activation.*--output logits"),
        ("logit", Told("0-1", "ai", output="sigmoid"), "ends without an activation: give --output logits"),
        ("logits", Told("0-1", None, "ai,human", "softmax"), "without an activation: give --output logits"),
        ("sigmoid operation", ONE, "does not tell what its numbers are.*--output sigmoid, softmax or logits"),
        ("sigmoid operation", Told("0-1", "ai", output="softmax"), "over one number, which is always 1"),
    ],
)
def test_what_is_not_told_or_contradicts_is_refused(end: str, told: Told, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as found:
        convert_legacy(build_legacy(end), told)
    assert "\n" not in str(found.value)


def test_kinds_that_are_none_of_these_are_refused() -> None:
    import keras
    from keras import layers

    def network(*end, shape=(SIZE, SIZE, 3)) -> keras.Model:
        return keras.Sequential([keras.Input(shape), *end])

    pool = layers.GlobalAveragePooling2D()
    cases = [
        (network(pool, layers.Dense(1, activation="softmax")), ONE, "always 1"),
        (network(pool, layers.Dense(2, activation="sigmoid")), TWO, "two answers"),
        (network(pool, layers.Dense(1, activation="tanh")), ONE, "ends in tanh"),
        (network(pool, layers.Dense(3, activation="softmax")), TWO, r"output is \[n, 3\]"),
        (network(layers.Conv2D(1, 3)), ONE, r"output is \[n, 14, 14, 1\]"),
        (network(pool, layers.Dense(1), shape=(SIZE, 2 * SIZE, 3)), ONE, r"input is \[n, 16, 32, 3\]"),
        (network(pool, layers.Dense(1), shape=(SIZE, SIZE, 1)), ONE, r"input is \[n, 16, 16, 1\]"),
        (network(pool, layers.Dense(1), shape=(None, None, 3)), ONE, r"input is \[n, \?, \?, 3\]"),
    ]
    for model, told, problem in cases:
        with pytest.raises(UserError, match=problem):
            convert_legacy(model, told)


def test_numbers_that_are_no_probabilities_are_noticed() -> None:
    import keras

    given = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(given)
    for units, told in (
        (1, Told("0-255", "ai", output="sigmoid")),
        (2, Told("0-255", None, "ai,human", "softmax")),
    ):
        model = keras.Model(given, keras.ops.relu(keras.layers.Dense(units, kernel_initializer="ones")(mean)))
        with pytest.raises(UserError, match=f"output is no {told.output}: for test pictures"):
            convert_legacy(model, told)


def test_a_conversion_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "_to_human_ai", lambda order, width: np.ones((width, 2), np.float32))
    with pytest.raises(UserError, match="would answer otherwise"):
        convert_legacy(build_legacy("sigmoid"), ONE)


# --- reading files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("end", ["sigmoid", "softmax layer", "sigmoid inside"])
def test_files_of_both_kinds_are_read(tmp_path: Path, suffix: str, end: str) -> None:
    path = tmp_path / f"model{suffix}"
    model = build_legacy(end)
    model.save(path)
    loaded = load_legacy(path)
    pixels = random_pixels().astype(np.float32) / 255
    np.testing.assert_allclose(loaded.predict_on_batch(pixels), model.predict_on_batch(pixels), atol=1e-6)
    told = TWO if end.startswith("softmax") else ONE
    expected = 1 / (1 + np.exp(-brightness_score(random_pixels())))
    np.testing.assert_allclose(
        answers(convert_legacy(loaded, told).model, random_pixels()), expected, atol=1e-5
    )


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_code_in_a_file_is_not_run(tmp_path: Path, suffix: str) -> None:
    import keras

    ran, marker = tmp_path / "ran", str(tmp_path / "ran")
    code = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(marker).touch(), x[:, 0, 0, :1])[1])
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 3)), code])
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), inner, keras.layers.Dense(1, "sigmoid")])
    model.save(tmp_path / f"model{suffix}")
    ran.unlink()
    with pytest.raises(UserError, match="Lambda layer, which is Python code and is not run") as problem:
        load_legacy(tmp_path / f"model{suffix}")
    assert "\n" not in str(problem.value) and not ran.exists()


def test_files_that_hold_no_whole_model_say_so(tmp_path: Path) -> None:
    import keras

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs[:, 0, 0, :1]

    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), Own()])
    for suffix in (".h5", ".keras"):
        model.save(tmp_path / f"own{suffix}")
    keras.saving.get_custom_objects().clear()
    build_tiny().save_weights(tmp_path / "only.weights.h5")
    for name in ("text.h5", "text.keras", "model.pb"):
        (tmp_path / name).write_text("no model")
    (tmp_path / "folder.h5").mkdir()
    cases = {
        "own.h5": "cannot be loaded .*Own",
        "own.keras": "cannot be loaded .*Own",
        "only.weights.h5": "weights alone",
        "text.h5": "cannot be loaded",
        "text.keras": "cannot be loaded",
        "model.pb": "neither an .h5 nor a .keras file",
        "absent.h5": "does not exist",
        "folder.h5": "does not exist",
    }
    for name, problem in cases.items():
        with pytest.raises(UserError, match=f"{name}.*{problem}") as found:
            load_legacy(tmp_path / name)
        assert "\n" not in str(found.value)
