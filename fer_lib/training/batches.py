"""What a network is trained on: batches of images, and a row of targets for each image.

A row holds the label and, where the recipe uses them, the votes of people, so that one loss on one
output serves every recipe.
"""

from __future__ import annotations

import keras
import numpy as np

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.training.config import TrainingConfig
from fer_lib.training.losses import NUM_VOTES


class TrainingBatches(keras.utils.PyDataset):
    """Batches in an order that depends on the seed and the epoch alone.

    Args:
        images: `(n, height, width, channels)` raw pixels.
        targets: `float32 (n, columns)`.
        batch_size: Images in a batch; what is left over at the end of an epoch is left out.
        seed: Of the order and the mixing.
        mixup: Images and targets are mixed in pairs, with a share drawn from Beta(a, a) (Zhang
            et al., arXiv 1710.09412); 0 leaves it out.

    Attributes:
        epoch: The epoch whose order is given, from 0; `callbacks.SeedEpochs` sets it.
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        seed: int = 0,
        mixup: float = 0.0,
    ):
        super().__init__(workers=1)
        self.epoch = 0
        self.batch_size = min(batch_size, len(images))
        self._images, self._targets = images, targets
        self._seed, self._mixup = seed, mixup
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._images) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns raw pixels `float32 (batch, height, width, channels)` and their targets."""
        if self._order is None or self._order[0] != self.epoch:
            generator = np.random.default_rng((self._seed, self.epoch))
            self._order = (self.epoch, generator.permutation(len(self._images)))
        start = index * self.batch_size
        chosen = self._order[1][start : start + self.batch_size]
        images, targets = self._images[chosen].astype(np.float32), self._targets[chosen]
        if self._mixup:
            generator = np.random.default_rng((self._seed, self.epoch, index))
            images, targets = mix(images, targets, self._mixup, generator)
        return images, targets


def mix(
    images: np.ndarray, targets: np.ndarray, alpha: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mixes each image and its targets with those of another of the batch (arXiv 1710.09412)."""
    share = generator.beta(alpha, alpha, size=len(images)).astype(np.float32)
    other = generator.permutation(len(images))
    of_image = share[:, None, None, None]
    mixed = of_image * images + (1 - of_image) * images[other]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[other]


def build_targets(config: TrainingConfig, dataset: FaceDataset) -> np.ndarray:
    """Returns `float32 (n, columns)`: the label one-hot, then the votes if the recipe uses them.

    Raises:
        ValueError: The recipe uses votes, and the data set has none.
    """
    num_classes = len(dataset.class_names)
    parts = [np.eye(num_classes, dtype=np.float32)[dataset.labels]]
    if config.votes:
        names = list(VOTE_COLUMNS[:NUM_VOTES])
        missing = [name for name in names if name not in dataset.metadata]
        if missing:
            raise ValueError(
                "Expected the FER+ votes, which the recipe trains on: join them by load_ferplus, "
                f"on the command line by --votes fer2013new.csv. Received: no {missing[0]}"
            )
        votes = dataset.metadata[names].to_numpy(np.float32)
        # An image that nobody could name has no votes: a row of zeros adds nothing to the loss.
        parts.append(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1))
    return np.concatenate(parts, axis=1).astype(np.float32)
