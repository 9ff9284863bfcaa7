"""`evaluate`: probabilities and labels to one report of scores with their intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import (
    agreement,
    bootstrap,
    calibration,
    conformal,
    inputs,
    metrics,
    selective,
)
from fer_lib.evaluation.duplicates import find_duplicates
from fer_lib.evaluation.report import PER_CLASS, EvaluationReport, plain


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
    95 %). Averages over classes are over those that are present.

    Args:
        y_true: A `FaceDataset`, a pair `(images, labels)`, or integer labels alone where
            probabilities are given.
        y_prob: Probabilities, float `(n, num_classes)` with rows that sum to 1, or anything with
            `predict(images)` that returns them (what `load_pretrained` returns, a Keras model).
        class_names: Names of the classes where `y_true` has none; by default the seven of
            FER2013 or the eight of FER+, by the number of columns.
        model_name: What reports and comparisons call the model; by default its own name, which
            probabilities have not.
        training_images: The pictures that the model was trained on, an array or a `FaceDataset`:
            the report then has a `clean` part without the pictures that are among them.
        num_resamples: Bootstrap resamples.
        seed: Of the bootstrap; the same seed gives the same report.

    Returns:
        The report.

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
    if predictions.images is None:
        raise ValueError(
            "Expected `y_true` with images, to find those that are among `training_images`. "
            "Received: labels only"
        )
    twin = find_duplicates(predictions.images, training_images)
    clean = None if twin.all() else _score(predictions.select(~twin), num_resamples, seed)
    return dataclasses.replace(report, clean=clean, num_duplicates=int(twin.sum()))


def _score(predictions: inputs.Predictions, num_resamples: int, seed: int) -> EvaluationReport:
    probabilities, labels = predictions.probabilities, predictions.labels
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    counts = metrics.count_confusions(labels, predicted, num_classes)
    # Everything in the report is a function of sums over samples of these columns.
    in_top2 = (np.argsort(-probabilities, axis=1, kind="stable")[:, :2] == labels[:, None]).any(1)
    losses = calibration.log_losses(labels, probabilities)
    briers = calibration.brier_scores(labels, probabilities)
    cells = np.eye(num_classes**2)[labels * num_classes + predicted]
    sums = bootstrap.resample_sums(
        np.column_stack([cells, in_top2, losses, briers]), labels, num_resamples, seed
    )
    drawn = sums[:, :-3].reshape(-1, num_classes, num_classes)
    means = sums[:, -3:] / len(labels)

    scores = {
        "accuracy": metrics.accuracy(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "macro_f1": metrics.macro_f1(counts),
        "kappa": metrics.kappa(counts),
        "top2_accuracy": in_top2.mean(),
        "loss": losses.mean(),
        "brier": briers.mean(),
    }
    total = len(labels)
    share = bootstrap.share_interval
    intervals = {
        "accuracy": share(metrics.accuracy(drawn), np.trace(counts), total),
        "balanced_accuracy": bootstrap.interval(metrics.balanced_accuracy(drawn)),
        "macro_f1": bootstrap.interval(metrics.macro_f1(drawn)),
        "kappa": bootstrap.interval(metrics.kappa(drawn)),
        "top2_accuracy": share(means[:, 0], in_top2.sum(), total),
        "loss": bootstrap.interval(means[:, 1]),
        "brier": bootstrap.interval(means[:, 2]),
    }
    confidence = probabilities.max(axis=1)
    correct = predicted == labels
    bins = calibration.reliability(correct, confidence)
    equal_count = calibration.reliability(correct, confidence, strategy="equal_count")
    return EvaluationReport(
        predictions=predictions,
        **{name: plain(value) for name, value in scores.items()},
        intervals=intervals,
        per_class=_score_classes(counts, drawn, predictions.class_names),
        confusion_matrix=counts,
        ece=calibration.calibration_error(bins),
        ece_equal_count=calibration.calibration_error(equal_count),
        ece_if_calibrated=calibration.error_if_calibrated(confidence, seed=seed),
        reliability=bins,
        risk_coverage=selective.risk_coverage(labels, probabilities),
        conformal=(
            conformal.measure_conformal(labels, probabilities, seed=seed) if total > 1 else None
        ),
        agreement=(
            None
            if predictions.votes is None
            else agreement.agree_with_votes(predictions.votes, probabilities, labels)
        ),
        notes=predictions.notes + _note(counts, scores, intervals, predictions.class_names),
    )


def _score_classes(
    counts: np.ndarray, drawn: np.ndarray, class_names: Sequence[str]
) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(class_names, name="class"))
    correct, support, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    values = {name: getattr(metrics, name)(counts) for name in PER_CLASS}
    for name, of_classes in values.items():
        table[name] = of_classes
    table["support"], table["predicted"] = support, predicted
    for name in PER_CLASS:
        replicates = getattr(metrics, name)(drawn)
        ends = []
        for k in range(len(class_names)):
            if np.isnan(values[name][k]):
                found = None
            elif name == "f1":
                found = bootstrap.interval(replicates[:, k])
            else:
                total = support[k] if name == "recall" else predicted[k]
                found = bootstrap.share_interval(replicates[:, k], correct[k], total)
            ends.append((np.nan, np.nan) if found is None else found)
        table[f"{name}_low"], table[f"{name}_high"] = np.transpose(ends)
    return table


def _note(
    counts: np.ndarray,
    scores: dict[str, float],
    intervals: dict[str, tuple[float, float] | None],
    class_names: Sequence[str],
) -> tuple[str, ...]:
    """Says in words why a value or an interval is missing, and which to take with care."""
    notes = []
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)

    def names(which: np.ndarray) -> str:
        return ", ".join(name for name, take in zip(class_names, which, strict=True) if take)

    if (support == 0).any():
        notes.append(
            f"No sample of {names(support == 0)}: recall is undefined there, and averages are "
            "over the classes that are present."
        )
    if (few := (support > 0) & (support < 10)).any():
        notes.append(f"Fewer than 10 samples of {names(few)}: scores there say little.")
    if (unseen := (support > 0) & (predicted == 0)).any():
        notes.append(f"Never predicted: {names(unseen)}; precision is undefined there, F1 is 0.")
    if np.isnan(scores["kappa"]):
        notes.append("Kappa is undefined: one class only, and nothing else was predicted.")
    without = [
        name for name, ends in intervals.items() if ends is None and not np.isnan(scores[name])
    ]
    if without:
        notes.append(
            f"No interval of {', '.join(without)}: all bootstrap resamples are alike, the samples "
            "are too few or all the same."
        )
    return tuple(notes)
