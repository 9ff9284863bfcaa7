"""What a model gains by abstaining when it is unsure: selective prediction.

The predictions are ranked by confidence, and only those above a threshold are given (El-Yaniv and
Wiener, 2010, JMLR 11). Choose a threshold on one set of samples and report it on another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from fer_lib.evaluation.inputs import check_predictions


class OperatingPoint(NamedTuple):
    """What happens if only predictions of at least this confidence are given.

    Attributes:
        threshold: The lowest confidence of a prediction that is given.
        coverage: Share of the samples that get one.
        error: Share of these predictions that are wrong.
    """

    threshold: float
    coverage: float
    error: float


def risk_coverage(y_true: np.ndarray, y_prob: np.ndarray) -> pd.DataFrame:
    """Computes the error among the most confident predictions, for every number of them.

    Args:
        y_true: `int (n,)` true classes.
        y_prob: `(n, num_classes)`, rows sum to 1.

    Returns:
        `threshold, coverage, risk`, one row for each confidence that occurs, the highest first:
        predictions of equal confidence are given together or not at all.

    Raises:
        ValueError: Probabilities or labels that cannot be scored.
    """
    labels, probabilities = check_predictions(y_true, y_prob)
    confidence = probabilities.max(axis=1).astype(np.float64)
    wrong = probabilities.argmax(axis=1) != labels
    curve = pd.DataFrame({"threshold": -np.sort(-confidence)})
    given = np.arange(1, len(labels) + 1)
    curve["coverage"] = given / len(labels)
    curve["risk"] = np.cumsum(wrong[np.argsort(-confidence, kind="stable")]) / given
    return curve.drop_duplicates("threshold", keep="last", ignore_index=True)


def area_under_risk_coverage(curve: pd.DataFrame) -> float:
    """Returns the mean risk over all coverages (AURC); lower is better, 0 is perfect."""
    steps = np.diff(curve["coverage"], prepend=0.0)
    return float((curve["risk"] * steps).sum())


def at_coverage(curve: pd.DataFrame, coverage: float = 0.8) -> OperatingPoint:
    """Finds the highest threshold at which at least this share of the samples is covered.

    Args:
        curve: What `risk_coverage` returns.
        coverage: Wanted share, in `(0, 1]`.

    Raises:
        ValueError: `coverage` is outside `(0, 1]`.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"Expected `coverage` in (0, 1]. Received: {coverage}")
    enough = curve["coverage"] >= coverage - 1e-12
    return OperatingPoint(*map(float, curve[enough].iloc[0]))
