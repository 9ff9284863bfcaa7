"""Frames with their times: of a video file, a folder of images or a live address.

Decoding is FFmpeg's, through PyAV, which knows the time of each frame, variable rates and rotation.
What is untrusted is opened narrowly: local files by absolute path, in a short list of containers,
without the right to open anything else. Nothing here knows of faces.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import av
import numpy as np
from av.stream import Disposition

from fer_lib.images import find_images, read_image

# Seconds that an address may take to open, and to send the next piece.
_TIMEOUT_S = 10.0
_ADDRESS = re.compile(r"^(https?|rtsps?|rtmps?|rtp|udp|tcp|srt)://", re.IGNORECASE)
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


def max_frame_pixels() -> int:
    """Returns the budget of a frame: `FER_LIB_MAX_FRAME_PIXELS`, else 40 megapixels (8K: 33)."""
    return int(os.environ.get("FER_LIB_MAX_FRAME_PIXELS", 40_000_000))


class VideoFrame(NamedTuple):
    """One decoded frame."""

    index: int
    """Its number, from 0; in a folder an image that cannot be read leaves its number out."""
    time_s: float
    """When it is shown, in seconds from the start of the video; strictly increasing."""
    image: np.ndarray
    """RGB `uint8 (height, width, 3)`, upright and with square pixels."""


class Clock:
    """Makes times strictly increasing, also where joined recordings restart their clock."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._shift_s = 0.0
        self._last_s: float | None = None

    def follow(self, time_s: float | None) -> float:
        """Returns the time of the next frame; `None` is one step after the last."""
        last_s = self._last_s
        if last_s is None:
            self._last_s = time_s or 0.0
            return self._last_s
        new_s = last_s + self._step_s if time_s is None else time_s + self._shift_s
        if not -_MAX_BACK_S < new_s - last_s < _MAX_AHEAD_S:
            self._shift_s += last_s + self._step_s - new_s
            new_s = last_s + self._step_s
        self._last_s = max(new_s, last_s + _MIN_STEP_S)
        return self._last_s


