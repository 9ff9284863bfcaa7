"""What stands in for a camera: a swaying photograph, and a clip for Chromium's own fake camera."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from PIL import Image


def write_camera_clip(path: Path, frames: Iterable[np.ndarray], rate: int = 15) -> Path:
    """Writes frames, `uint8 (height, width, 3)`, as a clip; Chromium plays it in a loop."""
    with path.open("wb") as file:
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            planes = frame.reformat(format="yuvj420p").to_ndarray()
            if index == 0:
                height, width = image.shape[:2]
                head = f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n"
                file.write(head.encode())
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def moving_photograph(
    image: np.ndarray, count: int = 45, size: tuple[int, int] = (640, 480)
) -> list[np.ndarray]:
    """Returns frames of a photograph that a camera seems to sway over, and back to the start.

    Args:
        image: `uint8 (height, width, 3)`.
        count: How many frames.
        size: Width and height of the frames.
    """
    width, height = size
    scale = 1.12 * max(width / image.shape[1], height / image.shape[0])
    large = Image.fromarray(image).resize(
        (round(image.shape[1] * scale), round(image.shape[0] * scale))
    )
    room = np.array([large.width - width, 0.1 * height])
    frames = []
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        left, top = np.rint(room * [0.5 + 0.4 * np.sin(angle), 0.5 - 0.5 * np.cos(angle)])
        frames.append(np.asarray(large.crop((left, top, left + width, top + height))))
    return frames
