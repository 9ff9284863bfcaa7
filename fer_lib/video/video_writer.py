"""An MP4 that browsers play: H.264 in yuv420p, its index in front, the sound of the original."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image, ImageOps

from fer_lib.files import expand_user, write_atomically
from fer_lib.video.containers import Clock, open_container

# Fine enough for the times of any video, and what MPEG itself counts in.
_CLOCK = Fraction(1, 90_000)
_QUALITY = {"crf": "21", "preset": "veryfast"}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 6: "5.1", 8: "7.1"}


class _NoFrames(Exception):
    """Keeps a file without frames from taking its place."""


class VideoWriter:
    """Writes frames with their times, and the sound of another video beside them.

    Used in a `with` statement. The file takes its place only when the block ends and it is whole;
    an exception leaves what was at `path` before. Without a frame nothing is written.

    Args:
        path: The file, ending in `.mp4`; replaced where it exists.
        rate: Frames per second, on average; each frame is shown at its own time.
        sound_of: A video file whose sound is kept, as AAC in mono or stereo. A failure ends the
            sound with one warning, and never the video.

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
        path = expand_user(path)
        if path.suffix.lower() != ".mp4":
            raise ValueError(f"Expected the name of an .mp4 file to write. Received: {str(path)!r}")
        self._rate = Fraction(rate).limit_denominator(1001)
        self._video: av.VideoStream | None = None
        self._last = -1
        # The sound is encoded up to one time; it ends with the last frame, once that is known.
        self._sound_s, self._end_s = math.inf, math.inf
        with ExitStack() as stack:
            partial = stack.enter_context(write_atomically(path))
            partial.touch()  # says in words of the system where that is impossible
            name = f"file:{os.path.abspath(partial)}"
            options = {"movflags": "+faststart"}
            self._container = av.open(name, "w", format="mp4", options=options)
            stack.enter_context(self._container)
            if sound_of is not None:
                self._sound = self._encode_sound(str(sound_of))
                self._advance_sound()  # adds the stream, which must be there before the first frame
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
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            # The colors of yuv420p are stored for two pixels each way: sides are even.
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._video is None:
            self._video = self._container.add_stream("libx264", rate=self._rate, options=_QUALITY)
            self._video.height, self._video.width = image.shape[:2]
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.time_base = _CLOCK
        size = self._video.width, self._video.height
        if image.shape[1::-1] != size:
            image = np.asarray(ImageOps.pad(Image.fromarray(image), size))
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        self._last = max(round(time_s / _CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, _CLOCK
        self._container.mux(self._video.encode(frame))
        while self._sound_s < time_s:
            self._advance_sound()

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
        self._end_s = float(self._last * _CLOCK + 1 / self._rate)
        while self._sound_s < math.inf:
            self._advance_sound()

    def _advance_sound(self) -> None:
        try:
            self._sound_s = next(self._sound, math.inf)
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            self._sound_s = math.inf
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            warnings.warn(f"The sound ends early or is left out: {reason}", stacklevel=3)

    def _encode_sound(self, name: str) -> Iterator[float]:
        """Yields the time at which each packet begins that was encoded."""
        with open_container(name) as source:
            if not source.streams.audio:
                return
            stream = source.streams.audio[0]
            codec = stream.codec_context
            if codec is None:
                raise ValueError("its codec is unknown")
            if codec.layout.name not in ("mono", "stereo") and "channel" in codec.layout.name:
                # Some codecs tell the number of channels only.
                codec.layout = _LAYOUTS.get(codec.layout.nb_channels, "stereo")
            rates = av.Codec("aac", "w").audio_rates
            rate = min(rates, key=lambda rate: abs(rate - codec.sample_rate))
            output = self._container.add_stream("aac", rate=rate)
            output.layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
            yield -math.inf
            # The clock of the file may restart, and may not begin at 0.
            clock, start_s = Clock(0.02), (source.start_time or 0) / av.time_base
            for packet in source.demux(stream):
                if packet.pts is None:
                    continue
                time_s = clock.follow(float(packet.pts * packet.time_base) - start_s)
                if time_s >= self._end_s:
                    break
                packet.pts = packet.dts = round(time_s / packet.time_base)
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue  # A damaged packet is silence of some 20 ms.
                for frame in frames:
                    self._container.mux(output.encode(frame))
                yield time_s
            self._container.mux(output.encode(None))
