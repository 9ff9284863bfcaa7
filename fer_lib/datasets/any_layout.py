"""Whatever data set lies at a path, read by the loader of its set."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fer_lib import datasets
from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.combine import concatenate
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013 import has_published_folders, is_published, load_fer2013
from fer_lib.datasets.fer2013_files import find_source, read_file
from fer_lib.datasets.folder import Classes, is_split, load_folder
from fer_lib.datasets.layouts import list_layouts, load_layout, recognize_layout
from fer_lib.datasets.storage import is_saved_dataset, read_fields
from fer_lib.files import expand_user, read_npz
from fer_lib.labels import EMOTIONS, EMOTIONS_8


def load_path(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    classes: Classes | None = None,
    **options: Any,
) -> FaceDataset:
    """Reads a copy with the loader of its set, or with the one that its layout suggests.

    Args:
        path: A file of `FaceDataset.save`, FER2013 or a relative in a file, a public set in one of
            its layouts, or class-named folders.
        name: The catalogue's key of the set, such as `"rafdb"`; by default names of files decide.
        classes: Your own classes in class-named folders, as `class_names` of `load_folder`.
        **options: `detector` and `image_size` of what is read from image files, see `load_folder`.

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
    if name is None and path.is_file():
        return _load_file(path)
    if name is None and not isinstance(classes, Mapping):
        name = recognize_layout(path)
    if name is not None:
        dataset = _load_named(path, name, **options)
    else:
        dataset = None if isinstance(classes, Mapping) else _load_fer2013(path)
    if dataset is None:
        return load_folder(path, class_names=classes, **options)
    if classes is None:
        return dataset
    others = {dataset.class_names[label] for label in set(dataset.labels)} - {*classes}
    if others:
        received = ", ".join(sorted(others))
        raise ValueError(f"Expected images of {tuple(classes)}. Received: {received}, too")
    return dataset.with_classes(classes)


def _load_named(path: Path, name: str, **options: Any) -> FaceDataset:
    loader = dataset_info(name).layout.loader
    if name in list_layouts():
        return load_layout(path, name, **options)
    return getattr(datasets, loader)(path, **(options if loader == "load_folder" else {}))


def _load_fer2013(folder: Path) -> FaceDataset | None:
    """Reads FER2013, or tables that are called after splits, from a folder; None without them."""
    with contextlib.suppress(FileNotFoundError):
        source = find_source(folder)
        if source.is_file() or has_published_folders(source):
            return load_fer2013(folder)
    headers = {file: _header(file) for file in sorted(folder.glob("*.csv")) if is_split(file.stem)}
    tables = [file for file, header in headers.items() if "pixels" in header]
    if not tables:
        return None
    labeled = [file for file in tables if "emotion" in headers[file]]
    problem = "no column emotion, so its images have no labels"
    left_out = [(file.name, problem) for file in tables if file not in labeled]
    if labeled and left_out:
        warnings.warn(f"{folder}: left out {left_out[0][0]}: {problem}", stacklevel=4)
    dataset = _read_tables(labeled or tables, folder.resolve().name)
    problems = pd.DataFrame(left_out, columns=["file", "problem"], dtype=str)
    return dataclasses.replace(dataset, left_out=problems)


def _header(table: Path) -> str:
    with table.open("rb") as file:
        return file.readline(1000).decode(errors="replace").lower()


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


def _read_tables(tables: list[Path], name: str) -> FaceDataset:
    dataset = concatenate([read_file(table, EMOTIONS_8) for table in tables], name)
    has_contempt = EMOTIONS_8.index("contempt") in dataset.labels
    return dataset if has_contempt else dataset.with_classes(EMOTIONS)
