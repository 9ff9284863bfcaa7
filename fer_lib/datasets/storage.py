"""One `.npz` file per data set: plain arrays, never pickle, written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_lib.files import write_atomically

if TYPE_CHECKING:
    from fer_lib.datasets.face_dataset import FaceDataset

_COLUMN, _MISSING = "metadata/", "missing/"
_FIELDS = {"images", "labels", "class_names", "split", "name", "left_out"}


def write_dataset(dataset: FaceDataset, path: str | os.PathLike[str], source: str = "") -> None:
    """Writes a data set into one uncompressed `.npz` file, which loads in a fraction of a second.

    Metadata columns that are neither numbers nor booleans are written as text. A file that exists
    is replaced; `source` says what a cached copy was made from.
    """
    names = ("images", "labels", "split", "class_names", "name")
    arrays = {name: np.asarray(getattr(dataset, name)) for name in names}
    arrays["left_out"] = dataset.left_out[["file", "problem"]].to_numpy(dtype=str)
    arrays["source"] = np.array(source)
    if dataset.subjects is not None:
        arrays["subjects"] = dataset.subjects
    for name, column in dataset.metadata.items():
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            arrays[_COLUMN + str(name)] = column.to_numpy()
            continue
        missing = column.isna().to_numpy()
        arrays[_COLUMN + str(name)] = column.astype(object).where(~missing, "").to_numpy(dtype=str)
        if missing.any():
            arrays[_MISSING + str(name)] = missing
    with write_atomically(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_fields(arrays: dict[str, np.ndarray], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the arguments of the `FaceDataset` whose arrays `write_dataset` wrote.

    The arrays of another kind of file are a `ValueError`.
    """
    if not is_saved_dataset(arrays):
        raise ValueError(
            f"{path}: expected a file written by FaceDataset.save. "
            f"Received: the arrays {', '.join(arrays)}"
        )
    metadata = {}
    for name in (key.removeprefix(_COLUMN) for key in arrays if key.startswith(_COLUMN)):
        column, missing = pd.Series(arrays[_COLUMN + name]), arrays.get(_MISSING + name)
        metadata[name] = column if missing is None else column.mask(missing)
    return {
        **{name: arrays[name] for name in ("images", "labels", "split")},
        "class_names": tuple(arrays["class_names"].tolist()),
        "subjects": arrays.get("subjects"),
        "metadata": pd.DataFrame(metadata, index=range(len(arrays["images"]))),
        "name": str(arrays["name"]),
        "left_out": pd.DataFrame(arrays["left_out"], columns=["file", "problem"]),
    }


def is_saved_dataset(arrays: dict[str, np.ndarray]) -> bool:
    """Tells whether the arrays of a file are those that `write_dataset` writes."""
    return set(arrays) >= _FIELDS
