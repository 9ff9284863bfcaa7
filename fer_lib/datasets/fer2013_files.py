"""Reads the files in which FER2013 is published into plain arrays, and says what is wrong in them.

The `train/` and `test/` folders are read in `fer2013_folders`.
"""

from __future__ import annotations

import dataclasses
import gzip
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.storage import is_saved_dataset, load_dataset, open_npz, read_array
from fer_lib.labels import EMOTIONS

SPLITS: tuple[str, ...] = ("Training", "PublicTest", "PrivateTest")
"""The splits in their published order."""

PUBLISHED_COUNTS: dict[str, tuple[int, ...]] = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
"""Pictures of each class, in the order of `EMOTIONS`, in the splits as published."""

SIDE = 48
_PIXELS = SIDE * SIDE
_LAYOUT_OF_ENDING = {".csv": "csv", ".npz": "npz", ".tar.gz": "tar", ".tgz": "tar"}
_FILES = ("fer2013.npz", "fer2013.csv", "icml_face_data.csv", "fer2013.tar.gz")


@dataclasses.dataclass(frozen=True)
class Source:
    """One copy of FER2013: where it is and in which layout."""

    path: Path
    layout: str  # "csv", "tar", "npz" or "folders"


@dataclasses.dataclass(frozen=True)
class Arrays:
    """What a layout holds, in its own order: one entry a picture in every array."""

    pixels: np.ndarray  # uint8 (n, 48, 48)
    labels: np.ndarray  # int64 (n,)
    usage: np.ndarray  # str (n,)
    rows: np.ndarray | None  # int64 (n,)
    files: np.ndarray | None = None  # str (n,), of the folder layout


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


def read_file(source: Source) -> Arrays:
    """Reads a copy that is one file.

    Raises:
        ValueError: It breaks the format; the message names the file, the row and the expectation.
        OSError: It cannot be read.
    """
    if source.layout == "csv":
        with source.path.open("rb") as lines:
            return read_csv(lines, str(source.path))
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


def read_csv(lines: Iterable[bytes], name: str) -> Arrays:
    """Reads `emotion`, `pixels` and `Usage`, in any order, from the lines of a CSV file."""
    lines = iter(lines)
    header = next(lines, b"").decode("utf-8-sig", "replace")
    columns = [column.strip(' "\r\n').lower() for column in header.split(",")]
    if columns == [""]:
        raise ValueError(
            f"{name}: expected the columns emotion, pixels, Usage. Received: an empty file"
        )
    missing = [c for c in ("emotion", "pixels", "Usage") if c.lower() not in columns]
    if missing:
        raise ValueError(
            f"{name}: expected the columns emotion, pixels, Usage. "
            f"Received: {', '.join(columns)[:200]} (no {', '.join(missing)})"
        )
    at_emotion, at_pixels, at_usage = map(columns.index, ("emotion", "pixels", "usage"))
    labels, usage, pictures = [], [], []
    label_of = {str(label).encode(): label for label in range(len(EMOTIONS))}
    split_of = {split.encode(): split for split in SPLITS}
    for line in lines:
        if not line.strip():
            continue
        where = f"{name}, row {len(labels)}"
        fields = line.split(b",")
        if len(fields) != len(columns):
            raise ValueError(f"{where}: expected {len(columns)} columns. Received: {len(fields)}")
        label = label_of.get(fields[at_emotion].strip(b' "\r\n'))
        if label is None:
            raise ValueError(
                f"{where}: expected `emotion` from 0 to 6. Received: {_show(fields[at_emotion])}"
            )
        split = split_of.get(fields[at_usage].strip(b' "\r\n'))
        if split is None:
            raise ValueError(
                f"{where}: expected `Usage` to be one of {', '.join(SPLITS)}. "
                f"Received: {_show(fields[at_usage])}"
            )
        labels.append(label)
        usage.append(split)
        pictures.append(_parse_pixels(fields[at_pixels].strip(b' "\r\n'), where))
    if not pictures:
        raise ValueError(f"{name}: expected rows below the header. Received: none")
    usage = np.array(usage)
    return Arrays(np.stack(pictures), np.array(labels, np.int64), usage, published_rows(usage))


