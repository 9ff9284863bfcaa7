"""The table of a video: one row per face and frame, written as it comes."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.files import write_atomically
from fer_lib.recognition import TrackedEmotion

_INTEGERS = ("face_id", "x", "y", "width", "height")
_COLUMNS = ("frame", "time_s", *_INTEGERS, "detection_score", "emotion", "confidence")
_EMOTION = _COLUMNS.index("emotion")
# Microseconds, and more than a probability means.
_DIGITS = 6


class FaceRows:
    """The rows of a video or a camera so far.

    Args:
        class_names: The names of the classes.
        file: A CSV file to write the rows to, too, as they come: into a partial file beside it
            that takes its place at the end of the `with` block.
    """

    def __init__(
        self, class_names: Sequence[str], file: str | os.PathLike[str] | None = None
    ) -> None:
        self.columns = [*_COLUMNS, *class_names, *(f"raw_{name}" for name in class_names)]
        self._class_names = list(class_names)
        # Plain Python values would take ten times the memory; `emotion` is a number here.
        self._values = array("d")
        self._file = None
        with ExitStack() as stack:
            if file is not None:
                partial = stack.enter_context(write_atomically(file))
                self._file = stack.enter_context(partial.open("w", newline="", encoding="utf-8"))
                csv.writer(self._file).writerow(self.columns)
            self._stack = stack.pop_all()

    def add(self, index: int, time_s: float, faces: Sequence[TrackedEmotion]) -> None:
        """Adds the faces of a frame, or a row with empty columns where there are none."""
        blank = [None] * (len(self.columns) - 2)
        for values in [_values(face) for face in faces] or [blank]:
            row = [index, round(float(time_s), _DIGITS), *values]
            if self._file is not None:
                csv.writer(self._file).writerow(row)
                self._file.flush()
            if faces:
                row[_EMOTION] = self._class_names.index(row[_EMOTION])
            self._values.extend(np.nan if value is None else value for value in row)

    def table(self) -> pd.DataFrame:
        """Returns all rows."""
        values = np.array(self._values).reshape(-1, len(self.columns))
        table = pd.DataFrame(values, columns=self.columns)
        table = table.astype({"frame": "int64"} | dict.fromkeys(_INTEGERS, "Int64"))
        names = table["emotion"].map(dict(enumerate(self._class_names))).astype(object)
        table["emotion"] = names.where(names.notna(), None)
        return table

    def __enter__(self) -> FaceRows:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file = None
        self._stack.pop_all().__exit__(*exception)


def _values(face: TrackedEmotion) -> list[Any]:
    numbers = (face.confidence, *face.probabilities, *face.raw_probabilities)
    rounded = [round(float(value), _DIGITS) for value in numbers]
    return [face.face_id, *face.box, round(face.face.score, _DIGITS), face.emotion, *rounded]
