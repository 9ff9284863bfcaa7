"""What `evaluate` returns: scores with their intervals, as values, as JSON, as a table."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import display, inputs, metrics, selective
from fer_lib.evaluation.agreement import VoteAgreement
from fer_lib.evaluation.bootstrap import wilson
from fer_lib.evaluation.conformal import ConformalResult
from fer_lib.files import write_text

SCORES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "kappa",
    "top2_accuracy",
    "loss",
    "brier",
)
"""The fields of a report that are one number with an interval, in the order of the table."""
PER_CLASS = ("precision", "recall", "f1")
"""The columns of `per_class` that have an interval."""


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
        risk_coverage: Error among the most confident answers, see `selective.risk_coverage`.
        conformal: Prediction sets for 90 % coverage, fitted on one half of the samples and
            measured on the other; None for a single sample.
        agreement: Comparison with people's votes, where the data set has them.
        clean: The report on the samples whose picture is not among the training pictures, where
            those were given and something is left.
        num_duplicates: Number of samples that `clean` leaves out.
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
    risk_coverage: pd.DataFrame
    conformal: ConformalResult | None
    agreement: VoteAgreement | None
    notes: tuple[str, ...]
    clean: EvaluationReport | None = None
    num_duplicates: int | None = None

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
        """Returns the most frequent confusions: `true, predicted, count, share` of the class.

        The ends of the share's 95 % interval (Wilson) are `share_low` and `share_high`.
        """
        support = self.confusion_matrix.sum(axis=1)
        rows = []
        for true, predicted, count in metrics.most_confused(self.confusion_matrix, how_many):
            names = self.class_names[true], self.class_names[predicted]
            ends = wilson(count, support[true])
            rows.append((*names, count, count / support[true], *ends))
        columns = ["true", "predicted", "count", "share", "share_low", "share_high"]
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Returns all values as plain Python, ready for JSON; what is undefined is None."""
        scores: dict[str, Any] = {}
        for name in SCORES:
            scores[name] = getattr(self, name)
            ends = self.intervals[name]
            scores[f"{name}_ci95"] = None if ends is None else list(ends)
        return {
            "n": self.n,
            "model": self.predictions.model,
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
            "selective": self._selective_dict(),
            "conformal": None if self.conformal is None else self.conformal.to_dict(),
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "num_duplicates": self.num_duplicates,
            "clean": None if self.clean is None else self.clean.to_dict(),
            "notes": list(self.notes),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        if path is not None:
            write_text(path, text + "\n")
        return text

    def _selective_dict(self) -> dict[str, Any]:
        most = selective.at_coverage(self.risk_coverage, 0.8)
        good = selective.at_error(self.risk_coverage, 0.1)
        answered = round(most.coverage * self.n)
        return {
            "area_under_risk_coverage": selective.area_under_risk_coverage(self.risk_coverage),
            "accuracy_at_80_coverage": 1 - most.error,
            "accuracy_at_80_coverage_ci95": list(
                wilson(round((1 - most.error) * answered), answered)
            ),
            "at_80_coverage": most._asdict(),
            "at_10_error": None if good is None else good._asdict(),
        }

    def __repr__(self) -> str:
        return f"EvaluationReport(n={self.n}, accuracy={self.accuracy:.4f})"

    def __str__(self) -> str:
        return display.to_text(self)

    def _repr_html_(self) -> str:
        return display.to_html(self)


def plain(value: float) -> float | None:
    """Returns a Python number, or None for NaN."""
    return None if np.isnan(value) else float(value)


def _class_dict(row: pd.Series) -> dict[str, Any]:
    values: dict[str, Any] = {name: plain(row[name]) for name in PER_CLASS}
    values["support"], values["predicted"] = int(row["support"]), int(row["predicted"])
    for name in PER_CLASS:
        ends = [plain(row[f"{name}_low"]), plain(row[f"{name}_high"])]
        values[f"{name}_ci95"] = None if ends[0] is None else ends
    return values
