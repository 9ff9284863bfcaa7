"""FER2013 (Goodfellow et al., arXiv 1307.0414) from whichever of its published layouts you have.

The layouts themselves are read in `fer2013_files`; here a copy is found, checked against the
published counts, and kept in the cache, from where it loads in a fraction of a second.
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
    read_file,
)
from fer_lib.datasets.fer2013_folders import read_folders
from fer_lib.labels import EMOTIONS
from fer_lib.paths import cache_dir, datasets_dirs


def load_fer2013(
    path: str | os.PathLike[str] | None = None, splits: str | Sequence[str] | None = None
) -> FaceDataset:
    """Loads FER2013: 48x48 grey faces found by web search, seven classes.

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
        The pictures in their published order, `uint8 (n, 48, 48, 1)`. Column `row` of the metadata
        is the row in the published file (the row in this file, where its splits have not the
        published sizes; absent where folders do not tell), counted from 0.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: A file breaks the format; the message names the file, the row and what was
            expected.

    Warns:
        UserWarning: The number of pictures of a class differs from the published one.

    Example:
        `load_fer2013("fer2013.csv", splits="PublicTest")` gives 3,589 pictures.
    """
    source = find_source(_default_folder() if path is None else Path(path).expanduser())
    dataset = _read(source) if source.layout == "npz" else cached(source, lambda: _read(source))
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
    arrays = read_folders(source.path) if source.layout == "folders" else read_file(source)
    metadata = {} if arrays.rows is None else {"row": arrays.rows}
    if arrays.files is not None:
        metadata["file"] = arrays.files
    return FaceDataset(
        images=arrays.pixels,
        labels=arrays.labels,
        class_names=EMOTIONS,
        split=arrays.usage,
        metadata=pd.DataFrame(metadata, index=range(len(arrays.pixels))),
        name="fer2013",
    )


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
                f"{split} has {found.sum()} picture{'' if found.sum() == 1 else 's'}, "
                f"published are {sum(published)} ({details})"
            )
    if "Test" in dataset.split:
        problems.append(
            f"test/ has {(dataset.split == 'Test').sum()} pictures that are neither the published "
            "PublicTest nor PrivateTest nor both; their split is called 'Test'"
        )
    return problems
