"""What every lesson begins with: its data set, and the check that notebook and library fit.

`FER_LIB_DATASET` decides on the data: FER2013 where there is a copy, synthetic faces where there
is none. Either way a lesson gets the same splits, shapes and classes.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013 import load_fer2013
from fer_lib.paths import datasets_dirs
from fer_lib.synthetic.faces import make_faces

_VARIABLE = "FER_LIB_DATASET"
_CHOICES = ("auto", "synthetic", "fer2013")


def load_course_dataset(num_per_class: int = 100, seed: int = 0) -> FaceDataset:
    """Loads the data set that the lessons use, small enough for two cores.

    The environment variable `FER_LIB_DATASET` chooses: `fer2013` takes your copy, `synthetic`
    generates faces, and `auto` (the default) takes FER2013 where `datasets/fer2013` or the cache
    has a copy that can be read.

    Args:
        num_per_class: Images of each class in the split `"Training"`; `"PublicTest"` has a
            quarter as many, at least one. A class of FER2013 that has fewer gives all it has.
        seed: Which images are generated or chosen.

    Returns:
        Gray 48x48 faces of the seven classes; `name` says which data set it is.

    Raises:
        ValueError: `num_per_class` is below 1, or the variable has another value.
        FileNotFoundError: FER2013 is asked for and not there.

    Example:
        >>> load_course_dataset(num_per_class=8)
        FaceDataset('synthetic': 70 images 48x48x1, 7 classes, Training 56, PublicTest 14)
    """
    if num_per_class < 1:
        raise ValueError(f"Expected `num_per_class` of 1 or more. Received: {num_per_class}")
    num_of_split = {"Training": num_per_class, "PublicTest": max(1, num_per_class // 4)}
    real = _load_real(list(num_of_split))
    if real is not None:
        return _sample(real, num_of_split, seed)
    faces = make_faces(sum(num_of_split.values()), seed=seed)
    # Classes take turns, so that the first of them are balanced.
    in_training = np.arange(len(faces)) < num_per_class * len(faces.class_names)
    split = np.where(in_training, "Training", "PublicTest")
    return dataclasses.replace(faces, split=split, subjects=None)


def _load_real(splits: list[str]) -> FaceDataset | None:
    """Returns FER2013 as the variable says, or None for synthetic faces."""
    choice = os.environ.get(_VARIABLE, "auto").strip().lower() or "auto"
    if choice not in _CHOICES:
        raise ValueError(f"Expected {_VARIABLE} among {_CHOICES}. Received: {choice!r}")
    has_folder = any((folder / "fer2013").is_dir() for folder in datasets_dirs())
    if choice == "synthetic" or (choice == "auto" and not has_folder):
        return None
    try:
        return load_fer2013(splits=splits)
    except (OSError, ValueError) as error:
        if choice == "fer2013":
            raise
        warnings.warn(
            f"Synthetic faces are used, because the copy of FER2013 cannot be: {error}",
            stacklevel=3,
        )
        return None


def _sample(dataset: FaceDataset, num_of_split: dict[str, int], seed: int) -> FaceDataset:
    """Keeps so many images of each class and split, chosen at random, in their order."""
    generator = np.random.default_rng(seed)
    kept = []
    for split, number in num_of_split.items():
        for label in range(len(dataset.class_names)):
            members = np.flatnonzero((dataset.split == split) & (dataset.labels == label))
            kept.append(generator.permutation(members)[:number])
    return dataset[np.sort(np.concatenate(kept))]


def check_notebook_version(wanted: str) -> None:
    """Says in one line if a notebook was written for another version of the library.

    An older library lacks what the notebook is about to use: a `RuntimeError`. One that is two or
    more versions newer is a `FutureWarning`.

    Args:
        wanted: The version that the notebook was written for, such as `"0.2"`; what is no version
            is a `ValueError`.

    Example:
        >>> import fer_lib
        >>> fer_lib.check_notebook_version("0.2")
    """
    from fer_lib import __version__

    needs, has = _parse(wanted), _parse(__version__)
    place = Path(__file__).resolve().parent
    if has < needs:
        raise RuntimeError(
            f"This notebook needs fer_lib {wanted}. Received: fer_lib {__version__} in {place}. "
            "Update it (`git pull` and `make lab`), then restart the kernel."
        )
    if has >= (needs[0], needs[1] + 2):
        warnings.warn(
            f"This notebook was written for fer_lib {wanted}, and fer_lib {__version__} is "
            "installed: names may have gone. Take the notebook that came with the library.",
            FutureWarning,
            stacklevel=2,
        )


def _parse(version: str) -> tuple[int, int]:
    parts = str(version).split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise ValueError(f"Expected a version such as '0.2'. Received: {version!r}")
    return int(parts[0]), int(parts[1])
