"""The results of a live session as a table: a row a face and frame, with a video's columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


_WHOLE_NUMBERS = ("face_id", "x", "y", "width", "height")
_COLUMNS = ("frame", "time_s", *_WHOLE_NUMBERS, "detection_score")


class SessionRecord:
    """Collects what is found in each frame; an hour at ten frames a second takes some 6 MB.

    Args:
        class_names: The names of the classes.

    Example:
        >>> record = SessionRecord(("happy", "sad"))
        >>> record.add(0.0, [])
        >>> record.to_frame()[["frame", "time_s", "emotion"]].values.tolist()
        [[0, 0.0, None]]
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.clear()

    def __len__(self) -> int:
        return len(self._values) // self._width

    def clear(self) -> None:
        """Forgets all rows."""
        self._values = array("d")
        self._frames = 0

    @property
    def _width(self) -> int:
        return 8 + 2 * len(self.class_names)

    def add(self, time_s: float, faces: Sequence[Any]) -> None:
        """Adds the faces of one frame, or one row with empty columns where there are none.

        Args:
            time_s: The time of the frame in seconds.
            faces: What `EmotionStream.update` returned.
        """
        start = [self._frames, time_s]
        for face in faces:
            self._values.extend([*start, face.face_id, *face.box, face.face.score])
            self._values.extend(np.concatenate([face.probabilities, face.raw_probabilities]))
        if not faces:
            self._values.extend(start + [np.nan] * (self._width - 2))
        self._frames += 1

    def to_frame(self) -> pd.DataFrame:
        """Returns all rows as a table.

        Returns:
            A table with the columns `frame`, `time_s`, `face_id`, `x`, `y`, `width`, `height`,
            `detection_score`, `emotion`, `confidence`, one per class, and `raw_angry` and so on:
            what the frame alone says, before smoothing.
        """
        import pandas as pd

        values = np.array(self._values).reshape(-1, self._width)
        count = len(self.class_names)
        table = pd.DataFrame(values[:, :8], columns=_COLUMNS)
        for name in _WHOLE_NUMBERS:
            table[name] = table[name].astype("Int64")
        table["frame"] = table["frame"].astype("int64")
        probabilities, raw = values[:, 8 : 8 + count], values[:, 8 + count :]
        found = ~np.isnan(probabilities[:, 0])
        names = np.array([*self.class_names, None], dtype=object)
        emotions = names[np.where(found, probabilities.argmax(axis=1), count)]
        table["emotion"] = pd.Series(emotions, dtype=object)  # None stays None
        table["confidence"] = probabilities.max(axis=1)
        for k, name in enumerate(self.class_names):
            table[name] = probabilities[:, k]
        for k, name in enumerate(self.class_names):
            table[f"raw_{name}"] = raw[:, k]
        return table
