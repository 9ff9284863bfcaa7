"""Frames with their times: of a video file, a folder of images, a live address or a camera.

Nothing here knows of faces. Cameras are read by OpenCV, which numbers them in the same way on every
system.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import av
import cv2
import numpy as np

from fer_lib.files import expand_user
from fer_lib.images import find_images, read_image
from fer_lib.video.containers import (
    decode_frames,
    find_video_stream,
    is_address,
    max_frame_pixels,
    open_container,
)

# A camera may leave out a frame; one that leaves out all for so long is gone.
_SILENCE_S = 3.0


class VideoFrame(NamedTuple):
    """One frame.

    Attributes:
        index: Its number, from 0; in a folder an image that cannot be read leaves its number out.
        time_s: When it is shown, in seconds from the start of the video; strictly increasing.
        image: RGB `uint8 (height, width, 3)`, upright and with square pixels.
    """

    index: int
    time_s: float
    image: np.ndarray


class VideoSource:
    """The frames of one source, one after the other; iterate over it once.

    Args:
        source: The path of a video (mp4, mov, avi, webm, mkv, wmv, gif, avif and more) or of a
            folder of images, the address of a stream (`http://`, `rtsp://`), or a camera: its
            number (0 is the first) or its device (`/dev/video0`).
        fps: Images per second of a folder, which holds no times.

    Attributes:
        name: What it is called in messages.
        file: The video file, else `None`.
        images: The files of a folder, else `None`.
        is_camera: Whether it is a camera of this computer.
        is_live: Whether it is a camera, or an address that does not say when it ends.
        num_frames: How many frames are expected, or `None`.
        rate: Frames per second, on average.
        lost: How many frames are missing so far: those that cannot be decoded, and those that
            the file's index lists but the file does not hold.

    Raises:
        OSError: It does not exist, holds no video, cannot be opened, or its frames are larger
            than the budget, which the variable `FER_LIB_MAX_FRAME_PIXELS` changes.
        ValueError: `fps` is not in 0.001..1000.
    """

    def __init__(self, source: int | str | os.PathLike[str], *, fps: float = 30.0) -> None:
        if not 1e-3 <= fps <= 1000:
            raise ValueError(f"Expected `fps` in 0.001..1000. Received: {fps!r}")
        self.name = str(source)
        if self.name.startswith("file://"):
            self.name = url2pathname(urlsplit(self.name).path)
        self.file: Path | None = None
        self.images: list[Path] | None = None
        self.is_camera = self.is_live = False
        self.num_frames: int | None = None
        self.rate = float(fps)
        self.lost = 0
        self._stack = ExitStack()
        path = expand_user(self.name)
        is_number = isinstance(source, int) and not isinstance(source, bool)
        if is_address(self.name):
            self._frames = self._read_container(self._open())
        elif is_number or path.is_char_device():
            self.is_camera = self.is_live = True
            capture = _open_camera(source if is_number else str(path))
            self._stack.callback(capture.release)
            self._frames = _read_camera(capture)
        elif path.is_dir():
            self.images = sorted(find_images(path), key=_natural)
            self.num_frames = len(self.images)
            if not self.images:
                raise OSError(f"Expected a folder of images. {self.name!r} holds none.")
            self._frames = self._read_images()
        elif not path.exists():
            raise FileNotFoundError(
                "Expected a video, a folder of images, an address or the number of a camera. "
                f"{self.name!r} does not exist."
            )
        elif path.is_file() and path.stat().st_size == 0:
            raise OSError(f"Expected a video. {self.name!r} is empty (0 bytes).")
        else:
            self.file, self.name = path, str(path)
            self._frames = self._read_container(self._open())

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Closes the file or the connection, or releases the camera; no more frames come."""
        # A decoder holds megabytes, which would stay until the garbage collector comes by: the
        # generator of the frames, which refers to this object in turn, is ended here.
        self._frames.close()
        self._stack.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_images(self) -> Iterator[VideoFrame]:
        for index, path in enumerate(self.images):
            try:
                image = read_image(path)
            except (OSError, ValueError):
                self.lost += 1
                continue
            yield VideoFrame(index, index / self.rate, image)
        if self.lost == len(self.images):
            raise OSError(f"Expected a folder of images. Of {self.name!r} none can be read.")

    def _open(self) -> Iterator[tuple[float, np.ndarray] | int]:
        """Opens the video and returns what `decode_frames` yields of it."""
        self._stack.close()
        with ExitStack() as stack:
            container = stack.enter_context(open_container(self.name))
            stream = find_video_stream(container, self.name)
            self._stack = stack.pop_all()
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.rate = rate if 1e-3 <= rate <= 1000 else self.rate
        self.is_live = self.file is None and container.duration is None
        self.num_frames = stream.frames or None
        if self.num_frames is None and container.duration is not None:
            self.num_frames = round(container.duration / av.time_base * self.rate)
        return decode_frames(container, stream, self.rate)

    def _read_container(self, decoded: Iterator) -> Iterator[VideoFrame]:
        """Frames to the end; a live connection that breaks off is opened again once."""
        index, shift_s, time_s, may_open = 0, 0.0, 0.0, True
        while True:
            for frame in decoded:
                if isinstance(frame, int):
                    self.lost += frame
                    continue
                time_s = frame[0] + shift_s
                yield VideoFrame(index, time_s, frame[1])
                index += 1
            if index == 0:
                raise OSError(
                    f"Expected a video. {self.name!r} holds no frame that can be decoded, or none "
                    f"of at most {max_frame_pixels()} pixels (variable FER_LIB_MAX_FRAME_PIXELS)."
                )
            if not (self.is_live and may_open):
                return
            broken_at, may_open = time.monotonic(), False
            try:
                decoded = self._open()
            except OSError:
                return
            # The new connection counts from 0: the time without one has passed, too.
            shift_s = time_s + max(time.monotonic() - broken_at, 1 / self.rate)


def _open_camera(camera: int | str) -> cv2.VideoCapture:
    # OpenCV prints several lines about each camera that is not there.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(camera)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise OSError(
            f"No camera answers at {camera!r}. Connect one, close the program that uses it, or "
            "name another one (--camera 1) or a video file."
        )
    return capture


def _read_camera(capture: cv2.VideoCapture) -> Iterator[VideoFrame]:
    """Frames and their seconds since the start, until the camera is unplugged."""
    index, started = 0, time.monotonic()
    last = started
    while (now := time.monotonic()) - last < _SILENCE_S:
        worked, image = capture.read()
        if worked:
            last = time.monotonic()
            yield VideoFrame(index, now - started, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            index += 1
        else:
            time.sleep(0.01)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
