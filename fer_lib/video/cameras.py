"""A camera of this computer, by OpenCV, which numbers cameras in the same way on every system."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np

# A camera may leave out a frame; one that leaves out all for so long is gone.
_SILENCE_S = 3.0


def open_camera(camera: int | str) -> cv2.VideoCapture:
    """Opens a camera by its number or its device, such as `/dev/video0`.

    Raises:
        OSError: No camera answers there.
    """
    # OpenCV prints several lines about each camera that is not there.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(camera)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise OSError(
            f"No camera answers at {camera!r}. Connect one, close the program that uses it, or "
            "name another one (--camera 1) or a video file."
        )
    return capture


def read_camera(capture: cv2.VideoCapture) -> Iterator[tuple[float, np.ndarray]]:
    """Yields seconds since the start and RGB `uint8 (height, width, 3)` until it is unplugged."""
    started = last = time.monotonic()
    while (now := time.monotonic()) - last < _SILENCE_S:
        worked, image = capture.read()
        if worked:
            last = time.monotonic()
            yield now - started, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        else:
            time.sleep(0.01)
