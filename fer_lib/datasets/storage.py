"""One `.npz` file per data set: plain arrays, never pickle, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_lib.files import read_npz, write_atomically
from fer_lib.paths import cache_dir

if TYPE_CHECKING:
    from fer_lib.datasets.face_dataset import FaceDataset

_COLUMN, _MISSING = "metadata/", "missing/"
_FIELDS = {"images", "labels", "class_names", "split", "name", "left_out"}
_CACHE_VERSION = 3  # raised whenever a reader gives other arrays for the same files


def write_dataset(dataset: FaceDataset, path: str | os.PathLike[str], source: str = "") -> None:
    """Writes a data set into one uncompressed `.npz` file, which loads in a fraction of a second.

    Args:
        dataset: What to write. Metadata columns that are neither numbers nor booleans are
            written as text.
        path: File to write, replaced if it exists.
        source: What a cached copy was made from.

    Raises:
        OSError: The file cannot be written.
    """
    arrays = {name: getattr(dataset, name) for name in ("images", "labels", "split")}
    arrays["class_names"], arrays["name"] = np.array(dataset.class_names), np.array(dataset.name)
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

    Raises:
        ValueError: They are those of another kind of file.
    """
    if not is_saved_dataset(arrays):
        raise ValueError(
            f"{path}: expected a file written by FaceDataset.save. "
            f"Received: the arrays {', '.join(arrays)}"
        )
    metadata = {}
    for key in [key for key in arrays if key.startswith(_COLUMN)]:
        name = key.removeprefix(_COLUMN)
        column = pd.Series(arrays[key])
        missing = arrays.get(_MISSING + name)
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


def cached(source: Path, read: Callable[[Path], FaceDataset]) -> FaceDataset:
    """Returns the cached copy of a file or folder, or reads it and leaves a copy in the cache.

    The copy counts only while the size and time of every file of the source are those that it was
    made from. A cache that cannot be read or written costs time, never an error.
    """
    from fer_lib.datasets.face_dataset import FaceDataset

    files = [source] if source.is_file() else sorted(source.rglob("*"))
    states = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    fingerprint = hashlib.sha256(repr((_CACHE_VERSION, states)).encode()).hexdigest()
    place = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    copy = cache_dir() / "parsed" / f"fer2013-{place}.npz"
    # A missing or damaged copy is as good as none: the source is read again.
    with contextlib.suppress(OSError, ValueError):
        arrays = read_npz(copy, "a cached copy")
        if str(arrays.get("source")) == fingerprint:
            return FaceDataset(**read_fields(arrays, copy))
    dataset = read(source)
    with contextlib.suppress(OSError):
        write_dataset(dataset, copy, fingerprint)
    return dataset