class VideoSource:
    """The frames of one source, one after the other; iterate over it once.

    Args:
        source: The path of a video (mp4, mov, avi, webm, mkv, wmv, gif, avif and more) or of a
            folder of images, or the address of a live stream (`http://`, `rtsp://`).
        fps: Images per second of a folder, which holds no times.

    Attributes:
        name: What it is called in messages.
        images: The files of a folder, else `None`.
        is_address: Whether it is an address.
        is_live: Whether it is an address that does not say when it ends.
        num_frames: How many frames are expected, or `None`.
        rate: Frames per second, on average.
        lost: How many frames are missing so far: those that cannot be decoded, and those that
            the file's index lists but the file does not hold.

    Raises:
        OSError: It does not exist, holds no video, cannot be opened, or its frames are larger
            than the budget, which the variable `FER_LIB_MAX_FRAME_PIXELS` changes.
        ValueError: `fps` is not in 0.001..1000.
    """

    def __init__(self, source: str | os.PathLike[str], *, fps: float = 30.0) -> None:
        if not 1e-3 <= fps <= 1000:
            raise ValueError(f"Expected `fps` in 0.001..1000. Received: {fps!r}")
        self.name = _without_scheme(source)
        self.is_address = bool(_ADDRESS.match(self.name))
        self.is_live = False
        self.rate = float(fps)
        self.lost = 0
        self.images: list[Path] | None = None
        self.num_frames: int | None = None
        if not self.is_address:
            path = Path(self.name)
            path = path if path.exists() else path.expanduser()
            self.name = str(path)
            if path.is_dir():
                self.images = sorted(find_images(path), key=_natural)
                self.num_frames = len(self.images)
                if not self.images:
                    raise OSError(f"Expected a folder of images. {self.name!r} holds none.")
                return
            if not path.exists():
                raise FileNotFoundError(
                    "Expected a video, a folder of images or an address. "
                    f"{self.name!r} does not exist."
                )
            if path.is_file() and path.stat().st_size == 0:
                raise OSError(f"Expected a video. {self.name!r} is empty (0 bytes).")
        self._open()
        stream = self._stream
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.rate = rate if 1e-3 <= rate <= 1000 else self.rate
        duration = self._container.duration
        self.is_live = self.is_address and duration is None
        self.num_frames = stream.frames or None
        if self.num_frames is None and duration is not None:
            self.num_frames = round(duration / av.time_base * self.rate)

    def __iter__(self) -> Iterator[VideoFrame]:
        if self.images is not None:
            return self._read_images()
        return self._read_live() if self.is_live else self._read_file()

    def close(self) -> None:
        """Closes the file or the connection."""
        if self.images is None:
            self._container.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self._container = open_container(self.name)
        shown = [
            stream
            for stream in self._container.streams.video
            if stream.codec_context is not None
            and not stream.disposition & Disposition.attached_pic
        ]
        # An animated AVIF holds its first frame as an image of its own, too, and not every cover is
        # marked as one: streams of one frame or of still images come last.
        shown.sort(key=lambda stream: stream.frames == 1 or stream.codec_context.name in _STILL)
        if not shown:
            self._container.close()
            raise OSError(f"Expected a video. {self.name!r} holds no moving images.")
        self._stream = shown[0]
        size = self._stream.codec_context.width, self._stream.codec_context.height
        if size[0] * size[1] > max_frame_pixels():
            self._container.close()
            raise OSError(
                f"Expected frames of at most {max_frame_pixels()} pixels, see the variable "
                f"FER_LIB_MAX_FRAME_PIXELS. {self.name!r} has {size[0]} x {size[1]}."
            )
        # The size may change within the video: the decoder checks it, too, padded as it stores it.
        self._stream.codec_context.options = {"max_pixels": str(2 * max_frame_pixels())}

    def _read_images(self) -> Iterator[VideoFrame]:
        for index, path in enumerate(self.images):
            try:
                image = read_image(path)
            except (OSError, ValueError):
                self.lost += 1
                continue
            yield VideoFrame(index, index / self.rate, image)
        if self.lost == len(self.images):
            raise OSError(f"Expected a folder of images. Of {self.name!r} none can be read.")

    def _read_file(self) -> Iterator[VideoFrame]:
        index = -1
        for index, (time_s, image) in enumerate(self._decode(Clock(1 / self.rate))):
            yield VideoFrame(index, time_s, image)
        if index < 0:
            raise OSError(f"Expected a video. {self.name!r} holds no frame that can be decoded.")

    def _read_live(self) -> Iterator[VideoFrame]:
        """Frames until the stream ends; a connection that breaks off is opened again once."""
        index, last_s = 0, 0.0
        for attempt in range(2):
            shift_s = 0.0
            if attempt:
                broken_at = time.monotonic()
                self._container.close()
                try:
                    self._open()
                except OSError:
                    break
                # The new connection counts from 0: the time without one has passed, too.
                shift_s = last_s + max(time.monotonic() - broken_at, 1 / self.rate)
            for time_s, image in self._decode(Clock(1 / self.rate)):
                last_s = time_s + shift_s
                yield VideoFrame(index, last_s, image)
                index += 1
        if index == 0:
            raise OSError(f"Expected a live stream. {self.name!r} sends no frame.")

    def _decode(self, clock: Clock) -> Iterator[tuple[float, np.ndarray]]:
        """Yields the time and image of what can be decoded, and counts what cannot."""
        # Left at one thread: several would drop what they have in hand at a damaged packet.
        start_s = (self._container.start_time or 0) / av.time_base
        # AVI holds no times for B-frames; their frames leave the decoder in the packets' order.
        orders = deque() if self._container.format.name == "avi" else None
        packets, end_s = 0, 0.0
        for packet in self._demux():
            if packet is not None:
                packets += 1
                end_s = max(end_s, _seconds(packet.dts, packet.time_base, start_s) or 0.0)
            try:
                frames = self._stream.decode(packet)
            except (av.FFmpegError, MemoryError):
                self.lost += 1
                continue
            if orders is not None and packet is not None:
                orders.append(packet.dts)
            for frame in frames:
                pts = orders.popleft() if orders else frame.pts
                yield (
                    clock.follow(_seconds(pts, self._stream.time_base, start_s)),
                    self._show(frame),
                )
        # Cut off: the index lists more packets, and time is missing, too (edit lists hide some).
        announced_s = _seconds(self._stream.duration, self._stream.time_base, 0.0)
        if announced_s is not None and (announced_s - end_s) * self.rate > 3:
            self.lost += max(0, self._stream.frames - packets)

    def _demux(self) -> Iterator[av.Packet | None]:
        """Yields packets to the end, or to where the file is cut off, and then `None`."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            pass  # The index tells how much is missing.
        yield None  # The decoder gives what it has in hand.

    def _show(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns the pixels as the video is shown: square, and turned upright."""
        width, height = frame.width, frame.height
        aspect = float(self._stream.sample_aspect_ratio or 1)
        if 1 < aspect <= 4:
            width = round(width * aspect)
        elif 1 / 4 <= aspect < 1:
            height = round(height / aspect)
        image = frame.to_ndarray(format="rgb24", width=width, height=height)
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def open_container(name: str) -> av.container.InputContainer:
    """Opens a video file or an address with PyAV, and nothing else that these may name.

    Raises:
        OSError: It cannot be opened.
    """
    is_address = bool(_ADDRESS.match(name))
    options = {"max_pixels": str(2 * max_frame_pixels())}
    if is_address:
        # FFmpeg itself opens a file over http again where it was cut off.
        options |= {"protocol_whitelist": _PROTOCOLS, "reconnect": "1", "reconnect_delay_max": "2"}
        if name.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    else:
        options |= {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
    try:
        return av.open(
            name if is_address else f"file:{os.path.abspath(name)}",
            options=options,
            timeout=_TIMEOUT_S if is_address else None,
            metadata_errors="replace",
        )
    except PermissionError:
        raise PermissionError(f"No permission to read {name!r}.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        hint = "It is no video, or its index is cut off"
        hint = "Cannot open the stream; is it running?" if is_address else hint
        raise OSError(f"Expected a video. Received: {name!r}. {hint} ({reason}).") from error


def _seconds(value: int | None, time_base, start_s: float) -> float | None:
    return None if value is None else float(value * time_base) - start_s


def _without_scheme(source: str | os.PathLike[str]) -> str:
    """Returns `file:///a.mp4` as the path that it means."""
    name = str(source)
    return url2pathname(urlsplit(name).path) if name.startswith("file://") else name


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
