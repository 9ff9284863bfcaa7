"""Reads the files in which FER2013 and its relatives are published, and says what is wrong in them.

Folders of images are read in `fer2013`.
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

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

_SIDE = 48
_COLUMNS = ("emotion", "pixels", "usage")
_FILES = ("fer2013.npz", "fer2013.csv", "icml_face_data.csv", "fer2013.tar.gz", "fer2013")
# The splits of files that are called after them and have no column `Usage`.
_SPLIT_OF_STEM = {"train": "Training", "training": "Training", "test": "Test"}
_SPLIT_OF_STEM |= {"val": "Validation", "valid": "Validation", "validation": "Validation"}


def find_source(path: Path) -> Path:
    """Returns the file of a copy of FER2013, or the folder that holds its folders.

    Raises:
        FileNotFoundError: The path does not exist, or the folder holds none of the layouts.
    """
    if not path.exists():
        raise FileNotFoundError(f"Expected a copy of FER2013. Received: {path}, which is missing")
    for folder in (path, path / "fer2013"):
        for name in _FILES:
            if (folder / name).is_file():
                return folder / name
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return folder
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"Expected a folder with one of {', '.join(_FILES)} or the folders train and test. "
        f"Received: {path}"
    )


def has_columns(table: Path, *names: str) -> bool:
    """Tells whether the first line of a file names these columns."""
    with table.open("rb") as file:
        header = file.readline(1000).lower()
    return all(name.encode() in header for name in names)


def read_file(path: Path, class_names: tuple[str, ...] = EMOTIONS) -> FaceDataset:
    """Reads a copy that is one file: CSV, `.tar.gz` or `.npz`, with or without such an ending.

    Args:
        path: The file.
        class_names: What the codes 0, 1, 2 and so on of a CSV file mean.

    Raises:
        ValueError: It breaks the format; the message names the file, the row and the expectation.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    suffix = path.suffix.lower()
    if suffix == ".npz" or (not suffix and start.startswith(b"PK")):
        return _read_npz(path)
    if suffix in (".gz", ".tgz") or (not suffix and start.startswith(b"\x1f\x8b")):
        with tempfile.TemporaryDirectory() as folder:
            unpack(path, Path(folder))
            files = sorted(file for file in Path(folder).rglob("*") if file.is_file())
            names = {file.relative_to(folder).as_posix(): file for file in files}
            name = next((name for name, f in names.items() if f.name == "fer2013.csv"), None)
            if name is None:
                received = ", ".join(names)[:200]
                raise ValueError(f"{path}: expected a file fer2013.csv. Received: {received}")
            return read_csv(names[name], f"{path}:{name}")
    if suffix == ".csv" or b"pixels" in start.lower():
        return read_csv(path, str(path), class_names)
    remedy = "; unpack it" if suffix == ".zip" else ""
    raise ValueError(f"Expected a .csv, .npz or .tar.gz file. Received: {path}{remedy}")


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


def read_csv(
    file: Path | IO[bytes], name: str, class_names: tuple[str, ...] = EMOTIONS
) -> FaceDataset:
    """Reads the columns `emotion`, `pixels` and `Usage` of a CSV file, in any order.

    A file that is called after a split, such as `train.csv`, needs no `Usage`. Others columns are
    passed over; labels such as "3.0" and semicolons between the columns are understood.

    Args:
        file: A path, or an open file.
        name: What the file is called in messages.
        class_names: What the codes 0, 1, 2 and so on mean.

    Raises:
        ValueError: It breaks the format.
    """
    table = read_table(file, name)
    split = _SPLIT_OF_STEM.get(Path(name).stem.lower())
    if split is not None and "usage" not in table:
        table["usage"] = split
    check_columns(table, _COLUMNS, name, "the columns emotion, pixels, Usage")
    labels = table["emotion"].str.strip().str.replace(r"\.0+$", "", regex=True)
    usage = table["usage"].str.strip()
    codes = {str(code): code for code in range(len(class_names))}
    last = len(class_names) - 1
    check_values(labels, codes, f"{name}, row {{}}: expected `emotion` from 0 to {last}")
    known = SPLITS if split is None else (*SPLITS, split)
    check_values(usage, known, f"{name}, row {{}}: expected `Usage` among {known}")
    pixels = np.empty((len(table), _SIDE, _SIDE), np.uint8)
    for row, text in enumerate(table["pixels"]):
        pixels[row] = _parse_pixels(text, f"{name}, row {row}")
    return _make(pixels, labels.map(codes).to_numpy(), usage.to_numpy(str), class_names)


