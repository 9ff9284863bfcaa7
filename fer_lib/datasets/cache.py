"""A copy of what was read slowly, kept in the cache folder and never trusted when it is stale."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.storage import read_fields, write_dataset
from fer_lib.files import read_npz
from fer_lib.paths import cache_dir

# Raised whenever a reader gives other arrays for the same files.
_VERSION = 2


def cached(source: Path, layout: str, read: Callable[[], FaceDataset]) -> FaceDataset:
    """Returns the cached copy of a source, or reads it and leaves a copy for the next time.

    The copy counts only while the size and time of every file of the source are those that it was
    made from. A cache that cannot be read or written costs time, never an error.
    """
    fingerprint = _fingerprint(source, layout)
    place = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    copy = cache_dir() / "parsed" / f"fer2013-{place}.npz"
    # A missing or damaged copy is as good as none: the source is read again.
    with contextlib.suppress(OSError, ValueError):
        arrays = read_npz(copy, "a cached copy")
        if str(arrays.get("source")) == fingerprint:
            return FaceDataset(**read_fields(arrays, copy))
    dataset = read()
    with contextlib.suppress(OSError):
        write_dataset(dataset, copy, {"source": fingerprint})
    return dataset


def _fingerprint(source: Path, layout: str) -> str:
    digest = hashlib.sha256(f"{_VERSION} {layout}".encode())
    files = [source] if source.is_file() else sorted(source.rglob("*"))
    for path in files:
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
