"""The label's head and the votes' head become the one that a trained network keeps."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import vote_distribution
from fer_lib.labels import EMOTIONS_8
from fer_lib.training.config import TrainingConfig

# Images with fewer votes for the classes than this do not count for the shares of the classes.
_MIN_VOTES_SHARE = 0.5


class JoinHeads(keras.callbacks.Callback):
    """Puts a weighted mean of two heads into the one that is kept, for the callbacks after it.

    Both heads are linear in the same embedding, so the mean of their logits is a head again.
    `AveragedWeights` puts the weights back afterwards.

    Args:
        kept: The `Dense` layer that is kept.
        other: A `Dense` layer on the same embedding.
        outputs: Which output of `other` stands for each output of `kept`.
        share: Weight of `other` in the mean, `[0, 1]`.
        offsets: Added to the joined logits, `(num_classes,)`.
    """

    def __init__(
        self,
        kept: keras.layers.Dense,
        other: keras.layers.Dense,
        outputs: Sequence[int],
        share: float,
        offsets: np.ndarray,
    ):
        super().__init__()
        self._kept, self._other, self._outputs = kept, other, list(outputs)
        self._share, self._offsets = share, offsets

    def on_epoch_end(self, epoch, logs=None):
        kernel, bias = self._kept.get_weights()
        other_kernel, other_bias = self._other.get_weights()
        kernel = (1 - self._share) * kernel + self._share * other_kernel[:, self._outputs]
        bias = (1 - self._share) * bias + self._share * other_bias[self._outputs]
        self._kept.set_weights([kernel, bias + self._offsets])


def join_heads(
    config: TrainingConfig, network: keras.Model, trainer: keras.Model, train_set: FaceDataset
) -> JoinHeads:
    """Returns the callback that joins the label's head and the votes', as the recipe says."""
    outputs = [EMOTIONS_8.index(name) for name in train_set.class_names]
    shares = vote_distribution(train_set)[:, outputs]
    clear = shares.sum(axis=1) >= _MIN_VOTES_SHARE
    priors = (shares[clear] / shares[clear].sum(axis=1, keepdims=True)).mean(axis=0)
    offsets = -config.prior_correction * np.log(priors)
    kept, other = network.get_layer("logits"), trainer.get_layer("votes")
    return JoinHeads(kept, other, outputs, config.votes_share, offsets.astype(np.float32))
