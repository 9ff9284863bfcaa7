"""Batches for `model.fit`, on every Keras backend."""

from __future__ import annotations

import math

import keras
import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset


class FaceBatches(keras.utils.PyDataset):
    """The batches of a data set, in an order that seed and epoch alone decide.

    Args:
        dataset: Where the pictures come from.
        batch_size: Pictures a batch; the last may be smaller.
        shuffle: Whether each epoch has its own order.
        seed: The same seed gives the same orders.

    Example:
        `model.fit(train_set.batches(128, shuffle=True))` with a model compiled for
        `"sparse_categorical_crossentropy"`: pictures come as `uint8 (batch, height, width,
        channels)`, raw 0-255, labels as `int64 (batch,)`.
    """

    def __init__(
        self, dataset: FaceDataset, batch_size: int = 32, *, shuffle: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` of at least 1. Received: {batch_size}")
        self._images, self._labels = dataset.images, dataset.labels
        self._batch_size, self._shuffle, self._seed = batch_size, shuffle, seed
        self._epoch = -1
        self.on_epoch_begin()

    def on_epoch_begin(self) -> None:
        """Draws the order of the next epoch."""
        self._epoch += 1
        if self._shuffle:
            generator = np.random.default_rng([self._seed, self._epoch])
            self._order = generator.permutation(len(self._labels))
        else:
            self._order = np.arange(len(self._labels))

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[chosen], self._labels[chosen]
