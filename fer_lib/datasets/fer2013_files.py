"""Reads the files in which FER2013 and its relatives are published; says what is wrong in them.

Folders of images are read in `fer2013`.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.datasets.archives import unpack
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.storage import is_saved_dataset, read_fields
from fer_lib.files import read_npz
from fer_lib.labels import EMOTIONS

SPLITS: tuple[str, ...] = ("Training", "PublicTest", "PrivateTest")
"""The splits in their published order."""

PUBLISHED_COUNTS: dict[str, tuple[int, ...]] = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
"""Images of each class, in the order of `EMOTIONS`, in the splits as published."""

FILES = ("fer2013.npz", "fer2013.csv", "icml_face_data.csv", "fer2013.tar.gz", "fer2013")
"""What a copy that is one file is called."""

SPLIT_OF_NAME = {"train": "Training", "training": "Training", "test": "Test"}
SPLIT_OF_NAME |= dict.fromkeys(("val", "valid", "validation"), "Validation")
"""The splits of folders, and of files without a column `Usage`, that are called after them."""

_SIDE = 48
_COLUMNS = ("pixels", "emotion", "usage")


def find_source(path: Path) -> Path:
    """Returns the file of a copy, or the folder of its folders; else a `FileNotFoundError`."""
    for folder in (path, path / "fer2013"):
        file = next((folder / name for name in FILES if (folder / name).is_file()), None)
        if file is not None:
            return file
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return folder
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"Expected a copy of FER2013: {', '.join(FILES)} or the folders train and test. "
        f"Received: {path}, {'without them' if path.exists() else 'which is missing'}"
    )


def read_file(path: Path, class_names: tuple[str, ...] = EMOTIONS) -> FaceDataset:
    """Reads a copy that is one file: CSV, `.tar.gz` or `.npz`, with or without such an ending.

    `class_names` says what the codes 0, 1, 2 and so on of a CSV file mean. What breaks the format
    is a `ValueError`, which names the file, the row and the expectation.
    """
    with path.open("rb") as opened:
        start = opened.read(4096)
    kind = path.suffix.lower() or {b"PK": ".npz", b"\x1f\x8b": ".gz"}.get(start[:2])
    if kind == ".npz":
        return _read_npz(path)
    if kind == ".csv" or b"pixels" in start.lower():
        return read_csv(path, str(path), class_names)
    if kind not in (".gz", ".tgz"):
        raise ValueError(f"Expected a .csv, .npz or .tar.gz file. Received: {path}; unpack others")
    with tempfile.TemporaryDirectory() as folder:
        unpack(path, Path(folder))
        names = [f.relative_to(folder).as_posix() for f in sorted(Path(folder).rglob("*.*"))]
        for name in names:
            if name.endswith("fer2013.csv"):
                return read_csv(Path(folder, name), f"{path}:{name}")
    raise ValueError(f"{path}: expected a file fer2013.csv. Received: {', '.join(names)[:200]}")


def read_csv(file: Path, name: str, class_names: tuple[str, ...] = EMOTIONS) -> FaceDataset:
    """Reads the columns `emotion`, `pixels` and `Usage` of a CSV file, in any order.

    A file that is called after a split, such as `train.csv`, needs no `Usage`. Other columns are
    passed over; labels such as "3.0" and semicolons between the columns are understood. Messages
    call the file `name`.
    """
    table = read_table(file, _COLUMNS, name, SPLIT_OF_NAME.get(file.stem.lower()))
    labels = table["emotion"].str.strip().str.replace(r"\.0+$", "", regex=True)
    codes = {str(code): code for code in range(len(class_names))}
    _check_values(labels, codes, name, "emotion")
    pixels = np.empty((len(table), _SIDE, _SIDE), np.uint8)
    for row, text in enumerate(table["pixels"]):
        pixels[row] = _parse_pixels(text, f"{name}, row {row}")
    return _make(pixels, labels.map(codes), table["usage"], class_names)


def read_table(
    path: Path, columns: Iterable[str], name: str, split: str | None = None
) -> pd.DataFrame:
    """Reads a CSV file with `columns` as text, their names in lower case.

    One of them is `usage`, a split; where there is none, all rows are of the given one. What is no
    table, lacks a column or rows, or has other splits is a `ValueError`.
    """
    with path.open("rb") as file:
        header = file.readline(4096).decode(errors="replace")
        file.seek(0)
        options = {"dtype": str, "keep_default_na": False, "encoding_errors": "replace"}
        try:
            table = pd.read_csv(file, sep=max(",;\t", key=header.count), **options)
        except pd.errors.EmptyDataError:
            table = pd.DataFrame(columns=["an empty file"])
        except pd.errors.ParserError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{name}: expected a table with commas. Received: {reason}") from None
    table = table.rename(columns=lambda column: str(column).strip().lower())
    if split is not None and "usage" not in table:
        table["usage"] = split
    _check_columns(table, columns, name)
    if table.empty:
        raise ValueError(f"{name}: expected rows below the header. Received: none")
    table["usage"] = table["usage"].str.strip()
    _check_values(table["usage"], (*SPLITS, split), name, "usage")
    return table


def published_rows(usage: np.ndarray) -> np.ndarray:
    """Numbers the rows as the whole published file does, from 0, even where splits are left out.

    That is possible where every split present has its published size; else rows are counted in
    this file.
    """
    rows = np.arange(len(usage))
    numbered, start = rows.copy(), 0
    for split in SPLITS:
        members, size = np.flatnonzero(usage == split), sum(PUBLISHED_COUNTS[split])
        if len(members) not in (0, size):
            return rows
        numbered[members] = start + np.arange(len(members))
        start += size
    return numbered


def _check_columns(found: Iterable[str], columns: Iterable[str], name: str) -> None:
    missing = [column for column in columns if column not in found]
    if missing:
        raise ValueError(
            f"{name}: expected {', '.join(columns)}. "
            f"Received: {', '.join(found)[:200]} (no {', '.join(missing)})"
        )


def _check_values(values: pd.Series, known: Iterable[str | None], name: str, column: str) -> None:
    wrong = np.flatnonzero(~values.isin(list(known)))
    if len(wrong):
        expected = ", ".join(filter(None, known))
        received = str(values.iloc[wrong[0]])[:40]
        raise ValueError(
            f"{name}, row {wrong[0]}: expected `{column}` among {expected}. Received: {received!r}"
        )


def _make(pixels: Any, labels: Any, usage: Any, class_names: tuple[str, ...]) -> FaceDataset:
    metadata = pd.DataFrame({"row": published_rows(np.asarray(usage, str))})
    return FaceDataset(pixels, labels, class_names, usage, metadata=metadata, name="fer2013")


def _parse_pixels(text: str, where: str) -> np.ndarray:
    """Turns 2,304 numbers into `uint8 (48, 48)`."""
    size = _SIDE * _SIDE
    try:
        # One number more than there should be: older numpy stops at what is none without an error.
        values = np.fromstring(text + " 0", np.int64, sep=" ")[:-1]
    except ValueError:
        values = np.zeros(0, np.int64)
    if len(values) != size or values.min() < 0 or values.max() > 255:
        words = text.split()  # slower, and sure; takes unusual spaces, too
        if len(words) != size:
            raise ValueError(f"{where}: expected {size} pixels (48x48). Received: {len(words)}")
        values = [int(word) if word.isdecimal() else -1 for word in words]
        wrong = next((w for w, n in zip(words, values, strict=True) if not 0 <= n <= 255), None)
        if wrong is not None:
            raise ValueError(f"{where}: expected pixels from 0 to 255. Received: {wrong[:40]!r}")
    return np.array(values, np.uint8).reshape(_SIDE, _SIDE)


def _read_npz(path: Path) -> FaceDataset:
    """Reads the arrays pixels, emotion, usage, or what `FaceDataset.save` wrote."""
    arrays = read_npz(path, "a copy of FER2013")
    if is_saved_dataset(arrays):
        dataset = FaceDataset(**read_fields(arrays, path))
    else:
        _check_columns(arrays, _COLUMNS, str(path))
        pixels, labels, usage = (arrays[name] for name in _COLUMNS)
        _check_values(pd.Series(usage), SPLITS, str(path), "usage")
        try:
            dataset = _make(pixels, labels, usage, EMOTIONS)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    is_fer2013 = dataset.class_names == EMOTIONS and dataset.images.shape[1:] == (_SIDE, _SIDE, 1)
    if not is_fer2013 or not len(dataset):
        raise ValueError(
            f"{path}: expected FER2013, gray 48x48 images of {EMOTIONS}. "
            f"Received: {dataset!r}; FaceDataset.load reads what was saved"
        )
    return dataclasses.replace(dataset, name="fer2013", left_out=None)
