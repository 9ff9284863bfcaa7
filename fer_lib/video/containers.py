"""Video files and addresses opened narrowly, since they may come from anybody, and decoded.

Local files are opened by absolute path, in a short list of containers, without the right to open
anything else; frames have a budget of pixels. Decoding is FFmpeg's, through PyAV, which knows the
time of each frame, variable rates and rotation.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterator

import av
import numpy as np
from av.stream import Disposition

TIMEOUT_S = 10.0
"""Seconds that an address may take to open, and to send the next packet."""

_ADDRESS = re.compile(r"(https?|rtsps?|rtmps?|rtp|udp|tcp|srt)://", re.IGNORECASE)
# No playlists or image patterns (concat, hls, image2): they open further files.
_CONTAINERS = (
    "mov,matroska,avi,asf,flv,mpeg,mpegts,mpegvideo,m4v,h264,hevc,obu,ivf,ogg,gif,apng,mxf,dv,rm,"
    "nut,yuv4mpegpipe,mjpeg,wtv"
)
_STILL = ("mjpeg", "png", "bmp", "webp", "tiff")
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,srt,crypto"
# A clock that goes back or ahead by more seconds was restarted; less is jitter.
_MAX_BACK_S, _MAX_AHEAD_S = 0.5, 3600.0
_MIN_STEP_S = 1e-3


class Clock:
    """Makes times strictly increasing from 0 on, also where joined recordings restart theirs."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._shift_s = 0.0
        self._last_s: float | None = None

    def follow(self, time_s: float | None) -> float:
        """Returns the time of the next frame; `None` is one step after the last."""
        last_s = self._last_s
        if last_s is None:
            self._last_s = time_s or 0.0
            if not 0 <= self._last_s < _MAX_AHEAD_S:  # the file's start is wrong, not its steps
                self._shift_s, self._last_s = -self._last_s, 0.0
            return self._last_s
        new_s = last_s + self._step_s if time_s is None else time_s + self._shift_s
        if not -_MAX_BACK_S < new_s - last_s < _MAX_AHEAD_S:
            self._shift_s += last_s + self._step_s - new_s
            new_s = last_s + self._step_s
        self._last_s = max(new_s, last_s + _MIN_STEP_S)
        return self._last_s


def max_frame_pixels() -> int:
    """Returns the budget of a frame: `FER_LIB_MAX_FRAME_PIXELS`, else 40 megapixels (8K: 33)."""
    return int(os.environ.get("FER_LIB_MAX_FRAME_PIXELS", 40_000_000))


def is_address(name: str) -> bool:
    """Returns whether a source is the address of a stream."""
    return bool(_ADDRESS.match(name))


def open_container(name: str) -> av.container.InputContainer:
    """Opens a video file or an address with PyAV, and nothing else that these may name.

    Raises:
        OSError: It cannot be opened, or an address does not answer within `TIMEOUT_S`.
    """
    remote = is_address(name)
    options = _decoder_options()
    if remote:
        # FFmpeg itself opens a file over http again where it was cut off.
        options |= {"protocol_whitelist": _PROTOCOLS, "reconnect": "1", "reconnect_delay_max": "2"}
        if name.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    else:
        options |= {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
    started = time.monotonic()
    try:
        return av.open(
            name if remote else f"file:{os.path.abspath(name)}",
            options=options,
            timeout=TIMEOUT_S if remote else None,
            metadata_errors="replace",
        )
    except PermissionError:
        raise PermissionError(f"No permission to read {name!r}.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if remote and time.monotonic() - started >= TIMEOUT_S:
            hint = f"gave no answer in {TIMEOUT_S:g} s; is the stream running?"
            raise TimeoutError(f"Expected a video. {name!r} {hint}") from error
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        hint = "It is not a video, or its index is cut off"
        hint = "Cannot open the stream; is it running?" if remote else hint
        raise OSError(f"Expected a video. Received: {name!r}. {hint} ({reason}).") from error


def find_video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """Returns the stream that a player shows: no cover, and not larger than the budget.

    Raises:
        OSError: There is none, or its frames are larger than `max_frame_pixels`.
    """
    shown = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]
    if not shown:
        raise OSError(f"Expected a video. {name!r} holds no moving images.")
    # An animated AVIF holds its first frame as an image of its own, too, and not every cover is
    # marked as one: streams of one frame or of still images come last.
    shown.sort(key=lambda stream: stream.frames == 1 or stream.codec_context.name in _STILL)
    codec = shown[0].codec_context
    if codec.width * codec.height > max_frame_pixels():
        raise OSError(
            f"Expected frames of at most {max_frame_pixels()} pixels, see the variable "
            f"FER_LIB_MAX_FRAME_PIXELS. {name!r} has {codec.width} x {codec.height}."
        )
    codec.options = _decoder_options()  # The size may change within the video.
    return shown[0]


def decode_frames(
    container: av.container.InputContainer, stream: av.VideoStream, rate: float
) -> Iterator[tuple[float, np.ndarray] | int]:
    """Yields the time in seconds and the image of each frame, or how many frames are lost."""
    # Left at one thread: several would drop what they have in hand at a damaged packet.
    clock = Clock(1 / rate)
    start_s = (container.start_time or 0) / av.time_base
    # AVI holds no times for B-frames; their frames leave the decoder in the packets' order.
    orders = deque() if container.format.name == "avi" else None
    packets, end_s = 0, 0.0
    for packet in _demux(container, stream):
        if packet is not None:
            packets += 1
            end_s = max(end_s, _seconds(packet.dts, packet.time_base, start_s) or 0.0)
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, MemoryError):
            yield 1
            continue
        if orders is not None and packet is not None:
            orders.append(packet.dts)
        for frame in frames:
            pts = orders.popleft() if orders else frame.pts
            yield clock.follow(_seconds(pts, stream.time_base, start_s)), _show(frame, stream)
    # Cut off: the index lists more packets, and time is missing, too (edit lists hide some).
    announced_s = _seconds(stream.duration, stream.time_base, 0.0)
    if announced_s is not None and (announced_s - end_s) * rate > 3:
        yield max(0, stream.frames - packets)  # which a damaged index may claim to be billions


def _decoder_options() -> dict[str, str]:
    """Returns the decoder's own limit, which counts frames as it pads them."""
    return {"max_pixels": str(2 * max_frame_pixels() + 2**16)}


def _demux(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.Packet | None]:
    """Yields packets to the end, or to where the file is cut off, and then `None`."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.FFmpegError:
        pass  # The index tells how much is missing.
    yield None  # The decoder gives what it has in hand.


def _show(frame: av.VideoFrame, stream: av.VideoStream) -> np.ndarray:
    """Returns the pixels as the video is shown: square, and turned upright."""
    width, height = frame.width, frame.height
    aspect = float(stream.sample_aspect_ratio or 1)
    if 1 < aspect <= 4:
        width = round(width * aspect)
    elif 1 / 4 <= aspect < 1:
        height = round(height / aspect)
    image = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _seconds(value: int | None, time_base, start_s: float) -> float | None:
    return None if value is None else float(value * time_base) - start_s
