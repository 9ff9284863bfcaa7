"""What stands in for a browser, a desktop and a camera in the tests of the webcam."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import psutil
from PIL import Image

from fer_lib.webcam import WebcamWidget, window


def encode(image: np.ndarray, kind: str = "JPEG") -> bytes:
    """Returns an image file, such as a browser sends."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, quality=95)
    return file.getvalue()


class Browser:
    """Sends messages to a widget as the browser does, and keeps what comes back in `answers`."""

    def __init__(self, widget: WebcamWidget, session: str = "a") -> None:
        self.widget = widget
        self.session = session
        self.answers: list[tuple[dict, list]] = []
        widget.send = lambda content, buffers=None: self.answers.append((content, buffers or []))

    def send(self, type: str, *buffers: bytes, **content: Any) -> dict | None:
        """Returns the answer, if there is one."""
        return self.send_raw({"type": type, "session": self.session, **content}, list(buffers))

    def send_raw(self, message: Any, buffers: list[bytes]) -> dict | None:
        before = len(self.answers)
        self.widget._receive(self.widget, message, buffers)
        assert len(self.answers) <= before + 1, "one message has one answer at most"
        return self.answers[-1][0] if len(self.answers) > before else None


class FakeWindow:
    """Stands in for OpenCV's window: presses each key once so many images were shown, keeps those.

    Args:
        replace: Sets an attribute of a module, as `monkeypatch.setattr` does.
        keys: Maps a number of images to a key.
        closes_at: The number of images at which the user closes the window.
    """

    def __init__(self, replace: Callable, keys: dict[int, str] | None = None, closes_at=None):
        self.keys = list((keys or {}).items())
        self.closes_at = closes_at
        self.shown: list[np.ndarray] = []
        self.size = (0, 0)
        self.is_closed = False
        replace(window, "check_display", lambda: None)
        replace(cv2, "namedWindow", lambda *_: None)
        replace(cv2, "imshow", lambda _, image: self.shown.append(image[..., ::-1]))
        replace(cv2, "resizeWindow", lambda _, *size: setattr(self, "size", size))
        replace(cv2, "waitKey", lambda _: self.wait_for_key())
        replace(cv2, "getWindowProperty", lambda *_: len(self.shown) != self.closes_at)
        replace(cv2, "destroyWindow", lambda _: setattr(self, "is_closed", True))

    def wait_for_key(self) -> int:
        if self.keys and len(self.shown) >= self.keys[0][0]:
            return ord(self.keys.pop(0)[1])
        return -1


class FakeCapture:
    """Stands in for OpenCV's camera: gives so many frames, then raises, or falls silent."""

    def __init__(self, frames: int, error: Exception | None = None, image=None) -> None:
        self.frames, self.error = frames, error
        self.image = np.full((8, 8, 3), (0, 0, 200), np.uint8) if image is None else image
        self.is_released = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        time.sleep(0.005)
        self.frames -= 1
        if self.frames < 0 and self.error:
            raise self.error
        return self.frames >= 0, self.image

    def release(self) -> None:
        self.is_released = True


def measure_leaks(use: Callable[[], None], times: int = 50) -> tuple[int, int, int]:
    """Returns how many threads, handles and bytes more there are after so many uses."""
    process = psutil.Process()

    def measure() -> tuple[int, int, int]:
        gc.collect()
        return process.num_threads(), process.num_fds(), process.memory_info().rss

    for _ in range(5):  # what is loaded and cached at first use is no leak
        use()
    before = measure()
    for _ in range(times):
        use()
    return tuple(after - first for first, after in zip(before, measure(), strict=True))


def run_on_a_display(command: list[str]) -> subprocess.CompletedProcess:
    """Runs a command with an X server of its own, by Xvfb."""
    with tempfile.TemporaryFile() as display:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"],
            stdout=display,
            stderr=subprocess.DEVNULL,
        )
        try:
            number = b""
            while not number.strip() and server.poll() is None:
                time.sleep(0.1)
                display.seek(0)
                number = display.read()
            variables = {**os.environ, "DISPLAY": f":{int(number)}"}
            return subprocess.run(
                command, env=variables, capture_output=True, text=True, timeout=120
            )
        finally:
            server.terminate()
            server.wait()
