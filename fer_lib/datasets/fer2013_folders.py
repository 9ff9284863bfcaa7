"""Reads FER2013 from `train/<class>/*` and `test/<class>/*`, as Kaggle also spreads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS, SIDE, SPLITS, Arrays
from fer_lib.images import find_images, read_image, to_gray
from fer_lib.labels import EMOTIONS, canonical_emotion


def read_folders(folder: Path) -> Arrays:
    """Reads PNG or JPEG pictures in class-named folders.

    File names such as `PublicTest_28709.png` tell the split and, in exact copies, the row, in which
    case the pictures come in the order of the rows.

    Raises:
        ValueError: A class is unknown, a picture not 48x48, or on the wrong side.
        OSError: A picture cannot be read.
    """
    pixels, labels, usage, numbers, files = [], [], [], [], []
    for side in ("train", "test"):
        start = len(labels)
        for path, label in _class_pictures(folder / side):
            pixels.append(_read_face(path))
            named = re.match(r"(Training|PublicTest|PrivateTest)_(\d+)", path.name)
            if named and (named[1] == "Training") != (side == "train"):
                raise ValueError(
                    f"{path}: expected a picture of {side}. Received: one of {named[1]}"
                )
            labels.append(label)
            usage.append(named[1] if named else "")
            numbers.append(int(named[2]) if named else -1)
            files.append(path.relative_to(folder).as_posix())
        if "" in usage[start:]:
            name = "Training" if side == "train" else _name_of_test(labels[start:])
            usage[start:] = [split or name for split in usage[start:]]
    if not pixels:
        raise ValueError(
            f"{folder}: expected pictures in train/<class>/ and test/<class>/. Received: none"
        )
    arrays = Arrays(np.stack(pixels), np.array(labels), np.array(usage), None, np.array(files))
    rows = np.array(numbers)
    if not _are_rows(rows, arrays.usage):
        return arrays
    order = np.argsort(rows)
    return Arrays(
        *(a[order] for a in (arrays.pixels, arrays.labels, arrays.usage, rows, arrays.files))
    )


def _class_pictures(folder: Path) -> Iterator[tuple[Path, int]]:
    for class_folder in sorted(folder.iterdir()) if folder.is_dir() else ():
        if class_folder.is_dir() and not class_folder.name.startswith("."):
            try:
                label = EMOTIONS.index(canonical_emotion(class_folder.name))
            except ValueError:
                raise ValueError(
                    f"{class_folder}: expected a folder named after one of {', '.join(EMOTIONS)}. "
                    f"Received: {class_folder.name!r}"
                ) from None
            for path in find_images(class_folder):
                yield path, label


def _read_face(path: Path) -> np.ndarray:
    face = to_gray(read_image(path))
    if face.shape != (SIDE, SIDE):
        height, width = face.shape
        raise ValueError(f"{path}: expected 48x48 pixels. Received: {width}x{height}")
    return face


def _name_of_test(labels: list[int]) -> str:
    """Names the pictures of `test/` by their class counts, where their file names do not."""
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    public, private = (np.array(PUBLISHED_COUNTS[split]) for split in SPLITS[1:])
    known = {
        "PublicTest": public,
        "PrivateTest": private,
        "PublicTest+PrivateTest": public + private,
    }
    return next((name for name, n in known.items() if np.array_equal(counts, n)), "Test")


def _are_rows(numbers: np.ndarray, usage: np.ndarray) -> bool:
    """Tells whether the numbers in the file names are rows of the published file.

    In the widespread JPEG copy they are not: they run into the millions.
    """
    inside = len(np.unique(numbers)) == len(numbers) and bool(np.isin(usage, SPLITS).all())
    start = 0
    for split in SPLITS:
        size = sum(PUBLISHED_COUNTS[split])
        own = numbers[usage == split]
        inside &= bool(((own >= start) & (own < start + size)).all())
        start += size
    return inside
