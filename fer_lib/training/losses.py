"""Losses and metrics on rows of several targets, for any `compile`."""

from __future__ import annotations

import keras
from keras import ops

from fer_lib.labels import EMOTIONS_8

NUM_VOTES = len(EMOTIONS_8)


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
        classes = self.num_classes
        logits = y_pred[:, :classes]
        smoothing = self.label_smoothing
        label = y_true[:, :classes] * (1 - smoothing) + smoothing / classes
        loss = (1 - self.distillation) * _cross_entropy(label, logits)
        if self.distillation:
            student, teacher = y_pred[:, -2 * classes : -classes], y_pred[:, -classes:]
            targets = ops.softmax(ops.stop_gradient(teacher) / self.temperature, axis=-1)
            soft = _cross_entropy(targets, student / self.temperature)
            loss = loss + self.distillation * self.temperature**2 * soft
        if self.votes:
            votes = y_true[:, -NUM_VOTES:]
            of_votes = y_pred[:, classes : classes + NUM_VOTES]
            loss = loss + self.votes * _cross_entropy(votes, of_votes)
        return loss

    def get_config(self):
        names = ("num_classes", "distillation", "temperature", "label_smoothing", "votes")
        return super().get_config() | {name: getattr(self, name) for name in names}


def build_accuracy(num_classes: int):
    """Returns a metric `accuracy(y_true, y_pred)` that looks at the label's part alone."""

    def accuracy(y_true, y_pred):
        wanted = ops.argmax(y_true[:, :num_classes], axis=-1)
        given = ops.argmax(y_pred[:, :num_classes], axis=-1)
        return ops.cast(ops.equal(wanted, given), "float32")

    return accuracy


def _cross_entropy(targets, logits):
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)
