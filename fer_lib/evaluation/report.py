"""`evaluate`: probabilities and labels to one report of scores with their intervals."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import bootstrap, calibration, display, inputs, metrics

# The fields of a report that are one number with an interval, as they are shown.
SCORES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "kappa",
    "top2_accuracy",
    "loss",
    "brier",
)
_PER_CLASS = ("precision", "recall", "f1")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EvaluationReport:
    """How well a model does on a data set. `evaluate` makes it; printing it shows a table.

    Attributes:
        predictions: The probabilities and labels that everything here is computed from.
        accuracy: Share of samples that are classified correctly.
        balanced_accuracy: Mean recall of the classes that are present.
        macro_f1: Mean F1 of the classes that are present.
        kappa: Cohen's kappa, agreement beyond chance; None where it is undefined.
        top2_accuracy: Share of samples whose class is among the two most probable.
        loss: Mean cross-entropy in nats.
        brier: Mean squared distance of the probabilities from the truth, 0 to 2.
        intervals: The 95 % interval of each of these, `(low, high)` or None.
        per_class: One row a class: precision, recall, f1, support, predicted, and the ends of
            the intervals as `precision_low`, `precision_high` and so on; NaN where undefined.
        confusion_matrix: `int64 (num_classes, num_classes)`, true classes in rows.
        ece: Expected calibration error of the answers, bins of equal width.
        ece_equal_count: The same with bins of equal count.
        ece_if_calibrated: What chance alone would give a perfectly calibrated model here.
        reliability: Data of the reliability diagram, bins of equal width.
        notes: What is undefined or rests on few samples, in plain sentences.
    """

    predictions: inputs.Predictions
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    kappa: float | None
    top2_accuracy: float
    loss: float
    brier: float
    intervals: dict[str, tuple[float, float] | None]
    per_class: pd.DataFrame
    confusion_matrix: np.ndarray
    ece: float
    ece_equal_count: float
    ece_if_calibrated: float
    reliability: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.predictions.labels)

    @property
    def accuracy_ci95(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return self.intervals["accuracy"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the confusion matrix."""
        return self.predictions.class_names

    def most_confused(self, how_many: int = 5) -> pd.DataFrame:
        """Returns the most frequent confusions: `true, predicted, count, share` of the class."""
        support = self.confusion_matrix.sum(axis=1)
        return pd.DataFrame(
            [
                (self.class_names[true], self.class_names[predicted], count, count / support[true])
                for true, predicted, count in metrics.most_confused(self.confusion_matrix, how_many)
            ],
            columns=["true", "predicted", "count", "share"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all values as plain Python, ready for JSON; what is undefined is None."""
        scores: dict[str, Any] = {}
        for name in SCORES:
            scores[name] = getattr(self, name)
            ends = self.intervals[name]
            scores[f"{name}_ci95"] = None if ends is None else list(ends)
        return {
            "n": self.n,
            "dataset": self.predictions.dataset,
            "data_hash": self.predictions.data_hash,
            "class_names": list(self.class_names),
            **scores,
            "ece": self.ece,
            "ece_equal_count": self.ece_equal_count,
            "ece_if_calibrated": self.ece_if_calibrated,
            "per_class": {name: _class_dict(row) for name, row in self.per_class.iterrows()},
            "confusion_matrix": self.confusion_matrix.tolist(),
            "most_confused": self.most_confused().to_dict("records"),
            "reliability": self.reliability.to_dict("records"),
            "notes": list(self.notes),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def __repr__(self) -> str:
        return f"EvaluationReport(n={self.n}, accuracy={self.accuracy:.4f})"

    def __str__(self) -> str:
        return display.to_text(self)

    def _repr_html_(self) -> str:
        return display.to_html(self)


def evaluate(
    model_or_probabilities: Any,
    dataset: Any,
    class_names: Sequence[str] | None = None,
    *,
    num_resamples: int = 2000,
    seed: int = 0,
) -> EvaluationReport:
    """Scores a model, or probabilities that it gave, against the true labels.

    Intervals come from a bootstrap that keeps the number of samples of each class (percentile,
    95 %). Averages over classes are over those that are present.

    Args:
        model_or_probabilities: Anything with `predict(images)` that returns probabilities (what
            `load_pretrained` returns, a Keras model), or the probabilities themselves, float
            `(n, num_classes)` with rows that sum to 1.
        dataset: A `FaceDataset`, a pair `(images, labels)`, or integer labels alone where
            probabilities are given.
        class_names: Names of the classes where `dataset` has none; by default the seven of
            FER2013 or the eight of FER+, by the number of columns.
        num_resamples: Bootstrap resamples.
        seed: Of the bootstrap; the same seed gives the same report.

    Returns:
        The report.

    Raises:
        ValueError: Nothing to score, labels outside the classes, probabilities that are not
            finite or do not sum to one, or shapes that do not fit.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> report = evaluate(probabilities, np.array([0, 1, 1]), ["cat", "dog"])
        >>> round(report.accuracy, 3), report.confusion_matrix.tolist()
        (0.667, [[1, 0], [1, 1]])
    """
    predictions = inputs.predict(model_or_probabilities, dataset, class_names)
    return score(predictions, num_resamples, seed)


def score(predictions: inputs.Predictions, num_resamples: int, seed: int) -> EvaluationReport:
    """Computes the report of checked predictions; `evaluate` is the public door."""
    probabilities, labels = predictions.probabilities, predictions.labels
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    counts = metrics.count_confusions(labels, predicted, num_classes)
    # Everything in the report is a function of sums over samples of these columns.
    in_top2 = (np.argsort(-probabilities, axis=1, kind="stable")[:, :2] == labels[:, None]).any(1)
    losses = calibration.log_losses(probabilities, labels)
    briers = calibration.brier_scores(probabilities, labels)
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
    bins = calibration.reliability(confidence, correct)
    equal_count = calibration.reliability(confidence, correct, strategy="equal_count")
    return EvaluationReport(
        predictions=predictions,
        **{name: _plain(value) for name, value in scores.items()},
        intervals=intervals,
        per_class=_score_classes(counts, drawn, predictions.class_names),
        confusion_matrix=counts,
        ece=calibration.calibration_error(bins),
        ece_equal_count=calibration.calibration_error(equal_count),
        ece_if_calibrated=calibration.error_if_calibrated(confidence, seed=seed),
        reliability=bins,
        notes=_note(counts, scores, intervals, predictions.class_names),
    )


def _score_classes(
    counts: np.ndarray, drawn: np.ndarray, class_names: Sequence[str]
) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(class_names, name="class"))
    correct, support, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    values = {name: getattr(metrics, name)(counts) for name in _PER_CLASS}
    for name, of_classes in values.items():
        table[name] = of_classes
    table["support"], table["predicted"] = support, predicted
    for name in _PER_CLASS:
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


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _class_dict(row: pd.Series) -> dict[str, Any]:
    plain: dict[str, Any] = {name: _plain(row[name]) for name in _PER_CLASS}
    plain["support"], plain["predicted"] = int(row["support"]), int(row["predicted"])
    for name in _PER_CLASS:
        ends = [_plain(row[f"{name}_low"]), _plain(row[f"{name}_high"])]
        plain[f"{name}_ci95"] = None if ends[0] is None else ends
    return plain
