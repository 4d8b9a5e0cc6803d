"""A network that two processors train together has the weights of one that was trained by one.

Two GPUs cannot be had everywhere, so one processor is divided into two; TensorFlow takes that only before it
has begun, hence the process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

from src.utils.settings import PROJECT_ROOT


def test_two_devices_train_to_the_weights_of_one() -> None:
    command = [sys.executable, "-m", "tests.models.training.test_mirrored"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, check=True)
    start, one, two = (np.array(weights) for weights in json.loads(run.stdout))
    assert np.abs(one - start).max() > 1e-3  # it did learn
    np.testing.assert_allclose(two, one, atol=1e-6)


def train_both_ways() -> list[list[float]]:
    """Weights before training, after two epochs on one device, and after two epochs on two."""
    import keras
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

    from src.utils.models.training import fitting

    def build(policy: str) -> keras.Model:
        start = keras.initializers.GlorotUniform(seed=1)
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Dense(4, "relu", kernel_initializer=start)]
        last = [keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer=start)]
        return keras.Sequential([keras.Input((8, 8, 3)), *layers, *last])

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
    labels = (pixels.mean((1, 2, 3)) > 127).astype(np.int64)
    batches = tf.data.Dataset.from_tensor_slices((pixels, labels, np.ones(64, np.float32))).batch(16)
    weights = []
    for epochs, devices in ((0, 1), (2, 1), (2, 2)):
        strategy = tf.distribute.MirroredStrategy([f"CPU:{device}" for device in range(devices)])
        fitting._strategy = lambda strategy=strategy: strategy
        model = fitting.build_and_compile(build, fitting.Recipe(epochs=2, seed=0), "float32")
        model.fit(batches.repeat(), steps_per_epoch=4, epochs=epochs, shuffle=False, verbose=0)
        weights.append(np.concatenate([one.numpy().ravel() for one in model.trainable_variables]).tolist())
    return weights


if __name__ == "__main__":
    print(json.dumps(train_both_ways()))