def read_table(file: Path | IO[bytes], name: str) -> pd.DataFrame:
    """Reads a CSV file as text, with lower-case names of the columns.

    Raises:
        ValueError: It is no table.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return read_table(opened, name)
    stream = file if hasattr(file, "peek") else io.BufferedReader(file)
    header = stream.peek(4096).split(b"\n")[0].decode(errors="replace")
    separator = max(",;\t", key=header.count)
    try:
        options = {"dtype": str, "keep_default_na": False, "encoding_errors": "replace"}
        table = pd.read_csv(stream, sep=separator, **options)
    except pd.errors.EmptyDataError:
        table = pd.DataFrame(columns=["an empty file"])
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name}: expected a table with commas. Received: {reason}") from None
    return table.rename(columns=lambda column: str(column).strip().lower())


def check_columns(table: pd.DataFrame, names: Iterable[str], file: str, expected: str) -> None:
    """Refuses a table without one of the columns, or without rows."""
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(
            f"{file}: expected {expected}. "
            f"Received: {', '.join(table)[:200]} (no {', '.join(missing)})"
        )
    if table.empty:
        raise ValueError(f"{file}: expected rows below the header. Received: none")


def check_values(values: pd.Series, known: Iterable[str], expected: str) -> None:
    """Refuses the first value that is not known; `expected` has a place `{}` for its row."""
    wrong = np.flatnonzero(~values.isin(list(known)))
    if len(wrong):
        value = str(values.iloc[wrong[0]])[:40]
        raise ValueError(f"{expected.format(wrong[0])}. Received: {value!r}")


def _make(
    pixels: np.ndarray, labels: np.ndarray, usage: np.ndarray, class_names: tuple[str, ...]
) -> FaceDataset:
    metadata = pd.DataFrame({"row": published_rows(usage)})
    return FaceDataset(pixels, labels, class_names, usage, metadata=metadata, name="fer2013")


def _parse_pixels(text: str, where: str) -> np.ndarray:
    """Turns 2,304 numbers into `uint8 (48, 48)`."""
    size = _SIDE * _SIDE
    try:
        # One number more than there should be: older numpy stops at what is none without an error.
        values = np.fromstring(text + " 0", np.int64, sep=" ")
    except ValueError:
        values = np.zeros(0, np.int64)
    if len(values) == size + 1 and values.min() >= 0 and values.max() <= 255:
        return values[:-1].astype(np.uint8).reshape(_SIDE, _SIDE)
    words = text.split()
    if len(words) != size:
        raise ValueError(f"{where}: expected {size} pixels (48x48). Received: {len(words)}")
    known = set(map(str, range(256)))
    wrong = next((n for n, w in enumerate(words) if (w.lstrip("0") or "0") not in known), None)
    if wrong is None:  # only what separates them is unusual
        return np.array(list(map(int, words)), np.uint8).reshape(_SIDE, _SIDE)
    raise ValueError(
        f"{where}: expected pixels from 0 to 255. Received: {words[wrong][:40]!r} as pixel {wrong}"
    )


def _read_npz(path: Path) -> FaceDataset:
    """Reads the arrays pixels, emotion, usage, or what `FaceDataset.save` wrote."""
    arrays = read_npz(path, "a copy of FER2013")
    if is_saved_dataset(arrays):
        dataset = FaceDataset(**read_fields(arrays, path))
    else:
        names = ("pixels", "emotion", "usage")
        table = pd.DataFrame(columns=list(arrays), index=[0])
        check_columns(table, names, str(path), "the arrays pixels, emotion, usage")
        pixels, labels, usage = (arrays[name] for name in names)
        expected = f"{path}, row {{}}: expected `usage` among {SPLITS}"
        check_values(pd.Series(usage), SPLITS, expected)
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
