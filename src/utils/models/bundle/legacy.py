"""Models from elsewhere: a Keras file with one or two outputs of some kind becomes a network with two logits.

What a file does not say is told by whoever has it: what a high output means, which class comes first, how
pixels are scaled. A wrong guess would give confident answers that are the wrong way round.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from src.utils.models.bundle.export import TOLERANCE, float32_copy, probe_pictures
from src.utils.settings import UserError

HUMAN, AI = "human", "ai"
ORDERS = (f"{HUMAN},{AI}", f"{AI},{HUMAN}")
SIGMOID, SOFTMAX, LOGITS = OUTPUTS = ("sigmoid", "softmax", "logits")

SCALINGS = {"0-255": (1.0, 0.0), "0-1": (1 / 255, 0.0), "minus1-1": (1 / 127.5, -1.0)}
"""What the model expects of a pixel: what 0–255 is multiplied by, and what is added then."""

_SMALLEST = 1e-7
_KNOWN = {
    keras.activations.sigmoid: SIGMOID,
    keras.activations.softmax: SOFTMAX,
    keras.activations.linear: LOGITS,
}


@dataclass(frozen=True)
class Told:
    """What is known of a model besides its file.

    Attributes:
        pixels: Key of `SCALINGS`.
        high_means: `human` or `ai`, for a single output: the class a high number speaks for.
        classes: One of `ORDERS`, for two outputs: which class comes first.
        output: One of `OUTPUTS`, where the file does not end in an activation that says it.
    """

    pixels: str
    high_means: str | None = None
    classes: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class Converted:
    """A model in this project's form.

    Attributes:
        model: RGB pixels [n, size, size, 3] in 0–255 → logits [n, 2], human-made first.
        outputs: How many numbers the file's model gave, 1 or 2.
        output: Which of `OUTPUTS` they were.
        exact: Whether the logits come from before the activation; else from the logarithm of what came out.
        difference: Largest difference between its probabilities and the file's model's, over the pictures of
            `exporting.probe_pictures`.
    """

    model: keras.Model
    outputs: int
    output: str
    exact: bool
    difference: float


def load_legacy(path: Path) -> keras.Model:
    """Load a whole model from an `.h5` or `.keras` file without running any code it may contain.

    Raises:
        UserError: The file is missing, is no whole model, holds Python code, or needs what Keras lacks.
    """
    if path.suffix not in (".h5", ".hdf5", ".keras"):
        raise UserError(f"{path} is neither an .h5 nor a .keras file: save the model as one of these.")
    if not path.is_file():
        raise UserError(f"{path} does not exist: give the file of a whole model.")
    try:
        described = _read_description(path)
        if any(one.get("class_name") == "Lambda" for one in _dictionaries(described)):
            raise UserError(
                f"{path} holds a Lambda layer, which is Python code and is not run here: "
                "put a layer of Keras in its place and save the model again."
            )
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except UserError:
        raise
    except Exception as error:  # a file can be wrong in as many ways as there are layers
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0].rstrip(".")
        raise UserError(
            f"{path} cannot be loaded ({reason}): save the whole model again, made of Keras's own layers."
        ) from error


def convert_legacy(model: keras.Model, told: Told) -> Converted:
    """Make a network of two logits out of a model, and compare what both say.

    Where the model ends in a sigmoid or softmax, that is taken off: a logit from before it keeps what a
    probability near 0 or 1 has lost.

    Args:
        model: From `load_legacy`; it is changed.
        told: What its file does not say.

    Raises:
        UserError: Its input or output is of a kind that cannot be converted, or something was not told, or
            contradicts the file.
    """
    size, outputs = _square_input(model), _number_of_outputs(model)
    order = _class_order(outputs, told)
    model = float32_copy(model)
    last = _last_layer(model)
    output = _output_kind(_activation(last), told.output, outputs)
    scale, offset = SCALINGS[told.pixels]
    pictures = probe_pictures(size).astype(np.float32)
    expected = _probability_of_ai(model.predict_on_batch(pictures * scale + offset), output, order)

    exact = output == LOGITS or _can_lose_activation(model, last)
    scores = _without_activation(model, last, output) if exact else _with_logarithms(model, output)
    pixels = keras.Input((size, size, 3), name="pixels")
    logits = keras.layers.Dense(2, use_bias=False, trainable=False)
    scaled = keras.layers.Rescaling(scale, offset)(pixels)
    converted = keras.Model(pixels, logits(scores(scaled, training=False)))
    logits.set_weights([_to_human_ai(order, scores.output_shape[-1])])

    found = _probability_of_ai(converted.predict_on_batch(pictures), LOGITS, (HUMAN, AI))
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"The converted model would answer otherwise (probabilities differ by {difference:.3g}): "
            "nothing is written; this kind of model is not known here."
        )
    return Converted(converted, outputs, output, exact, difference)


def _read_description(path: Path) -> Any:
    """A file's account of its layers."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights alone, not a whole model")
        return json.loads(file.attrs["model_config"])


