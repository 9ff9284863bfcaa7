"""Where a network looks on average, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lib.labels import EMOTIONS


def mean_saliency(
    maps: np.ndarray, labels: Any, class_names: Sequence[str] = EMOTIONS
) -> dict[str, np.ndarray]:
    """Averages the maps of each class; faces must be aligned, so that a mouth lies on a mouth.

    Each map counts alike, however strong it is: it is divided by its sum first. Values below 0 (of
    an occlusion map) count as nothing.

    Args:
        maps: `(n, height, width)`, of `grad_cam` or `occlusion_map`.
        labels: `int (n,)`, the class that each map explains, indices into `class_names`.
        class_names: Names of the classes.

    Returns:
        Class to mean map, `float32 (height, width)`, which sums to 1; classes without a map that is
        anywhere above 0 are left out.

    Raises:
        ValueError: Not one label a map, or a label that is no class.

    Example:
        >>> means = mean_saliency(np.ones((3, 2, 2)), [0, 0, 1], ["cat", "dog", "cow"])
        >>> means["cat"].tolist(), list(means)
        ([[0.25, 0.25], [0.25, 0.25]], ['cat', 'dog'])
    """
    maps, labels = np.asarray(maps, np.float64), np.asarray(labels)
    if maps.ndim != 3 or labels.shape != (len(maps),) or labels.dtype.kind not in "iu":
        raise ValueError(
            "Expected maps of shape (n, height, width) and one integer label a map. "
            f"Received: {maps.shape} and {labels.dtype} {labels.shape}"
        )
    wrong = labels[(labels < 0) | (labels >= len(class_names))]
    if len(wrong):
        raise ValueError(
            f"Expected labels from 0 to {len(class_names) - 1}, for {len(class_names)} classes. "
            f"Received: {wrong[0]}"
        )
    maps = np.maximum(maps, 0)
    total = maps.sum(axis=(1, 2))
    means = {}
    for label, name in enumerate(class_names):
        members = (labels == label) & (total > 0)
        if members.any():
            shares = maps[members] / total[members, None, None]
            means[str(name)] = shares.mean(axis=0).astype(np.float32)
    return means
