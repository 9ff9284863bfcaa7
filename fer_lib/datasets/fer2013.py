"""FER2013 (Goodfellow et al., arXiv 1307.0414) from whichever of its published layouts you have.

A copy is found, read, checked against the published counts, and kept in the cache, from where it
loads in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets import storage
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS, SPLITS, find_source, read_file
from fer_lib.datasets.folder import list_folder
from fer_lib.datasets.listing import read_listing
from fer_lib.files import expand_user, read_npz
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS
from fer_lib.paths import cache_dir, datasets_dirs

_CACHE_VERSION = 4  # raised whenever a reader gives other arrays for the same files
_SIZES = {split: sum(counts) for split, counts in PUBLISHED_COUNTS.items()}


def load_fer2013(
    path: str | os.PathLike[str] | None = None, splits: str | Sequence[str] | None = None
) -> FaceDataset:
    """Loads FER2013: 48x48 gray faces found by web search, seven classes.

    Understood are Kaggle's `fer2013.csv`, `icml_face_data.csv` and `train.csv`, `fer2013.tar.gz`,
    the `train/` and `test/` folders of class-named folders, and an `.npz` file with the arrays
    `pixels (n, 48, 48)`, `emotion` and `usage` or of `FaceDataset.save`, with one `content_hash`.

    Args:
        path: A file, or a folder that holds one of the layouts. None looks for a folder `fer2013`
            in the checkout's `datasets` and in the cache.
        splits: The splits to keep, of `"Training"`, `"PublicTest"` and `"PrivateTest"`; None keeps
            all that the copy has. In the `test/` folder the file names tell the two test splits
            apart; where they do not, it is `"Test"`.

    Returns:
        The images in their published order, `uint8 (n, 48, 48, 1)`. Column `row` of the metadata
        is the row in the published file (the row in this file, where its splits have not the
        published sizes; absent where folders do not tell), counted from 0.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: A file breaks the format; the message names the file and the row.

    Warns:
        UserWarning: The number of images of a class differs from the published one.

    Example:
        `load_fer2013("fer2013.csv", splits="PublicTest")` gives 3,589 images.
    """
    source = find_source(_default_folder() if path is None else expand_user(path))
    dataset = read_file(source) if source.suffix == ".npz" else _read_cached(source)
    problems = _count_problems(dataset)
    if problems:
        warnings.warn(f"{source}: {'; '.join(problems)}", stacklevel=2)
    return dataset if splits is None else dataset.subset(splits)


def is_published(dataset: FaceDataset) -> bool:
    """Tells FER2013 from its relatives, by the published numbers of images in each class."""
    is_known = dataset.class_names == EMOTIONS and set(dataset.split) <= set(SPLITS)
    return is_known and not _count_problems(dataset)


def has_published_folders(folder: Path) -> bool:
    """Tells FER2013's folders, by the published names or numbers of images, from a user's own."""
    sizes = {*_SIZES.values(), _SIZES["PublicTest"] + _SIZES["PrivateTest"]}
    names = tuple(f"{split}_" for split in SPLITS)
    parts = [folder / name for name in ("train", "test") if (folder / name).is_dir()]
    return any(
        len(files) in sizes or (files and all(f.name.startswith(names) for f in files))
        for files in map(find_images, parts)
    )


def _default_folder() -> Path:
    places = [folder / "fer2013" for folder in datasets_dirs() or [cache_dir() / "datasets"]]
    for place in filter(Path.is_dir, places):
        return place
    raise FileNotFoundError(
        f"Expected FER2013 in {' or '.join(map(str, places))}. Received: nothing there. "
        "Put fer2013.csv there, or give the path of your copy."
    )


def _read_cached(source: Path) -> FaceDataset:
    """Returns the cached copy of a file or folder, or reads it and leaves a copy in the cache.

    The copy counts only while the size and time of every file of the source are those that it was
    made from. A cache that cannot be read or written costs time, never an error.
    """
    files = [source] if source.is_file() else sorted(source.rglob("*"))
    states = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    fingerprint = hashlib.sha256(repr((_CACHE_VERSION, states)).encode()).hexdigest()
    place = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    copy = cache_dir() / "parsed" / f"fer2013-{place}.npz"
    # A missing or damaged copy is as good as none: the source is read again.
    with contextlib.suppress(OSError, ValueError):
        arrays = read_npz(copy, "a cached copy")
        if str(arrays.get("source")) == fingerprint:
            return FaceDataset(**storage.read_fields(arrays, copy))
    dataset = _read_folders(source) if source.is_dir() else read_file(source)
    with contextlib.suppress(OSError):
        storage.write_dataset(dataset, copy, fingerprint)
    return dataset


def _read_folders(folder: Path) -> FaceDataset:
    """Reads `train/<class>/*` and `test/<class>/*`, as Kaggle also spreads it.

    File names such as `PublicTest_28709.png` tell the split and, in exact copies, the row, in which
    case the images come in the order of the rows.
    """
    listing, class_names, stray = list_folder(folder, EMOTIONS)
    dataset = read_listing(listing, folder, class_names, "fer2013", stray)
    metadata = dataset.metadata[["file"]]
    is_training = np.char.startswith(np.char.lower(dataset.split), "train")
    named = metadata["file"].str.extract(r"(Training|PublicTest|PrivateTest)_(\d+)[^/]*$")
    usage = np.where(named[0].isna(), np.where(is_training, "Training", "Test"), named[0])
    wrong = np.flatnonzero((usage == "Training") != is_training)
    if len(wrong):
        raise ValueError(
            f"{folder / metadata['file'][wrong[0]]}: expected an image of "
            f"{dataset.split[wrong[0]]}. Received: one of {usage[wrong[0]]}"
        )
    # In the widespread JPEG copy the numbers are no rows: they run into the millions.
    rows = pd.to_numeric(named[1]).fillna(-1).astype(int)
    order = np.arange(len(rows))
    split_of_row = dict(enumerate(np.repeat([*_SIZES], [*_SIZES.values()])))
    if rows.is_unique and (rows.map(split_of_row) == usage).all():
        order, metadata = np.argsort(rows), metadata.assign(row=rows)
    return dataclasses.replace(dataset, split=usage, metadata=metadata, subjects=None)[order]


def _count_problems(dataset: FaceDataset) -> list[str]:
    """Says for each split of the copy how its class counts differ from the published ones."""
    problems = []
    for split, published in PUBLISHED_COUNTS.items():
        found = np.bincount(dataset.labels[dataset.split == split], minlength=len(EMOTIONS))
        if found.any() and tuple(found) != published:
            rows = zip(EMOTIONS, found, published, strict=True)
            details = ", ".join(f"{name} {a} of {b}" for name, a, b in rows if a != b)
            images = "1 image" if found.sum() == 1 else f"{found.sum()} images"
            problems.append(f"{split} has {images}, published are {sum(published)} ({details})")
    return problems
