"""Which images of a data set go where: by class share, or by subject.

For cross-validation use `sklearn.model_selection.StratifiedGroupKFold`.
"""

from __future__ import annotations

import numpy as np


def choose_stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Returns `bool (n,)`: this fraction of every class, rounded to whole images.

    Raises:
        ValueError: `fraction` is outside `(0, 1)`.
    """
    _check_fraction(fraction)
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for label in range(int(labels.max(initial=-1)) + 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        chosen[members[: round(fraction * len(members))]] = True
    return chosen


def choose_subjects(subjects: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Returns `bool (n,)`: all images of this fraction of the subjects, at least one on each side.

    Raises:
        ValueError: `fraction` is outside `(0, 1)`, or there are not two subjects.
    """
    from sklearn.model_selection import GroupShuffleSplit  # takes a second to import

    _check_fraction(fraction)
    count = len(np.unique(subjects))
    if count < 2:
        raise ValueError(f"Expected at least two subjects to split by. Received: {count}")
    size = min(max(round(fraction * count), 1), count - 1)
    splitter = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    chosen = np.zeros(len(subjects), bool)
    chosen[next(splitter.split(subjects, groups=subjects))[1]] = True
    return chosen


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise ValueError(f"Expected `fraction` between 0 and 1. Received: {fraction}")
