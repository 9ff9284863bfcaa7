"""The table of a video: one row per face and frame, written as it comes, and read back."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_lib.files import write_atomically
from fer_lib.recognition import TrackedEmotion

_FACE_COLUMNS = ("face_id", "x", "y", "width", "height", "detection_score", "emotion", "confidence")
_INTEGERS = ("face_id", "x", "y", "width", "height")
# Microseconds, and more than a probability means.
_DIGITS = 6
# Rows of plain Python values take ten times the memory of a table's.
_ROWS_PER_PART = 1000


class FaceRows:
    """The rows of a video or a camera so far, in a file or in memory.

    Args:
        class_names: The names of the classes.
        file: Where to write the rows as they come, into a partial file beside it that takes its
            place at the end of the `with` block; `None` keeps them in memory.
    """

    def __init__(
        self, class_names: Sequence[str], file: str | os.PathLike[str] | None = None
    ) -> None:
        raw = [f"raw_{name}" for name in class_names]
        self.columns = ["frame", "time_s", *_FACE_COLUMNS, *class_names, *raw]
        self._recent: list[list[Any]] = []
        self._parts: list[pd.DataFrame] = []
        self._path = None
        if file is not None:
            self._target = Path(file).expanduser()
            self._whole = write_atomically(self._target)
            self._path = self._whole.__enter__()
            self._file = self._path.open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._file)
            self._writer.writerow(self.columns)

    def add(self, index: int, time_s: float, faces: Sequence[TrackedEmotion]) -> None:
        """Adds the faces of a frame, or a row with empty columns where there are none."""
        rows = [[index, round(time_s, _DIGITS), *values] for values in map(_values, faces)]
        rows = rows or [[index, round(time_s, _DIGITS), *[None] * (len(self.columns) - 2)]]
        if self._path is not None:
            self._writer.writerows(rows)
            self._file.flush()
            return
        self._recent += rows
        if len(self._recent) >= _ROWS_PER_PART:
            self._pack()

    def table(self) -> pd.DataFrame:
        """Returns all rows; those of a file are read back from it."""
        if self._path is not None:
            return read_table(self._path)
        if self._recent or not self._parts:
            self._pack()
        return pd.concat(self._parts, ignore_index=True)

    def _pack(self) -> None:
        self._parts.append(_with_types(pd.DataFrame(self._recent, columns=self.columns)))
        self._recent = []

    def __enter__(self) -> FaceRows:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._path is not None:
            try:
                self._file.close()
            except OSError as error:  # a full disk
                self._whole.__exit__(OSError, error, None)
                raise
            self._whole.__exit__(*exception)
            self._path = self._target


def read_table(file: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads a CSV file that `analyze_video` wrote, with the types of its table.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such table.
    """
    table = pd.read_csv(file, dtype={"emotion": object})
    missing = {"frame", "time_s", *_FACE_COLUMNS} - {*table}
    if missing:
        raise ValueError(
            f"Expected a table that analyze_video wrote. Received: {file} without {sorted(missing)}"
        )
    return _with_types(table)


def _values(face: TrackedEmotion) -> Iterator[Any]:
    yield face.face_id
    yield from face.box
    yield round(face.face.score, _DIGITS)
    yield face.emotion
    for value in (face.confidence, *face.probabilities, *face.raw_probabilities):
        yield round(float(value), _DIGITS)


def _with_types(table: pd.DataFrame) -> pd.DataFrame:
    numbers = [name for name in table if name not in ("frame", "emotion", *_INTEGERS)]
    types = dict.fromkeys(numbers, "float64") | dict.fromkeys(_INTEGERS, "Int64")
    table = table.astype({"frame": "int64", "emotion": "object", **types}).round(_DIGITS)
    table["emotion"] = table["emotion"].where(table["emotion"].notna(), None)
    return table
