"""What this machine can do at most, measured in the same turns as the work that is held against it.

A network has to multiply: it can be no faster than its counted operations at the rate at which the library
that runs it multiplies two large matrices. Where files are read, decoding them comes on top, at Pillow's rate
on all processors; where pixels are only handed on, copying them at the memory's.
"""

from __future__ import annotations

import io
import math
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from src.utils.data.parallel import map_ahead
from src.utils.models.bundle.bundle import EXPORTED_FILE
from src.utils.models.bundle.onnx_session import onnx_session
from src.utils.models.encoder.runtime import ENCODER_FILE

if TYPE_CHECKING:
    import keras
    import onnx

SIDE = 1536
"""Rows and columns of the matrices that are multiplied."""

COPIED = 1 << 27
"""Bytes that are copied at a time, several times what a cache holds."""

PROBED_SECONDS = 0.1
"""How long a rate is measured at least."""

FLOAT, EIGHT_BIT = "float32", "8-bit"

PRODUCTS = {
    **dict.fromkeys(("MatMul", "Gemm", "Conv", "Einsum"), FLOAT),
    **dict.fromkeys(("MatMulInteger", "ConvInteger"), EIGHT_BIT),
}
"""ONNX's operators that multiply matrices, and what they compute in."""


@dataclass(frozen=True)
class Probe:
    """Something that the machine does at a rate.

    Attributes:
        name: What it does.
        rate: Measures how much of it is done a second.
        unit: What the rate is told in.
        scale: What a unit is: a rate in it is `rate() / scale`.
    """

    name: str
    rate: Callable[[], float]
    unit: str
    scale: float = 1.0


@dataclass(frozen=True)
class Need:
    """How much of a probe's work a picture needs at the least."""

    amount: float
    probe: Probe


@dataclass
class Rates:
    """The rates of what a picture needs, turn after turn."""

    needs: Sequence[Need]
    turns: list[list[float]] = field(default_factory=list)

    def measure(self) -> None:
        """Measure every rate once."""
        self.turns.append([need.probe.rate() for need in self.needs])

    def as_limit(self, reached: float) -> dict[str, Any]:
        """Entry `limit` of a row: pictures a second at most, the share reached, and the rates behind it.

        Args:
            reached: Pictures a second.

        Returns:
            Medians of the turns; nothing where no needs are known.
        """
        if not self.needs:
            return {}
        each = [
            sum(need.amount / rate for need, rate in zip(self.needs, rates, strict=True))
            for rates in self.turns
        ]
        most = 1 / statistics.median(each)
        medians = map(statistics.median, zip(*self.turns, strict=True))
        rates = {
            need.probe.name: {
                "rate": round(rate / need.probe.scale, 1),
                "unit": need.probe.unit,
                "needed": float(f"{need.amount / need.probe.scale:.3g}"),
            }
            for need, rate in zip(self.needs, medians, strict=True)
        }
        share = round(reached / most, 3)
        return {"limit": {"pictures_per_second": round(most, 1), "share": share, "rates": rates}}


def tensorflow_products(dtype: str = FLOAT) -> Probe:
    """TensorFlow's multiplying of matrices of a `dtype`, in operations; to multiply and to add are two."""
    import tensorflow as tf

    factor = tf.cast(tf.random.normal((SIDE, SIDE)), dtype)
    multiply = tf.function(lambda: tf.reduce_max(tf.matmul(factor, factor)))
    return _products(f"TensorFlow, {dtype}", lambda: multiply().numpy())


