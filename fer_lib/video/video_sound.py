"""The sound of a video, encoded into another one."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator

import av

from fer_lib.video.clock import Clock
from fer_lib.video.containers import open_container

_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 6: "5.1", 8: "7.1"}


class VideoSound:
    """The sound of one file on its way into another, as AAC in mono or stereo.

    A failure ends the sound with one warning, and never the video.
    """

    def __init__(self, source: str | os.PathLike[str], target: av.container.OutputContainer):
        self._target = target
        self._output: av.AudioStream | None = None
        self._time_s = -math.inf
        self._steps = self._encode(str(source))
        self._advance()  # adds the stream, which must be there before the first frame

    def encode_until(self, time_s: float) -> None:
        """Encodes what sounds before a time in seconds; the rest waits."""
        while self._time_s < time_s:
            self._advance()

    def close(self) -> None:
        """Writes what the encoder still holds."""
        self._steps.close()
        if self._output is not None:
            self._steps = self._flush()
            self._advance()

    def _advance(self) -> None:
        try:
            self._time_s = next(self._steps, math.inf)
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            self._output, self._time_s = None, math.inf
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            warnings.warn(f"The sound ends early or is left out: {reason}", stacklevel=4)

    def _encode(self, name: str) -> Iterator[float]:
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
            self._output = self._target.add_stream("aac", rate=rate)
            self._output.layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
            yield -math.inf
            # The clock of the file may restart, and may not begin at 0.
            clock, start_s = Clock(0.02), (source.start_time or 0) / av.time_base
            for packet in source.demux(stream):
                if packet.pts is None:
                    continue
                time_s = clock.follow(float(packet.pts * packet.time_base) - start_s)
                packet.pts = packet.dts = round(time_s / packet.time_base)
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue  # A damaged packet is silence of some 20 ms.
                for frame in frames:
                    self._target.mux(self._output.encode(frame))
                yield time_s

    def _flush(self) -> Iterator[float]:
        self._target.mux(self._output.encode(None))
        yield math.inf
