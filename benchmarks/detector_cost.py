"""What a detector of others costs here: `python -m benchmarks.detector_cost [--quick]`.

The field's open detectors are vision transformers, ViT-S/16 at 384 pixels. A network of that architecture is
written as ONNX with random weights: how long it computes does not depend on them. It is asked as the others
are, in 32 bits, in 16 bits inside and with weights of 8 bits, each in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server import memory_mb
from benchmarks.timing import summarise, time_once
from src.utils.models.detectors.recipe import Recipe
from src.utils.models.detectors.runtime import DetectorRuntime
from src.utils.settings import PROJECT_ROOT

SIDE, PATCH, WIDTH, HEADS, HIDDEN, BLOCKS = 384, 16, 384, 6, 1536, 12
"""Of ViT-S/16 at 384 pixels (Dosovitskiy and others 2021; Touvron and others 2021)."""

RECIPE = Recipe(input_size=SIDE, views=["squash"], mean=[0.5] * 3, standard_deviation=[0.5] * 3)

FULL, QUICK = (24, 5), (8, 3)
"""Pictures a run, and runs that count."""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a line a precision, or with a file what that one costs in this very process."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detector_cost", description=__doc__.partition(":")[0]
    )
    parser.add_argument("--quick", action="store_true", help="fewer pictures and repeats")
    parser.add_argument("--file", type=Path, help="an ONNX file to measure alone; prints JSON")
    options = parser.parse_args(arguments)
    pictures, repeats = QUICK if options.quick else FULL
    if options.file:
        print(json.dumps(measure_file(options.file, pictures, repeats)))
        return 0
    print(*as_lines(measure_all(options.quick)), sep="\n")
    return 0


def measure_all(quick: bool = False) -> dict[str, Any]:
    """Write the network in each precision and measure each in a process of its own.

    Returns:
        `network` and `parameters`, and `precisions`: by name what `measure_file` gives.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = write_precisions(Path(scratch))
        found = {name: _measure_apart(file, quick) for name, file in files.items()}
    return {
        "network": f"ViT-S/{PATCH}, {SIDE} px, random weights, one view",
        "parameters": parameter_count(),
        "precisions": found,
    }


def measure_file(file: Path, pictures: int, repeats: int) -> dict[str, Any]:
    """Ask a network about single pictures, then about many at once, and tell what it took.

    Args:
        file: An ONNX file as `RECIPE` asks it.
        pictures: How many a run.
        repeats: Runs that count; one before them does not.

    Returns:
        `file_mb`; `milliseconds_alone`, the median for one picture that has all processors to itself;
        `pictures_per_second`, `busy_cores` and `runs` of many, shared out over the processors; `memory_mb` of
        the whole process after that, None where the system hides it.
    """
    ask = DetectorRuntime(file, RECIPE)
    views = np.random.default_rng(0).integers(0, 256, (pictures, 1, SIDE, SIDE, 3), np.uint8)
    alone = [time_once(lambda: ask(views[:1]))[0] for _ in range(repeats + 1)][1:]
    ask(views)
    timing = summarise(pictures, [time_once(lambda: ask(views)) for _ in range(repeats)])
    return {
        "file_mb": round(file.stat().st_size / 1e6, 1),
        "milliseconds_alone": round(1000 * statistics.median(alone), 1),
        **asdict(timing),
        "memory_mb": memory_mb(os.getpid()),
    }


