"""Scores from a confusion matrix, or from thousands of them at once.

scikit-learn gives the same numbers (the tests compare them), one matrix at a time. Here the
functions work over leading axes, so that a bootstrap of 2,000 resamples is one call.
In all of them `counts` is `(..., num_classes, num_classes)`: rows are true classes, columns
predicted ones. What is undefined is NaN here; reports turn it into "no value" and say why.
"""

from __future__ import annotations

import numpy as np


def count_confusions(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the confusion matrix, `int64 (num_classes, num_classes)`, true classes in rows."""
    flat = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of samples that are classified correctly."""
    return _divide(_correct(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def recall(counts: np.ndarray) -> np.ndarray:
    """Share of each class that is recognised, `(..., num_classes)`; NaN for an absent class."""
    return _divide(_correct(counts), counts.sum(axis=-1))


def precision(counts: np.ndarray) -> np.ndarray:
    """Share of the answers of each class that are right; NaN for a class never predicted."""
    return _divide(_correct(counts), counts.sum(axis=-2))


def f1(counts: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall; NaN for a class neither present nor predicted."""
    return _divide(2 * _correct(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that are present."""
    return _mean_present(recall(counts), counts)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that are present."""
    return _mean_present(f1(counts), counts)


def kappa(counts: np.ndarray) -> np.ndarray:
    """Cohen's kappa: agreement beyond what the class frequencies alone would give.

    NaN where chance agreement is certain: one class only, and nothing else predicted.
    """
    total = counts.sum(axis=(-2, -1))
    by_chance = _divide((counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1), total**2)
    return _divide(accuracy(counts) - by_chance, 1 - by_chance)


def most_confused(counts: np.ndarray, how_many: int = 5) -> list[tuple[int, int, int]]:
    """Lists the most frequent confusions as `(true class, predicted class, count)`.

    The most frequent comes first; classes stay in their order where counts are equal.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:how_many]
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [(int(t), int(p), int(wrong[t, p])) for t, p in pairs if wrong[t, p]]


def _correct(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    result = np.full(numerator.shape, np.nan)
    # Without `[()]` a single number would come back as a zero-dimensional array.
    return np.divide(numerator, denominator, out=result, where=denominator != 0)[()]


def _mean_present(of_classes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    present = counts.sum(axis=-1) > 0
    return _divide(np.where(present, of_classes, 0.0).sum(axis=-1), present.sum(axis=-1))
