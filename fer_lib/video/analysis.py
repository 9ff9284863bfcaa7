"""A video to a table, and to an annotated video."""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack

import pandas as pd
from tqdm.auto import tqdm

from fer_lib.files import expand_user
from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.recognition import EmotionRecognizer
from fer_lib.recognition.emotion_stream import DETECT_EVERY
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.face_rows import FaceRows
from fer_lib.video.video_source import VideoSource
from fer_lib.video.video_writer import VideoWriter


def analyze_video(
    source: int | str | os.PathLike[str],
    recognizer: EmotionRecognizer | None = None,
    *,
    csv_path: str | os.PathLike[str] | None = None,
    annotate: str | os.PathLike[str] | None = None,
    detect_every: int = DETECT_EVERY,
    smoothing_s: float = 0.25,
    fps: float = 30.0,
    progress: bool = True,
) -> pd.DataFrame:
    """Recognizes all faces of a video, frame by frame.

    Faces are detected in every `detect_every`-th frame and tracked in between (see
    `EmotionStream`); nothing depends on the machine's speed, so the same file gives the same table.
    Memory stays flat: with `csv_path` the rows go to the disk as they come. An interrupted run
    (Ctrl-C) keeps and returns what it had; a failing one leaves earlier files as they were.

    Args:
        source: A video file (mp4, mov, avi, webm, gif and more), a folder of images, the address
            of a live stream (`rtsp://`, `http://`), which is opened again once, or the number of
            a camera, see `VideoSource`.
        recognizer: `None`: `EmotionRecognizer(paths.DEFAULT_STREAM_MODEL)`.
        csv_path: Where to write the rows.
        annotate: An `.mp4` to write with the boxes, numbers, expressions and probabilities of the
            faces. Browsers play it; every frame keeps its time, and a file's sound is kept, see
            `VideoWriter`. Sides of an odd number of pixels grow by one.
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
        >>> table = analyze_video("clip.mp4", annotate="annotated.mp4")  # doctest: +SKIP
        >>> table.groupby("face_id")["happy"].mean()  # doctest: +SKIP
    """
    if recognizer is None:
        recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
    frames, interrupted, writer = 0, False, None
    with ExitStack() as stack:
        video = stack.enter_context(VideoSource(source, fps=fps))
        _check_outputs(video, [annotate, csv_path])
        stream = recognizer.start_stream(
            detect_every=detect_every, smoothing_s=smoothing_s, background=False
        )
        stack.enter_context(stream)
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


def _check_outputs(video: VideoSource, outputs: list[str | os.PathLike[str] | None]) -> None:
    """Makes sure that nothing that is read is written, and no file is written twice."""
    taken = {path.resolve() for path in [video.file, *(video.images or [])] if path is not None}
    for output in filter(None, outputs):
        path = expand_user(output).resolve()
        if path in taken:
            raise ValueError(f"Expected another file than the video to write. Received: {output}")
        taken.add(path)
