"""Batches for `model.fit`, on every Keras backend."""

from __future__ import annotations

import math

import keras
import numpy as np


class FaceBatches(keras.utils.PyDataset):
    """Batches of images and labels, in an order that seed and epoch alone decide.

    Made by `FaceDataset.batches`, for a model that is compiled with
    `"sparse_categorical_crossentropy"`.

    Args:
        images: `uint8 (n, height, width, channels)`, raw 0-255.
        labels: `int64 (n,)`.
        batch_size: Images per batch; the last may be smaller.
        shuffle: Whether each epoch has its own order.
        seed: The same seed gives the same orders.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int = 32,
        *,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` of at least 1. Received: {batch_size}")
        self._images, self._labels = images, labels
        self._batch_size, self._shuffle, self._seed = batch_size, shuffle, seed
        self._epoch = -1
        self.on_epoch_begin()

    def on_epoch_begin(self) -> None:
        """Draws the order of the next epoch."""
        self._epoch += 1
        generator = np.random.default_rng([self._seed, self._epoch])
        count = len(self._labels)
        self._order = generator.permutation(count) if self._shuffle else np.arange(count)

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[chosen], self._labels[chosen]
