"""What a picture is trained towards: its label, a teacher's opinion, the votes of people.

All of it is one row of numbers a picture, so that one loss on one output serves every recipe.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.labels import EMOTIONS_8
from fer_lib.training.config import TrainingConfig

NUM_VOTES = len(EMOTIONS_8)


def build_targets(
    config: TrainingConfig, dataset: FaceDataset, teacher: np.ndarray | None
) -> np.ndarray:
    """Returns `float32 (n, columns)`: the label one-hot, then the teacher's row, then the votes.

    Args:
        config: Says which of the parts are there.
        dataset: The training pictures, with the vote columns where the recipe uses them.
        teacher: Probabilities `(n, num_classes)` where the recipe distils.

    Raises:
        ValueError: The recipe uses what is not given.
    """
    num_classes = len(dataset.class_names)
    parts = [np.eye(num_classes, dtype=np.float32)[dataset.labels]]
    if config.distillation:
        if teacher is None or teacher.shape != parts[0].shape:
            raise ValueError(
                f"Expected a teacher's probabilities of shape {parts[0].shape}, which the recipe "
                f"distils. Received: {None if teacher is None else teacher.shape}"
            )
        softened = np.maximum(teacher, 1e-7) ** (1 / config.distillation_temperature)
        parts.append(softened / softened.sum(axis=1, keepdims=True))
    if config.votes:
        names = list(VOTE_COLUMNS[:NUM_VOTES])
        missing = [name for name in names if name not in dataset.metadata]
        if missing:
            raise ValueError(
                "Expected the FER+ votes, which the recipe trains on: join them by load_ferplus, "
                f"on the command line by --votes fer2013new.csv. Received: no {missing[0]}"
            )
        votes = dataset.metadata[names].to_numpy(np.float32)
        # A picture that nobody could name has no votes: a row of zeros adds nothing to the loss.
        parts.append(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1))
    return np.concatenate(parts, axis=1).astype(np.float32)


def mix(
    images: np.ndarray, targets: np.ndarray, alpha: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mixes each picture and its targets with those of another of the batch (arXiv 1710.09412).

    Args:
        images: `float32 (batch, height, width, channels)`.
        targets: `float32 (batch, columns)`.
        alpha: Of the Beta distribution that the share of the other picture is drawn from.
        generator: Where the random numbers come from.

    Returns:
        Images and targets of the same shapes.
    """
    share = generator.beta(alpha, alpha, size=len(images)).astype(np.float32)
    other = generator.permutation(len(images))
    of_image = share[:, None, None, None]
    mixed = of_image * images + (1 - of_image) * images[other]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[other]


class TargetLoss(keras.losses.Loss):
    """Cross-entropy to each part of the targets that `build_targets` made.

    The label's part is smoothed; the teacher's is compared at its temperature, times the
    temperature's square, which keeps the size of its gradient (Hinton et al., arXiv 1503.02531).

    Args:
        config: The weights of the parts.
        num_classes: Number of classes.

    Call arguments:
        y_true: `(batch, columns)` targets.
        y_pred: `(batch, num_classes)` logits, followed by the 8 of the votes where there are any.
    """

    def __init__(self, config: TrainingConfig, num_classes: int):
        super().__init__(name="target_loss")
        self._config = config
        self._num_classes = num_classes

    def call(self, y_true, y_pred):
        config, classes = self._config, self._num_classes
        logits = y_pred[:, :classes]
        smoothing = config.label_smoothing
        label = y_true[:, :classes] * (1 - smoothing) + smoothing / classes
        loss = (1 - config.distillation) * _cross_entropy(label, logits)
        if config.distillation:
            temperature = config.distillation_temperature
            teacher = y_true[:, classes : 2 * classes]
            soft = _cross_entropy(teacher, logits / temperature)
            loss = loss + config.distillation * temperature**2 * soft
        if config.votes:
            votes = y_true[:, -NUM_VOTES:]
            loss = loss + config.votes * _cross_entropy(votes, y_pred[:, classes:])
        return loss


def build_accuracy(num_classes: int):
    """Returns a metric `accuracy(y_true, y_pred)` that looks at the label's part alone."""

    def accuracy(y_true, y_pred):
        wanted = ops.argmax(y_true[:, :num_classes], axis=-1)
        given = ops.argmax(y_pred[:, :num_classes], axis=-1)
        return ops.cast(ops.equal(wanted, given), "float32")

    return accuracy


def _cross_entropy(targets, logits):
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)
