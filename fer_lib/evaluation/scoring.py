"""`evaluate`: probabilities and labels to one report of scores with their intervals.

scikit-learn gives the same numbers, one confusion matrix at a time. Here `counts` is
`(..., num_classes, num_classes)`, true classes in rows, so that a bootstrap of 2,000 resamples is
one call. What is undefined is NaN.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import calibration, inputs, selective, stats
from fer_lib.evaluation.base import plain
from fer_lib.evaluation.report import PER_CLASS, EvaluationReport


def evaluate(
    y_true: Any,
    y_prob: Any,
    class_names: Sequence[str] | None = None,
    *,
    model_name: str | None = None,
    training_images: Any = None,
    num_resamples: int = 2000,
    seed: int = 0,
) -> EvaluationReport:
    """Scores a model, or probabilities that it gave, against the true labels.

    Intervals come from a bootstrap that keeps the number of samples of each class (percentile,
    95%). Averages over classes are over those that are present.

    Args:
        y_true: A `FaceDataset`, or integer labels `(n,)` where probabilities are given.
        y_prob: Probabilities, float `(n, num_classes)` with rows that sum to 1, or anything with
            `predict(images)` that returns them (what `load_pretrained` returns, a Keras model).
        class_names: Names of the classes where neither of these has any; by default the seven of
            FER2013 or the eight of FER+, by the number of columns.
        model_name: What reports and comparisons call the model; by default its own name.
        training_images: The images that the model was trained on, an array or a `FaceDataset`:
            the report then has a `clean` part without the images that are among them.
        num_resamples: Bootstrap resamples.
        seed: Of the bootstrap; the same seed gives the same report.

    Raises:
        ValueError: Nothing to score, labels outside the classes, probabilities that are not
            finite or do not sum to one, or shapes that do not fit.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> report = evaluate(np.array([0, 1, 1]), probabilities, ["cat", "dog"])
        >>> round(report.accuracy, 3), report.confusion_matrix.tolist()
        (0.667, [[1, 0], [1, 1]])
    """
    predictions = inputs.predict(y_true, y_prob, class_names, model_name)
    report = _score(predictions, num_resamples, seed)
    if training_images is None:
        return report
    if not hasattr(y_true, "images"):
        raise ValueError("Expected `y_true` with images to find duplicates. Received: labels only")
    found, clean = inputs.find_duplicates(y_true, training_images), None
    if not found.all():
        options = {"model_name": report.model, "num_resamples": num_resamples, "seed": seed}
        clean = evaluate(y_true[~found], report.probabilities[~found], **options)
    return dataclasses.replace(report, clean=clean, num_duplicates=int(found.sum()))


def _score(predictions: inputs.Predictions, num_resamples: int, seed: int) -> EvaluationReport:
    y_true, y_prob, names = predictions.labels, predictions.probabilities, predictions.class_names
    total, num_classes = y_prob.shape
    y_pred, confidence = y_prob.argmax(axis=1), y_prob.max(axis=1)
    # Everything with an interval is a function of sums over samples of these columns.
    cells = np.eye(num_classes**2)[y_true * num_classes + y_pred]
    in_top2 = (np.argsort(-y_prob, axis=1, kind="stable")[:, :2] == y_true[:, None]).any(axis=1)
    losses = calibration.log_losses(y_true, y_prob)
    briers = np.square(y_prob.astype(np.float64) - np.eye(num_classes)[y_true]).sum(axis=1)
    features = np.column_stack([cells, in_top2, losses, briers])
    drawn = stats.resample_sums(features, y_true, num_resamples, seed)

    def overall(sums: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Returns the confusion matrices, and the scores."""
        counts = sums[..., :-3].reshape(*sums.shape[:-1], num_classes, num_classes)
        means = np.moveaxis(sums[..., -3:], -1, 0) / total
        others = zip(("top2_accuracy", "loss", "brier"), means, strict=True)
        return counts, _overall_scores(counts) | dict(others)

    counts, scores = overall(features.sum(axis=0))
    counts, (drawn_counts, replicates) = counts.astype(np.int64), overall(drawn)
    # Shares of all samples, which have Wilson's interval if need be.
    shares = {"accuracy": np.trace(counts), "top2_accuracy": in_top2.sum()}
    intervals = {k: stats.interval(v, shares.get(k), total) for k, v in replicates.items()}
    bins = calibration.reliability(y_pred == y_true, confidence)
    votes = predictions.votes
    return EvaluationReport(
        **vars(predictions),
        **plain(scores),
        intervals=intervals,
        per_class=_score_classes(counts, drawn_counts, names),
        confusion_matrix=counts,
        ece=calibration.calibration_error(bins),
        ece_if_calibrated=calibration.error_if_calibrated(confidence, seed),
        reliability=bins,
        risk_coverage=selective.risk_coverage(y_true, y_prob),
        conformal=selective.measure_conformal(y_true, y_prob, seed=seed) if total > 1 else None,
        agreement=calibration.agree_with_votes(votes, y_prob, y_true) if np.any(votes) else None,
        notes=_note(counts, scores, intervals, names),
    )


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


def _overall_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `accuracy, balanced_accuracy, macro_f1, kappa`, each `(...)`.

    Kappa is undefined where there is one class only, and nothing else is predicted.
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


def _score_classes(counts: np.ndarray, drawn: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(class_scores(counts), pd.Index(names, name="class"))
    table["support"], table["predicted"] = counts.sum(axis=1), counts.sum(axis=0)
    # Precision and recall are shares of these samples; F1 is no share.
    totals = {"precision": table["predicted"], "recall": table["support"]}
    replicates = class_scores(drawn)
    for name in PER_CLASS:
        ends = []
        for k, value in enumerate(table[name]):
            share = (counts[k, k], totals[name].iloc[k]) if name in totals else ()
            found = None if np.isnan(value) else stats.interval(replicates[name][:, k], *share)
            ends.append(found or (np.nan, np.nan))
        table[f"{name}_low"], table[f"{name}_high"] = np.transpose(ends)
    return table


def _note(
    counts: np.ndarray,
    scores: dict[str, np.ndarray],
    intervals: dict[str, tuple[float, float] | None],
    class_names: Sequence[str],
) -> tuple[str, ...]:
    """Says in words why a value or an interval is missing, and which to take with care."""
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    present, names = support > 0, np.asarray(class_names)
    unseen, few = names[present & (predicted == 0)], names[present & (support < 10)]
    without = [k for k, ends in intervals.items() if ends is None and not np.isnan(scores[k])]
    cases = {
        "No sample of {}: recall is undefined there, and averages are over the classes that are "
        "present.": names[~present],
        "Fewer than 10 samples of {}: scores there say little.": few,
        "Never predicted: {}; precision is undefined there, F1 is 0.": unseen,
        "{} is undefined: one class only, and nothing else was predicted.": (
            ["Kappa"] if np.isnan(scores["kappa"]) else []
        ),
        "No interval of {}: all bootstrap resamples are alike, the samples are too few or all the "
        "same.": without,
    }
    return tuple(text.format(", ".join(found)) for text, found in cases.items() if len(found))
