"""An MP4 that browsers play: H.264 in yuv420p, its index in front, the sound of the original."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image, ImageOps

from fer_lib.files import expand_user, write_atomically
from fer_lib.video.video_sound import VideoSound

# Fine enough for the times of any video, and what MPEG itself counts in.
_CLOCK = Fraction(1, 90_000)
_QUALITY = {"crf": "21", "preset": "veryfast"}


class _NoFrames(Exception):
    """Keeps a file without frames from taking its place."""


class VideoWriter:
    """Writes frames with their times, and the sound of another video beside them.

    The file takes its place only when it is whole: after `close`, or at the end of the `with`
    block; an exception there leaves what was at `path` before. Without a frame nothing is written.

    Args:
        path: The file, ending in `.mp4`; replaced where it exists.
        rate: Frames per second, on average; each frame is shown at its own time.
        sound_of: A video file whose sound is kept, as AAC in mono or stereo. Sound that cannot be
            read is left out with a warning.

    Raises:
        ValueError: The name does not end in `.mp4`.
        OSError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rate: float = 30.0,
        sound_of: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path = expand_user(path)
        if self.path.suffix.lower() != ".mp4":
            raise ValueError(f"Expected the name of an .mp4 file to write. Received: {str(path)!r}")
        self._rate = Fraction(rate).limit_denominator(1001)
        self._video: av.VideoStream | None = None
        self._size = (0, 0)
        self._last = -1
        with ExitStack() as stack:
            partial = stack.enter_context(write_atomically(self.path))
            partial.touch()  # says in words of the system where that is impossible
            name = f"file:{os.path.abspath(partial)}"
            options = {"movflags": "+faststart"}
            self._container = av.open(name, "w", format="mp4", options=options)
            stack.enter_context(self._container)
            self._sound = None if sound_of is None else VideoSound(sound_of, self._container)
            stack.push(self._finish)
            self._stack = stack.pop_all()

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Adds a frame.

        Args:
            image: RGB `uint8 (height, width, 3)`. A frame of another size than the first is fitted
                into the first one's.
            time_s: When it is shown, in seconds. Where time does not move on, the frame follows
                the one before at once.
        """
        if self._video is None:
            height, width = image.shape[:2]
            # The colors of yuv420p are stored for two pixels each way: sides are even.
            self._size = (width + width % 2, height + height % 2)
            self._video = self._container.add_stream("libx264", rate=self._rate, options=_QUALITY)
            self._video.width, self._video.height = self._size
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.time_base = _CLOCK
        frame = av.VideoFrame.from_ndarray(_fit(image, self._size), format="rgb24")
        self._last = max(round(time_s / _CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, _CLOCK
        self._container.mux(self._video.encode(frame))
        if self._sound is not None:
            self._sound.encode_until(time_s)

    def close(self) -> None:
        """Writes what is left, and the index; a second call does nothing."""
        self.__exit__(None, None, None)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        with suppress(_NoFrames):
            self._stack.pop_all().__exit__(*exception)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        if self._video is None:
            raise _NoFrames
        self._container.mux(self._video.encode())
        if self._sound is not None:
            self._sound.encode_until(float(self._last * _CLOCK + 1 / self._rate))
            self._sound.close()


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image of this size: shrunk or enlarged into it where it is another."""
    missing = size[0] - image.shape[1], size[1] - image.shape[0]
    if missing == (0, 0):
        return image
    if {*missing} <= {0, 1}:
        return np.pad(image, ((0, missing[1]), (0, missing[0]), (0, 0)), mode="edge")
    return np.asarray(ImageOps.pad(Image.fromarray(image), size))