def _dictionaries(value: Any) -> Iterator[dict]:
    """All dictionaries within nested dictionaries and lists."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _dictionaries(one)


def _square_input(model: keras.Model) -> int:
    """Side of the square that a model reads, in pixels."""
    shapes = [tuple(one.shape) for one in model.inputs]
    if len(shapes) == 1 and len(shapes[0]) == 4:
        _, height, width, channels = shapes[0]
        if height and height == width and channels == 3:
            return height
    raise UserError(
        f"The model's input is {_in_words(shapes)}, not one square RGB picture of a fixed size "
        "[n, size, size, 3]: save it with such an input."
    )


def _number_of_outputs(model: keras.Model) -> int:
    shapes = [tuple(one.shape) for one in model.outputs]
    if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] in (1, 2):
        return shapes[0][1]
    raise UserError(
        f"The model's output is {_in_words(shapes)}, not one or two numbers a picture: "
        "only models that tell two classes apart can be converted."
    )


def _in_words(shapes: list[tuple]) -> str:
    return " and ".join("[" + ", ".join(str(n or "?") for n in ("n", *shape[1:])) + "]" for shape in shapes)


def _class_order(outputs: int, told: Told) -> tuple[str, str]:
    """The classes that a low and a high number, or the first and the second number, speak for."""
    if outputs == 1:
        if told.high_means is None or told.classes is not None:
            raise UserError(
                "The model has one output: say which class a high number means, with --high-means human or "
                "--high-means ai (and without --classes)."
            )
        return (HUMAN, AI) if told.high_means == AI else (AI, HUMAN)
    if told.classes is None or told.high_means is not None:
        raise UserError(
            "The model has two outputs: say which class each is, in their order, with --classes human,ai or "
            "--classes ai,human (and without --high-means)."
        )
    first, second = told.classes.split(",")
    return first, second


def _last_layer(model: keras.Model) -> keras.layers.Layer | None:
    """The layer a model's output comes from, in whatever model within it; None if that is no layer."""
    if isinstance(model, keras.Sequential):
        last = model.layers[-1]
    else:
        name = np.ravel(np.array(model.get_config()["output_layers"], dtype=object))[0]
        last = {layer.name: layer for layer in model.layers}.get(name)
    return _last_layer(last) if isinstance(last, keras.Model) else last


def _activation(layer: keras.layers.Layer | None) -> str | None:
    """Which of `OUTPUTS` a last layer gives; the name of another activation; None if it does not tell."""
    if isinstance(layer, keras.layers.Softmax):
        return SOFTMAX
    if layer is not None and isinstance(layer, keras.layers.Dense | keras.layers.Activation):
        return _KNOWN.get(layer.activation, getattr(layer.activation, "__name__", "an activation of its own"))
    return None


def _output_kind(said: str | None, told: str | None, outputs: int) -> str:
    """Which of `OUTPUTS` the model gives, from what its end says and what was told."""
    if said not in (None, *OUTPUTS):
        raise UserError(f"The model ends in {said}, of which no probability can be made.")
    if said == LOGITS and told is None:
        raise UserError(
            "The model ends without an activation: if its numbers are logits, to which a sigmoid or softmax "
            "was applied later, say so with --output logits."
        )
    if said is None and told is None:
        raise UserError(
            "The model ends in a layer that does not tell what its numbers are: "
            "say it with --output sigmoid, softmax or logits."
        )
    if told is not None and said not in (None, told):
        ends = "without an activation" if said == LOGITS else f"in a {said}"
        raise UserError(f"--output {told} contradicts the model, which ends {ends}: give --output {said}.")
    kind = said or told
    if (kind, outputs) == (SOFTMAX, 1):
        raise UserError(
            "The model ends in a softmax over one number, which is always 1: it can tell nothing."
        )
    if (kind, outputs) == (SIGMOID, 2):
        raise UserError(
            "The model ends in two sigmoids, which are two answers rather than one probability: "
            "only one sigmoid or a softmax over two can be converted."
        )
    return kind  # pyright: ignore[reportReturnType]


def _probability_of_ai(numbers: np.ndarray, output: str, order: tuple[str, str]) -> np.ndarray:
    """What a model's output means, float64 [n].

    Raises:
        UserError: They are no probabilities, though they were said to be.
    """
    numbers = numbers.astype(np.float64)
    if output == LOGITS:
        difference = numbers[:, -1] - (numbers[:, 0] if numbers.shape[1] == 2 else 0)
        second = np.exp(-np.logaddexp(0, -difference))
    else:
        second = numbers[:, -1]
        total = numbers.sum(axis=1) if output == SOFTMAX else 1
        if (numbers < 0).any() or (numbers > 1).any() or not np.allclose(total, 1, atol=TOLERANCE):
            raise UserError(
                f"The model's output is no {output}: for test pictures it is {numbers[:3].round(3).tolist()}."
            )
    return second if order == (HUMAN, AI) else 1 - second


def _can_lose_activation(model: keras.Model, last: keras.layers.Layer | None) -> bool:
    """Whether the activation at a model's end can be taken off."""
    if isinstance(last, keras.layers.Softmax):
        return last in model.layers  # not within a model in the model
    return isinstance(last, keras.layers.Dense | keras.layers.Activation)


def _without_activation(model: keras.Model, last: keras.layers.Layer, output: str) -> keras.Model:
    """The model up to its logits."""
    if output == LOGITS:
        return model
    if isinstance(last, keras.layers.Softmax):
        return keras.Model(model.inputs, last.input)
    last.activation = keras.activations.linear
    return model


def _with_logarithms(model: keras.Model, output: str) -> keras.Model:
    """The model with the log-probabilities of two classes, [n, 2], made of its own probabilities."""
    probabilities = model.outputs[0]
    if output == SIGMOID:
        probabilities = keras.ops.concatenate([1 - probabilities, probabilities], axis=-1)
    return keras.Model(model.inputs, keras.ops.log(keras.ops.maximum(probabilities, _SMALLEST)))


def _to_human_ai(order: tuple[str, str], width: int) -> np.ndarray:
    """The matrix that brings one score (for the second class) or two to the logits of human and AI."""
    columns = [order.index(HUMAN), order.index(AI)]
    return np.eye(2, dtype=np.float32)[2 - width :, columns]
