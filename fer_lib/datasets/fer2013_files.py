"""Reads the files in which FER2013 and its relatives are published, and says what is wrong in them.

Folders of images are read in `fer2013`.
"""

from __future__ import annotations

import dataclasses
import gzip
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.storage import is_saved_dataset, read_fields
from fer_lib.files import read_npz
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS

SPLITS: tuple[str, ...] = ("Training", "PublicTest", "PrivateTest")
"""The splits in their published order."""

PUBLISHED_COUNTS: dict[str, tuple[int, ...]] = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
# What tells the published folders: the beginning of each file's name, or how many files there are.
_PUBLISHED_NAMES = tuple(f"{split}_" for split in SPLITS)
_PUBLISHED_SIZES = (28_709, 3_589, 7_178)
"""Images of each class, in the order of `EMOTIONS`, in the splits as published."""

SIDE = 48
_PIXELS = SIDE * SIDE
_COLUMNS = ("emotion", "pixels", "usage")
_LAYOUT_OF_ENDING = {".csv": "csv", ".npz": "npz", ".tar.gz": "tar", ".tgz": "tar"}
_FILES = ("fer2013.npz", "fer2013.csv", "icml_face_data.csv", "fer2013.tar.gz")


@dataclasses.dataclass(frozen=True)
class Source:
    """One copy of FER2013: where it is and in which layout."""

    path: Path
    layout: str  # "csv", "tar", "npz" or "folders"


def find_source(path: Path) -> Source:
    """Finds the layout of a file, or in a folder.

    Raises:
        FileNotFoundError: The path does not exist, or the folder holds none of the layouts.
        ValueError: The file is of another kind.
    """
    if not path.exists():
        raise FileNotFoundError(f"Expected a copy of FER2013. Received: {path}, which is missing")
    if path.is_file():
        name = path.name.lower()
        for ending, layout in _LAYOUT_OF_ENDING.items():
            if name.endswith(ending):
                return Source(path, layout)
        raise ValueError(f"Expected a .csv, .npz or .tar.gz file. Received: {path}")
    for folder in (path, path / "fer2013"):
        for name in _FILES:
            if (folder / name).is_file():
                return find_source(folder / name)
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return Source(folder, "folders")
    raise FileNotFoundError(
        f"Expected a folder with one of {', '.join(_FILES)} or the folders train and test. "
        f"Received: {path}"
    )


def is_published(folder: Path) -> bool:
    """Tells FER2013's folders, by the published names or numbers of images, from a user's own."""
    parts = [folder / name for name in ("train", "test") if (folder / name).is_dir()]
    for files in map(find_images, parts):
        if len(files) in _PUBLISHED_SIZES:
            return True
        if files and all(file.name.startswith(_PUBLISHED_NAMES) for file in files):
            return True
    return False


def read_file(source: Source) -> FaceDataset:
    """Reads a copy that is one file.

    Raises:
        ValueError: It breaks the format; the message names the file, the row and the expectation.
        OSError: It cannot be read.
    """
    if source.layout == "csv":
        return read_csv(source.path, str(source.path))
    return _read_tar(source.path) if source.layout == "tar" else _read_npz(source.path)


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


def read_csv(file: Path | IO[bytes], name: str) -> FaceDataset:
    """Reads the columns `emotion`, `pixels` and `Usage` of a CSV file, in any order.

    Args:
        file: A path, or an open file.
        name: What the file is called in messages.

    Raises:
        ValueError: It breaks the format.
    """
    table = read_table(file, name)
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{name}: expected the columns emotion, pixels, Usage. "
            f"Received: {', '.join(table)[:200]} (no {', '.join(missing)})"
        )
    if table.empty:
        raise ValueError(f"{name}: expected rows below the header. Received: none")
    labels = table["emotion"].str.strip()
    usage = table["usage"].str.strip()
    codes = {str(code): code for code in range(len(EMOTIONS))}
    check_values(labels, codes, f"{name}, row {{}}: expected `emotion` from 0 to 6")
    check_values(usage, SPLITS, f"{name}, row {{}}: expected `Usage` among {SPLITS}")
    pixels = np.empty((len(table), SIDE, SIDE), np.uint8)
    for row, text in enumerate(table["pixels"]):
        pixels[row] = _parse_pixels(text, f"{name}, row {row}")
    return make_fer2013(pixels, labels.map(codes).to_numpy(), usage.to_numpy(str))


