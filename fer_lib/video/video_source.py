"""Frames with their times: of a video file, a folder of images, a live address or a camera.

Decoding is FFmpeg's, through PyAV, which knows the time of each frame, variable rates and rotation.
Nothing here knows of faces.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import av
import numpy as np

from fer_lib.files import expand_user
from fer_lib.images import find_images, read_image
from fer_lib.video.cameras import open_camera, read_camera
from fer_lib.video.clock import Clock
from fer_lib.video.containers import (
    TIMEOUT_S,
    find_video_stream,
    is_address,
    max_frame_pixels,
    open_container,
)


class VideoFrame(NamedTuple):
    """One decoded frame."""

    index: int
    """Its number, from 0; in a folder an image that cannot be read leaves its number out."""
    time_s: float
    """When it is shown, in seconds from the start of the video; strictly increasing."""
    image: np.ndarray
    """RGB `uint8 (height, width, 3)`, upright and with square pixels."""


class VideoSource:
    """The frames of one source, one after the other; iterate over it once.

    Args:
        source: The path of a video (mp4, mov, avi, webm, mkv, wmv, gif, avif and more) or of a
            folder of images, the address of a stream (`http://`, `rtsp://`), or a camera: its
            number (0 is the first) or its device (`/dev/video0`).
        fps: Images per second of a folder, which holds no times.
        timeout_s: Seconds that an address may take to answer, and to send the next packet.

    Attributes:
        name: What it is called in messages.
        file: The video file, else `None`.
        images: The files of a folder, else `None`.
        is_camera: Whether it is a camera of this computer.
        is_live: Whether it is a camera, or an address that does not say when it ends.
        num_frames: How many frames are expected, or `None`.
        rate: Frames per second, on average.
        lost: How many frames are missing so far: those that cannot be decoded, and those that
            the file's index lists but the file does not hold.

    Raises:
        OSError: It does not exist, holds no video, cannot be opened, or its frames are larger
            than the budget, which the variable `FER_LIB_MAX_FRAME_PIXELS` changes.
        TypeError: `source` is none of the above.
        ValueError: `fps` is not in 0.001..1000.
    """

    def __init__(
        self,
        source: int | str | os.PathLike[str],
        *,
        fps: float = 30.0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not 1e-3 <= fps <= 1000:
            raise ValueError(f"Expected `fps` in 0.001..1000. Received: {fps!r}")
        if isinstance(source, bool) or not isinstance(source, (int, str, os.PathLike)):
            raise TypeError(
                "Expected a video, a folder of images, an address or the number of a camera. "
                f"Received: {source!r}"
            )
        self.name = _without_scheme(str(source))
        self.file: Path | None = None
        self.images: list[Path] | None = None
        self.is_camera = self.is_live = False
        self.num_frames: int | None = None
        self.rate = float(fps)
        self.lost = 0
        self._timeout_s = timeout_s
        self._stack = ExitStack()
        path = expand_user(self.name)
        if is_address(self.name):
            self._open()
        elif isinstance(source, int) or path.is_char_device():
            self.is_camera = self.is_live = True
            capture = open_camera(source if isinstance(source, int) else str(path))
            self._stack.callback(capture.release)
            self._frames = (VideoFrame(n, *frame) for n, frame in enumerate(read_camera(capture)))
        elif path.is_dir():
            self.images = sorted(find_images(path), key=_natural)
            self.num_frames = len(self.images)
            if not self.images:
                raise OSError(f"Expected a folder of images. {self.name!r} holds none.")
            self._frames = self._read_images()
        elif not path.exists():
            raise FileNotFoundError(
                "Expected a video, a folder of images, an address or a camera. "
                f"{self.name!r} does not exist."
            )
        elif path.is_file() and path.stat().st_size == 0:
            raise OSError(f"Expected a video. {self.name!r} is empty (0 bytes).")
        else:
            self.file, self.name = path, str(path)
            self._open()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Closes the file or the connection, or releases the camera; no more frames come."""
        self._stack.close()
        # A decoder holds megabytes: the frames' generator, which refers to this object in turn,
        # would keep it until the garbage collector comes by.
        self._frames = iter(())
        self._container = self._stream = None

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self._stack.close()
        with ExitStack() as stack:
            container = stack.enter_context(open_container(self.name, self._timeout_s))
            stream = find_video_stream(container, self.name)
            self._stack = stack.pop_all()
        self._container, self._stream = container, stream
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.rate = rate if 1e-3 <= rate <= 1000 else self.rate
        self.is_live = self.file is None and container.duration is None
        self.num_frames = stream.frames or None
        if self.num_frames is None and container.duration is not None:
            self.num_frames = round(container.duration / av.time_base * self.rate)
        self._frames = self._read_container()

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

    def _read_container(self) -> Iterator[VideoFrame]:
        """Frames to the end; a live connection that breaks off is opened again once."""
        index, last_s = 0, 0.0
        for time_s, image in self._decode():
            last_s = time_s
            yield VideoFrame(index, time_s, image)
            index += 1
        if index == 0:
            raise OSError(
                f"Expected a video. {self.name!r} holds no frame that can be decoded, or none of "
                f"at most {max_frame_pixels()} pixels (variable FER_LIB_MAX_FRAME_PIXELS)."
            )
        if not self.is_live:
            return
        broken_at = time.monotonic()
        try:
            self._open()
        except OSError:
            return
        # The new connection counts from 0: the time without one has passed, too.
        shift_s = last_s + max(time.monotonic() - broken_at, 1 / self.rate)
        for time_s, image in self._decode():
            yield VideoFrame(index, time_s + shift_s, image)
            index += 1

    def _decode(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yields the time and image of what can be decoded, and counts what cannot."""
        # Left at one thread: several would drop what they have in hand at a damaged packet.
        clock = Clock(1 / self.rate)
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
                time_s = clock.follow(_seconds(pts, self._stream.time_base, start_s))
                yield time_s, self._show(frame)
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


def _seconds(value: int | None, time_base, start_s: float) -> float | None:
    return None if value is None else float(value * time_base) - start_s


def _without_scheme(name: str) -> str:
    """Returns `file:///a.mp4` as the path that it means."""
    return url2pathname(urlsplit(name).path) if name.startswith("file://") else name


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
