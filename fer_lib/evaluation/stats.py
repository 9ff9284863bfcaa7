"""Intervals and tests: stratified bootstrap, Wilson's interval, Holm's correction.

`scipy.stats.bootstrap` resamples one statistic; a report has forty, of the same resamples. Here a
resample is a row of weights (how often each sample was drawn), so that all sums of all resamples
are one matrix product per class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

# Bounds the memory of a block of weights to some 16 MB.
_BLOCK_ENTRIES = 2_000_000


def resample_sums(
    features: np.ndarray, strata: np.ndarray, num_resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Sums `features (n, num_features)` over resamples that keep the size of every stratum.

    The strata, `int (n,)`, are the true classes; samples are drawn with replacement within each.
    Returns `float64 (num_resamples, num_features)`, the same for the same seed and strata.
    """
    features = np.asarray(features, np.float64)
    generator = np.random.default_rng(seed)
    sums = np.zeros((num_resamples, features.shape[1]))
    for stratum in np.unique(strata):
        members = features[strata == stratum]
        size = len(members)
        block = max(1, _BLOCK_ENTRIES // size)
        for start in range(0, num_resamples, block):
            part = sums[start : start + block]
            drawn = generator.integers(size, size=(len(part), size))
            drawn += np.arange(len(part))[:, np.newaxis] * size
            weights = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
            part += weights @ members
    return sums


def interval(
    replicates: np.ndarray, successes: float | None = None, total: float = 0
) -> tuple[float, float] | None:
    """Returns the 95% percentile interval of a statistic's replicates, `(num_resamples,)`.

    None where all resamples are alike or most are undefined (NaN): an interval of no width would
    claim a certainty that the samples cannot give. For a share of samples, `successes` of `total`,
    Wilson's interval stands in: with 3 correct of 3 it is .44 to 1.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) >= 0.5 * len(replicates) and np.ptp(defined) >= 1e-12:
        low, high = np.quantile(defined, [0.025, 0.975])
    elif successes is not None and total:
        low, high = wilson(round(successes), total)
    else:
        return None
    return float(low), float(high)


@np.vectorize(otypes=[float, float])
def wilson(successes: np.ndarray | int, total: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of Wilson's 95% interval of shares, of any shape; NaN without a total."""
    if not total > 0:
        return np.nan, np.nan
    return stats.binomtest(int(successes), int(total)).proportion_ci(method="wilson")


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Corrects for the number of tests (Holm, 1979); one test stays as it is."""
    adjusted = np.array(p_values, np.float64)
    order = np.argsort(adjusted, kind="stable")
    adjusted[order] = np.maximum.accumulate(adjusted[order] * np.arange(len(adjusted), 0, -1))
    return np.minimum(adjusted, 1.0)
