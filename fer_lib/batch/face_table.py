"""A batch of images to the rows of a table, here or on the workers of a cluster."""

from __future__ import annotations

import functools
import os
from typing import Any

import pandas as pd

from fer_lib import paths
from fer_lib.detection import FaceDetector
from fer_lib.detection.types import LANDMARKS
from fer_lib.enhancement import enhance
from fer_lib.images import read_image
from fer_lib.pretrained import read_card
from fer_lib.recognition import EmotionRecognizer

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
        sources = images.get("bytes", names)
        rows: list[dict[str, Any]] = []
        for path, source in zip(names, sources, strict=True):
            rows += self._rows(path, source)
        return self.cast(pd.DataFrame(rows, columns=list(self.columns)))

    def empty(self) -> pd.DataFrame:
        """Returns the table without rows, for what has to know the columns beforehand."""
        return self.cast(pd.DataFrame(columns=list(self.columns)))

    def cast(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Returns rows with the types of this table, which a trip through Arrow may change."""
        types = dict.fromkeys(self.columns, "float64") | dict.fromkeys(_WHOLE, "Int64")
        return rows.astype(types | dict.fromkeys(("path", "emotion", "error"), "string"))

    def _rows(self, path: str, source: Any) -> list[dict[str, Any]]:
        row: dict[str, Any] = {"path": printable(path)}
        try:
            image = read_image(source)
            row |= {"image_width": image.shape[1], "image_height": image.shape[0]}
            recognizer = _load_recognizer(*self.arguments[:-1])
            faces = recognizer.predict(enhance(image) if self.arguments[-1] else image)
        except Exception as error:  # a decoder may raise anything; one image never costs the others
            return [row | {"error": " ".join(str(error).split()) or type(error).__name__}]
        found = [{"face": index} | _values(face.to_dict()) for index, face in enumerate(faces)]
        return [row | values for values in found or [{}]]


@functools.lru_cache(maxsize=2)
def _load_recognizer(model: str, detector: str, min_face_size: float | None) -> EmotionRecognizer:
    return EmotionRecognizer(model, FaceDetector(detector, min_face_size=min_face_size))


def printable(path: str | os.PathLike[str]) -> str:
    """Returns a path as text of Unicode characters, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _values(face: dict[str, Any]) -> dict[str, Any]:
    points = [value for name in LANDMARKS for value in (face["landmarks"] or {}).get(name, ())]
    values = dict(zip(("x", "y", "width", "height"), face["box"], strict=True))
    values |= dict(zip(_POINTS, points, strict=False)) | face["probabilities"]
    return values | {key: face[key] for key in ("detection_score", "emotion", "confidence")}
