"""Times the small network beside one of others, and training steps beside the machine's best."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from fer_lib import paths, training
from fer_lib.benchmark.timing import measure
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.training.throughput import measure_training

_BATCH = 64
_TRAINED = ("cnn", "cnn_tiny")
_CLASSES = tuple(f"class {index}" for index in range(7))


def measure_networks(repeats: int) -> list[dict]:
    """Returns the rows of 64 faces at once, of single faces, and of training steps."""
    networks = {"mini-XCEPTION (random weights)": Pretrained(build_mini_xception(), _CLASSES)}
    if "cnn_tiny" in paths.list_models():
        networks = {"cnn_tiny": load_pretrained("cnn_tiny")} | networks
    rows = []
    for name, network in networks.items():
        faces = np.random.default_rng(0).integers(0, 256, (_BATCH, *network.image_shape))
        faces = faces.astype(np.uint8)
        for count in (1, _BATCH):
            rows.append(
                measure(
                    f"{count} face{'s' * (count > 1)}, {name}",
                    lambda chosen=faces[:count], network=network: network.predict(chosen),
                    repeats,
                    count=count,
                )
            )
    for name in _TRAINED:
        config = training.load_recipe(name)
        figures = measure_training(config)
        milliseconds = 1000 * config.batch_size / figures["pictures_per_second"]
        rows.append(
            {
                "what": f"training step, {name}: {figures['share']:.0%} of the machine's "
                f"{figures['matmul_gflops']:.0f} GFLOP/s, input {figures['input_share']:.1%}",
                "median_ms": round(milliseconds, 2),
                "p95_ms": float("nan"),
                "per_second": figures["pictures_per_second"],
            }
        )
    return rows


def build_mini_xception() -> keras.Model:
    """Builds a network of the shape of mini-XCEPTION (Arriaga et al., arXiv 1710.07557).

    58 thousand parameters at 64 x 64, separable convolutions and residual modules; with random
    weights, to compare its speed alone.
    """
    pixels = keras.Input((64, 64, 1))
    x = layers.Rescaling(1 / 127.5, -1.0)(pixels)
    for _ in range(2):
        x = layers.Conv2D(8, 3, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    for filters in (16, 32, 64, 128):
        shortcut = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x)
        shortcut = layers.BatchNormalization()(shortcut)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([x, shortcut])
    x = layers.Conv2D(len(_CLASSES), 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Softmax()(x), name="mini_xception")
