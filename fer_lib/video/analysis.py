"""A video to a table, and to an annotated video."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.recognition import EmotionRecognizer
from fer_lib.recognition.emotion_stream import DETECT_EVERY
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.face_rows import FaceRows
from fer_lib.video.video_source import VideoSource
from fer_lib.video.video_writer import VideoWriter


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
    """Recognizes all faces of a video, frame by frame.

    Faces are detected in every `detect_every`-th frame and tracked in between (see
    `EmotionStream`); nothing depends on the machine's speed, so the same file gives the same table.
    Memory stays flat: with `csv` the rows go to the disk as they come. An interrupted run (Ctrl-C)
    keeps and returns what it had; a failing one leaves earlier files as they were.

    Args:
        source: A video file (mp4, mov, avi, webm, gif and more), a folder of images, or the
            address of a live stream (`rtsp://`, `http://`), which is opened again once.
        recognizer: `None`: `EmotionRecognizer(paths.DEFAULT_STREAM_MODEL)`.
        csv: Where to write the rows.
        annotate: An `.mp4` to write with boxes, labels and bars, see `annotate_video`.
        detect_every: Detect in every n-th frame.
        smoothing_s: Time in seconds over which the probabilities of a face are averaged.
        fps: Images per second of a folder, which holds no times.
        progress: Whether to show frames, rate and time left.

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
        >>> table = analyze_video("clip.mp4", csv="clip.csv")  # doctest: +SKIP
        >>> table.groupby("face_id")["happy"].mean()  # doctest: +SKIP
    """
    if recognizer is None:
        recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(VideoSource(source, fps=fps))
        _check_outputs(video, [annotate, csv])
        stream = stack.enter_context(
            recognizer.start_stream(
                detect_every=detect_every, smoothing_s=smoothing_s, background=False
            )
        )
        writer = None
        if annotate is not None:
            sound = None if video.is_address or video.images is not None else video.name
            writer = stack.enter_context(VideoWriter(annotate, rate=video.rate, sound_of=sound))
            if video.is_address:
                warnings.warn("The sound of an address is left out.", stacklevel=2)
        rows = stack.enter_context(FaceRows(stream.class_names, csv))
        bar = stack.enter_context(tqdm(total=video.num_frames, unit="frame", disable=not progress))
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
    its time, and a file's sound is kept, see `VideoWriter`. Sides of an odd number of pixels grow
    by one.

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


def _check_outputs(video: VideoSource, outputs: list[Any]) -> None:
    """Makes sure that nothing that is read is written, and no file is written twice."""
    taken = {Path(path).resolve() for path in [video.name, *(video.images or [])]}
    for output in filter(None, outputs):
        path = Path(output).expanduser().resolve()
        if path in taken:
            raise ValueError(f"Expected another file than the video to write. Received: {output}")
        taken.add(path)
