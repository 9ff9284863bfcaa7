"""How fast a recipe trains on this machine, and how much of the machine that uses."""

from __future__ import annotations

import time

import keras
import numpy as np

from fer_lib import models
from fer_lib.synthetic import make_faces
from fer_lib.training import trainers
from fer_lib.training.config import TrainingConfig
from fer_lib.training.epochs import TrainingBatches
from fer_lib.training.targets import build_targets

_MATRIX_SIDE = 2048
# A training step computes the forward pass, the gradient of the activations and that of the
# weights, each with two operations a multiply-add.
_OPERATIONS_PER_MULTIPLY_ADD = 6


def measure_training(config: TrainingConfig, steps: int = 8) -> dict[str, float]:
    """Times training steps on drawn faces, after two that warm up.

    Args:
        config: The recipe; distillation and votes, which need data, are left out.
        steps: Timed steps.

    Returns:
        `pictures_per_second`; `gflops` (billions of operations a second that the network's
        multiply-adds amount to); `matmul_gflops`, the rate of one large matrix product in the
        recipe's precision; `share`, the former by the latter; `input_share`, the share of a step
        that drawing and mixing its batch takes, `[0, 1]`.
    """
    config = config.replace(distillation=0.0, votes=0.0, weights=None)
    dataset = make_faces(-(-config.batch_size // 7))
    network = trainers.build_network(config, dataset, config.precision)
    trainer = trainers.build_trainer(config, network)
    batches = TrainingBatches(config, dataset.images, build_targets(config, dataset, None))
    trainers.compile_trainer(config, trainer, steps, 0, config.epochs)
    for _ in range(2):
        trainer.train_on_batch(*batches[0])
    started = time.perf_counter()
    input_seconds = 0.0
    for _ in range(steps):
        before = time.perf_counter()
        batch = batches[0]
        input_seconds += time.perf_counter() - before
        trainer.train_on_batch(*batch)
    seconds = time.perf_counter() - started
    rate = steps * batches.batch_size / seconds
    operations = _OPERATIONS_PER_MULTIPLY_ADD * models.count_multiply_adds(network)
    gflops = rate * operations / 1e9
    matmul_gflops = _measure_matmul(
        "bfloat16" if config.precision == "mixed_bfloat16" else "float32"
    )
    return {
        "pictures_per_second": round(rate, 1),
        "gflops": round(gflops, 1),
        "matmul_gflops": round(matmul_gflops, 1),
        "share": round(gflops / matmul_gflops, 3),
        "input_share": round(input_seconds / seconds, 4),
    }


def _measure_matmul(dtype: str) -> float:
    """Returns the rate of a matrix product, in billions of operations a second."""
    matrix = keras.ops.cast(np.ones((_MATRIX_SIDE, _MATRIX_SIDE), np.float32), dtype)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        product = keras.ops.matmul(matrix, matrix)
        # Reading one number back waits for the product, which some backends compute later.
        keras.ops.convert_to_numpy(keras.ops.cast(product[0, 0], "float32"))
        times.append(time.perf_counter() - started)
    return 2 * _MATRIX_SIDE**3 / min(times) / 1e9
