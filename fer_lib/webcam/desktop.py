"""A window on the desktop, by OpenCV: shows pictures, tells which key was pressed."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np

_INSTEAD = "In a notebook, fer_lib.WebcamWidget() shows the webcam in the browser."
_PROBE = "import cv2; cv2.namedWindow('fer_lib'); cv2.destroyAllWindows()"


def check_display() -> None:
    """Makes sure that a window can be opened here.

    Raises:
        OSError: It cannot; the message says what to do.
    """
    if not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OSError(f"No display: DISPLAY is not set, so no window can open. {_INSTEAD}")
    # Where the display does not answer or a system library is missing, Qt ends the process without
    # an exception. So another process tries first.
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
    if probe.returncode < 0:
        lines = [line.strip() for line in probe.stderr.splitlines() if line.strip()]
        raise OSError(
            f"No window can open on the display {os.environ.get('DISPLAY')!r} "
            f"({lines[0] if lines else 'OpenCV gives no reason'}). {_INSTEAD}"
        )


class Window:
    """One window; `close` it whatever happens.

    Raises:
        OSError: No window can be opened, see `check_display`.
    """

    def __init__(self, title: str) -> None:
        check_display()
        self._title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise OSError(
                "This OpenCV was built without windows (opencv-python-headless). Run: pip "
                "uninstall -y opencv-python-headless; pip install --force-reinstall opencv-python"
            ) from error

    def show(self, image: np.ndarray) -> None:
        """Shows an RGB `uint8 (height, width, 3)` picture."""
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def resize(self, width: int, height: int) -> None:
        """Makes the window so large, in pixels."""
        cv2.resizeWindow(self._title, width, height)

    def wait_for_key(self, seconds: float) -> str:
        """Lets the window work, and returns the key that was pressed in that time, or `""`."""
        code = cv2.waitKey(max(1, round(seconds * 1000))) & 0xFF
        return {0xFF: "", 27: "escape"}.get(code, chr(code).lower())

    def is_open(self) -> bool:
        """Whether nobody has closed the window."""
        return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Removes the window; one that the user closed is gone already."""
        try:
            cv2.destroyWindow(self._title)
        except cv2.error:
            return
        cv2.waitKey(1)  # the window goes only once its events are handled
