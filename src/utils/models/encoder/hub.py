"""Image encoders from KerasHub's presets, brought into the one form that `runtime` reads.

Five families, each with what its authors published: CLIP (Radford and others 2021, arXiv 2103.00020),
MetaCLIP 2 (Chuang and others 2025, arXiv 2507.22062), SigLIP (Zhai and others 2023, arXiv 2303.15343; the
second version: Tschannen and others 2025, arXiv 2502.14786), DINOv2 (Oquab and others 2023, arXiv 2304.07193;
with registers: Darcet and others 2023, arXiv 2309.16588) and DINOv3 (Siméoni and others 2025, arXiv
2508.10104).
KerasHub downloads a preset from Kaggle once and keeps it. From its image part one ONNX file is made, which
takes RGB 0–255, gives the final embedding and the tokens after some layers, and says in its metadata how it
is used. After that neither Keras nor KerasHub is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from src.utils.code import code_digest
from src.utils.files import atomic_path, hash_bytes, hash_file, read_json
from src.utils.models.encoder.runtime import (
    CLASS_LAYERS,
    EMBEDDING,
    LAYERS,
    LAYOUT_KEY,
    TOKEN_OUTPUTS,
    Encoder,
    Layout,
)
from src.utils.settings import UserError

if TYPE_CHECKING:
    import keras
    import onnx

CLASSES = {
    "clip": "CLIPBackbone",
    "metaclip_2": "MetaCLIP2Backbone",
    "siglip": "SigLIPBackbone",
    "dinov2": "DINOV2Backbone",
    "dinov3": "DINOV3Backbone",
}
"""Family → KerasHub's class, also the name in a preset's config.json."""

FAMILIES = {
    "clip": "CLIP",
    "metaclip_2": "MetaCLIP 2",
    "siglip": "SigLIP",
    "dinov2": "DINOv2",
    "dinov3": "DINOv3",
}
"""The families as people write them."""

LICENCES = {
    "clip": "MIT",
    "metaclip_2": "CC-BY-NC-4.0",
    "siglip": "Apache-2.0",
    "dinov2": "Apache-2.0",
    "dinov3": "DINOv3 License",
}
"""Under which the families' authors published their weights, as they state it. CC-BY-NC forbids commercial
use; the DINOv3 License is Meta's own, to be read before a model is passed on."""

EXAMPLES = (
    *("clip_vit_base_patch16", "siglip2_base_patch16_256", "dinov2_base", "dinov3_vit_base_lvd1689m"),
    "metaclip_2_vit_huge_patch14_224",
)
"""A preset of each family, for people who gave a name that there is not."""

DINO_SIZE = 224
"""Side, in pixels, that DINOv2 and DINOv3 read here: they take any, and the 518 of DINOv2's presets make five
times the patches."""

GPU_BATCH = 32

_PATIENCE = (5.0, 30.0)  # seconds to connect, and to wait for the next bytes
_LARGEST = 2_000_000_000  # bytes of weights: an ONNX file is one Protocol Buffers message, at most 2 GiB
_DINO = ("dinov2", "dinov3")
_FILTERS = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic", "lanczos3": "lanczos"}


class Unreachable(UserError):
    """Kaggle, from which KerasHub takes its presets, does not answer."""


def load_preset(preset: str, folder: Path) -> Encoder:
    """Load the encoder of a preset; with a graphics processor, Keras computes on that.

    Args:
        preset: A name, or a folder that holds a preset.
        folder: Where the files made of presets are kept.

    Raises:
        Unreachable: It is not here, and Kaggle does not answer.
        UserError: There is no such preset, or it cannot be had or used.
    """
    encoder = Encoder.load(export_preset(preset, folder))
    if has_gpu():
        with contextlib.suppress(UserError):  # the file is here and the preset no longer is
            session = GraphSession(build_graph(preset)[0])
            encoder = dataclasses.replace(encoder, session=session, batch=GPU_BATCH)
    return encoder


def export_preset(preset: str, folder: Path) -> Path:
    """Make an encoder's file of a preset, unless it was made before.

    The graph is converted with its weights as inputs, and they become constants of the finished file: tf2onnx
    copies constants at every step, so that a ViT-B/16 would take 115 seconds and 14 GB instead of 10 and 3.

    Args:
        preset: A name, such as those of `EXAMPLES`, or a folder that holds a preset.
        folder: Where the files made of presets are kept.

    Returns:
        An ONNX file for `Encoder.load`. Its name tells apart presets, their contents and KerasHub's versions.

    Raises:
        Unreachable: It is not here, and Kaggle does not answer.
        UserError: There is no such preset, or it cannot be had or used.
    """
    version = f"{importlib.metadata.version('keras-hub')}.{code_digest(__name__)}"
    path = folder / f"{_key(preset)}-{version}.onnx"
    if not path.is_file():
        graph, layout = build_graph(preset)
        content = to_onnx(graph, layout).SerializeToString()
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
            _check_answers(preset, graph, Encoder.load(temporary))
    return path


