"""What the verbs share to read a data set that the user names by a path."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.datasets import catalogue

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.detection import FaceDetector


def add_detector_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the argument of the verbs that read folders of pictures."""
    parser.add_argument(
        "--detector",
        default="mtcnn",
        choices=("mtcnn", "yunet", "none"),
        help="finds the faces in folders of pictures; none: they are faces already",
    )


def load_path(
    path: Path, key: str | None = None, detector: FaceDetector | None = None
) -> FaceDataset:
    """Reads a copy with the loader of its set, or with the one that its layout suggests.

    Args:
        path: A file of `FaceDataset.save`, a copy of a public set, or class-named folders.
        key: The catalogue's key of the set, where it is known.
        detector: Finds and aligns the faces of class-named folders, unless the pictures there are
            crops of 48x48 pixels already.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        ValueError: What is there is no data set; the message says what was expected.
    """
    from fer_lib import datasets
    from fer_lib.datasets.fer2013_files import find_source
    from fer_lib.datasets.storage import is_saved_dataset
    from fer_lib.files import read_npz

    path = path.expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a data set: FER2013's file, or class-named folders. Received: {path}, which "
            "does not exist"
        )
    is_npz = key is None and path.suffix.lower() == ".npz"
    if is_npz and is_saved_dataset(read_npz(path, "a data set")):
        return datasets.FaceDataset.load(path)
    if key is None:
        try:
            source = find_source(path)
            is_fer2013 = source.layout != "folders" or holds_crops(source.path)
            key = "fer2013" if is_fer2013 else "folder"
        except FileNotFoundError:
            key = "folder"
    if key == "folder" and detector is not None and not holds_crops(path):
        return datasets.load_folder(path, detector)
    return getattr(datasets, catalogue.dataset_info(key).layout.loader)(path)


def holds_crops(folder: Path) -> bool:
    """Tells crops of 48x48 pixels, such as FER2013's, from photographs of the user."""
    from fer_lib.images import find_images, read_image

    files = find_images(folder) if folder.is_dir() else []
    return bool(files) and read_image(files[0]).shape[:2] == (48, 48)
