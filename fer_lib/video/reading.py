"""Frames with their times, whatever holds them: a video file, a folder of pictures, a live address.

Decoding is FFmpeg's, through PyAV: it knows the time of each frame, variable rates and the way up,
which OpenCV's reader loses. Nothing here knows of faces.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from fer_lib.images import find_images, read_image

# Seconds that an address may take to open, and to send the next piece.
_TIMEOUT = 10.0
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
# Ends that are off by less are the rounding of containers, not loss.
_FRAMES_OF_GRACE = 2


class VideoFrame(NamedTuple):
    """One decoded frame."""

    index: int
    """Its number, from 0; in a folder a picture that cannot be read leaves its number out."""
    time_s: float
    """When it is shown, in seconds from the start of the video."""
    image: np.ndarray
    """RGB `uint8 (height, width, 3)`, turned upright."""


class VideoSource:
    """The frames of one source, one after the other; iterate over it once.

    Args:
        source: The path of a video (whatever FFmpeg reads: mp4, mov, avi, webm, gif and more) or of
            a folder of pictures, or the address of a live stream (`http://`; `rtsp://` goes the
            same way, but is not covered by a test).
        fps: Pictures a second of a folder, which holds no times.

    Attributes:
        name: What it is called in messages.
        is_live: Whether it is an address that does not say when it ends.
        num_frames: How many frames are to be expected, or `None`.
        rate: Frames a second, on average.
        lost: How many frames have been found missing so far: those that cannot be decoded, and
            those that the file announces but does not hold.

    Raises:
        OSError: It does not exist, holds no video, or cannot be opened.
        ValueError: `fps` is not above 0.
    """

    def __init__(self, source: str | os.PathLike[str], *, fps: float = 30.0) -> None:
        if not 0 < fps < float("inf"):
            raise ValueError(f"Expected `fps` above 0. Received: {fps!r}")
        self.name = str(source)
        self.is_address = bool(_ADDRESS.match(self.name))
        self.is_live = False
        self.rate = fps
        self.lost = 0
        self._damaged_s: list[float] = []
        self._pictures: list[Path] | None = None
        if not self.is_address:
            path = Path(source).expanduser()
            self.name = str(path)
            if path.is_dir():
                self._pictures = sorted(find_images(path), key=_natural)
                self.num_frames: int | None = len(self._pictures)
                if not self._pictures:
                    raise OSError(
                        f"Expected a folder of pictures. Received: {self.name!r} without any."
                    )
                return
            _check_file(path)
        self._container = self._open()
        stream = self._container.streams.video[0]
        self.rate = float(stream.average_rate or stream.guessed_rate or fps)
        self._end = _end_of(self._container, stream)
        self.is_live = self.is_address and self._container.duration is None
        self.num_frames = stream.frames or None
        if self.num_frames is None and self._end is not None:
            self.num_frames = round(self._end * self.rate)

    def __iter__(self) -> Iterator[VideoFrame]:
        if self._pictures is not None:
            yield from self._read_pictures()
        elif self.is_live:
            yield from self._decode_live()
        else:
            yield from self._decode_file()

    @property
    def sound_path(self) -> str | None:
        """The file whose sound belongs to the frames, or `None`: folders and addresses."""
        return None if self._pictures is not None or self.is_address else self.name

    def close(self) -> None:
        """Closes the file or the connection."""
        if self._pictures is None:
            self._container.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> av.container.InputContainer:
        # Files over http are taken up again by FFmpeg itself, where it was cut off.
        options = {"reconnect": "1", "reconnect_delay_max": "2"} if self.is_address else {}
        if self.name.startswith("rtsp://"):
            options["rtsp_transport"] = "tcp"
        timeout = _TIMEOUT if self.is_address else None
        try:
            container = av.open(self.name, options=options, timeout=timeout)
        except PermissionError:
            raise PermissionError(f"No permission to read {self.name!r}.") from None
        except (av.FFmpegError, OSError, ValueError) as error:
            if self.is_address:
                reason = f"Cannot open the stream; is it running? ({_reason(error)})"
            else:
                reason = f"It is no video, or its index is cut off ({_reason(error)})."
            raise OSError(f"Expected a video. Received: {self.name!r}. {reason}") from error
        if not container.streams.video:
            container.close()
            raise OSError(f"Expected a video. Received: {self.name!r}, which holds no pictures.")
        return container

    def _read_pictures(self) -> Iterator[VideoFrame]:
        for index, path in enumerate(self._pictures):
            try:
                image = read_image(path)
            except (OSError, ValueError):
                self.lost += 1
                continue
            yield VideoFrame(index, index / self.rate, image)
        if self.lost == len(self._pictures):
            raise OSError(
                f"Expected a folder of pictures. Received: {self.name!r}; none can be read."
            )

    def _decode_file(self) -> Iterator[VideoFrame]:
        index, last_s = 0, -1 / self.rate
        for frame in self._decode():
            yield frame._replace(index=index)
            index, last_s = index + 1, max(last_s, frame.time_s)
        if index == 0:
            raise OSError(
                f"Expected a video. Received: {self.name!r}, of which no frame can be decoded."
            )
        if self._end is not None:
            missing = round((self._end - last_s) * self.rate) - 1
            # Damaged packets after the last frame are missing there, too: none is counted twice.
            after = sum(time_s > last_s for time_s in self._damaged_s)
            if missing >= _FRAMES_OF_GRACE:
                self.lost += max(missing - after, 0)

    def _decode_live(self) -> Iterator[VideoFrame]:
        """Frames until the stream ends; a connection that breaks off is taken up again once."""
        index, last_s = 0, 0.0
        for attempt in range(2):
            shift = last_s
            if attempt:
                broken_at = time.monotonic()
                self._container.close()
                try:
                    self._container = self._open()
                except OSError:
                    break
                # The new connection counts from 0: the time without one has passed, too.
                shift += max(time.monotonic() - broken_at, 1 / self.rate)
            for frame in self._decode():
                last_s = frame.time_s + shift
                yield VideoFrame(index, last_s, frame.image)
                index += 1
        if index == 0:
            raise OSError(f"Expected a live stream. {self.name!r} sends no frame.")

    def _decode(self) -> Iterator[VideoFrame]:
        """Yields what can be decoded, and counts what cannot."""
        # Left at one thread: several would drop what they have in hand at a damaged packet.
        stream = self._container.streams.video[0]
        start_s = (self._container.start_time or 0) / av.time_base
        time_s = -1 / self.rate
        for packet in self._demux(stream):
            try:
                # Without a packet the decoder gives what it has in hand.
                frames = stream.decode(packet)
            except av.FFmpegError:
                self.lost += 1
                if packet is not None and packet.pts is not None:
                    self._damaged_s.append(float(packet.pts * packet.time_base) - start_s)
                continue
            for frame in frames:
                # Some old files give no times: then frames follow each other at the mean rate.
                if frame.pts is None:
                    time_s += 1 / self.rate
                else:
                    time_s = float(frame.pts * stream.time_base) - start_s
                yield VideoFrame(-1, time_s, _upright(frame))

    def _demux(self, stream: av.VideoStream) -> Iterator[av.Packet | None]:
        """Yields packets up to the end or to where the file is cut off, and then `None`."""
        try:
            for packet in self._container.demux(stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            pass  # The end that the file announces tells how much is missing.
        yield None


def _check_file(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a video, a folder of pictures or an address. {str(path)!r} does not exist."
        )
    if path.is_file() and path.stat().st_size == 0:
        raise OSError(f"Expected a video. {str(path)!r} is empty (0 bytes).")


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """Returns the pixels as the video shall be shown: phones store films lying on their side."""
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _end_of(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Returns when the last frame ends, in seconds from the start, where the file says so."""
    start_s = (container.start_time or 0) / av.time_base
    whole = None if container.duration is None else container.duration / av.time_base
    if stream.duration is not None:
        own = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - start_s
        return own if whole is None else min(own, whole)
    # The length of the whole is that of the longest stream, which may be the sound.
    return whole if len(container.streams) == 1 else None


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
