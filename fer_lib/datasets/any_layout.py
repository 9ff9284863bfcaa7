"""Whatever data set lies at a path, read by the loader of its set."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fer_lib import datasets
from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.combine import concatenate
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013 import has_published_folders, is_published, load_fer2013
from fer_lib.datasets.fer2013_files import find_source, has_columns, read_file
from fer_lib.datasets.folder import Classes, is_split, load_folder
from fer_lib.datasets.layouts import list_layouts, load_layout, recognize_layout
from fer_lib.datasets.storage import is_saved_dataset, read_fields
from fer_lib.files import expand_user, read_npz
from fer_lib.labels import EMOTIONS, EMOTIONS_8

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector


def load_path(
    path: str | os.PathLike[str],
    name: str | None = None,
    detector: FaceDetector | None = None,
    *,
    classes: Classes | None = None,
    image_size: int = 48,
) -> FaceDataset:
    """Reads a copy with the loader of its set, or with the one that its layout suggests.

    Args:
        path: A file of `FaceDataset.save`, FER2013 or a relative in a file, a public set in one of
            its layouts, or class-named folders.
        name: The catalogue's key of the set, such as `"rafdb"`; by default names of files decide.
        detector: Finds and aligns the faces of photographs.
        classes: Your own classes in class-named folders, as `class_names` of `load_folder`.
        image_size: Width and height in pixels of what is read from image files.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        ValueError: What is there is no data set, or has other classes; the message says what was
            expected.
    """
    path = expand_user(path)
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a data set: FER2013's file, or class-named folders. Received: {path}, which "
            "does not exist"
        )
    if classes is not None and (path.is_file() or name is not None):
        received = path if name is None else f"name={name!r}, too"
        raise ValueError(f"Expected `classes` of class-named folders. Received: {received}")
    if name is not None:
        return _load_named(path, name, detector, image_size)
    if path.is_file():
        return _load_file(path)
    if not isinstance(classes, Mapping):
        dataset = _load_recognized(path, detector, image_size)
        if dataset is not None:
            return dataset if classes is None else _match_classes(dataset, tuple(classes))
    return load_folder(path, detector, class_names=classes, image_size=image_size)


def _load_named(
    path: Path, name: str, detector: FaceDetector | None, image_size: int
) -> FaceDataset:
    loader = dataset_info(name).layout.loader
    if name == "ferplus":
        return load_layout(path, name, image_size=image_size)
    takes_detector = name in list_layouts() or loader == "load_folder"
    options = {"detector": detector, "image_size": image_size} if takes_detector else {}
    return getattr(datasets, loader)(path, **options)


def _load_recognized(
    folder: Path, detector: FaceDetector | None, image_size: int
) -> FaceDataset | None:
    """Reads a folder that names of files tell as a public set; None if they do not."""
    name = recognize_layout(folder)
    if name is not None:
        return _load_named(folder, name, detector, image_size)
    with contextlib.suppress(FileNotFoundError):
        source = find_source(folder)
        if source.is_file() or has_published_folders(source):
            return load_fer2013(folder)
    names = [file for file in sorted(folder.glob("*.csv")) if is_split(file.stem)]
    tables = [file for file in names if has_columns(file, "pixels")]
    return _load_tables(folder, tables) if tables else None


def _match_classes(dataset: FaceDataset, names: tuple[str, ...]) -> FaceDataset:
    others = {dataset.class_names[label] for label in set(dataset.labels)} - set(names)
    if others:
        raise ValueError(f"Expected images of {names}. Received: {', '.join(sorted(others))}, too")
    return dataset.with_classes(names)


def _load_file(path: Path) -> FaceDataset:
    """Reads FER2013 or a relative of it, such as `ckextended.csv`, or a saved data set."""
    if path.suffix.lower() == ".npz":
        arrays = read_npz(path, "a data set")
        if is_saved_dataset(arrays):
            return FaceDataset(**read_fields(arrays, path))
    if path.suffix.lower() != ".csv" or path.stem.lower().startswith(("fer2013", "icml")):
        return load_fer2013(path)
    dataset = _read_tables([path], path.stem)
    return dataclasses.replace(dataset, name="fer2013") if is_published(dataset) else dataset


def _load_tables(folder: Path, tables: list[Path]) -> FaceDataset:
    """Reads `train.csv` and `test.csv` of one folder; those without labels are left out."""
    labeled = [table for table in tables if has_columns(table, "emotion")]
    if not labeled:
        raise ValueError(f"{folder}: expected a table with labels. Received: none")
    problem = "no column emotion, so its images have no labels"
    left_out = [(table.name, problem) for table in tables if table not in labeled]
    if left_out:
        warnings.warn(f"{folder}: left out {left_out[0][0]}: {problem}", stacklevel=4)
    dataset = _read_tables(labeled, folder.resolve().name)
    problems = pd.DataFrame(left_out, columns=["file", "problem"], dtype=str)
    return dataclasses.replace(dataset, left_out=problems)


def _read_tables(tables: list[Path], name: str) -> FaceDataset:
    dataset = concatenate([read_file(table, EMOTIONS_8) for table in tables], name)
    has_contempt = EMOTIONS_8.index("contempt") in dataset.labels
    return dataset if has_contempt else dataset.with_classes(EMOTIONS)