def build_graph(preset: str) -> tuple[keras.Model, Layout]:
    """Build the image part of a preset, from RGB 0–255 to what a head reads.

    Where the weights would not fit into an ONNX file in 32 bits, they are rounded to 16 here, so that this
    model and the file compute with the same numbers.

    Args:
        preset: A name, or a folder that holds a preset.

    Returns:
        A model in float32 from `pixels`, [n, size, size, 3], to a dictionary of `EMBEDDING`, [n, width], and
        `TOKEN_OUTPUTS`, [n, tokens, width]; and how it is used.

    Raises:
        Unreachable: It is not here, and Kaggle does not answer.
        UserError: There is no such preset, or it cannot be had or used.
    """
    import keras

    from src.utils.models.bundle.export import float32_copy

    family = preset_family(preset)
    _check_size(preset)
    backbone, converter = _load(preset, family)
    image = backbone if family in _DINO else float32_copy(backbone.vision_encoder)
    layers = _layer_outputs(image, family)
    taps = [layers[max(round(len(layers) * layer / LAYERS), 1) - 1] for layer in CLASS_LAYERS]
    pixels = keras.Input(image.image_shape, name="pixels", dtype="float32")
    scaled = pixels * _numbers(converter.scale, 1.0) + _numbers(converter.offset, 0.0)
    last, *tokens = keras.Model(image.inputs, [image.outputs[0], *taps])(scaled)
    outputs = {EMBEDDING: _embed(backbone, family, last), **dict(zip(TOKEN_OUTPUTS, tokens, strict=True))}
    graph = keras.Model(pixels, outputs, name=family)
    if _needs_half(graph):
        _round_weights(graph)
    return graph, _layout(preset, family, image, converter)


def to_onnx(graph: keras.Model, layout: Layout) -> onnx.ModelProto:
    """Convert a graph of `build_graph`, with its layout in the metadata."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    values = [*graph.trainable_variables, *graph.non_trainable_variables]
    names = [f"weight_{number}" for number in range(len(values))]
    signature = [tf.TensorSpec(graph.inputs[0].shape, tf.float32, "pixels")]
    signature += [tf.TensorSpec(one.shape, one.dtype, name) for one, name in zip(values, names, strict=True)]
    trainable, half = len(graph.trainable_variables), _needs_half(graph)

    @tf.function(input_signature=signature)
    def forward(pixels, *weights):
        parts = weights[:trainable], weights[trainable:]
        return graph.stateless_call(*map(list, parts), pixels, training=False)[0]

    handlers = {"Erfc": (_convert_erfc, [])}
    model, _ = tf2onnx.convert.from_function(forward, signature, custom_op_handlers=handlers)
    used = {one.name: one for one in model.graph.input}
    del model.graph.input[:]
    model.graph.input.append(used["pixels"])
    for one, name in zip(values, names, strict=True):
        if name in used:
            _add_weight(model.graph, name, np.asarray(one.value), half)
    onnx.helper.set_model_props(model, {LAYOUT_KEY: json.dumps(dataclasses.asdict(layout))})
    return model


def _add_weight(graph: onnx.GraphProto, name: str, value: np.ndarray, half: bool) -> None:
    """Put a constant into an ONNX graph; stored in 16 bits, it is widened once, when the file is loaded."""
    import onnx

    if half and value.dtype == np.float32:
        stored = f"{name}_half"
        graph.node.insert(0, onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
        name, value = stored, value.astype(np.float16)
    graph.initializer.append(onnx.numpy_helper.from_array(value, name))


def _needs_half(network: keras.Model) -> bool:
    """Whether a network's weights are too large for one ONNX file in 32 bits."""
    return 4 * network.count_params() > _LARGEST


def _round_weights(network: keras.Model) -> None:
    """Round the weights of a network to what 16 bits can say."""
    for one in network.weights:
        if one.dtype == "float32":
            one.assign(np.asarray(one.value).astype(np.float16).astype(np.float32))


