"""A video as a table: one row a face and frame, written as it comes."""

from __future__ import annotations

import contextlib
import csv
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.recognition import EmotionRecognizer, TrackedEmotion
from fer_lib.recognition.emotion_stream import DETECT_EVERY
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.reading import VideoSource
from fer_lib.video.writing import VideoWriter, check_output

_FACE_COLUMNS = ("face_id", "x", "y", "width", "height", "detection_score", "emotion", "confidence")
_WHOLE = ("face_id", "x", "y", "width", "height")
# Microseconds, and far more than a probability means.
_DIGITS = 6
# Rows of plain Python values take ten times the memory of a table's.
_ROWS_A_PART = 1000


def analyze_video(
    source: str | os.PathLike[str],
    recognizer: EmotionRecognizer | None = None,
    *,
    csv: str | os.PathLike[str] | None = None,
    annotate: str | os.PathLike[str] | None = None,
    detect_every: int = DETECT_EVERY,
    smoothing_s: float = 0.25,
    fps: float = 30.0,
    progress: bool = True,
) -> pd.DataFrame:
    """Recognises all faces of a video, frame by frame.

    Faces are detected in every `detect_every`-th frame and tracked in between (see
    `EmotionStream`); nothing depends on the machine's speed, so the same file gives the same table.
    Frames are read one by one, and with `csv` the rows are on the disk before the next
    frame is looked at: memory stays flat, and an interrupted run (Ctrl-C) keeps what it had and
    returns it.

    Args:
        source: A video file (mp4, mov, avi, webm, gif and whatever else FFmpeg reads), a folder of
            pictures, or the address of a live stream (`rtsp://`, `http://`), which is connected to
            anew once.
        recognizer: None: the model `paths.DEFAULT_STREAM_MODEL` and the detector mtcnn.
        csv: Where to write the rows as they come.
        annotate: An `.mp4` to write with boxes, labels and bars, see `annotate_video`.
        detect_every: Detect in every so many-th frame.
        smoothing_s: Time in seconds over which the probabilities of a face are averaged.
        fps: Pictures a second of a folder, which holds no times.
        progress: Whether to show frames, rate and time left.

    Returns:
        One row a face and frame, and a row with empty face columns for a frame without a face:
        `frame` (from 0), `time_s` (from the stream's own timestamps), `face_id` (from 1), the box
        `x, y, width, height` in pixels of the upright frame, `detection_score` (of the last
        detection), `emotion`, `confidence`, the smoothed probabilities by the name of the class,
        and what the frame alone says as `raw_angry` and so on. `attrs` holds `source`,
        `frames`, `lost_frames` (damaged or cut off), `interrupted` and `class_names`.

    Raises:
        OSError: The source cannot be read, or a file cannot be written.
        ValueError: An argument is out of range.

    Example:
        >>> table = analyze_video("clip.mp4", csv="clip.csv")  # doctest: +SKIP
        >>> table.groupby("face_id")["happy"].mean()  # doctest: +SKIP
    """
    if recognizer is None:
        recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
    annotated = None if annotate is None else check_output(annotate)
    for output in filter(None, (annotated, csv)):
        if Path(output).expanduser().resolve() == Path(source).expanduser().resolve():
            raise ValueError(f"Expected another file than the video to write. Received: {output}")
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(VideoSource(source, fps=fps))
        stream = stack.enter_context(
            recognizer.start_stream(
                detect_every=detect_every, smoothing_s=smoothing_s, background=False
            )
        )
        rows = stack.enter_context(FaceRows(stream.class_names, csv))
        writer = None
        if annotated is not None:
            writer = stack.enter_context(
                VideoWriter(annotated, rate=video.rate, sound_of=video.sound_path)
            )
        bar = tqdm(total=video.num_frames, unit="frame", disable=not progress)
        stack.enter_context(bar)
        frames, interrupted = 0, False
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


def annotate_video(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    recognizer: EmotionRecognizer | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Writes a video with the boxes, numbers, expressions and probabilities of its faces.

    The result is an MP4 (H.264, yuv420p, index in front) that browsers play. Every frame keeps
    its time, and a file's sound is kept: AAC as it is, everything else turned into AAC. Sides of
    an odd number of pixels grow by one.

    Args:
        source: As for `analyze_video`.
        output: The `.mp4` to write.
        recognizer: As for `analyze_video`.
        **options: The other arguments of `analyze_video`, such as `csv` and `detect_every`.

    Returns:
        The table of `analyze_video`.

    Raises:
        OSError: The source cannot be read, or the file cannot be written.
        ValueError: An argument is out of range, or `output` does not end in `.mp4`.

    Example:
        >>> annotate_video("clip.mp4", "annotated.mp4")  # doctest: +SKIP
    """
    return analyze_video(source, recognizer, annotate=output, **options)


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


class FaceRows:
    """The rows of a video or a camera so far, in a file or in memory.

    Args:
        class_names: The names of the classes.
        file: Where to write the rows as they come; None keeps them in memory.
    """

    def __init__(
        self, class_names: Sequence[str], file: str | os.PathLike[str] | None = None
    ) -> None:
        raw = [f"raw_{name}" for name in class_names]
        self.columns = ["frame", "time_s", *_FACE_COLUMNS, *class_names, *raw]
        self._path = None if file is None else Path(file).expanduser()
        self._file = None
        self._recent: list[list[Any]] = []
        self._parts: list[pd.DataFrame] = []
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._file)
            self._writer.writerow(self.columns)

    def add(self, index: int, time_s: float, faces: Sequence[TrackedEmotion]) -> None:
        """Adds the faces of a frame, or a row with empty columns where there are none."""
        rows = [[index, round(time_s, _DIGITS), *values] for values in map(_values, faces)]
        rows = rows or [[index, round(time_s, _DIGITS), *[None] * (len(self.columns) - 2)]]
        if self._file is not None:
            self._writer.writerows(rows)
            self._file.flush()
            return
        self._recent += rows
        if len(self._recent) >= _ROWS_A_PART:
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

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _values(face: TrackedEmotion) -> Iterator[Any]:
    yield face.face_id
    yield from face.box
    yield round(face.face.score, _DIGITS)
    yield face.emotion
    for value in (face.confidence, *face.probabilities, *face.raw_probabilities):
        yield round(float(value), _DIGITS)


def _with_types(table: pd.DataFrame) -> pd.DataFrame:
    numbers = [name for name in table if name not in ("frame", "emotion", *_WHOLE)]
    types = dict.fromkeys(numbers, "float64") | dict.fromkeys(_WHOLE, "Int64")
    table = table.astype({"frame": "int64", "emotion": "object", **types}).round(_DIGITS)
    table["emotion"] = table["emotion"].where(table["emotion"].notna(), None)
    return table