def onnx_products(kind: str = FLOAT) -> Probe:
    """ONNX Runtime's multiplying of matrices, in operations.

    Args:
        kind: `FLOAT` or `EIGHT_BIT`.
    """
    from onnx import TensorProto, helper, numpy_helper

    operator, given, made = {
        FLOAT: ("MatMul", TensorProto.FLOAT, TensorProto.FLOAT),
        EIGHT_BIT: ("MatMulInteger", TensorProto.UINT8, TensorProto.INT32),
    }[kind]
    numbers = np.random.default_rng(0).integers(0, 100, (SIDE, SIDE))
    weights = numpy_helper.from_array(numbers.astype(np.float32 if kind == FLOAT else np.int8), "weights")
    graph = helper.make_graph(
        [helper.make_node(operator, ["given", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("given", given, [SIDE, SIDE])],
        [helper.make_tensor_value_info("product", made, [SIDE, SIDE])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnx_session(model.SerializeToString())
    factor = numbers.astype(np.float32 if kind == FLOAT else np.uint8)
    return _products(f"ONNX Runtime, {kind}", lambda: session.run(None, {"given": factor}))


def _products(name: str, multiply: Callable[[], Any]) -> Probe:
    return Probe(name, _rate_of(multiply, 2 * SIDE**3), "GFLOP/s", 1e9)


def copying() -> Probe:
    """Copying of memory by all processors together, in bytes copied."""
    threads = os.cpu_count() or 1
    source = np.ones((threads, COPIED // threads), np.uint8)
    target = np.empty_like(source)

    def copy_all() -> None:
        for _ in map_ahead(lambda row: np.copyto(target[row], source[row]), range(threads)):
            pass

    return Probe("copying memory", _rate_of(copy_all, COPIED), "GB/s", 1e9)


def decoding(paths: Sequence[Path]) -> Probe:
    """Pillow's decoding of files on all processors and nothing else, in pictures like those of `paths`."""
    contents = [path.read_bytes() for path in paths]

    def decode(content: bytes) -> None:
        with Image.open(io.BytesIO(content)) as image:
            image.load()

    def decode_all() -> None:
        for _ in map_ahead(decode, contents):
            pass

    return Probe("decoding alone", _rate_of(decode_all, len(contents)), "pictures/s")


def decoding_need(paths: Sequence[Path]) -> Need:
    """One picture like those of `paths`, to be decoded."""
    return Need(1, decoding(paths))


def _rate_of(work: Callable[[], Any], amount: float) -> Callable[[], float]:
    """How much is done a second when `work`, which does `amount`, is repeated for a while."""

    def rate() -> float:
        began, done = time.perf_counter(), 0
        while not done or time.perf_counter() - began < PROBED_SECONDS:
            work()
            done += 1
        return done * amount / (time.perf_counter() - began)

    return rate


def forward_operations(model: keras.Model) -> float:
    """Operations of a picture's way through a Keras network: two for a weight at each place of its use."""
    return float(sum(_layer_operations(layer) for layer in _weighted_layers(model)))


def training_operations(model: keras.Model) -> float:
    """Operations of a training step, a picture: the way forward and the gradients of weights and of inputs.

    The first layer's input is the picture, whose gradient nobody needs.
    """
    first, *rest = map(_layer_operations, _weighted_layers(model))
    return float(2 * first + 3 * sum(rest))


def _weighted_layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if hasattr(layer, "kernel")]


def _layer_operations(layer: Any) -> int:
    """Operations of a convolution or a dense layer for one picture."""
    return 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])


def onnx_operations(path: Path) -> dict[str, float]:
    """Operations of a picture's way through an ONNX file, by what they are computed in.

    The products' shapes are taken from one run with a black picture: a file need not state them.

    Args:
        path: A network with one input, [n, …], whose other sizes are stated.

    Returns:
        A number for each of the kinds that occur, `FLOAT` or `EIGHT_BIT`.
    """
    import onnx

    model = onnx.load(path)
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    given = {one.name for one in model.graph.output} | set(shapes)
    asked = {name for node in products for name in (*node.input[:2], *node.output)} - given
    asked -= {one.name for one in model.graph.input}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(asked))
    session = onnx_session(model.SerializeToString())
    (source,) = session.get_inputs()
    shapes[source.name] = (1, *source.shape[1:])
    names = [one.name for one in session.get_outputs()]
    black = np.zeros(shapes[source.name], np.float32)
    shapes |= {
        name: one.shape for name, one in zip(names, session.run(names, {source.name: black}), strict=True)
    }
    counted: Counter[str] = Counter()
    for node in products:
        counted[PRODUCTS[node.op_type]] += _product_operations(node, shapes)
    return {kind: float(number) for kind, number in counted.items()}


def onnx_needs(path: Path) -> tuple[Need, ...]:
    """What a picture's way through an ONNX file needs, at ONNX Runtime's own rates."""
    return tuple(Need(number, onnx_products(kind)) for kind, number in onnx_operations(path).items())


def answering_needs(folder: Path) -> tuple[Need, ...]:
    """The arithmetic of a bundle's answer for one decoded picture."""
    files = (folder / name for name in (ENCODER_FILE, EXPORTED_FILE))
    return onnx_needs(next(path for path in files if path.is_file()))


def _product_operations(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    """Two for every pair of numbers that is multiplied and added."""
    first, second, made = (shapes[name] for name in (*node.input[:2], node.output[0]))
    if node.op_type == "Einsum":
        (equation,) = (one.s.decode() for one in node.attribute if one.name == "equation")
        sizes = dict(zip(equation.partition("->")[0].replace(",", ""), (*first, *second), strict=True))
        return 2 * math.prod(sizes.values())
    if node.op_type in ("Conv", "ConvInteger"):
        return 2 * math.prod(made) * math.prod(second[1:])
    inner = first[-1] if node.op_type != "Gemm" else math.prod(second) // made[-1]
    return 2 * math.prod(made) * inner
