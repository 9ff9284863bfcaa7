"""A camera whose newest frame is always at hand: a thread reads, nothing queues.

If you are slower than the camera, you miss frames instead of falling behind. A video file plays at
its own speed, so that it can stand in for a camera.
"""

from __future__ import annotations

import os
import threading
import time

from fer_lib.video import VideoFrame, VideoSource

_CLOSE_S = 5.0


class Camera:
    """Reads a camera in a thread of its own and keeps the newest frame only.

    In a `with` statement it is released whatever happens.

    Args:
        source: A camera, the address of a live stream or a video file, see `VideoSource`.
        idle_s: The camera closes by itself when nobody has asked for a frame for so many seconds.
            `None`: never.

    Attributes:
        source: The `VideoSource` that is read.

    Raises:
        OSError: No such camera, an address that does not answer, or a file that is not a video.

    Example:
        >>> with Camera(0) as camera:  # doctest: +SKIP
        ...     image = camera.read(timeout_s=1).image
    """

    def __init__(
        self, source: int | str | os.PathLike[str] = 0, *, idle_s: float | None = None
    ) -> None:
        self.source = VideoSource(source)
        self._idle_s = idle_s
        self._asked_at = time.monotonic()
        self._newest: VideoFrame | None = None  # until somebody takes it
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
            return self._ended and self._newest is None

    def read(self, timeout_s: float = 1.0) -> VideoFrame | None:
        """Returns the newest frame, once; `None` where no new one comes within `timeout_s`.

        Its `time_s` counts from the opening of the camera; that of a video file is its own.

        Raises:
            OSError: The camera gives no frames any more, as one that was unplugged.
        """
        with self._changed:
            self._asked_at = time.monotonic()
            self._changed.wait_for(lambda: self._newest is not None or self._ended, timeout_s)
            frame, self._newest = self._newest, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def close(self) -> None:
        """Stops the thread, which releases the camera; a second call does nothing."""
        self._stop.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        error = None
        try:
            # Closed by the thread that reads: OpenCV's captures do not bear two threads.
            with self.source:
                self._read_frames()
        except Exception as raised:  # raised again in `read`
            error = OSError(f"The camera {self.source.name!r} failed: {raised}")
            error.__cause__ = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _read_frames(self) -> None:
        started = time.monotonic()
        for frame in self.source:
            now = time.monotonic()
            if self.source.is_live:
                frame = frame._replace(time_s=now - started)
            else:
                self._stop.wait(max(0.0, started + frame.time_s - now))
            is_idle = self._idle_s is not None and now - self._asked_at > self._idle_s
            if self._stop.is_set() or is_idle:
                return
            with self._changed:
                self._newest = frame
                self._changed.notify_all()
        if self.source.is_live:
            raise OSError("it gives no more frames; was it unplugged?")