def _measure_apart(file: Path, quick: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.detector_cost", "--file", str(file)]
    done = subprocess.run(
        command + ["--quick"] * quick, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def as_lines(found: dict[str, Any]) -> list[str]:
    """What was found as lines of text."""
    head = (
        f"{'a detector of others':<24}{'file MB':>10}{'alone ms':>10}{'pictures/s':>12}{'cores':>7}{'MB':>7}"
    )
    lines = [
        f"{name:<24}{one['file_mb']:>10}{one['milliseconds_alone']:>10}{one['pictures_per_second']:>12}"
        f"{one['busy_cores']:>7}{one['memory_mb'] or '?':>7}"
        for name, one in found["precisions"].items()
    ]
    return [f"{found['network']}, {found['parameters'] / 1e6:.1f} million parameters", head, *lines]


# --- the network ------------------------------------------------------------------------------------------


def write_precisions(folder: Path) -> dict[str, Path]:
    """Write the network in 32 bits, with 16 bits inside, and with weights of 8 bits; files by name."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole, half, eight = (folder / f"{bits}.onnx" for bits in (32, 16, 8))
    write_network(whole)
    write_network(half, half=True)
    with _errors_only():  # it advises every caller to prepare the file first
        quantize_dynamic(whole, eight, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)
    return {"32 bits": whole, "16 bits inside": half, "8 bits (weights)": eight}


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    """Log nothing milder than an error, and afterwards what was logged before."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def write_network(path: Path, half: bool = False) -> Path:
    """Write ViT-S/16 with random weights: float32 [1, 3, 384, 384] → one logit, float32 [1, 1].

    Args:
        path: Where.
        half: Whether weights and computation are float16.
    """
    import onnx

    graph = _Graph(half)
    tokens = _embed(graph)
    for _ in range(BLOCKS):
        tokens = graph.add("Add", tokens, _attend(graph, graph.normalise(tokens)))
        tokens = graph.add("Add", tokens, _feed_forward(graph, graph.normalise(tokens)))
    first = graph.add("Gather", graph.normalise(tokens), graph.numbers([0]), axis=1)
    logit = graph.linear(graph.add("Reshape", first, graph.numbers([1, WIDTH])), WIDTH, 1)
    onnx.save(graph.model(logit), path)
    return path


def parameter_count() -> int:
    """Weights of that network: patches, class token and positions, blocks, last norm and last layer."""
    tokens = (SIDE // PATCH) ** 2 + 1
    attention = 4 * WIDTH * WIDTH + 4 * WIDTH
    feed_forward = 2 * WIDTH * HIDDEN + HIDDEN + WIDTH
    patches = 3 * PATCH * PATCH * WIDTH + WIDTH
    blocks = BLOCKS * (attention + feed_forward + 4 * WIDTH)
    return patches + WIDTH + tokens * WIDTH + blocks + 2 * WIDTH + WIDTH + 1


class _Graph:
    """An ONNX graph in the making: names are given as it grows; weights are random."""

    def __init__(self, half: bool):
        self._kind = np.float16 if half else np.float32
        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of what it gives."""
        from onnx import helper

        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def pixels(self) -> str:
        """The input, as what the network computes in."""
        from onnx import helper

        return self.add("Cast", "x", to=helper.np_dtype_to_tensor_dtype(np.dtype(self._kind)))

    def numbers(self, values: Sequence[int]) -> str:
        """Whole numbers, such as a shape."""
        return self._constant(np.array(values, np.int64))

    def weights(self, *shape: int) -> str:
        """Random weights."""
        return self._constant(self._random.normal(0, 0.02, shape).astype(self._kind))

    def linear(self, given: str, width: int, result: int) -> str:
        """A linear layer."""
        return self.add("Add", self.add("MatMul", given, self.weights(width, result)), self.weights(result))

    def normalise(self, tokens: str) -> str:
        """A layer norm over the width."""
        ones = self._constant(np.ones(WIDTH, self._kind))
        return self.add("LayerNormalization", tokens, ones, self.weights(WIDTH), axis=-1, epsilon=1e-6)

    def scalar(self, value: float) -> str:
        """One number."""
        return self._constant(np.array(value, self._kind))

    def _constant(self, value: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def model(self, result: str) -> Any:
        """The whole, with `result` in float32 as its output."""
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Cast", [result], ["y"], to=TensorProto.FLOAT))
        graph = helper.make_graph(
            self._nodes,
            "vit_small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
            self._constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def _embed(graph: _Graph) -> str:
    """Squares of the picture as tokens, the class token first, with their positions: [1, 577, 384]."""
    patches = graph.add(
        *("Conv", graph.pixels(), graph.weights(WIDTH, 3, PATCH, PATCH), graph.weights(WIDTH)),
        kernel_shape=[PATCH, PATCH],
        strides=[PATCH, PATCH],
    )
    count = (SIDE // PATCH) ** 2
    flat = graph.add("Reshape", patches, graph.numbers([1, WIDTH, count]))
    tokens = graph.add(
        "Concat", graph.weights(1, 1, WIDTH), graph.add("Transpose", flat, perm=[0, 2, 1]), axis=1
    )
    return graph.add("Add", tokens, graph.weights(1, count + 1, WIDTH))


def _attend(graph: _Graph, tokens: str) -> str:
    """Self-attention of several heads."""
    width = WIDTH // HEADS
    all_three = graph.add(
        "Reshape", graph.linear(tokens, WIDTH, 3 * WIDTH), graph.numbers([1, -1, 3, HEADS, width])
    )
    split = graph.add("Transpose", all_three, perm=[2, 0, 3, 1, 4])
    query, key, value = (
        graph.add(
            "Reshape",
            graph.add("Gather", split, graph.numbers([which]), axis=0),
            graph.numbers([1, HEADS, -1, width]),
        )
        for which in range(3)
    )
    scaled = graph.add("Mul", query, graph.scalar(width**-0.5))
    likeness = graph.add("MatMul", scaled, graph.add("Transpose", key, perm=[0, 1, 3, 2]))
    seen = graph.add("MatMul", graph.add("Softmax", likeness, axis=-1), value)
    joined = graph.add(
        "Reshape", graph.add("Transpose", seen, perm=[0, 2, 1, 3]), graph.numbers([1, -1, WIDTH])
    )
    return graph.linear(joined, WIDTH, WIDTH)


def _feed_forward(graph: _Graph, tokens: str) -> str:
    """Two linear layers with a GELU between them."""
    return graph.linear(graph.add("Gelu", graph.linear(tokens, WIDTH, HIDDEN)), HIDDEN, WIDTH)


if __name__ == "__main__":
    sys.exit(main())
