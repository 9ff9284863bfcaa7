"""The webcam in a notebook, through the browser: JupyterLab, Notebook, VS Code, Colab.

The browser's half is `widget.js`; the messages between the two are described in `messages`.
"""

from __future__ import annotations

import os
import reprlib
import threading
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import pandas as pd
import traitlets

from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.plotting.style import class_colors
from fer_lib.recognition import EmotionRecognizer
from fer_lib.video import FaceRows
from fer_lib.webcam.camera import Camera
from fer_lib.webcam.messages import describe_class, read_jpeg, shrink

_FOLDER = Path(__file__).parent
# A browser that is closed tells nobody: the camera that Python reads then closes by itself.
_IDLE_S = 10.0
_CAMERA_TIMEOUT_S = 5.0
_FRAME_WIDTH = 640  # pixels that a frame has at most when it is sent
MAX_SNAPSHOTS = 100


class Snapshot(NamedTuple):
    """An image that the user kept, with what was found in it.

    Attributes:
        image: RGB `uint8 (height, width, 3)`.
        faces: The faces, as `plot_predictions(snapshot.image, snapshot.faces)` takes them.
        time_s: Seconds since the camera was started; 0 for a photo.
    """

    image: np.ndarray
    faces: list[Any]
    time_s: float


class WebcamWidget(anywidget.AnyWidget):
    """Recognizes the expressions of your webcam's image, live in a notebook.

    The last line of a cell shows it; press "Start camera" there. The browser asks for the camera,
    which may be another computer's than the one that runs Python, and draws the faces, their
    expressions and the probabilities of the last seconds over the live image. Frames are
    left out while Python is busy. A photo or a video file may be opened instead.

    Images are kept only where "Snapshot" is pressed, in `snapshots`, and at most 100 of them; the
    results of every frame stay in memory as numbers, see `to_frame`. Nothing is written to disk.

    Args:
        recognizer: `None`: `EmotionRecognizer(paths.DEFAULT_STREAM_MODEL)`.
        camera: The number of a camera of the computer that runs Python, or a video file that
            stands in for one, see `Camera`. `None`: the browser's camera, which VS Code does not
            lend to notebooks.

    Attributes:
        snapshots: The images that were kept, oldest first; each has `image`, `faces` and `time_s`.
        error: The exception of the last message that could not be answered, else `None`.

    Example:
        >>> widget = WebcamWidget()  # doctest: +SKIP
        >>> widget  # doctest: +SKIP
        >>> widget.to_frame()  # doctest: +SKIP
    """

    # As text: of a path anywidget would keep every widget alive, to tell it of changes.
    _esm = _FOLDER.joinpath("widget.js").read_text(encoding="utf-8")
    _css = _FOLDER.joinpath("widget.css").read_text(encoding="utf-8")
    _settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        recognizer: EmotionRecognizer | None = None,
        *,
        camera: int | str | os.PathLike[str] | None = None,
    ) -> None:
        # Jupyter may deliver messages in another thread than the one that runs the cells, so that
        # the image goes on while a cell works; a lock keeps the two apart.
        self._lock = threading.RLock()
        self._stream = self._camera = self._name = None  # what runs, and for which view
        if recognizer is None:
            recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
        self._recognizer, self._source = recognizer, camera
        self.error: BaseException | None = None
        self.snapshots: list[Snapshot] = []
        self.clear()
        names = recognizer.class_names
        colors = zip(names, class_colors(names), strict=True)
        super().__init__(
            _settings={
                "classes": [describe_class(name, color) for name, color in colors],
                "frame_width": _FRAME_WIDTH,
                "kernel_camera": camera is not None,
            }
        )
        self.on_msg(self._receive)

    def to_frame(self) -> pd.DataFrame:
        """Returns the results so far, one row per face and frame, as `analyze_video` does."""
        with self._lock:
            return self._rows.table()

    def clear(self) -> None:
        """Forgets the results and the snapshots."""
        with self._lock:
            self.snapshots.clear()
            self._rows, self._frames = FaceRows(self._recognizer.class_names), 0

    def close(self) -> None:
        """Stops the camera, removes the widget from the page and frees what it holds."""
        self._release()
        super().close()

    def _release(self) -> None:
        with self._lock:
            parts = (self._stream, self._camera)
            self._stream = self._camera = self._name = None
            for part in parts:
                if part is not None:
                    part.close()

    def _receive(self, _: Any, content: Any, buffers: list[Any]) -> None:
        """Answers one message. A bad one is told to its sender, and stops nothing."""
        session = content.get("session") if isinstance(content, dict) else None
        try:
            with self._lock:
                answer, parts = self._answer(content, session, buffers)
        except BaseException as error:
            # The browser waits for an answer whatever happens, an interrupted kernel included.
            self.error = error
            text = " ".join(str(error).split()) or type(error).__name__
            answer, parts = {"type": "error", "message": text}, []
            if not isinstance(error, Exception):
                self.send({**answer, "session": session}, parts)
                raise
        if answer is not None:
            self.send({**answer, "session": session}, parts)

    def _answer(
        self, content: Any, session: Any, buffers: list[Any]
    ) -> tuple[dict[str, Any] | None, list[bytes]]:
        parts = []
        match content:
            case {"type": "start", "session": str()}:
                self._release()
                if self._source is not None:
                    self._camera = Camera(self._source, idle_s=_IDLE_S)
                self._stream = self._recognizer.start_stream()
                self._name = session
                return {"type": "started"}, []
            case {"type": "stop"}:
                # A view that was stopped because another took over must not stop the other.
                if session == self._name:
                    self._release()
                return None, []
            case {"type": "photo"}:
                image, time_s = read_jpeg(buffers), 0.0
                faces = self._recognizer.predict(image)
            case {"type": "frame" | "next"} if self._stream is None or session != self._name:
                return _stopped("Stopped by Python, or by another view of this widget.")
            case {"type": "frame", "time_s": int() | float() as time_s}:
                image = read_jpeg(buffers)
                faces = self._update(image, time_s)
            case {"type": "next"} if self._camera is not None:
                frame = self._camera.read(_CAMERA_TIMEOUT_S)
                if frame is None and self._camera.ended:
                    self._release()
                    return _stopped("The video has ended.")
                if frame is None:
                    raise OSError("The camera gives no frames; is another program using it?")
                image, jpeg = shrink(frame.image, _FRAME_WIDTH)
                time_s, parts = frame.time_s, [jpeg]
                faces = self._update(image, time_s)
            case _:
                raise ValueError(
                    "Expected a message of type start, stop, frame (with time_s), next or photo. "
                    f"Received: {reprlib.repr(content)}"
                )
        result = {
            "type": "result",
            "width": image.shape[1],
            "height": image.shape[0],
            "time_s": time_s,
            # The faces of a photo have no id: their number takes its place.
            "faces": [{"face_id": n, **face.to_dict()} for n, face in enumerate(faces, start=1)],
        }
        if content.get("snapshot"):
            result["note"] = self._keep(Snapshot(image, faces, time_s))
        return result, parts

    def _update(self, image: np.ndarray, time_s: float) -> list[Any]:
        faces = self._stream.update(image, time_s)
        self._rows.add(self._frames, time_s, faces)
        self._frames += 1
        return faces

    def _keep(self, snapshot: Snapshot) -> str:
        """Keeps a snapshot and returns what the user is told."""
        count = len(self.snapshots)
        if count >= MAX_SNAPSHOTS:
            return f"{count} snapshots are kept, and no more; widget.clear() makes room."
        self.snapshots.append(snapshot)
        return f"Snapshot {count + 1} is kept in memory: widget.snapshots[{count}]"


def _stopped(message: str) -> tuple[dict[str, Any], list[bytes]]:
    return {"type": "stopped", "message": message}, []