def _convert_erfc(context: Any, node: Any, name: str, arguments: list) -> None:
    """Teach tf2onnx the complementary error function, from which TensorFlow makes the exact GELU: 1 − erf."""
    one = context.make_const(f"{name}/one", np.ones((), np.float32)).output[0]
    inner = context.make_node("Erf", node.input).output[0]
    (output,) = node.output
    shape, kind = context.get_shape(output), context.get_dtype(output)
    context.remove_node(name)
    context.make_node("Sub", [one, inner], name=name, outputs=[output], shapes=[shape], dtypes=[kind])


def _check_answers(preset: str, graph: keras.Model, encoder: Encoder) -> None:
    """Compare a finished file with its graph on a random picture, so that no wrong one is ever kept.

    Raises:
        UserError: They differ.
    """
    import keras

    shape = (1, *graph.inputs[0].shape[1:])
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    with keras.device("cpu:0"):  # graphics processors may compute with shorter factors
        expected = graph(pixels, training=False)
    found = encoder.session.run(list(expected), {"pixels": pixels})
    for name, one in zip(expected, found, strict=True):
        answer = np.asarray(expected[name])
        near = 1e-3 * np.abs(answer).max()
        if answer.shape != one.shape or not np.allclose(one, answer, rtol=0, atol=near):
            raise UserError(
                f"{preset} answers otherwise once it is exported to ONNX ({name}): install the versions of "
                "requirements.txt with `make setup`."
            )


