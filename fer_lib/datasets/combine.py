"""Several data sets as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset


def concatenate(datasets: Sequence[FaceDataset], name: str | None = None) -> FaceDataset:
    """Puts data sets with the same classes and image shape one after the other.

    Args:
        datasets: At least one. Subjects are kept only if all have them, prefixed by the set's
            name where names differ, since two sets may call different people alike.
        name: Name of the result; by default the names joined by `+`.

    Raises:
        ValueError: Classes or image shapes differ (`with_classes` makes classes alike).
    """
    classes = list(dict.fromkeys(dataset.class_names for dataset in datasets))
    if len(classes) != 1:
        raise ValueError(
            "Expected data sets of the same classes; `with_classes` makes them alike. "
            f"Received: {' and '.join(map(str, classes)) or 'no data set'}"
        )
    names = list(dict.fromkeys(dataset.name for dataset in datasets))
    prefixes = [f"{dataset.name}/" if len(names) > 1 else "" for dataset in datasets]
    subjects = None
    if all(dataset.subjects is not None for dataset in datasets):
        prefixed = [np.char.add(p, d.subjects) for p, d in zip(prefixes, datasets, strict=True)]
        subjects = np.concatenate(prefixed)
    left_out = pd.concat([dataset.left_out for dataset in datasets]).drop_duplicates()
    return FaceDataset(
        images=np.concatenate([dataset.images for dataset in datasets]),
        labels=np.concatenate([dataset.labels for dataset in datasets]),
        class_names=classes[0],
        split=np.concatenate([dataset.split for dataset in datasets]),
        subjects=subjects,
        metadata=pd.concat([dataset.metadata for dataset in datasets], ignore_index=True),
        name=name or "+".join(names),
        left_out=left_out.reset_index(drop=True),  # parts of one set carry the same list
    )
