"""The sound of a video, copied or encoded into another."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import av

from fer_lib.video.clock import Clock
from fer_lib.video.containers import open_container

_AAC_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200)
_AAC_RATES += (96_000,)


class VideoSound:
    """The sound of one file, on its way into another, as far as the frames have got.

    AAC is copied, everything else becomes AAC in mono or stereo. A failure ends the sound with one
    warning, and never the video.
    """

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


def _with_layout(frame: av.AudioFrame, layout: str) -> av.AudioFrame:
    """Returns the frame with a layout: some codecs tell the number of channels only."""
    named = av.AudioFrame.from_ndarray(frame.to_ndarray(), frame.format.name, layout)
    named.sample_rate, named.pts, named.time_base = frame.sample_rate, frame.pts, frame.time_base
    return named
