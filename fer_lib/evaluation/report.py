"""What `evaluate` returns: scores with their intervals, as values, as JSON, as tables."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation.base import Report, interval_texts, plain, text_of
from fer_lib.evaluation.calibration import VoteAgreement
from fer_lib.evaluation.inputs import Predictions
from fer_lib.evaluation.selective import ConformalResult, area_under_risk_coverage, at_coverage

SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "kappa": "Cohen's kappa",
    "top2_accuracy": "top-2 accuracy",
    "loss": "loss (cross-entropy)",
    "brier": "Brier score",
}
"""The fields of a report that are one number with an interval, and what tables call them."""
PER_CLASS = ("precision", "recall", "f1")
"""The columns of `per_class` that have an interval."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EvaluationReport(Predictions, Report):
    """How well a model does on a data set. `evaluate` makes it; printing it shows tables.

    It begins with what everything is computed from, `probabilities` and `labels`.

    Attributes:
        accuracy: Share of samples that are classified correctly.
        balanced_accuracy: Mean recall of the classes that are present.
        macro_f1: Mean F1 of the classes that are present.
        kappa: Cohen's kappa, agreement beyond chance; None where it is undefined.
        top2_accuracy: Share of samples whose class is among the two most probable.
        loss: Mean cross-entropy in nats.
        brier: Mean squared distance of the probabilities from the truth, 0 to 2.
        intervals: The 95% interval of each of these, `(low, high)` or None.
        per_class: One row per class: precision, recall, f1, support, predicted, and the ends of
            the intervals as `precision_low`, `precision_high` and so on; NaN where undefined.
        confusion_matrix: `int64 (num_classes, num_classes)`, true classes in rows.
        ece: Expected calibration error of the confidences, bins of equal width.
        ece_if_calibrated: What chance alone would give a perfectly calibrated model here.
        reliability: Data of the reliability diagram.
        risk_coverage: Error among the most confident predictions, see `selective.risk_coverage`.
        conformal: Prediction sets for 90% coverage, fitted on one half of the samples and
            measured on the other; None for a single sample.
        agreement: Comparison with people's votes, where the data set has them.
        notes: What is undefined or rests on few samples, in plain sentences.
        clean: The report on the samples whose image is not among the training images, where
            those were given and something is left.
        num_duplicates: Number of samples that `clean` leaves out.
    """

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
    ece_if_calibrated: float
    reliability: pd.DataFrame
    risk_coverage: pd.DataFrame
    conformal: ConformalResult | None
    agreement: VoteAgreement | None
    notes: tuple[str, ...]
    clean: EvaluationReport | None = None
    num_duplicates: int | None = None

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def accuracy_ci95(self) -> tuple[float, float]:
        return self.intervals["accuracy"]

    def most_confused(self, how_many: int = 5) -> pd.DataFrame:
        """Returns the most frequent confusions: `true, predicted, count, share` of the class."""
        wrong = self.confusion_matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:how_many]
        true, predicted = np.unravel_index(order[wrong.flat[order] > 0], wrong.shape)
        names = np.asarray(self.class_names, object)
        pairs = pd.DataFrame({"true": names[true], "predicted": names[predicted]})
        pairs["count"] = wrong[true, predicted]
        return pairs.assign(share=pairs["count"] / self.confusion_matrix.sum(axis=1)[true])

    def to_frame(self) -> pd.DataFrame:
        """Returns one row per score: `value`, and `low` and `high`, the ends of its interval."""
        rows = [(getattr(self, name), *(self.intervals[name] or (np.nan,) * 2)) for name in SCORES]
        return pd.DataFrame(rows, pd.Index(SCORES, name="score"), ["value", "low", "high"], float)

    def to_dict(self) -> dict[str, Any]:
        names = ("n", "model", "dataset", "data_hash", "class_names")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        for name in SCORES:
            values |= {name: getattr(self, name), f"{name}_ci95": self.intervals[name]}
        values |= {
            "ece": self.ece,
            "ece_if_calibrated": self.ece_if_calibrated,
            "per_class": {name: _class_dict(row) for name, row in self.per_class.iterrows()},
            "confusion_matrix": self.confusion_matrix,
            "most_confused": self.most_confused(),
            "reliability": self.reliability,
            "selective": {
                "area_under_risk_coverage": area_under_risk_coverage(self.risk_coverage),
                "at_80_coverage": at_coverage(self.risk_coverage, 0.8)._asdict(),
            },
        }
        names = ("conformal", "agreement", "num_duplicates", "clean", "notes")
        return plain(values | {name: getattr(self, name) for name in names})

    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        scores = self.to_frame().rename(index=SCORES).rename_axis(None)
        scores["95% interval"] = interval_texts(scores.pop("low"), scores.pop("high"))
        by_chance = f"{self.ece_if_calibrated:.3f} by chance"
        scores.loc["calibration error ECE"] = [self.ece, by_chance]
        classes = self.per_class[[*PER_CLASS, "support"]].rename(columns={"f1": "F1"})
        ends = self.per_class["recall_low"], self.per_class["recall_high"]
        classes["95% of recall"] = interval_texts(*ends)
        matrix = pd.DataFrame(self.confusion_matrix, self.class_names, self.class_names)
        caption = "Confusion matrix: true classes in rows, predicted ones in columns."
        return [("", scores), ("", classes), (caption, matrix)]

    def sentences(self) -> list[str]:
        pairs = [
            f"{pair.true} predicted as {pair.predicted} ({pair.count}, {pair.share:.0%})"
            for pair in self.most_confused(3).to_records()
        ]
        point = at_coverage(self.risk_coverage, 0.8)
        sentences = [
            *([f"Most confused: {'; '.join(pairs)}."] if pairs else []),
            f"Abstaining below a confidence of {point.threshold:.2f} leaves {point.coverage:.0%} "
            f"of the predictions, with an accuracy of {1 - point.error:.3f}.",
            *(part.title() for part in (self.conformal, self.agreement) if part),
        ]
        if self.num_duplicates == 0:
            sentences.append("None of the images is among the training images.")
        elif self.num_duplicates:
            rest = "nothing is left to score without them."
            if self.clean is not None:
                ends = text_of(self.clean.accuracy_ci95)
                rest = f"without them the accuracy is {self.clean.accuracy:.3f} ({ends})."
            count = f"{self.num_duplicates:,}"
            sentences.append(f"{count} images are among the training images; {rest}")
        return [*sentences, *self.notes]


def _class_dict(row: pd.Series) -> dict[str, Any]:
    values = {name: row[name] for name in PER_CLASS}
    values |= {name: int(row[name]) for name in ("support", "predicted")}
    for name in PER_CLASS:
        ends = row[f"{name}_low"], row[f"{name}_high"]
        values[f"{name}_ci95"] = None if np.isnan(ends[0]) else ends
    return values
