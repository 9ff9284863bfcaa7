"""FER2013 (Goodfellow et al., arXiv 1307.0414) from whichever of its published layouts you have.

A copy is found, read, checked against the published counts, and kept in the cache, from where it
loads in a fraction of a second.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets.cache import cached
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import (
    PUBLISHED_COUNTS,
    SPLITS,
    Source,
    find_source,
    make_fer2013,
    read_file,
)
from fer_lib.datasets.folder import list_folder
from fer_lib.datasets.listing import read_listing
from fer_lib.labels import EMOTIONS
from fer_lib.paths import cache_dir, datasets_dirs


def load_fer2013(
    path: str | os.PathLike[str] | None = None, splits: str | Sequence[str] | None = None
) -> FaceDataset:
    """Loads FER2013: 48x48 gray faces found by web search, seven classes.

    Understood are Kaggle's `fer2013.csv`, `icml_face_data.csv`, `fer2013.tar.gz` (read without
    unpacking), the `train/` and `test/` folders of class-named folders, and an `.npz` file with
    `pixels (n, 48, 48)`, `emotion` and `usage` or written by `FaceDataset.save`. All give the same
    `content_hash`. The first load of a slow layout leaves a copy in the cache.

    Args:
        path: A file, or a folder that holds one of the layouts. None looks for a folder `fer2013`
            in the checkout's `datasets` and in the cache.
        splits: The splits to keep, of `"Training"`, `"PublicTest"` and `"PrivateTest"`; None keeps
            all that the copy has. In the `test/` folder the file names tell the two test splits
            apart; where they do not, its class counts do, and else it is `"Test"`.

    Returns:
        The images in their published order, `uint8 (n, 48, 48, 1)`. Column `row` of the metadata
        is the row in the published file (the row in this file, where its splits have not the
        published sizes; absent where folders do not tell), counted from 0.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: A file breaks the format; the message names the file, the row and what was
            expected.

    Warns:
        UserWarning: The number of images of a class differs from the published one.

    Example:
        `load_fer2013("fer2013.csv", splits="PublicTest")` gives 3,589 images.
    """
    source = find_source(_default_folder() if path is None else Path(path).expanduser())
    if source.layout == "npz":
        dataset = read_file(source)
    else:
        dataset = cached(source.path, source.layout, lambda: _read(source))
    problems = _count_problems(dataset)
    if problems:
        warnings.warn(f"{source.path}: {'; '.join(problems)}", stacklevel=2)
    return dataset if splits is None else dataset.subset(split=splits)


def _default_folder() -> Path:
    for folder in datasets_dirs():
        if (folder / "fer2013").is_dir():
            return folder / "fer2013"
    looked = " or ".join(str(folder / "fer2013") for folder in datasets_dirs()) or str(
        cache_dir() / "datasets" / "fer2013"
    )
    raise FileNotFoundError(
        f"Expected FER2013 in {looked}. Received: nothing there. "
        "Put fer2013.csv there, or give the path of your copy."
    )


def _read(source: Source) -> FaceDataset:
    return _read_folders(source.path) if source.layout == "folders" else read_file(source)


def _read_folders(folder: Path) -> FaceDataset:
    """Reads `train/<class>/*` and `test/<class>/*`, as Kaggle also spreads it.

    File names such as `PublicTest_28709.png` tell the split and, in exact copies, the row, in which
    case the images come in the order of the rows.
    """
    listing, class_names, stray = list_folder(folder, EMOTIONS)
    dataset = read_listing(listing, folder, class_names, "fer2013", left_out=stray)
    is_training = np.char.startswith(np.char.lower(dataset.split), "train")
    named = dataset.metadata["file"].str.extract(r"(Training|PublicTest|PrivateTest)_(\d+)[^/]*$")
    usage = np.where(is_training, "Training", _name_of_test(dataset.labels[~is_training]))
    usage = named[0].fillna(pd.Series(usage)).to_numpy(str)
    wrong = np.flatnonzero((usage == "Training") != is_training)
    if len(wrong):
        raise ValueError(
            f"{folder / dataset.metadata['file'][wrong[0]]}: expected an image of "
            f"{dataset.split[wrong[0]]}. Received: one of {usage[wrong[0]]}"
        )
    metadata = dataset.metadata[["file"]]
    rows = pd.to_numeric(named[1]).fillna(-1).to_numpy(int)
    order = np.arange(len(rows))
    if _are_rows(rows, usage):
        order = np.argsort(rows)
        metadata = metadata.assign(row=rows)
    return make_fer2013(
        dataset.images[order],
        dataset.labels[order],
        usage[order],
        metadata.iloc[order],
        dataset.left_out,
    )


def _name_of_test(labels: np.ndarray) -> str:
    """Names the images of `test/` by their class counts, where their file names do not."""
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    public, private = (np.array(PUBLISHED_COUNTS[split]) for split in SPLITS[1:])
    known = {
        "PublicTest": public,
        "PrivateTest": private,
        "PublicTest+PrivateTest": public + private,
    }
    return next((name for name, n in known.items() if np.array_equal(counts, n)), "Test")


def _are_rows(numbers: np.ndarray, usage: np.ndarray) -> bool:
    """Tells whether the numbers in the file names are rows of the published file.

    In the widespread JPEG copy they are not: they run into the millions.
    """
    sizes = [sum(PUBLISHED_COUNTS[split]) for split in SPLITS]
    split_of_row = np.repeat(SPLITS, sizes)
    inside = (numbers >= 0) & (numbers < len(split_of_row))
    unique = len(np.unique(numbers)) == len(numbers)
    return unique and bool(inside.all() and (split_of_row[numbers] == usage).all())


def _count_problems(dataset: FaceDataset) -> list[str]:
    """Says for each split of the copy how its class counts differ from the published ones."""
    problems = []
    for split in SPLITS:
        found = np.bincount(dataset.labels[dataset.split == split], minlength=len(EMOTIONS))
        published = PUBLISHED_COUNTS[split]
        if found.any() and tuple(found) != published:
            details = ", ".join(
                f"{name} {have} of {want}"
                for name, have, want in zip(EMOTIONS, found, published, strict=True)
                if have != want
            )
            problems.append(
                f"{split} has {found.sum()} image{'' if found.sum() == 1 else 's'}, "
                f"published are {sum(published)} ({details})"
            )
    if "Test" in dataset.split:
        problems.append(
            f"test/ has {(dataset.split == 'Test').sum()} images that are neither the published "
            "PublicTest nor PrivateTest nor both; their split is called 'Test'"
        )
    return problems