class GraphSession:
    """A graph of `build_graph` with the calls of an ONNX Runtime session that `Encoder` makes."""

    def __init__(self, graph: keras.Model):
        import tensorflow as tf

        # TensorFloat-32 keeps ten bits of a factor: features would be 0.1 % away from what is served.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        signature = [tf.TensorSpec(graph.inputs[0].shape, tf.float32)]
        self._forward = tf.function(lambda pixels: graph(pixels, training=False), signature)
        self._inputs, self._outputs = graph.inputs, graph.output

    def get_inputs(self) -> list[keras.KerasTensor]:
        """The inputs, with their names."""
        return self._inputs

    def get_outputs(self) -> list[SimpleNamespace]:
        """Name and shape of each output."""
        return [SimpleNamespace(name=name, shape=one.shape) for name, one in self._outputs.items()]

    def run(self, names: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs of these names."""
        (pixels,) = feeds.values()
        outputs = self._forward(pixels)
        return [outputs[name].numpy() for name in names]


def preset_family(preset: str) -> str:
    """Family of a preset: a key of `CLASSES`.

    Args:
        preset: A name, or a folder that holds a preset.

    Raises:
        UserError: There is no such preset, or it is of no family that is known here.
    """
    if not Path(preset).is_dir():
        return _named_family(preset)
    try:
        found = read_json(Path(preset) / "config.json")["class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{preset} holds no KerasHub preset: its config.json cannot be read.") from error
    families = {name: family for family, name in CLASSES.items()}
    if found not in families:
        raise UserError(f"{preset} holds a {found}: an encoder is one of {', '.join(families)}.")
    return families[found]


def _named_family(preset: str) -> str:
    """Family of a preset that KerasHub knows by name."""
    models = _keras_hub().models
    for family, name in CLASSES.items():
        if preset.startswith(family) and preset in getattr(models, name).presets:
            return family
    raise UserError(
        f"There is no encoder {preset}: use auto, sample, a folder that holds a KerasHub preset, or the name "
        f"of one of its presets, such as {', '.join(EXAMPLES)}."
    )


def _check_size(preset: str) -> None:
    """Refuse a preset that no ONNX file can hold, by its configuration: before its weights are fetched.

    Raises:
        Unreachable: It is not here, and Kaggle does not answer.
        UserError: Its image part is too large even with 16 bits a weight, or its configuration cannot be had.
    """
    with _explained(preset):
        config = read_json(_config_file(preset))["config"]
        config = config.get("vision_encoder", {"config": config})["config"]
        width, hidden = config["hidden_dim"], config["intermediate_dim"]
        layer = 4 * width**2 + (3 if config.get("use_gated_mlp") else 2) * width * hidden
        size = 2 * config["num_layers"] * layer
    if size > _LARGEST:
        raise UserError(
            f"{preset} is too large for an ONNX file (2 GB; its image part takes {size / 1e9:.1f} GB at 16 "
            "bits a weight): use a smaller one."
        )


def _config_file(preset: str) -> Path:
    """A preset's configuration, a few kilobytes, downloaded on first use."""
    import kagglehub

    if Path(preset).is_dir():
        return Path(preset) / "config.json"
    network = getattr(_keras_hub().models, CLASSES[preset_family(preset)])
    handle = network.presets[preset]["kaggle_handle"].removeprefix("kaggle://")
    return Path(kagglehub.model_download(handle, "config.json"))


def _keras_hub() -> ModuleType:
    """KerasHub, without tqdm's remark, while it is imported, that JupyterLab has no widgets."""
    with warnings.catch_warnings(action="ignore"):
        import keras_hub
    return keras_hub


def _load(preset: str, family: str) -> tuple[keras.Model, keras.layers.Layer]:
    """A preset's network in float32 and its image converter, downloaded on first use."""
    keras_hub = _keras_hub()
    with _explained(preset):
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
        options = {}
        if family in _DINO:
            side = min(DINO_SIZE, *(converter.image_size or ()))
            options["image_shape"] = (side, side, 3)
        network = getattr(keras_hub.models, CLASSES[family])
        return network.from_preset(preset, dtype="float32", **options), converter


@contextlib.contextmanager
def _explained(preset: str) -> Iterator[None]:
    """Turn whatever a missing network or a damaged preset raises into one line."""
    import requests

    try:
        with _impatient_requests():
            yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Unreachable(
            f"{preset} cannot be downloaded, because Kaggle does not answer: connect, or use ENCODER=sample."
        ) from error
    except Exception as error:  # a damaged or incomplete preset fails in as many ways as it has files
        raise UserError(f"{preset} cannot be loaded ({str(error).strip().partition(chr(10))[0]}).") from error


@contextlib.contextmanager
def _impatient_requests() -> Iterator[None]:
    """Let a question that nobody answers fail in seconds: some of kagglehub's would wait for ever."""
    import requests

    send = requests.Session.send

    def send_impatiently(session, request, **options):
        return send(session, request, **{**options, "timeout": options.get("timeout") or _PATIENCE})

    requests.Session.send = send_impatiently
    try:
        yield
    finally:
        requests.Session.send = send


def _layer_outputs(image: keras.Model, family: str) -> list[keras.KerasTensor]:
    """Tokens after each layer of the transformer, in order."""
    if family in _DINO:
        return [image.pyramid_outputs[f"stage{number}"] for number in range(1, image.num_layers + 1)]
    return [layer.output for layer in image.encoder_layers]


def _embed(backbone: keras.Model, family: str, last: keras.KerasTensor) -> keras.KerasTensor:
    """What the family calls the embedding of a picture, from the last output of its image part."""
    if family == "clip":
        return backbone.vision_projection(backbone.vision_pooler(last))
    if family == "metaclip_2":
        return backbone.vision_projection(backbone.vision_post_layer_norm(backbone.vision_pooler(last)))
    return last[:, 0] if family in _DINO else last  # SigLIP has pooled already


def _layout(preset: str, family: str, image: keras.Model, converter: keras.layers.Layer) -> Layout:
    """How the encoder is used. Pillow's filters smooth before they shrink, as those of the authors do."""
    if converter.interpolation not in _FILTERS:
        raise UserError(f"{preset} resizes by {converter.interpolation}, which is not known here.")
    name, mine = Path(preset).name, Path(preset).is_dir()
    size = image.image_shape[0]
    return Layout(
        family=family,
        size=size,
        grid=size // image.patch_size,
        first_patch=0 if family == "siglip" else 1 + getattr(image, "num_register_tokens", 0),
        resample=_FILTERS[converter.interpolation],
        outputs=(EMBEDDING, *TOKEN_OUTPUTS),
        record={
            "encoder": f"{FAMILIES[family]}, {name}",
            "encoder_licence": "that of the preset" if mine else LICENCES[family],
            "encoder_from": f"KerasHub {importlib.metadata.version('keras-hub')}, "
            + (f"a preset in the folder {name}" if mine else f"preset {name}"),
        },
    )


def _numbers(value: float | Sequence[float] | None, otherwise: float) -> np.ndarray:
    """A converter's scale or offset: float32, one number or one a channel."""
    return np.asarray(otherwise if value is None else value, np.float32)


def _key(preset: str) -> str:
    """A file name for what is made of a preset: its name, and of a folder the content too."""
    folder = Path(preset)
    if not folder.is_dir():
        return preset
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    content = json.dumps([[path.relative_to(folder).as_posix(), hash_file(path)] for path in files])
    return f"{folder.name}-{hash_bytes(content.encode())[:8]}"


def has_gpu() -> bool:
    """Whether TensorFlow sees a graphics processor."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
