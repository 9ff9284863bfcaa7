"""The engine for videos and cameras: detect now and then, track in between, predict every frame."""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from fer_lib.alignment import crop_detected_face
from fer_lib.detection import Face, FaceDetector
from fer_lib.images import read_image
from fer_lib.recognition.face_emotion import Classifier, TrackedEmotion
from fer_lib.tracking import FaceTracker, TrackedFace

DETECT_EVERY = 10
"""A third of a second of an ordinary video: as long as a new face may stay unnoticed."""

# A detection in the background is waited for once it lags so many seconds of the stream behind:
# never with a camera, but frames from a file may come a hundred times faster.
_MAX_LAG_S = 1.0


class EmotionStream:
    """Recognizes the faces of one video or camera, frame by frame; `start_stream` makes one.

    A detection takes several times as long as everything else. So faces are detected only now and
    then, and carried on by optical flow in between (`FaceTracker`); every face is aligned and
    classified in every frame, all faces of a frame in one pass. When a face gets lost, the next
    detection does not wait for its turn. Probabilities are smoothed by an exponential mean over
    time, so that any spacing of the frames does.

    One stream belongs to one thread at a time. `close` it, or use it in a `with` statement.

    Args:
        model: Returns probabilities of faces, see `Classifier`.
        detector: Finds the faces.
        detect_every: Faces are detected in every n-th frame.
        smoothing_s: Time constant of the mean in seconds; 0 leaves the probabilities as they are.
        background: Detect in a thread beside the stream, on one frame at a time, and carry the
            faces on to the frame that is the newest by then. No frame but the first waits (unless
            the detector lags a second behind), but when the faces come depends on the machine.
            With False every frame that has its turn waits, and the same frames give the same
            results.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        model: Classifier,
        detector: FaceDetector,
        *,
        detect_every: int = DETECT_EVERY,
        smoothing_s: float = 0.25,
        background: bool = True,
    ) -> None:
        if isinstance(detect_every, bool) or detect_every != int(detect_every) or detect_every < 1:
            raise ValueError(
                f"Expected `detect_every` as a whole number of frames from 1. "
                f"Received: {detect_every!r}"
            )
        if not 0 <= smoothing_s < math.inf:
            raise ValueError(
                f"Expected `smoothing_s` of 0 seconds or more. Received: {smoothing_s!r}"
            )
        self.model = model
        self.detector = detector
        self.detect_every = int(detect_every)
        self.smoothing_s = float(smoothing_s)
        self._shape = getattr(model, "image_shape", (48, 48, 1))
        self._tracker = FaceTracker()
        self._worker = ThreadPoolExecutor(1, "fer_lib-detector") if background else None
        self._pending: Future[list[Face]] | None = None
        self._asked_s = 0.0
        self._frames_since_detection = 0
        self._time_s = -math.inf
        self._frame_shape: tuple[int, ...] | None = None
        # face_id -> when its expression was seen last, and the mean until then.
        self._means: dict[int, tuple[float, np.ndarray]] = {}
        self.detected = False
        """Whether the last frame took in the faces of a detection."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.model.class_names)

    def update(self, frame: np.ndarray, time_s: float) -> list[TrackedEmotion]:
        """Takes the next frame and returns its faces, the largest first; none is an empty list.

        Args:
            frame: RGB `uint8 (height, width, 3)`. Another size than before begins a new scene.
            time_s: When it was taken, in seconds from any start. Where a stream's clock jumps
                back, time stands still until it has caught up.

        Raises:
            ValueError: The frame is not an image, or the time is not finite.
            RuntimeError: The stream is closed.
        """
        if self._tracker is None:
            raise RuntimeError("Expected an open stream. Received: one that was closed.")
        if not math.isfinite(time_s):
            raise ValueError(f"Expected `time_s` in seconds. Received: {time_s!r}")
        frame = read_image(frame)
        self._time_s = max(self._time_s, float(time_s))
        new_scene = frame.shape != self._frame_shape
        self._frame_shape = frame.shape
        self._frames_since_detection += 1
        lost = self._tracker.follow(frame, self._time_s)
        due = new_scene or lost or self._frames_since_detection >= self.detect_every
        self.detected = self._detect(frame, due, new_scene)
        return self._classify(frame, self._tracker.faces)

    def close(self) -> None:
        """Ends the thread of the detector; the stream takes no frame any more."""
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=True)
        self._worker = self._pending = self._tracker = None

    def __enter__(self) -> EmotionStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _detect(self, frame: np.ndarray, due: bool, new_scene: bool) -> bool:
        """Detects or asks for it where it is due; returns whether its faces were taken in."""
        if self._worker is None or new_scene:
            self._pending = None  # What the detector says of another scene is of no use any more.
            if due:
                self._frames_since_detection = 0
                self._tracker.match(self._find(frame), self._time_s)
            return due
        if self._pending is None and due:
            self._frames_since_detection = 0
            self._asked_s = self._time_s
            self._tracker.mark()
            # A copy: a camera may fill the same array with the next frame.
            self._pending = self._worker.submit(self._find, frame.copy())
        if self._pending is None:
            return False
        late = self._time_s - self._asked_s > _MAX_LAG_S
        if not (late or self._pending.done()):
            return False
        pending, self._pending = self._pending, None
        self._tracker.match(pending.result(), self._time_s)
        return True

    def _find(self, frame: np.ndarray) -> list[Face]:
        # A second look would take twice the time in every frame without a face.
        options = {"second_look": False} if isinstance(self.detector, FaceDetector) else {}
        return self.detector.detect(frame, **options)

    def _classify(self, frame: np.ndarray, tracked: list[TrackedFace]) -> list[TrackedEmotion]:
        if not tracked:
            return []
        crops = np.array([crop_detected_face(frame, face, self._shape) for _, face in tracked])
        answers = np.asarray(self.model.predict(crops), np.float32)
        names = self.class_names
        faces = [
            TrackedEmotion(face, self._smooth(face_id, raw), names, face_id, raw)
            for (face_id, face), raw in zip(tracked, answers, strict=True)
        ]
        # What is so old that it does not count any more is not kept.
        oldest = self._time_s - 10 * self.smoothing_s
        self._means = {key: mean for key, mean in self._means.items() if mean[0] >= oldest}
        return faces

    def _smooth(self, face_id: int, raw: np.ndarray) -> np.ndarray:
        before_s, mean = self._means.get(face_id, (-math.inf, raw))
        passed = self._time_s - before_s
        keep = math.exp(-passed / self.smoothing_s) if self.smoothing_s else 0.0
        mean = (keep * mean + (1 - keep) * raw).astype(np.float32)
        self._means[face_id] = (self._time_s, mean)
        return mean
