"""The webcam in a window of the desktop, with keys."""

from __future__ import annotations

import copy
import ctypes
import os
import sys
import time
from collections import deque
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, ImageOps

from fer_lib.detection import FaceDetector
from fer_lib.images import write_image
from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.recognition import EmotionRecognizer
from fer_lib.video import FaceRows, annotate_frame
from fer_lib.webcam.camera import Camera

_TITLE = "fer_lib webcam"
_KEYS = "q quit  |  p pause  |  s save  |  d detector"
_BAR_COLOR = (20, 22, 26)
_DETECTORS = ("mtcnn", "yunet")
# Seconds: how long a frame is waited for before keys are looked at again, and a notice is shown.
_WAIT_S, _NOTICE_S = 0.03, 3.0
_INSTEAD = "In a notebook, fer_lib.WebcamWidget() shows the webcam in the browser."


def run_webcam(
    camera: int | str | os.PathLike[str] = 0,
    recognizer: EmotionRecognizer | None = None,
    *,
    output: str | os.PathLike[str] = "outputs",
) -> pd.DataFrame:
    """Shows a webcam in a window, with the faces' expressions, until `q` is pressed.

    Keys: `q` or Escape quits (so does closing the window), `p` or space pauses, `s` saves the
    image as it is shown, `d` switches between the detectors mtcnn and yunet. The newest frame
    is shown: what comes while one is worked on is left out. A camera's image is turned as in a
    mirror. The camera is released whatever happens.

    Args:
        camera: A camera, the address of a live stream or a video file, see `VideoSource`.
        recognizer: `None`: `EmotionRecognizer(paths.DEFAULT_STREAM_MODEL)`.
        output: The folder for saved images; made when the first is saved.

    Returns:
        What was found, one row per face and frame, with the columns of `analyze_video`.

    Raises:
        OSError: No display, no such camera, or one that stopped.

    Example:
        >>> table = run_webcam()  # doctest: +SKIP
    """
    check_display()
    with ExitStack() as stack:
        source = stack.enter_context(Camera(camera))
        if recognizer is None:
            recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
        viewer = _Viewer(recognizer, Path(output))
        stack.enter_context(closing(viewer))
        while not (viewer.quit or source.ended):
            frame = source.read(_WAIT_S)
            if frame is not None and not viewer.paused:
                image = frame.image
                if source.source.is_camera:
                    image = np.ascontiguousarray(image[:, ::-1])
                viewer.show(image, frame.time_s)
            viewer.handle_key()
        return viewer.rows.table()


def check_display() -> None:
    """Makes sure that a window can be opened here.

    Where Linux has no display, or a system library is missing, Qt ends the process without an
    exception. So OpenCV's plugin for Qt is loaded and the display is asked first.

    Raises:
        OSError: No window can be opened; the message says what to do.
    """
    if not sys.platform.startswith("linux"):
        return
    display = os.environ.get("DISPLAY")
    if not (display or os.environ.get("WAYLAND_DISPLAY")):
        raise OSError(f"No display: DISPLAY is not set, so no window can open. {_INSTEAD}")
    plugin = Path(cv2.__file__).parent / "qt/plugins/platforms/libqxcb.so"
    if not plugin.exists():
        return  # a build of OpenCV without Qt, which raises by itself
    try:
        xcb = ctypes.CDLL(str(plugin))
    except OSError as error:
        raise OSError(f"No window can open: {error}. {_INSTEAD}") from error
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if failed:
        raise OSError(f"No window can open: the display {display!r} does not answer. {_INSTEAD}")


class _Viewer:
    def __init__(self, recognizer: EmotionRecognizer, output: Path) -> None:
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise OSError(
                "This OpenCV was built without windows (opencv-python-headless). Run: pip "
                "uninstall -y opencv-python-headless; pip install --force-reinstall opencv-python"
            ) from error
        self.rows = FaceRows(recognizer.class_names)
        self.paused = self.quit = False
        self._frames = 0
        self._output = output
        self._detector = getattr(recognizer.detector, "backend", "own detector")
        self._recognizers = {self._detector: recognizer}
        self._stream = recognizer.start_stream()
        self._shown: np.ndarray | None = None
        self._times: deque[float] = deque(maxlen=30)
        self._notice, self._notice_until = "", 0.0

    def close(self) -> None:
        """Ends the stream and removes the window; one that the user closed is gone already."""
        self._stream.close()
        with suppress(cv2.error):
            cv2.destroyWindow(_TITLE)
            cv2.waitKey(1)  # the window goes only once its events are handled

    def show(self, image: np.ndarray, time_s: float) -> None:
        faces = self._stream.update(image, time_s)
        self.rows.add(self._frames, time_s, faces)
        self._frames += 1
        if self._shown is None:
            height, width = image.shape[:2]
            factor = 2 if width < 480 else 1
            cv2.resizeWindow(_TITLE, width * factor, height * factor)
        self._shown = annotate_frame(image, faces)
        self._times.append(time.monotonic())
        self._refresh()

    def handle_key(self) -> None:
        key = chr(cv2.waitKey(1) & 0xFF).lower()
        is_closed = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
        if key in ("q", "\x1b") or (self._shown is not None and is_closed):
            self.quit = True
        elif key in ("p", " "):
            self.paused = not self.paused
            self._times.clear()
            self._refresh()
        elif key == "s" and self._shown is not None:
            self._save()
        elif key == "d":
            self._switch_detector()

    def _save(self) -> None:
        path = self._output / f"webcam-{datetime.now():%Y%m%d-%H%M%S-%f}.png"
        try:
            write_image(path, self._shown)
        except OSError as error:  # a full disk is no reason to lose the session
            self._tell(str(error))
        else:
            self._tell(f"saved {path}")

    def _switch_detector(self) -> None:
        name = next(name for name in _DETECTORS if name != self._detector)
        try:
            if name not in self._recognizers:
                recognizer = copy.copy(self._recognizers[self._detector])
                size = getattr(recognizer.detector, "min_face_size", None)
                recognizer.detector = FaceDetector(name, min_face_size=size)
                self._recognizers[name] = recognizer
        except (OSError, ValueError, ImportError) as error:  # its weights are not here, say
            self._tell(f"no {name}: {error}")
            return
        self._stream.close()
        self._stream = self._recognizers[name].start_stream()
        self._detector = name
        self._tell(f"detector: {name}")

    def _tell(self, text: str) -> None:
        self._notice, self._notice_until = text, time.monotonic() + _NOTICE_S
        self._refresh()

    def _refresh(self) -> None:
        """Shows the newest image with a line of text below it."""
        if self._shown is None:
            return
        rate = "paused"
        if not self.paused and len(self._times) > 1:
            seconds = self._times[-1] - self._times[0]
            rate = f"{(len(self._times) - 1) / max(seconds, 1e-6):.0f} frames/s"
        line = f"{rate}  |  {self._detector}  |  {_KEYS}"
        if time.monotonic() < self._notice_until:
            line = self._notice
        height, width = self._shown.shape[:2]
        font = ImageFont.load_default(max(12, round(min(height, width) / 32)))
        bar = round(1.8 * font.size)
        canvas = ImageOps.expand(Image.fromarray(self._shown), (0, 0, 0, bar), _BAR_COLOR)
        place = (font.size / 2, height + bar / 2)
        ImageDraw.Draw(canvas).text(place, line, "white", font, anchor="lm")
        cv2.imshow(_TITLE, cv2.cvtColor(np.asarray(canvas), cv2.COLOR_RGB2BGR))
