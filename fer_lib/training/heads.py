"""The label's head and the votes' head become the one that a trained network keeps."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import vote_distribution
from fer_lib.labels import EMOTIONS_8
from fer_lib.training.config import TrainingConfig

# Images with fewer votes for the classes than this do not count for the shares of the classes.
_MIN_VOTES_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Join:
    """A weighted mean of the logits of two heads, corrected for the shares of the classes.

    Attributes:
        outputs: Which output of the votes' head stands for each class.
        share: Weight of the votes' head, `[0, 1]`; the label's head has the rest.
        offsets: Added to the mean, `float32 (num_classes,)`.
    """

    outputs: tuple[int, ...]
    share: float
    offsets: np.ndarray

    @classmethod
    def of_recipe(cls, config: TrainingConfig, train_set: FaceDataset) -> Join:
        """Returns what the recipe says; the shares are those of the training images' votes."""
        outputs = tuple(EMOTIONS_8.index(name) for name in train_set.class_names)
        shares = vote_distribution(train_set)[:, outputs]
        clear = shares.sum(axis=1) >= _MIN_VOTES_SHARE
        priors = (shares[clear] / shares[clear].sum(axis=1, keepdims=True)).mean(axis=0)
        offsets = -config.prior_correction * np.log(priors)
        return cls(outputs, config.votes_share, offsets.astype(np.float32))

    def __call__(self, logits, votes):
        """Joins logits, or biases, `(..., num_classes)` and `(..., 8)`."""
        return self.mix(logits, votes) + self.offsets

    def mix(self, logits, votes):
        """Returns the mean alone, without the correction, as kernels are joined."""
        return (1 - self.share) * logits + self.share * ops.take(votes, self.outputs, axis=-1)


class JoinHeads(keras.callbacks.Callback):
    """Puts the mean of two heads into the one that is kept, for the callbacks after it.

    Both heads are linear in the same embedding, so the mean of their logits is a head again.
    `AveragedWeights` puts the weights back afterwards.

    Args:
        kept: The `Dense` layer that is kept.
        other: A `Dense` layer on the same embedding.
        join: Their mean.
    """

    def __init__(self, kept: keras.layers.Dense, other: keras.layers.Dense, join: Join):
        super().__init__()
        self._kept, self._other, self._join = kept, other, join

    def on_epoch_end(self, epoch, logs=None):
        kept, other = self._kept, self._other
        kept.kernel.assign(self._join.mix(kept.kernel, other.kernel))
        kept.bias.assign(self._join(kept.bias, other.bias))
