"""An MP4 that browsers play: H.264 in yuv420p, its index in front, the sound of the original."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fer_lib.files import write_atomically
from fer_lib.video.video_source import Clock, open_container

# Fine enough for the times of any video, and what MPEG itself counts in.
_CLOCK = Fraction(1, 90_000)
_QUALITY = {"crf": "21", "preset": "veryfast"}
_AAC_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200)
_AAC_RATES += (96_000,)


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


class _Sound:
    """The sound of one file, on its way into another, as far as the frames have got."""

    def __init__(self, source: str | os.PathLike[str], target: av.container.OutputContainer):
        self._target = target
        self._source: av.container.InputContainer | None = None
        self._output: av.AudioStream | None = None
        self._waiting: av.Packet | None = None
        try:
            self._source = open_container(str(source))
        except OSError as error:
            self._give_up(error)
            return
        if not self._source.streams.audio:
            return
        stream = self._source.streams.audio[0]
        codec = stream.codec_context
        self._clock = Clock(0.02)
        self._start_s = (self._source.start_time or 0) / av.time_base
        self._packets = self._read(stream)
        try:
            channels = codec.layout.nb_channels
            self._layout = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 6: "5.1", 8: "7.1"}[
                channels
            ]
            self._copied = codec.name == "aac" and bool(codec.extradata)
            if self._copied:
                self._output = target.add_stream_from_template(stream)
                return
            rate = min(_AAC_RATES, key=lambda rate: abs(rate - codec.sample_rate))
            self._output = target.add_stream("aac", rate=rate)
            self._output.layout = "mono" if channels == 1 else "stereo"
            self._resampler = av.AudioResampler("fltp", self._output.layout, rate)
        except (AttributeError, KeyError, ValueError, OSError) as error:
            self._give_up(error)

    def copy_until(self, time_s: float) -> None:
        """Moves everything that sounds before a time; the rest waits."""
        try:
            while self._output is not None:
                packet = self._waiting or next(self._packets, None)
                self._waiting = packet
                if packet is None or self._time_of(packet) > time_s:
                    return
                self._waiting = None
                self._move(packet)
        except (av.FFmpegError, ValueError, RuntimeError) as error:
            self._give_up(error)

    def finish(self) -> None:
        """Writes what the encoder still holds."""
        if self._output is None or self._copied:
            return
        try:
            self._encode(None)
            self._target.mux(self._output.encode())
        except (av.FFmpegError, ValueError, RuntimeError) as error:
            self._give_up(error)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _give_up(self, error: Exception) -> None:
        self._output = None
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        warnings.warn(f"The sound ends early or is left out: {reason}", stacklevel=3)

    def _time_of(self, packet: av.Packet) -> float:
        return float(packet.pts * packet.time_base) - self._start_s

    def _read(self, stream: av.AudioStream) -> Iterator[av.Packet]:
        """Yields packets whose times increase, also where the clock of the file restarts."""
        for packet in self._source.demux(stream):
            if packet.pts is not None:
                time_s = self._clock.follow(self._time_of(packet)) + self._start_s
                packet.pts = packet.dts = round(time_s / packet.time_base)
                yield packet

    def _move(self, packet: av.Packet) -> None:
        if self._copied:
            packet.pts = packet.dts = packet.pts - round(self._start_s / packet.time_base)
            packet.stream = self._output
            self._target.mux(packet)
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return  # A damaged piece is silence of some 20 ms.
        for frame in frames:
            if frame.layout.name not in ("mono", "stereo") and "channel" in frame.layout.name:
                frame = _with_layout(frame, self._layout)
            if frame.pts is not None:
                frame.pts -= round(self._start_s / frame.time_base)
            self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for part in self._resampler.resample(frame):
            self._target.mux(self._output.encode(part))


def check_output(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a video that may be written.

    Raises:
        ValueError: The name does not end in `.mp4`.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"Expected the name of an .mp4 file to write. Received: {str(path)!r}")
    return path


def _with_layout(frame: av.AudioFrame, layout: str) -> av.AudioFrame:
    """Returns the frame with a layout: some codecs tell the number of channels only."""
    named = av.AudioFrame.from_ndarray(frame.to_ndarray(), frame.format.name, layout)
    named.sample_rate, named.pts, named.time_base = frame.sample_rate, frame.pts, frame.time_base
    return named


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
