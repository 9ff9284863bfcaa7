"""A copy of what was read slowly, kept in the cache folder and never trusted when it is stale."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import Source
from fer_lib.datasets.storage import load_dataset, open_npz, read_array, save_dataset
from fer_lib.paths import cache_dir

# Raised whenever a reader gives other arrays for the same files.
_VERSION = 1


def cached(source: Source, read: Callable[[], FaceDataset]) -> FaceDataset:
    """Returns the cached copy of a source, or reads it and leaves a copy for the next time.

    The copy counts only while the size and time of every file of the source are those that it was
    made from. A cache that cannot be read or written costs time, never an error.
    """
    fingerprint = _fingerprint(source)
    place = hashlib.sha256(str(source.path.resolve()).encode()).hexdigest()[:16]
    copy = cache_dir() / "parsed" / f"fer2013-{place}.npz"
    # A missing, half-written or unreadable copy is as good as none: the source is read again.
    with contextlib.suppress(OSError, ValueError):
        with open_npz(copy) as arrays:
            fresh = "source" in arrays.files and (
                str(read_array(arrays, "source", copy)) == fingerprint
            )
        if fresh:
            return load_dataset(copy)
    dataset = read()
    with contextlib.suppress(OSError):
        copy.parent.mkdir(parents=True, exist_ok=True)
        save_dataset(dataset, copy, {"source": fingerprint})
    return dataset


def _fingerprint(source: Source) -> str:
    digest = hashlib.sha256(f"{_VERSION} {source.layout}".encode())
    for path, status in sorted(_files(source.path)):
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields every file of a source with its status: the file itself, or all below a folder."""
    if path.is_file():
        yield str(path), path.stat()
    else:
        for entry in os.scandir(path):
            if entry.is_dir():
                yield from _files(Path(entry.path))
            else:
                yield entry.path, entry.stat()
