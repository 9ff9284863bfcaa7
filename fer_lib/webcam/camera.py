"""A camera whose newest frame is always at hand: a thread reads, nothing queues.

Who is slower than the camera misses frames instead of falling behind. A video file plays at its own
speed, so that it can stand in for a camera.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

# A camera may leave out a frame; one that leaves out all for so long is gone.
_SILENCE_S = 3.0
_CLOSE_S = 5.0


class CameraFrame(NamedTuple):
    """One frame.

    Attributes:
        image: RGB `uint8 (height, width, 3)`.
        time_s: Seconds since the camera was opened; of a video file, its own time.
        number: How many frames the camera gave before this one.
    """

    image: np.ndarray
    time_s: float
    number: int


class Camera:
    """Reads a camera in a thread of its own and keeps the newest frame only.

    Used as `with Camera(0) as camera:`, it is released whatever happens.

    Args:
        source: The number of a camera (0 is the first), the address of a live stream
            (`"rtsp://..."`), or a video file that plays at its own speed.
        idle_s: The camera closes by itself when nobody has asked for a frame for so many seconds.
            `None`: never.

    Raises:
        OSError: No such camera, or a file that is no video.

    Example:
        >>> with Camera(0) as camera:  # doctest: +SKIP
        ...     image = camera.read(timeout_s=1).image
    """

    def __init__(self, source: int | str | os.PathLike[str] = 0, *, idle_s: float | None = None):
        self.source = source
        self._is_file = not isinstance(source, int) and "://" not in str(source)
        self._capture = _open(source, self._is_file)
        self._idle_s = idle_s
        self._asked_at = time.monotonic()
        self._newest: CameraFrame | None = None
        self._returned = -1
        self._error: OSError | None = None
        self._ended = False
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="fer_lib camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether no new frame will come: a video file is over, or the camera was closed."""
        with self._changed:
            return self._ended and not self._has_new()

    def read(self, timeout_s: float = 1.0) -> CameraFrame | None:
        """Returns the newest frame, once; `None` where no new one comes within `timeout_s`.

        Raises:
            OSError: The camera gives no frames any more, as one that was unplugged.
        """
        with self._changed:
            self._asked_at = time.monotonic()
            self._changed.wait_for(lambda: self._has_new() or self._ended, timeout_s)
            if self._has_new():
                self._returned = self._newest.number
                return self._newest
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Stops the thread and releases the camera; a second call does nothing."""
        self._stop.set()
        self._thread.join(_CLOSE_S)

    def _has_new(self) -> bool:
        return self._newest is not None and self._newest.number > self._returned

    def _run(self) -> None:
        error = None
        try:
            self._read_frames()
        except Exception as raised:  # told to whoever reads, in `read`
            error = OSError(f"The camera {self.source!r} failed: {raised}")
            error.__cause__ = raised
        finally:
            # Released by the thread that reads: OpenCV's captures do not bear two threads.
            self._capture.release()
            with self._changed:
                self._error = self._error or error
                self._ended = True
                self._changed.notify_all()

    def _read_frames(self) -> None:
        started = last = time.monotonic()
        number = 0
        while not self._stop.is_set() and not self._is_idle():
            worked, image = self._capture.read()
            now = time.monotonic()
            if not worked:
                if self._is_file:
                    return
                if now - last > _SILENCE_S:
                    self._error = OSError(
                        f"The camera {self.source!r} gives no more frames; was it unplugged?"
                    )
                    return
                time.sleep(0.01)
                continue
            time_s = now - started
            if self._is_file:
                time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                self._stop.wait(max(0.0, started + time_s - now))
            last = now
            frame = CameraFrame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), time_s, number)
            number += 1
            with self._changed:
                self._newest = frame
                self._changed.notify_all()

    def _is_idle(self) -> bool:
        return self._idle_s is not None and time.monotonic() - self._asked_at > self._idle_s


def _open(source: int | str | os.PathLike[str], is_file: bool) -> cv2.VideoCapture:
    if isinstance(source, bool) or not isinstance(source, (int, str, os.PathLike)):
        raise TypeError(
            "Expected `camera` as a number, an address or the path of a video file. "
            f"Received: {source!r}"
        )
    if is_file and not Path(source).is_file():
        raise FileNotFoundError(
            f"Expected the number of a camera or a video file. {str(source)!r} does not exist."
        )
    # OpenCV prints several lines about each camera that is not there.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    finally:
        cv2.utils.logging.setLogLevel(level)
    if capture.isOpened():
        return capture
    capture.release()
    if is_file:
        raise OSError(f"Expected a video file. {str(source)!r} holds no video that OpenCV reads.")
    raise OSError(
        f"No camera answers at {source!r}. Connect one, close the program that uses it, or name "
        "another one (--camera 1) or a video file."
    )
