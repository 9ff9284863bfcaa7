"""`load_path`: a file or folder of any layout that the library knows, read by the loader of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013 import load_fer2013
from fer_lib.datasets.fer2013_files import find_source, is_published
from fer_lib.datasets.folder import load_folder
from fer_lib.datasets.storage import is_saved_dataset
from fer_lib.files import expand_user, read_npz

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector


def load_path(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    classes: Sequence[str] | Mapping[str, str] | None = None,
    detector: FaceDetector | None = None,
) -> FaceDataset:
    """Reads a copy with the loader of its set, or with the one that its layout suggests.

    Args:
        path: A file of `FaceDataset.save`, a copy of a public set, or class-named folders.
        name: The catalogue's key of the set, where it is known.
        classes: Names of your own classes in class-named folders; or a mapping from each class
            to the name of its folder.
        detector: Finds and aligns the faces of photographs in class-named folders.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        ValueError: What is there is no data set, or has other classes; the message says what was
            expected.
    """
    from fer_lib import datasets

    path = expand_user(path)
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a data set: FER2013's file, or class-named folders. Received: {path}, which "
            "does not exist"
        )
    if name is not None and classes is not None:
        raise ValueError(f"Expected `classes` of class-named folders. Received: name={name!r}, too")
    if name is not None:
        return getattr(datasets, dataset_info(name).layout.loader)(path)
    if path.suffix.lower() == ".npz" and is_saved_dataset(read_npz(path, "a data set")):
        return FaceDataset.load(path)
    if classes is None:
        try:
            source = find_source(path)
        except FileNotFoundError:
            pass
        else:
            if source.layout != "folders" or is_published(source.path):
                return load_fer2013(path)
    return load_folder(path, detector, class_names=classes)
