"""An MP4 that browsers play: H.264 in yuv420p, its index in front, the sound of the original."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

# Fine enough for the times of any video, and what MPEG itself counts in.
_CLOCK = Fraction(1, 90_000)
_QUALITY = {"crf": "21", "preset": "veryfast"}


class VideoWriter:
    """Writes frames with their times, and copies the sound of another video beside them.

    Args:
        path: The file, ending in `.mp4`; replaced where it exists.
        rate: Frames a second, on average; each frame is shown at its own time.
        sound_of: A video file whose sound is kept: AAC is copied, everything else turned into it.

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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                str(self.path), "w", format="mp4", options={"movflags": "+faststart"}
            )
        except OSError as error:
            raise OSError(
                f"Cannot write {str(self.path)!r} ({error.strerror or error}); choose another "
                "folder."
            ) from error
        self._video: av.VideoStream | None = None
        self._size = (0, 0)
        self._last = -1
        self._sound = None if sound_of is None else _Sound(sound_of, self._container)

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
        try:
            if self._video is not None:
                self._container.mux(self._video.encode())
                if self._sound is not None:
                    self._sound.copy_until((self._last + 1) * _CLOCK + 1 / self._rate)
                    self._sound.finish()
        finally:
            self._container.close()
            if self._sound is not None:
                self._sound.close()
            if self._video is None:
                self.path.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        # The colours of yuv420p are stored for two pixels each way: sides are even.
        self._size = (width + width % 2, height + height % 2)
        self._video = self._container.add_stream("libx264", rate=self._rate, options=_QUALITY)
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = _CLOCK


class _Sound:
    """The sound of one file, on its way into another, as far as the pictures have got."""

    def __init__(self, source: str | os.PathLike[str], target: av.container.OutputContainer):
        self._target = target
        self._source = av.open(str(source))
        self._output: av.AudioStream | None = None
        self._waiting: av.Packet | None = None
        if not self._source.streams.audio:
            return
        stream = self._source.streams.audio[0]
        self._start_s = (self._source.start_time or 0) / av.time_base
        self._copied = stream.codec_context.name == "aac"
        if self._copied:
            self._output = target.add_stream_from_template(stream)
        else:
            self._output = target.add_stream("aac", rate=stream.codec_context.sample_rate)
            self._output.layout = stream.codec_context.layout
        self._packets = self._read(stream)

    def copy_until(self, time_s: float) -> None:
        """Moves everything that sounds before a time; the rest waits."""
        while self._output is not None:
            packet = self._waiting or next(self._packets, None)
            self._waiting = packet
            if packet is None or float(packet.pts * packet.time_base) - self._start_s > time_s:
                return
            self._waiting = None
            self._move(packet)

    def finish(self) -> None:
        """Writes what the encoder still holds."""
        if self._output is not None and not self._copied:
            self._target.mux(self._output.encode())

    def close(self) -> None:
        self._source.close()

    def _read(self, stream: av.AudioStream) -> Iterator[av.Packet]:
        try:
            yield from (packet for packet in self._source.demux(stream) if packet.pts is not None)
        except av.FFmpegError as error:
            warnings.warn(f"The sound ends early: {error.strerror}", stacklevel=2)

    def _move(self, packet: av.Packet) -> None:
        shift = round(self._start_s / float(packet.time_base))
        if self._copied:
            packet.pts -= shift
            packet.dts = None if packet.dts is None else packet.dts - shift
            packet.stream = self._output
            self._target.mux(packet)
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return  # A damaged piece is silence of some 20 ms.
        for frame in frames:
            frame.pts = None if frame.pts is None else frame.pts - shift
            self._target.mux(self._output.encode(frame))


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
    """Returns a picture of this size: shrunk or enlarged into it where it is another."""
    height, width = image.shape[:2]
    if abs(size[0] - width) > 1 or abs(size[1] - height) > 1:
        scale = min(size[0] / width, size[1] / height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        beside, below = (size[0] - width) // 2, (size[1] - height) // 2
        border = below, size[1] - height - below, beside, size[0] - width - beside
        return cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT)
    below, beside = size[1] - height, size[0] - width
    if below or beside:
        image = cv2.copyMakeBorder(image, 0, max(below, 0), 0, max(beside, 0), cv2.BORDER_REPLICATE)
    return image[: size[1], : size[0]]
