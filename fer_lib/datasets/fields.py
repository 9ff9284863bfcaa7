"""What the fields of a `FaceDataset` have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fer_lib.datasets.face_dataset import FaceDataset


def check_fields(dataset: FaceDataset) -> dict[str, Any]:
    """Returns the fields of a new data set as arrays and tables of the documented types.

    Raises:
        ValueError: A field has another shape, type or length, or a label no class.
    """
    images = np.asarray(dataset.images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8:
        raise ValueError(
            "Expected `images` of type uint8 and shape (n, height, width, 1 or 3). "
            f"Received: {images.dtype} {np.shape(dataset.images)}"
        )
    count, class_names = len(images), tuple(str(name) for name in dataset.class_names)
    if len(set(class_names)) != len(class_names):
        raise ValueError(f"Expected different `class_names`. Received: {class_names}")
    labels = np.asarray(dataset.labels)
    if labels.shape != (count,) or (count and labels.dtype.kind not in "iu"):
        raise ValueError(
            f"Expected integer `labels` of shape ({count},), one per image. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    labels = labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(wrong):
        raise ValueError(
            f"Expected `labels` from 0 to {len(class_names) - 1} for the classes {class_names}. "
            f"Received: {labels[wrong[0]]} at index {wrong[0]}"
        )
    fields = {"images": images, "labels": labels, "class_names": class_names}
    for name in ("split", "subjects"):
        values = getattr(dataset, name)
        values = np.full(count, values) if isinstance(values, str) else values
        fields[name] = None if values is None else np.asarray(values).astype(str)
    metadata = dataset.metadata
    metadata = pd.DataFrame(index=range(count)) if metadata is None else metadata
    fields["metadata"] = metadata.reset_index(drop=True)
    for name in ("split", "subjects", "metadata"):
        shape = (count,) if fields[name] is None else fields[name].shape
        if shape[0] != count or (name != "metadata" and len(shape) > 1):
            raise ValueError(
                f"Expected `{name}` with one entry per image, {count}. Received: shape {shape}"
            )
    if dataset.left_out is None:
        fields["left_out"] = pd.DataFrame({"file": [], "problem": []}, dtype=str)
    return fields
