"""The gap between two groups: how wide, how sure, and whether chance explains it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_lib.evaluation.stats import wilson


def measure_gap(
    sizes: np.ndarray, right: np.ndarray, num_permutations: int, generator: np.random.Generator
) -> dict[str, Any]:
    """Measures and tests the gap in accuracy between the best and the worst of the groups.

    Takes what `permute_gap` takes, and returns a row of `SliceReport.gaps` with groups as indices.
    """
    hits, total = right.sum(axis=1), sizes.sum(axis=1)
    shares, expected = hits / total, _expect(sizes, right) / total
    # Of equal groups the first and the last, so that two are named.
    best, worst = int(shares.argmax()), len(shares) - 1 - int(shares[::-1].argmin())
    gap, (low, high) = shares[best] - shares[worst], wilson(hits, total)
    return {
        "best": best,
        "best_score": shares[best],
        "worst": worst,
        "worst_score": shares[worst],
        "gap": gap,
        # Newcombe's interval of the difference between two shares.
        "gap_low": gap - np.hypot(shares[best] - low[best], high[worst] - shares[worst]),
        "gap_high": gap + np.hypot(high[best] - shares[best], shares[worst] - low[worst]),
        "by_classes": expected[best] - expected[worst],
        "num_groups": len(shares),
        "p_value": permute_gap(sizes, right, num_permutations, generator),
    }


def permute_gap(
    sizes: np.ndarray, right: np.ndarray, num_permutations: int, generator: np.random.Generator
) -> float:
    """Tests by permutation within classes whether groups differ beyond their mix of classes.

    Permuting the groups of a class' samples deals its correct ones out among the groups: their
    numbers are then multivariate hypergeometric, so they are drawn directly, a class at a time.
    `sizes` and `right`, `int (num_groups, num_classes)`, are samples and correct ones. The p-value
    is the share of permutations, the observed one among them, with a gap as wide.
    """
    total, expected = sizes.sum(axis=1), _expect(sizes, right)
    drawn = sum(
        generator.multivariate_hypergeometric(of_class, hits.sum(), num_permutations)
        for of_class, hits in zip(sizes.T, right.T, strict=True)
    )  # (num_permutations, num_groups)
    gaps = np.ptp((drawn - expected) / total, axis=1)
    observed = np.ptp((right.sum(axis=1) - expected) / total)
    return float((1 + (gaps >= observed - 1e-12).sum()) / (1 + num_permutations))


def _expect(sizes: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns how many of each group are correct if a class is as easy in every group."""
    return (sizes * right.sum(axis=0) / np.maximum(sizes.sum(axis=0), 1)).sum(axis=1)
