"""Scores from a confusion matrix, or from thousands of them at once.

scikit-learn gives the same numbers, one matrix at a time. Here `counts` is
`(..., num_classes, num_classes)`, true classes in rows, so that a bootstrap of 2,000 resamples is
one call. What is undefined is NaN.
"""

from __future__ import annotations

import numpy as np


def class_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `precision, recall, f1` of each class, `(..., num_classes)`.

    Precision is undefined for a class that is never predicted, recall for one that is absent, F1
    for one that is both.
    """
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        return {
            "precision": correct / predicted,
            "recall": correct / support,
            "f1": 2 * correct / (support + predicted),
        }


def overall_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `accuracy, balanced_accuracy, macro_f1, kappa`, each `(...)`.

    Balanced accuracy is the mean recall, macro F1 the mean F1 of the classes that are present.
    Cohen's kappa is the agreement beyond what the class frequencies alone would give; it is
    undefined where there is one class only, and nothing else is predicted.
    """
    scores = class_scores(counts)
    support, total = counts.sum(axis=-1), counts.sum(axis=(-2, -1))
    accuracy = np.trace(counts, axis1=-2, axis2=-1) / total
    by_chance = (support * counts.sum(axis=-2)).sum(axis=-1) / total**2
    present = support > 0
    means = {k: np.where(present, v, 0).sum(axis=-1) / present.sum(-1) for k, v in scores.items()}
    with np.errstate(invalid="ignore"):
        kappa = (accuracy - by_chance) / (1 - by_chance)
    return {
        "accuracy": accuracy,
        "balanced_accuracy": means["recall"],
        "macro_f1": means["f1"],
        "kappa": kappa,
    }
