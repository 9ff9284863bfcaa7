"""An MP4 that browsers play: H.264 in yuv420p, its index in front, the sound of the original."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fer_lib.files import write_atomically
from fer_lib.video.video_sound import VideoSound

# Fine enough for the times of any video, and what MPEG itself counts in.
_CLOCK = Fraction(1, 90_000)
_QUALITY = {"crf": "21", "preset": "veryfast"}


class VideoWriter:
    """Writes frames with their times, and the sound of another video beside them.

    The file takes its place only when it is whole: after `close`, or at the end of the `with`
    block; an exception there leaves what was at `path` before.

    Args:
        path: The file, ending in `.mp4`; replaced where it exists.
        rate: Frames per second, on average; each frame is shown at its own time.
        sound_of: A video file whose sound is kept: AAC is copied, everything else becomes AAC in
            mono or stereo. Sound that cannot be read is left out with a warning.

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
        self.path = check_output(path)
        self._rate = Fraction(rate).limit_denominator(1001)
        self._whole = write_atomically(self.path)
        partial = self._whole.__enter__()
        try:
            self._container = av.open(
                f"file:{os.path.abspath(partial)}",
                "w",
                format="mp4",
                options={"movflags": "+faststart"},
            )
        except OSError as error:
            self._whole.__exit__(type(error), OSError(error.errno, error.strerror), None)
            raise OSError(f"Cannot write {str(self.path)!r} ({error.strerror}).") from error
        self._video: av.VideoStream | None = None
        self._size = (0, 0)
        self._last = -1
        self._is_open = True
        self._sound = None if sound_of is None else VideoSound(sound_of, self._container)

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Adds a frame.

        Args:
            image: RGB `uint8 (height, width, 3)`. A frame of another size than the first is fitted
                into the first one's.
            time_s: When it is shown, in seconds. Where time does not move on, the frame follows
                the one before at once.
        """
        if self._video is None:
            self._start(image)
        frame = av.VideoFrame.from_ndarray(_fit(image, self._size), format="rgb24")
        self._last = max(round(time_s / _CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, _CLOCK
        self._container.mux(self._video.encode(frame))
        if self._sound is not None:
            self._sound.copy_until(time_s)

    def close(self) -> None:
        """Writes what is left, and the index; without a frame nothing is left behind."""
        self.__exit__(None, None, None)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if exception[0] is None and self._video is None:
            error = RuntimeError("no frame was written")
            exception = (RuntimeError, error, None)
        try:
            if exception[0] is None:
                self._container.mux(self._video.encode())
                if self._sound is not None:
                    self._sound.copy_until(float((self._last + 1) * _CLOCK + 1 / self._rate))
                    self._sound.finish()
            self._container.close()
        except BaseException as error:
            exception = (type(error), error, error.__traceback__)
            raise
        finally:
            if self._sound is not None:
                self._sound.close()
            self._whole.__exit__(*exception)

    def _start(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        # The colors of yuv420p are stored for two pixels each way: sides are even.
        self._size = (width + width % 2, height + height % 2)
        self._video = self._container.add_stream("libx264", rate=self._rate, options=_QUALITY)
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = _CLOCK


def check_output(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a video that may be written.

    Raises:
        ValueError: The name does not end in `.mp4`.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"Expected the name of an .mp4 file to write. Received: {str(path)!r}")
    return path


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image of this size: shrunk or enlarged into it where it is another."""
    height, width = image.shape[:2]
    if abs(size[0] - width) > 1 or abs(size[1] - height) > 1:
        scale = min(size[0] / width, size[1] / height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        border = top, size[1] - height - top, left, size[0] - width - left
        return cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT)
    bottom, right = max(size[1] - height, 0), max(size[0] - width, 0)
    image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return image[: size[1], : size[0]]
