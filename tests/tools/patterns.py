"""A data set that a network learns in seconds, and a training that stops, for tests of training."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS


def draw_patterns(count: int, seed: int, side: int = 16) -> FaceDataset:
    """Draws noise with a bright bar at a height that is the class, which ten people vote for."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    images = generator.integers(0, 90, (count, side, side, 1)).astype(np.uint8)
    step = side // 8
    for image, label in zip(images, labels, strict=True):
        image[step // 2 + step * label : step // 2 + step * (label + 1)] += 150
    votes = 10 * np.eye(10, dtype=int)[labels]
    metadata = pd.DataFrame(votes, columns=list(VOTE_COLUMNS))
    return FaceDataset(images, labels, name=f"patterns {seed}", metadata=metadata)


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    """Stops a training as an error would, before an epoch or at a batch of it."""

    def __init__(self, epoch: int, batch: int | None = None):
        super().__init__()
        self._at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        if (epoch, None) == self._at:
            raise Interrupted

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            raise Interrupted
