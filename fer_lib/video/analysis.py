"""A video to a table with one row per face and frame, and to an annotated video."""

from __future__ import annotations

import csv
import os
import warnings
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fer_lib.files import expand_user, write_atomically
from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.recognition import EmotionRecognizer, TrackedEmotion
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.video_source import VideoSource
from fer_lib.video.video_writer import VideoWriter

_INTEGERS = ("face_id", "x", "y", "width", "height")
_COLUMNS = ("frame", "time_s", *_INTEGERS, "detection_score", "emotion", "confidence")
_EMOTION = _COLUMNS.index("emotion")
# Microseconds, and more than a probability means.
_DIGITS = 6


def analyze_video(
    source: int | str | os.PathLike[str],
    recognizer: EmotionRecognizer | None = None,
    *,
    csv_path: str | os.PathLike[str] | None = None,
    annotate: str | os.PathLike[str] | None = None,
    fps: float = 30.0,
    progress: bool = True,
    **stream_options: Any,
) -> pd.DataFrame:
    """Recognizes all faces of a video, frame by frame.

    Nothing depends on the machine's speed, so the same file gives the same table. Memory stays
    flat: with `csv_path` the rows go to the disk as they come. An interrupted run (Ctrl-C) keeps
    and returns what it had; a failing one leaves earlier files as they were.

    Args:
        source: A video file, a folder of images, the address of a live stream, which is opened
            again once, or the number of a camera, see `VideoSource`.
        recognizer: `None`: `EmotionRecognizer(paths.DEFAULT_STREAM_MODEL)`.
        csv_path: Where to write the rows.
        annotate: An `.mp4` to write with the boxes, numbers, expressions and probabilities of the
            faces. Browsers play it; every frame keeps its time, and a file's sound is kept, see
            `VideoWriter`. Sides of an odd number of pixels grow by one.
        fps: Images per second of a folder, which holds no times.
        progress: Whether to show frames, rate and time left.
        **stream_options: Settings of `EmotionStream`: `detect_every`, `smoothing_s`.

    Returns:
        One row per face and frame, and a row with empty face columns for a frame without a face:
        `frame` (from 0), `time_s`, `face_id` (from 1), the box `x, y, width, height` in pixels of
        the upright frame, `detection_score` (of the last detection), `emotion`, `confidence`, the
        smoothed probabilities by the name of the class, and those of the frame alone as
        `raw_angry` and so on. `attrs` holds `source`, `frames`, `lost_frames` (damaged or cut
        off), `interrupted` and `class_names`.

    Raises:
        OSError: The source cannot be read, or a file cannot be written.
        ValueError: An argument is out of range, or a file to write is one that is read.

    Example:
        >>> table = analyze_video("clip.mp4", annotate="annotated.mp4")  # doctest: +SKIP
        >>> table.groupby("face_id")["happy"].mean()  # doctest: +SKIP
    """
    if recognizer is None:
        recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
    frames, interrupted, writer = 0, False, None
    with ExitStack() as stack:
        video = stack.enter_context(VideoSource(source, fps=fps))
        _check_outputs(video, [annotate, csv_path])
        stream = stack.enter_context(recognizer.start_stream(background=False, **stream_options))
        if annotate is not None:
            writer = VideoWriter(annotate, rate=video.rate, sound_of=video.file)
            stack.enter_context(writer)
            if video.file is None and video.images is None:
                warnings.warn("The sound of an address or a camera is left out.", stacklevel=2)
        rows = stack.enter_context(FaceRows(stream.class_names, csv_path))
        bar = stack.enter_context(tqdm(total=video.num_frames, unit="frame", disable=not progress))
        try:
            for frame in video:
                faces = stream.update(frame.image, frame.time_s)
                rows.add(frame.index, frame.time_s, faces)
                if writer is not None:
                    writer.write(annotate_frame(frame.image, faces), frame.time_s)
                frames += 1
                bar.update()
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        warnings.warn(f"Interrupted: the {frames} frames until then are kept.", stacklevel=2)
    if video.lost:
        warnings.warn(
            f"{video.name}: {video.lost} frames are damaged or cut off; {frames} could be read.",
            stacklevel=2,
        )
    table = rows.table()
    table.attrs = {
        "source": video.name,
        "frames": frames,
        "lost_frames": video.lost,
        "interrupted": interrupted,
        "class_names": list(stream.class_names),
    }
    return table


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
        self._class_names = list(class_names)
        self._columns = [*_COLUMNS, *class_names, *(f"raw_{name}" for name in class_names)]
        # Plain Python values would take ten times the memory; `emotion` is a number here.
        self._values = array("d")
        self._file = None
        with ExitStack() as stack:
            if file is not None:
                partial = stack.enter_context(write_atomically(file))
                self._file = stack.enter_context(partial.open("w", newline="", encoding="utf-8"))
                csv.writer(self._file).writerow(self._columns)
            self._stack = stack.pop_all()

    def add(self, index: int, time_s: float, faces: Sequence[TrackedEmotion]) -> None:
        """Adds the faces of a frame, or a row with empty columns where there are none."""
        blank = [None] * (len(self._columns) - 2)
        for values in [_values(face) for face in faces] or [blank]:
            row = [index, round(float(time_s), _DIGITS), *values]
            if self._file is not None:
                csv.writer(self._file).writerow(row)
                self._file.flush()
            if faces:
                row[_EMOTION] = self._class_names.index(row[_EMOTION])
            self._values.extend(np.nan if value is None else value for value in row)

    def table(self) -> pd.DataFrame:
        """Returns all rows, as `analyze_video` does."""
        values = np.array(self._values).reshape(-1, len(self._columns))
        table = pd.DataFrame(values, columns=self._columns)
        table = table.astype({"frame": "int64"} | dict.fromkeys(_INTEGERS, "Int64"))
        names = np.array([*self._class_names, None], object)
        codes = table["emotion"].fillna(-1).astype(int)
        table["emotion"] = pd.Series(names[codes], dtype=object)
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


def _check_outputs(video: VideoSource, outputs: list[str | os.PathLike[str] | None]) -> None:
    """Makes sure that nothing that is read is written, and no file is written twice."""
    taken = {path.resolve() for path in [video.file, *(video.images or [])] if path is not None}
    for output in filter(None, outputs):
        path = expand_user(output).resolve()
        if path in taken:
            raise ValueError(f"Expected another file than the video to write. Received: {output}")
        taken.add(path)
