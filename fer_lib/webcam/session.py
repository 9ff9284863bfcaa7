"""What `WebcamWidget` answers the browser: one message in, one message out, no widget needed.

The browser sends `{"type": ..., "session": ...}`, some with one JPEG beside it, and sends the next
only when the answer to the last has come; so nothing can queue, however slow Python is.

| browser | Python |
|---|---|
| `start` | `started` |
| `frame` (`time_s`, `snapshot`) and JPEG | `result` |
| `next` (`snapshot`): a frame of the camera that Python reads | `result` and JPEG |
| `photo` (`snapshot`) and JPEG | `result` |
| `stop` | nothing |

A `result` holds `width`, `height`, `time_s` and `faces`, and `snapshots`, their number, when one
was taken. The answer may also be `stopped` (the video is over, or another view took over) with a
`message` for the user. What raises here the widget sends as an `error`.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fer_lib.images import read_image
from fer_lib.video import FaceRows
from fer_lib.webcam.camera import Camera

if TYPE_CHECKING:
    import pandas as pd

# A browser that is closed tells nobody: the camera that Python reads then closes by itself.
_IDLE_S = 10.0
_CAMERA_TIMEOUT_S = 5.0

Answer = tuple[dict[str, Any], list[bytes]]
"""A message for the browser, and the binary parts that go with it."""


@dataclass(frozen=True)
class Snapshot:
    """A picture that the user kept, with what was found in it.

    Attributes:
        image: RGB `uint8 (height, width, 3)`.
        faces: The faces, as `plot_predictions(snapshot.image, snapshot.faces)` takes them.
        time_s: Seconds since the camera was started; 0 for a photo.
    """

    image: np.ndarray
    faces: list[Any]
    time_s: float


class WebcamSession:
    """The state behind a widget: what runs, the results so far, and the snapshots.

    Jupyter may deliver messages in another thread than the one that runs the cells, so that the
    picture goes on while a cell works; a lock keeps the two apart.

    Args:
        recognizer: An `EmotionRecognizer`.
        camera: What `Camera` takes, to read it in this process. `None`: the browser sends frames.
        frame_width: Pictures of that camera are made this narrow before anything else.
        stream_options: Arguments of `recognizer.start_stream`.
    """

    def __init__(
        self,
        recognizer: Any,
        *,
        camera: Any = None,
        frame_width: int = 640,
        stream_options: dict[str, Any] | None = None,
    ) -> None:
        self.snapshots: list[Snapshot] = []
        self._recognizer = recognizer
        self._rows = FaceRows(recognizer.class_names)
        self._frames = 0
        self._lock = threading.RLock()
        self._source = camera
        self._frame_width = frame_width
        self._stream_options = stream_options or {}
        self._name: Any = None
        self._stream: Any = None
        self._camera: Camera | None = None

    @property
    def is_running(self) -> bool:
        """Whether a camera or a video was started and not stopped."""
        return self._stream is not None

    def table(self) -> pd.DataFrame:
        """Returns the results so far, as `analyze_video` does."""
        with self._lock:
            return self._rows.table()

    def clear(self) -> None:
        """Forgets the results and the snapshots."""
        with self._lock:
            self.snapshots.clear()
            self._rows, self._frames = FaceRows(self._recognizer.class_names), 0

    def answer(self, content: dict[str, Any], buffers: list[Any]) -> Answer | None:
        """Returns the answer to one message of the browser, `None` where it wants none.

        Raises:
            ValueError, OSError: The message or its picture cannot be read, or the camera fails.
        """
        with self._lock:
            return self._answer(content, buffers)

    def _answer(self, content: dict[str, Any], buffers: list[Any]) -> Answer | None:
        kind, name = content.get("type"), content.get("session")
        if kind == "start":
            return self._start(name)
        if kind == "stop":
            # A view that was stopped because another took over must not stop the other.
            if name == self._name:
                self.stop()
            return None
        if kind == "photo":
            return self._look_at_photo(content, _read_picture(content, buffers))
        if kind not in ("frame", "next"):
            raise ValueError(
                "Expected a message of type start, stop, frame, next or photo. "
                f"Received: type={kind!r}"
            )
        if name != self._name or self._stream is None:
            return _stopped(name, "Stopped by Python, or by another view of this widget.")
        if kind == "next":
            return self._look_at_camera(content)
        image = _read_picture(content, buffers)
        return self._look(content, image, float(content["time_s"])), []

    def stop(self) -> None:
        """Forgets the stream and releases the camera, if any; a second call does nothing."""
        with self._lock:
            parts = (self._stream, self._camera)
            self._stream = self._camera = self._name = None
            for part in parts:
                if part is not None:
                    part.close()

    def _start(self, name: Any) -> Answer:
        self.stop()
        if self._source is not None:
            self._camera = Camera(self._source, idle_s=_IDLE_S)
        self._stream = self._recognizer.start_stream(**self._stream_options)
        self._name = name
        return {"type": "started", "session": name}, []

    def _look_at_camera(self, content: dict[str, Any]) -> Answer:
        frame = self._camera.read(_CAMERA_TIMEOUT_S)
        if frame is None:
            ended = self._camera.ended
            self.stop()
            if ended:
                return _stopped(content["session"], "The video has ended.")
            raise OSError(
                f"The camera gave no frame in {_CAMERA_TIMEOUT_S:g} s; is another program using it?"
            )
        image = _shrink(frame.image, self._frame_width)
        return self._look(content, image, frame.time_s), [_to_jpeg(image)]

    def _look(self, content: dict[str, Any], image: np.ndarray, time_s: float) -> dict[str, Any]:
        faces = self._stream.update(image, time_s)
        self._rows.add(self._frames, time_s, faces)
        self._frames += 1
        return self._result(content, image, faces, time_s)

    def _look_at_photo(self, content: dict[str, Any], image: np.ndarray) -> Answer:
        return self._result(content, image, self._recognizer.predict(image), 0.0), []

    def _result(
        self, content: dict[str, Any], image: np.ndarray, faces: list[Any], time_s: float
    ) -> dict[str, Any]:
        result = {
            "type": "result",
            "session": content["session"],
            "width": image.shape[1],
            "height": image.shape[0],
            "time_s": time_s,
            "faces": [_describe(face, index + 1) for index, face in enumerate(faces)],
        }
        if content.get("snapshot"):
            self.snapshots.append(Snapshot(image, faces, time_s))
            result["snapshots"] = len(self.snapshots)
        return result


def _describe(face: Any, number: int) -> dict[str, Any]:
    """Returns what the browser draws of a face; those of a photo have no id but their number."""
    return {
        "face_id": int(getattr(face, "face_id", number)),
        "box": [int(value) for value in face.box],
        "emotion": face.emotion,
        "emotion_index": int(np.argmax(face.probabilities)),
        "confidence": round(float(face.confidence), 4),
        "probabilities": [round(float(value), 4) for value in face.probabilities],
    }


def _stopped(name: Any, message: str) -> Answer:
    return {"type": "stopped", "session": name, "message": message}, []


def _read_picture(content: dict[str, Any], buffers: list[Any]) -> np.ndarray:
    if len(buffers) != 1:
        raise ValueError(
            f"Expected one JPEG beside a message of type {content['type']!r}. "
            f"Received: {len(buffers)} binary parts"
        )
    return read_image(bytes(buffers[0]))


def _shrink(image: np.ndarray, width: int) -> np.ndarray:
    if image.shape[1] <= width:
        return image
    picture = Image.fromarray(image)
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def _to_jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=85)
    return file.getvalue()
