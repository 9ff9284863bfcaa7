"""One `.npz` file a data set: plain arrays, never pickle, written whole or not at all."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset

_COLUMN, _MISSING = "metadata/", "missing/"


def save_dataset(
    dataset: FaceDataset, path: str | os.PathLike[str], extra: dict[str, str] | None = None
) -> None:
    """Writes a data set into one uncompressed `.npz` file, which loads in a fraction of a second.

    The file appears under its name only when it is complete.

    Args:
        dataset: What to write. Metadata columns that are neither numbers nor booleans are
            written as text.
        path: File to write, replaced if it exists.
        extra: More strings to store beside it.

    Raises:
        OSError: The folder cannot be written.
    """
    arrays = {
        "images": dataset.images,
        "labels": dataset.labels,
        "class_names": np.array(dataset.class_names),
        "split": dataset.split,
        "name": np.array(dataset.name),
        "left_out": dataset.left_out[["file", "problem"]].to_numpy(dtype=str),
    }
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
    arrays |= {name: np.array(value) for name, value in (extra or {}).items()}

    path = Path(path)
    half = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with half.open("wb") as file:
            np.savez(file, **arrays)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def load_dataset(path: str | os.PathLike[str]) -> FaceDataset:
    """Reads a data set that `save_dataset` wrote.

    Raises:
        OSError: The file is missing.
        ValueError: It is no such file, or is damaged.
    """
    path = Path(path)
    with open_npz(path) as arrays:
        if not is_saved_dataset(arrays):
            raise ValueError(
                f"{path}: expected a file written by FaceDataset.save. "
                f"Received: the arrays {', '.join(arrays.files)}"
            )
        values = {name: read_array(arrays, name, path) for name in arrays.files}
    metadata = {}
    for key, value in values.items():
        if key.startswith(_COLUMN):
            name = key.removeprefix(_COLUMN)
            column = pd.Series(value)
            if _MISSING + name in values:
                column = column.mask(values[_MISSING + name])
            metadata[name] = column
    return FaceDataset(
        images=values["images"],
        labels=values["labels"],
        class_names=tuple(values["class_names"].tolist()),
        split=values["split"],
        subjects=values.get("subjects"),
        metadata=pd.DataFrame(metadata, index=range(len(values["images"]))),
        name=str(values["name"]),
        left_out=pd.DataFrame(values["left_out"], columns=["file", "problem"]),
    )


def open_npz(path: Path) -> np.lib.npyio.NpzFile:
    """Opens an `.npz` file without pickle; a file that is none is a one-line `ValueError`."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(
                f"{path}: expected an .npz file. Received: no archive, or a part of one"
            )
    return np.load(path, allow_pickle=False)


def is_saved_dataset(arrays: np.lib.npyio.NpzFile) -> bool:
    """Tells whether an opened file has what `save_dataset` writes."""
    return {"images", "labels", "class_names", "split", "name", "left_out"} <= set(arrays.files)


def read_array(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    """Reads one array of an opened file; pickled objects and damage are a one-line `ValueError`."""
    try:
        return arrays[name]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a plain array {name!r}. Received: {error}") from None
