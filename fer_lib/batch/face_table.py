"""A batch of images to the rows of a table, here or on the workers of a cluster."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
import pandas as pd

from fer_lib import paths
from fer_lib.detection import FaceDetector
from fer_lib.detection.types import LANDMARKS
from fer_lib.enhancement import enhance
from fer_lib.errors import one_line
from fer_lib.images import read_image
from fer_lib.pretrained import read_card
from fer_lib.recognition import EmotionRecognizer, FaceEmotion, predict_each

_WHOLE = ("face", "x", "y", "width", "height", "image_width", "image_height")
_POINTS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")


class FaceTable:
    """Turns a table of paths into a table of faces; a copy of it can be sent to another process.

    The model is loaded by the first call, once in each process, so the object serves as it is in
    `ray.data.Dataset.map_batches(table, batch_format="pandas")`, in Dask's
    `frame.map_partitions(table, meta=table.empty())`, and in Spark's
    `frame.mapInPandas(lambda batches: map(table, batches), schema)`.

    Args:
        model: The name or the folder of a model.
        detector: See `EmotionRecognizer`.
        min_face_size: See `FaceDetector`.
        enhance: Denoise and equalize each image first, see `enhancement.enhance`.

    Attributes:
        arguments: The four of them.
        class_names: The classes, each of which is a column.
        columns: All columns: `path`, `face` (from 0, the largest first; empty where there is none),
            `x`, `y`, `width`, `height` and ten of the landmarks in pixels, `detection_score`,
            `emotion`, `confidence`, the probability of each class, `image_width`, `image_height`
            and `error`.

    Raises:
        FileNotFoundError, ValueError: There is no such model, or its card is damaged.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "cnn",
        detector: str = "mtcnn",
        min_face_size: float | None = None,
        enhance: bool = False,
    ):
        self.arguments = (os.fspath(model), detector, min_face_size, enhance)
        self.class_names = tuple(read_card(paths.find_model(model))["class_names"])
        self.columns = (
            *("path", "face", "x", "y", "width", "height", *_POINTS, "detection_score", "emotion"),
            *("confidence", *self.class_names, "image_width", "image_height", "error"),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return FaceTable, self.arguments

    def __call__(self, images: pd.DataFrame) -> pd.DataFrame:
        """Returns the faces of images: one row a face, and one for an image without any.

        Args:
            images: The column `path`, text or the bytes of a name; the column `bytes`, if there is
                one, holds the files themselves, and `path` is then a name only.
        """
        names = [os.fsdecode(path) for path in images["path"]]
        sources = list(enumerate(images.get("bytes", names)))
        rows: list[dict[str, Any]] = [{"path": printable(name)} for name in names]

        def read(numbered: tuple[int, Any]) -> np.ndarray:
            index, source = numbered
            image = read_image(source)
            rows[index] |= {"image_width": image.shape[1], "image_height": image.shape[0]}
            return enhance(image) if self.arguments[-1] else image

        answers = predict_each(load_recognizer(*self.arguments[:-1]), sources, read)
        pairs = zip(rows, answers, strict=True)
        found = [row | values for row, answer in pairs for values in _values(answer)]
        return self.cast(pd.DataFrame(found, columns=list(self.columns)))

    def empty(self) -> pd.DataFrame:
        """Returns the table without rows, for what has to know the columns beforehand."""
        return self.cast(pd.DataFrame(columns=list(self.columns)))

    def cast(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Returns rows with the types of this table, which a trip through Arrow may change."""
        types = dict.fromkeys(self.columns, "float64") | dict.fromkeys(_WHOLE, "Int64")
        return rows.astype(types | dict.fromkeys(("path", "emotion", "error"), "string"))


@functools.lru_cache(maxsize=2)
def load_recognizer(model: str, detector: str, min_face_size: float | None) -> EmotionRecognizer:
    """Returns the recognizer of this process, loaded once."""
    return EmotionRecognizer(model, FaceDetector(detector, min_face_size=min_face_size))


def printable(path: str | os.PathLike[str]) -> str:
    """Returns a path as text of Unicode characters, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _values(answer: list[FaceEmotion] | Exception) -> list[dict[str, Any]]:
    """Returns what each row of an image says: one a face, and one for none or an error."""
    if isinstance(answer, Exception):
        return [{"error": one_line(answer)}]
    rows = []
    for index, found in enumerate(answer):
        face = found.to_dict()
        row = {"face": index} | dict(zip(("x", "y", "width", "height"), face["box"], strict=True))
        for name, (x, y) in (face["landmarks"] or {}).items():
            row |= {f"{name}_x": x, f"{name}_y": y}
        kept = {key: face[key] for key in ("detection_score", "emotion", "confidence")}
        rows.append(row | kept | face["probabilities"])
    return rows or [{}]
