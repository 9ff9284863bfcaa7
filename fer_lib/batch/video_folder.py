"""A folder of videos to one table for each of them, one video a task, here or on a cluster."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from fer_lib.batch.face_table import load_recognizer, printable
from fer_lib.errors import one_line
from fer_lib.files import write_atomically
from fer_lib.video import analyze_video

_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}


def is_video(file: Path) -> bool:
    """Returns whether a file of a folder is taken for a video, by its suffix."""
    return file.suffix.lower() in _SUFFIXES


class VideoTables:
    """Writes the table of each video; a copy of it can be sent to another process.

    Args:
        folder: The folder of the videos.
        output: The folder of the tables; `a/talk.mp4` becomes `a/talk.mp4.csv` in it.
        arguments: The model, the detector and its `min_face_size`, see `FaceTable`.
        options: Arguments of `analyze_video`.
    """

    columns = ("path", "frames", "faces", "error")

    def __init__(
        self,
        folder: str | os.PathLike[str],
        output: str | os.PathLike[str],
        arguments: tuple[str, str, float | None],
        options: dict[str, Any] | None = None,
    ):
        self.arguments = (os.fspath(folder), os.fspath(output), arguments, options or {})

    def __call__(self, videos: pd.DataFrame) -> pd.DataFrame:
        """Returns a row a video: its path, its frames, the faces that were followed, an error."""
        rows = [self._analyze(Path(os.fsdecode(path))) for path in videos["path"]]
        return self.cast(pd.DataFrame(rows, columns=list(self.columns)))

    def cast(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Returns rows with the types of this table, which a trip through Arrow may change."""
        return rows.astype(
            {"path": "string", "frames": "Int64", "faces": "Int64", "error": "string"}
        )

    def target(self, video: Path) -> Path:
        """Returns the file of a video's table."""
        folder, output, *_ = self.arguments
        inner = video.relative_to(folder)
        return Path(output, inner.with_name(f"{inner.name}.csv"))

    def _analyze(self, video: Path) -> dict[str, Any]:
        row: dict[str, Any] = {"path": printable(video)}
        *_, arguments, options = self.arguments
        try:
            # An interrupted video has no table, so that --resume does it again.
            with write_atomically(self.target(video)) as partial, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they say is in the row
                table = analyze_video(
                    video, load_recognizer(*arguments), csv_path=partial, progress=False, **options
                )
                if table.attrs["interrupted"]:
                    raise KeyboardInterrupt
        except Exception as error:  # a decoder may raise anything; one video never costs the others
            return row | {"error": one_line(error)}
        row |= {"frames": table.attrs["frames"], "faces": table["face_id"].nunique()}
        lost = table.attrs["lost_frames"]
        return row | {"error": f"{lost} frames are damaged or cut off" if lost else None}
