"""The webcam in a window of the desktop, with keys."""

from __future__ import annotations

import copy
import os
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_lib.detection import FaceDetector
from fer_lib.images import write_image
from fer_lib.video import FaceRows, annotate_frame
from fer_lib.webcam import desktop
from fer_lib.webcam.camera import Camera

if TYPE_CHECKING:
    import pandas as pd

_TITLE = "fer_lib webcam"
_KEYS = "q quit  |  p pause  |  s save  |  d detector"
_BAR_COLOR = (20, 22, 26)
_DETECTORS = ("mtcnn", "yunet")
# Seconds: how long a frame is waited for before keys are looked at again, and a notice is shown.
_WAIT_S, _NOTICE_S = 0.03, 3.0


def run_webcam(
    camera: int | str | os.PathLike[str] = 0,
    recognizer: Any = None,
    *,
    output: str | os.PathLike[str] = "outputs",
    **stream_options: Any,
) -> pd.DataFrame:
    """Shows a webcam in a window, with the faces' expressions, until `q` is pressed.

    Keys: `q` or Escape quits (so does closing the window), `p` or space pauses, `s` saves the
    picture as it is shown, `d` switches between the detectors mtcnn and yunet. The newest frame
    is shown: what comes while one is worked on is left out. A camera's picture is turned as in a
    mirror. The camera is released whatever happens.

    Args:
        camera: The number of a camera, the address of a live stream, or a video file, see `Camera`.
        recognizer: An `EmotionRecognizer`; `None` makes one with `paths.DEFAULT_STREAM_MODEL`.
        output: The folder for saved pictures; made when the first is saved.
        **stream_options: Settings of `EmotionRecognizer.start_stream`, such as `smoothing_s`.

    Returns:
        What was found, one row per face and frame, with the columns of `analyze_video`.

    Raises:
        OSError: No display, no such camera, or one that stopped.

    Example:
        >>> table = run_webcam()  # doctest: +SKIP
    """
    with closing(desktop.Window(_TITLE)) as window, Camera(camera) as source:
        if recognizer is None:
            from fer_lib.paths import DEFAULT_STREAM_MODEL
            from fer_lib.recognition import EmotionRecognizer

            recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
        viewer = _Viewer(window, recognizer, Path(output), stream_options)
        with closing(viewer):
            while not (viewer.quit or source.ended):
                frame = source.read(_WAIT_S)
                if frame is not None and not viewer.paused:
                    image = frame.image
                    if isinstance(camera, int):
                        image = np.ascontiguousarray(image[:, ::-1])
                    viewer.show(image, frame.time_s)
                viewer.handle_key()
        return viewer.rows.table()


class _Viewer:
    """What the loop shows, and what its keys do."""

    def __init__(
        self, window: Any, recognizer: Any, output: Path, stream_options: dict[str, Any]
    ) -> None:
        self.rows = FaceRows(recognizer.class_names)
        self._frames = 0
        self.paused = False
        self.quit = False
        self._window = window
        self._output = output
        self._stream_options = stream_options
        name = getattr(recognizer.detector, "backend", "own detector")
        self._recognizers = {name: recognizer}
        self._detector = name
        self._stream = recognizer.start_stream(**stream_options)
        self._shown: np.ndarray | None = None
        self._times: deque[float] = deque(maxlen=30)
        self._notice, self._notice_until = "", 0.0

    def close(self) -> None:
        self._stream.close()

    def show(self, image: np.ndarray, time_s: float) -> None:
        """Recognises one frame and shows it."""
        faces = self._stream.update(image, time_s)
        self.rows.add(self._frames, time_s, faces)
        self._frames += 1
        first = self._shown is None
        self._shown = annotate_frame(image, faces)
        self._times.append(time.monotonic())
        if first:
            self._window.resize(*_window_size(image))
        self._refresh()

    def handle_key(self) -> None:
        """Does what the key says that was pressed, if any."""
        key = self._window.wait_for_key(0.001)
        if key in ("q", "escape") or (self._shown is not None and not self._window.is_open()):
            self.quit = True
        elif key in ("p", " "):
            self.paused = not self.paused
            self._times.clear()
            self._refresh()
        elif key == "s":
            self._save()
        elif key == "d":
            self._switch_detector()

    def _save(self) -> None:
        if self._shown is None:
            return
        stamp = time.strftime("%Y%m%d-%H%M%S")
        names = (f"webcam-{stamp}{ending}.png" for ending in ("", *map("-{}".format, range(2, 99))))
        path = next(path for name in names if not (path := self._output / name).exists())
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
        self._stream = self._recognizers[name].start_stream(**self._stream_options)
        self._detector = name
        self._tell(f"detector: {name}")

    def _tell(self, text: str) -> None:
        self._notice, self._notice_until = text, time.monotonic() + _NOTICE_S
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is None:
            return
        now = time.monotonic()
        rate = "paused"
        if not self.paused and len(self._times) > 1:
            seconds = self._times[-1] - self._times[0]
            rate = f"{(len(self._times) - 1) / max(seconds, 1e-6):.0f} frames/s"
        line = (
            self._notice if now < self._notice_until else f"{rate}  |  {self._detector}  |  {_KEYS}"
        )
        self._window.show(_add_line(self._shown, line))


def _window_size(image: np.ndarray) -> tuple[int, int]:
    """Returns the picture's size, doubled where it is small."""
    height, width = image.shape[:2]
    factor = 2 if width < 480 else 1
    return width * factor, height * factor


def _add_line(image: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture with a line of text below it; what is too long for it is cut."""
    height, width = image.shape[:2]
    font = ImageFont.load_default(max(12, round(min(height, width) / 32)))
    bar = round(1.8 * font.size)
    picture = Image.new("RGB", (width, height + bar), _BAR_COLOR)
    picture.paste(Image.fromarray(image))
    draw = ImageDraw.Draw(picture)
    draw.text((font.size / 2, height + bar / 2), text, "white", font, anchor="lm")
    return np.asarray(picture)
