"""What a model gains when it may abstain, or name several classes where it is unsure.

Selective prediction (El-Yaniv and Wiener, 2010, JMLR 11) ranks the predictions by confidence and
gives only those above a threshold. Split-conformal prediction sets (Angelopoulos and Bates, arXiv
2107.07511, section 1) hold each class whose probability reaches a threshold; the promise that the
true one is among them holds on average over samples like those that the threshold was found on,
whatever the model, but not for every class by itself. Report either threshold on other samples.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from fer_lib.evaluation.base import Report
from fer_lib.evaluation.inputs import check_predictions
from fer_lib.evaluation.stats import wilson


class OperatingPoint(NamedTuple):
    """What happens if only predictions of at least the confidence `threshold` are given.

    `coverage` is the share of the samples that get one, `error` the share of these that are wrong.
    """

    threshold: float
    coverage: float
    error: float


def risk_coverage(y_true: np.ndarray, y_prob: np.ndarray) -> pd.DataFrame:
    """Computes the error among the most confident predictions, for every number of them.

    Takes true classes `int (n,)` and probabilities `(n, num_classes)`. Returns `threshold,
    coverage, risk`, one row for each confidence that occurs, the highest first: predictions of
    equal confidence are given together or not at all.
    """
    labels, probabilities = check_predictions(y_true, y_prob)
    confidence = probabilities.max(axis=1).astype(np.float64)
    order, given = np.argsort(-confidence, kind="stable"), np.arange(1, len(labels) + 1)
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    values = {"coverage": given / len(labels), "risk": np.cumsum(wrong) / given}
    curve = pd.DataFrame({"threshold": confidence[order], **values})
    return curve.drop_duplicates("threshold", keep="last", ignore_index=True)


def area_under_risk_coverage(curve: pd.DataFrame) -> float:
    """Returns the mean risk over all coverages (AURC); lower is better, 0 is perfect."""
    steps = np.diff(curve["coverage"], prepend=0.0)
    return float((curve["risk"] * steps).sum())


def at_coverage(curve: pd.DataFrame, coverage: float = 0.8) -> OperatingPoint:
    """Finds the highest threshold at which at least this share of the samples is covered.

    `curve` is what `risk_coverage` returns; a `coverage` outside `(0, 1]` is a `ValueError`.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"Expected `coverage` in (0, 1]. Received: {coverage}")
    enough = curve["coverage"] >= coverage - 1e-12
    return OperatingPoint(*map(float, curve[enough].iloc[0]))


@dataclasses.dataclass(frozen=True, repr=False)
class ConformalResult(Report):
    """How prediction sets turned out on samples that the threshold was not found on.

    Attributes:
        wanted: The promised share of sets that hold the true class.
        measured: The share that did, with its 95% interval (Wilson) `measured_ci95`.
        mean_size: Mean number of classes in a set.
        single: Share of sets with exactly one class.
        threshold: The lowest probability of a class in the set.
        n: Number of samples measured on.
    """

    wanted: float
    measured: float
    measured_ci95: tuple[float, float]
    mean_size: float
    single: float
    threshold: float
    n: int

    def title(self) -> str:
        return (
            f"Prediction sets for a coverage of {self.wanted:.0%} hold the true class in "
            f"{self.measured:.1%} of the cases, with {self.mean_size:.1f} classes on average."
        )


def measure_conformal(
    labels: np.ndarray, probabilities: np.ndarray, coverage: float = 0.9, seed: int = 0
) -> ConformalResult:
    """Finds the threshold of prediction sets on a random half, and measures them on the other.

    Takes two samples or more, `int (n,)` and `(n, num_classes)`; `coverage` is the share of sets
    that are to hold the true class, in `(0, 1)`. The threshold is 0, which lets every class in,
    where the samples are too few for the promise.
    """
    fit, test = np.array_split(np.random.default_rng(seed).permutation(len(labels)), 2)
    of_label = np.sort(probabilities[fit, labels[fit]])
    # At most so many calibration samples may lie below the threshold (equation 1, from the other
    # end); the small term undoes the rounding of such products as 10 * .1.
    below = int(np.floor((len(fit) + 1) * (1 - coverage) + 1e-9))
    threshold = float(of_label[below - 1]) if below else 0.0
    sets = probabilities[test] >= threshold
    hit, sizes = sets[np.arange(len(test)), labels[test]], sets.sum(axis=1)
    return ConformalResult(
        wanted=coverage,
        measured=float(hit.mean()),
        measured_ci95=tuple(map(float, wilson(hit.sum(), len(hit)))),
        mean_size=float(sizes.mean()),
        single=float((sizes == 1).mean()),
        threshold=threshold,
        n=len(test),
    )
