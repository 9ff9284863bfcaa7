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
    if not datasets:
        raise ValueError("Expected at least one data set. Received: an empty list")
    first = datasets[0]
    for other in datasets:
        if other.class_names != first.class_names:
            raise ValueError(
                "Expected the same classes everywhere; `with_classes` makes them alike. "
                f"Received: {first.class_names} and {other.class_names}"
            )
        if other.images.shape[1:] != first.images.shape[1:]:
            raise ValueError(f"Expected images of one shape. Received: {first!r} and {other!r}")
    names = list(dict.fromkeys(dataset.name for dataset in datasets))
    fields = {
        field: np.concatenate([getattr(dataset, field) for dataset in datasets])
        for field in ("images", "labels", "split")
    }
    if all(dataset.subjects is not None for dataset in datasets):
        prefixed = [
            np.char.add(f"{d.name}/" if len(names) > 1 else "", d.subjects) for d in datasets
        ]
        fields["subjects"] = np.concatenate(prefixed)
    left_out = pd.concat([dataset.left_out for dataset in datasets]).drop_duplicates()
    return FaceDataset(
        **fields,
        class_names=first.class_names,
        metadata=pd.concat([dataset.metadata for dataset in datasets], ignore_index=True),
        name=name or "+".join(names),
        left_out=left_out.reset_index(drop=True),  # parts of one set carry the same list
    )
