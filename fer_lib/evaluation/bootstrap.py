"""Stratified bootstrap of everything that is a function of sums over samples, in one pass.

`scipy.stats.bootstrap` resamples one statistic; a report has forty, of the same resamples. Here a
resample is a row of weights (how often each sample was drawn), so that all sums of all resamples
are one matrix product a class.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

# Bounds the memory of a block of weights to some 16 MB.
_BLOCK_ENTRIES = 2_000_000


def resample_sums(
    features: np.ndarray, strata: np.ndarray, num_resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Sums the features over bootstrap resamples that keep the size of every stratum.

    Args:
        features: `(n, num_features)`, what to sum for each sample.
        strata: `int (n,)`, the true class: samples are drawn with replacement within each.
        num_resamples: How many resamples.
        seed: Of the drawing; the same seed, `strata` and count give the same resamples.

    Returns:
        `float64 (num_resamples, num_features)`.
    """
    features, strata = np.asarray(features, np.float64), np.asarray(strata)
    generator = np.random.default_rng(seed)
    sums = np.zeros((num_resamples, features.shape[1]))
    for stratum in np.unique(strata):
        members = features[strata == stratum]
        block = max(1, _BLOCK_ENTRIES // len(members))
        for start in range(0, num_resamples, block):
            rows = min(block, num_resamples - start)
            sums[start : start + rows] += _draw_weights(generator, rows, len(members)) @ members
    return sums


def interval(replicates: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Returns the percentile interval of a statistic's replicates.

    Args:
        replicates: `(num_resamples,)`; resamples where the statistic is undefined are NaN.
        level: Coverage of the interval.

    Returns:
        Low and high end, or None where all resamples are alike or most are undefined: an
        interval without width would claim a certainty that the samples cannot give.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < 0.5 * len(replicates) or np.ptp(defined) < 1e-12:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_interval(
    replicates: np.ndarray, successes: float, total: float, level: float = 0.95
) -> tuple[float, float] | None:
    """Returns the interval of a share of samples, by Wilson's formula where resamples are alike.

    With 3 right out of 3 every resample is right, too; Wilson's interval is still .44 to 1.

    Args:
        replicates: `(num_resamples,)`.
        successes: How many samples have the property.
        total: Out of how many.
        level: Coverage of the interval.

    Returns:
        Low and high end; None where there is no sample.
    """
    if total == 0:
        return None
    found = interval(replicates, level)
    if found is not None:
        return found
    return wilson(round(successes), round(total), level)


def wilson(successes: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Returns Wilson's interval of a share, which needs no resamples and never has no width."""
    ends = stats.binomtest(int(successes), int(total)).proportion_ci(level, method="wilson")
    return float(ends.low), float(ends.high)


def _draw_weights(generator: np.random.Generator, rows: int, size: int) -> np.ndarray:
    """Returns how often each of `size` samples is drawn in each resample, `(rows, size)`."""
    drawn = generator.integers(size, size=(rows, size))
    drawn += np.arange(rows)[:, np.newaxis] * size
    return np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