def read_table(file: Path | IO[bytes], name: str) -> pd.DataFrame:
    """Reads a CSV file as text, with lower-case names of the columns.

    Raises:
        ValueError: It is no table.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding_errors="replace")
    except pd.errors.EmptyDataError:
        table = pd.DataFrame(columns=["an empty file"])
    except pd.errors.ParserError as error:
        raise ValueError(f"{name}: expected a table with commas. Received: {error}") from None
    return table.rename(columns=lambda column: str(column).strip().lower())


def check_values(values: pd.Series, known: Iterable[str], expected: str) -> None:
    """Refuses the first value that is not known; `expected` has a place `{}` for its row."""
    wrong = np.flatnonzero(~values.isin(list(known)))
    if len(wrong):
        value = str(values.iloc[wrong[0]])[:40]
        raise ValueError(f"{expected.format(wrong[0])}. Received: {value!r}")


def make_fer2013(
    pixels: np.ndarray,
    labels: np.ndarray,
    usage: np.ndarray,
    metadata: pd.DataFrame | None = None,
    left_out: pd.DataFrame | None = None,
) -> FaceDataset:
    """Returns FER2013 from arrays; without metadata, with the published rows as `row`."""
    if metadata is None:
        metadata = pd.DataFrame({"row": published_rows(usage)})
    return FaceDataset(
        pixels, labels, EMOTIONS, usage, metadata=metadata, name="fer2013", left_out=left_out
    )


def _parse_pixels(text: str, where: str) -> np.ndarray:
    """Turns 2,304 numbers into `uint8 (48, 48)`."""
    try:
        # One number more than there should be: older numpy stops at what is none without an error.
        values = np.fromstring(text + " 0", np.int64, sep=" ")
    except ValueError:
        values = np.zeros(0, np.int64)
    if len(values) == _PIXELS + 1 and values.min() >= 0 and values.max() <= 255:
        return values[:-1].astype(np.uint8).reshape(SIDE, SIDE)
    # Slow, so only where something is wrong: find out what.
    words = text.split()
    if len(words) != _PIXELS:
        raise ValueError(f"{where}: expected {_PIXELS} pixels (48x48). Received: {len(words)}")
    position = next(i for i, word in enumerate(words) if not _is_pixel(word))
    raise ValueError(
        f"{where}: expected pixels from 0 to 255. "
        f"Received: {words[position][:40]!r} as pixel {position}"
    )


def _is_pixel(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) <= 255


def _read_tar(path: Path) -> FaceDataset:
    """Reads the `fer2013.csv` inside the archive as a stream: nothing is written to the disk."""
    names, dataset = [], None
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                names.append(member.name)
                if member.isfile() and Path(member.name).name == "fer2013.csv" and dataset is None:
                    dataset = read_csv(archive.extractfile(member), f"{path}:{member.name}")
            # The checksum comes at the very end, behind what tar itself reads.
            while stream.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}: expected a whole .tar.gz archive. Received: a damaged one ({error}); "
            "download it again"
        ) from None
    if dataset is None:
        found = ", ".join(names)[:200]
        raise ValueError(f"{path}: expected a file fer2013.csv in the archive. Received: {found}")
    return dataset


def _read_npz(path: Path) -> FaceDataset:
    arrays = read_npz(path, "a copy of FER2013")
    if is_saved_dataset(arrays):
        dataset = FaceDataset(**read_fields(arrays, path))
        if dataset.class_names == EMOTIONS and dataset.images.shape[1:] == (SIDE, SIDE, 1):
            metadata = dataset.metadata
            return make_fer2013(dataset.images, dataset.labels, dataset.split, metadata)
        raise ValueError(
            f"{path}: expected FER2013, gray 48x48 images of {EMOTIONS}. "
            f"Received: {dataset!r}; FaceDataset.load reads it"
        )
    missing = {"pixels", "emotion", "usage"} - set(arrays)
    if missing:
        raise ValueError(
            f"{path}: expected the arrays pixels, emotion, usage. "
            f"Received: {', '.join(arrays)} (no {', '.join(sorted(missing))})"
        )
    pixels, labels, usage = (arrays[name] for name in ("pixels", "emotion", "usage"))
    if pixels.shape[1:] not in ((SIDE, SIDE), (SIDE, SIDE, 1)) or not len(pixels):
        raise ValueError(
            f"{path}: expected `pixels` of shape (n, 48, 48). Received: {pixels.shape}"
        )
    check_values(pd.Series(usage), SPLITS, f"{path}, row {{}}: expected `usage` among {SPLITS}")
    try:
        return make_fer2013(pixels, labels, usage)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
