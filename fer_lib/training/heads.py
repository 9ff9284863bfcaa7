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
        """Joins logits `(batch, num_classes)` and `(batch, 8)`, or a head's weights likewise."""
        of_votes = ops.take(votes, self.outputs, axis=-1)
        return (1 - self.share) * logits + self.share * of_votes + self.offsets


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
        (kernel, bias), (other_kernel, other_bias) = (
            layer.get_weights() for layer in (self._kept, self._other)
        )
        share, outputs = self._join.share, list(self._join.outputs)
        kernel = (1 - share) * kernel + share * other_kernel[:, outputs]
        bias = (1 - share) * bias + share * other_bias[outputs]
        self._kept.set_weights([kernel, bias + self._join.offsets])
