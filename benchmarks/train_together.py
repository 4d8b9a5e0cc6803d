"""See whether several processes train to the weights of one: `python -m benchmarks.train_together`.

A small network takes a few steps of Adam on noise, once in one process and once in several that share every
batch and add up their gradients: TensorFlow's MultiWorkerMirroredStrategy under a loop of our own, for
Keras's `fit` does not run under it. Processes on one machine stand for machines: with other
addresses in TF_CONFIG the same loop runs on those. Prints how far weights are apart; fails if that is beyond
rounding.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 8
STEPS = 10
RATE = 0.01
ROUNDING = 1e-5
"""Difference of weights, relative to the largest, that the order of additions in float32 explains."""


def main() -> int:
    """Train both ways and compare, or be one of the processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_together")
    parser.add_argument("--processes", type=int, default=2, choices=(2, 4, 8))
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weights:
        np.save(options.weights, train())
        return 0
    with tempfile.TemporaryDirectory() as folder:
        (alone,) = run_processes(Path(folder), 1)
        shared = run_processes(Path(folder), options.processes)
    apart = max(np.abs(one - alone).max() for one in shared) / np.abs(alone).max()
    agree = all(np.array_equal(one, shared[0]) for one in shared)
    print(f"{len(alone):,} weights after {STEPS} steps of {BATCH} pictures.")
    print(f"{options.processes} processes hold {'equal' if agree else 'different'} weights.")
    print(f"Largest difference from one process, relative to the largest weight: {apart:.1e}.")
    return 0 if agree and apart <= ROUNDING else 1


def run_processes(folder: Path, number: int) -> list[np.ndarray]:
    """Train in so many processes and give the weights that each ends with."""
    addresses = free_addresses(number)
    started = []
    for index in range(number):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(place) if number > 1 else ""}
        path = folder / f"{number}-{index}.npy"
        command = [sys.executable, "-m", "benchmarks.train_together", "--weights", str(path)]
        started.append((path, subprocess.Popen(command, env=environment)))
    for _, process in started:
        if process.wait():
            raise SystemExit(f"a process of {number} failed with {process.returncode}")
    return [np.load(path) for path, _ in started]


def free_addresses(number: int) -> list[str]:
    """Addresses of this machine that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def train() -> np.ndarray:
    """Take the steps, in this process alone or as one of those that TF_CONFIG names; all weights in a row."""
    import tensorflow as tf

    place = json.loads(os.environ.get("TF_CONFIG") or '{"cluster": {"worker": [""]}, "task": {"index": 0}}')
    number, index = len(place["cluster"]["worker"]), place["task"]["index"]
    together = tf.distribute.MultiWorkerMirroredStrategy if number > 1 else tf.distribute.get_strategy
    strategy = together()
    import keras

    with strategy.scope():
        model = build_small()
        optimizer = keras.optimizers.Adam(RATE)
        optimizer.build(model.trainable_variables)
    step = make_step(strategy, model, optimizer)
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        pixels = random.random((BATCH, *model.input_shape[1:]), np.float32)
        labels = random.integers(0, 2, BATCH)
        step(tf.constant(pixels[index::number]), tf.constant(labels[index::number]))
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


def build_small():
    """A convolution, its mean and a dense layer, of 122 weights that are always drawn alike."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((16, 16, 3)), *layers, keras.layers.Dense(2)])


def make_step(strategy, model, optimizer) -> Callable:
    """One step on a share of a batch: the optimizer adds up the gradients of all shares and applies them."""
    import keras
    import tensorflow as tf

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def share(pixels, labels):
        with tf.GradientTape() as tape:
            cost = loss(labels, model(pixels, training=True)) / BATCH
        gradients = tape.gradient(cost, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)  # adds up those of all processes first

    return tf.function(lambda pixels, labels: strategy.run(share, (pixels, labels)))


if __name__ == "__main__":
    sys.exit(main())
