"""Several classes instead of one, as few as hold the true one in nine cases of ten.

Split-conformal prediction sets as in Angelopoulos and Bates (arXiv 2107.07511, section 1): a class
is in the set if its probability reaches a threshold that was found on other samples. The promise
holds on average over samples like those, whatever the model; not for every class by itself.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from fer_lib.evaluation.base import Report
from fer_lib.evaluation.inputs import check_predictions
from fer_lib.evaluation.stats import wilson


@dataclasses.dataclass(frozen=True, repr=False)
class ConformalResult(Report):
    """How prediction sets turned out on samples that the threshold was not found on.

    Attributes:
        wanted: The promised share of sets that hold the true class.
        measured: The share that did.
        measured_ci95: Its 95% interval (Wilson).
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
        """Returns one line on the sets."""
        return (
            f"Prediction sets for a coverage of {self.wanted:.0%} hold the true class in "
            f"{self.measured:.1%} of the cases, with {self.mean_size:.1f} classes on average."
        )


def fit_conformal(y_true: np.ndarray, y_prob: np.ndarray, coverage: float = 0.9) -> float:
    """Finds the threshold of prediction sets: a class of at least this probability is in the set.

    Args:
        y_true: `int (n,)` true classes of samples that the model was not trained on.
        y_prob: `(n, num_classes)`, rows sum to 1.
        coverage: Share of sets that are to hold the true class, in `(0, 1)`.

    Returns:
        The threshold; 0, which lets every class in, where `n` is too small for the promise.

    Raises:
        ValueError: Bad probabilities or labels, or `coverage` outside `(0, 1)`.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"Expected `coverage` in (0, 1). Received: {coverage}")
    labels, probabilities = check_predictions(y_true, y_prob)
    of_label = np.sort(probabilities[np.arange(len(labels)), labels])
    # At most so many calibration samples may lie below the threshold (equation 1, from the other
    # end); the small term undoes the rounding of such products as 10 * .1.
    below = int(np.floor((len(labels) + 1) * (1 - coverage) + 1e-9))
    return float(of_label[below - 1]) if below else 0.0


def measure_conformal(
    y_true: np.ndarray, y_prob: np.ndarray, coverage: float = 0.9, seed: int = 0
) -> ConformalResult:
    """Finds the threshold on a random half (by `seed`) and measures the sets on the other.

    Takes and refuses what `fit_conformal` does, and a single sample.
    """
    labels, probabilities = check_predictions(y_true, y_prob)
    if len(labels) < 2:
        raise ValueError("Expected at least two samples, one to fit and one to test. Received: 1")
    fit, test = np.array_split(np.random.default_rng(seed).permutation(len(labels)), 2)
    threshold = fit_conformal(labels[fit], probabilities[fit], coverage)
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