def _parse_pixels(text: bytes, where: str) -> np.ndarray:
    """Turns 2,304 numbers into `uint8 (48, 48)`."""
    try:
        # One number more than there should be: older numpy stops at what is none without an error.
        values = np.fromstring(text + b" 0", np.int64, sep=" ")
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
        f"Received: {_show(words[position])} as pixel {position}"
    )


def _is_pixel(word: bytes) -> bool:
    return word.isdigit() and int(word) <= 255


def _show(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace").strip()[:40])


def _read_tar(path: Path) -> Arrays:
    """Reads the `fer2013.csv` inside the archive as a stream: nothing is written to the disk."""
    names, arrays = [], None
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                names.append(member.name)
                if member.isfile() and Path(member.name).name == "fer2013.csv" and arrays is None:
                    arrays = read_csv(archive.extractfile(member), f"{path}:{member.name}")
            # The checksum comes at the very end, behind what tar itself reads.
            while stream.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}: expected a whole .tar.gz archive. Received: a damaged one ({error}); "
            "download it again"
        ) from None
    if arrays is not None:
        return arrays
    raise ValueError(
        f"{path}: expected a file fer2013.csv in the archive. Received: {', '.join(names)[:200]}"
    )


def _read_npz(path: Path) -> Arrays:
    with open_npz(path) as arrays:
        if is_saved_dataset(arrays):
            return _from_dataset(load_dataset(path), path)
        missing = {"pixels", "emotion", "usage"} - set(arrays.files)
        if missing:
            raise ValueError(
                f"{path}: expected the arrays pixels, emotion, usage. "
                f"Received: {', '.join(arrays.files)} (no {', '.join(sorted(missing))})"
            )
        pixels, labels, usage = (
            read_array(arrays, name, path) for name in ("pixels", "emotion", "usage")
        )
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    if pixels.shape[1:] != (SIDE, SIDE) or pixels.dtype != np.uint8 or not len(pixels):
        raise ValueError(
            f"{path}: expected `pixels` of type uint8 and shape (n, 48, 48). "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    for name, array in (("emotion", labels), ("usage", usage)):
        if array.shape != (len(pixels),):
            raise ValueError(
                f"{path}: expected `{name}` of shape ({len(pixels)},). Received: {array.shape}"
            )
    wrong = np.flatnonzero(~np.isin(labels, np.arange(len(EMOTIONS))))
    if len(wrong):
        raise ValueError(
            f"{path}, row {wrong[0]}: expected `emotion` from 0 to 6. Received: {labels[wrong[0]]}"
        )
    wrong = np.flatnonzero(~np.isin(usage, SPLITS))
    if len(wrong):
        raise ValueError(
            f"{path}, row {wrong[0]}: expected `usage` to be one of {', '.join(SPLITS)}. "
            f"Received: {str(usage[wrong[0]])!r}"
        )
    return Arrays(pixels, labels.astype(np.int64), usage, published_rows(usage))


def _from_dataset(dataset: FaceDataset, path: Path) -> Arrays:
    if dataset.class_names != EMOTIONS or dataset.images.shape[1:] != (SIDE, SIDE, 1):
        raise ValueError(
            f"{path}: expected FER2013, grey 48x48 pictures of {EMOTIONS}. "
            f"Received: {dataset!r}; FaceDataset.load reads it"
        )
    rows = dataset.metadata.get("row")
    files = dataset.metadata.get("file")
    return Arrays(
        dataset.images[..., 0],
        dataset.labels,
        dataset.split,
        None if rows is None else rows.to_numpy(),
        None if files is None else files.to_numpy(),
    )
