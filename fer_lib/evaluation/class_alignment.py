"""Predictions and a data set meet on the classes that both have, by name."""

from __future__ import annotations

import numpy as np


def align_classes(
    probabilities: np.ndarray, labels: np.ndarray, names: tuple[str, ...], wanted: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Brings columns into the data set's order, on the classes that both have.

    Returns:
        Probabilities and labels of the samples of shared classes, the mask of these samples, and
        notes on what was left out.
    """
    shared = [name for name in wanted if name in names]
    if len(shared) < 2:
        raise ValueError(
            f"Expected at least two classes that predictions and data set share, "
            f"{wanted}; `dataset.with_classes` makes them alike. "
            f"Received: {names}"
        )
    new_labels = np.array([shared.index(name) if name in shared else -1 for name in wanted])
    keep = new_labels[labels] >= 0
    if not keep.any():
        raise ValueError(f"Expected samples of the shared classes {tuple(shared)}. Received: none")
    probabilities = probabilities[keep][:, [names.index(name) for name in shared]]
    notes = []
    if len(shared) < len(wanted):
        counts = np.bincount(labels, minlength=len(wanted))
        lost = [f"{n} ({counts[i]:,})" for i, n in enumerate(wanted) if n not in shared]
        notes.append(
            f"{int((~keep).sum()):,} samples of classes that the model lacks are left out: "
            f"{', '.join(lost)}."
        )
    if len(shared) < len(names):
        lost = [name for name in names if name not in shared]
        top = int((probabilities.sum(axis=1) < 0.5).sum())
        notes.append(
            f"The data set lacks the model's {', '.join(lost)}: their probability is shared out "
            f"over the other classes; in {top:,} samples it is more than half."
        )
        total = probabilities.sum(axis=1, keepdims=True)
        uniform = np.full_like(probabilities, 1 / len(shared))
        safe = np.where(total > 0, total, 1)
        probabilities = np.where(total > 0, probabilities / safe, uniform)
    return probabilities, new_labels[labels[keep]], keep, tuple(notes)
