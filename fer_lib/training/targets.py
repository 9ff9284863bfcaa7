"""What a network is trained towards: batches with a row of targets per image, the loss, two heads.

A row holds the label and, where the recipe uses them, the votes of people, so that one loss on one
output serves every recipe. The label's head and the votes' head become one in the end.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS, vote_distribution
from fer_lib.labels import EMOTIONS_8
from fer_lib.training.config import TrainingConfig

NUM_VOTES = len(EMOTIONS_8)
# Images with fewer votes for the classes than this do not count for the shares of the classes.
_MIN_VOTES_SHARE = 0.5


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
            share = generator.beta(self._mixup, self._mixup, size=len(images)).astype(np.float32)
            other = generator.permutation(len(images))
            of_image, of_row = share[:, None, None, None], share[:, None]
            images = of_image * images + (1 - of_image) * images[other]
            targets = of_row * targets + (1 - of_row) * targets[other]
        return images, targets


def build_targets(config: TrainingConfig, dataset: FaceDataset) -> np.ndarray:
    """Returns `float32 (n, columns)`: the label one-hot, then the votes if the recipe uses them.

    Raises:
        ValueError: The recipe uses votes, and the data set has none.
    """
    labels = np.eye(len(dataset.class_names), dtype=np.float32)[dataset.labels]
    if not config.votes:
        return labels
    names = list(VOTE_COLUMNS[:NUM_VOTES])
    missing = [name for name in names if name not in dataset.metadata]
    if missing:
        raise ValueError(
            "Expected the FER+ votes, which the recipe trains on: join them by load_ferplus, "
            f"on the command line by --votes fer2013new.csv. Received: no {missing[0]}"
        )
    votes = dataset.metadata[names].to_numpy(np.float32)
    # An image that nobody could name has no votes: a row of zeros adds nothing to the loss.
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return np.concatenate([labels, shares], axis=1).astype(np.float32)


@keras.saving.register_keras_serializable("fer_lib")
class DistillationLoss(keras.losses.Loss):
    """Cross-entropy to labels, to what a teacher says of the same images, and to people's votes.

    The label's part is smoothed; the teacher's is compared at a temperature, times the
    temperature's square, which keeps the size of its gradient (Hinton et al., arXiv 1503.02531).

    Args:
        num_classes: Number of classes.
        distillation: Weight of the teacher's part, `[0, 1]`; the labels have the rest.
        temperature: Softens student and teacher, above 0.
        label_smoothing: Share of the label's target that is spread over all classes, `[0, 1)`.
        votes: Weight of the votes' part, at least 0.

    Call arguments:
        y_true: `(batch, columns)`: the label one-hot, then 8 shares of the votes if `votes`.
        y_pred: `(batch, num_classes)` logits, then the 8 of the votes if `votes`, then those that
            learn from the teacher and the teacher's, `num_classes` each, if `distillation`.
    """

    def __init__(
        self,
        num_classes: int,
        distillation: float = 0.0,
        temperature: float = 3.0,
        label_smoothing: float = 0.0,
        votes: float = 0.0,
        name: str = "distillation_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.distillation = distillation
        self.temperature = temperature
        self.label_smoothing = label_smoothing
        self.votes = votes

    def call(self, y_true, y_pred):
        classes, smoothing = self.num_classes, self.label_smoothing
        label = y_true[:, :classes] * (1 - smoothing) + smoothing / classes
        loss = (1 - self.distillation) * _cross_entropy(label, y_pred[:, :classes])
        if self.distillation:
            student, teacher = y_pred[:, -2 * classes : -classes], y_pred[:, -classes:]
            targets = ops.softmax(ops.stop_gradient(teacher) / self.temperature, axis=-1)
            soft = _cross_entropy(targets, student / self.temperature)
            loss = loss + self.distillation * self.temperature**2 * soft
        if self.votes:
            of_votes = y_pred[:, classes : classes + NUM_VOTES]
            loss = loss + self.votes * _cross_entropy(y_true[:, -NUM_VOTES:], of_votes)
        return loss

    def get_config(self):
        names = ("num_classes", "distillation", "temperature", "label_smoothing", "votes")
        return super().get_config() | {name: getattr(self, name) for name in names}


def build_accuracy(num_classes: int):
    """Returns a metric `accuracy(y_true, y_pred)` that looks at the label's part alone."""

    def accuracy(y_true, y_pred):
        return keras.metrics.categorical_accuracy(y_true[:, :num_classes], y_pred[:, :num_classes])

    return accuracy


def _cross_entropy(targets, logits):
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


class JoinHeads(keras.callbacks.Callback):
    """Puts a weighted mean of both heads into the one that is kept, for the callbacks after it.

    Both heads are linear in the same embedding, so the mean of their logits is a head again.
    `AveragedWeights` puts the weights back afterwards.

    Args:
        outputs: Which output of the votes' head stands for each class.
        share: Weight of the votes' head, `[0, 1]`; the label's head has the rest.
        offsets: Added to the mean, `float32 (num_classes,)`, for the shares of the classes.
    """

    def __init__(self, outputs: tuple[int, ...], share: float, offsets: np.ndarray):
        super().__init__()
        self._outputs, self._share, self._offsets = outputs, share, offsets

    @classmethod
    def of_recipe(cls, config: TrainingConfig, train_set: FaceDataset) -> JoinHeads:
        """Returns what the recipe says; the shares are those of the training images' votes."""
        outputs = tuple(EMOTIONS_8.index(name) for name in train_set.class_names)
        shares = vote_distribution(train_set)[:, outputs]
        clear = shares.sum(axis=1) >= _MIN_VOTES_SHARE
        priors = (shares[clear] / shares[clear].sum(axis=1, keepdims=True)).mean(axis=0)
        offsets = -config.prior_correction * np.log(priors)
        return cls(outputs, config.votes_share, offsets.astype(np.float32))

    def __call__(self, logits, votes):
        """Joins logits, or biases, `(..., num_classes)` and `(..., 8)`."""
        return self._mix(logits, votes) + self._offsets

    def _mix(self, logits, votes):
        votes = ops.take(votes, self._outputs, axis=-1)
        return (1 - self._share) * logits + self._share * votes

    def on_epoch_end(self, epoch, logs=None):
        kept, other = (
            self.model.get_layer("heads").get_layer("logits"),
            self.model.get_layer("votes"),
        )
        kept.kernel.assign(self._mix(kept.kernel, other.kernel))
        kept.bias.assign(self(kept.bias, other.bias))
