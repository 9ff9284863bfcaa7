"""A recognizer that says what the test wants, at once; for the tests of what is built on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import FaceEmotion, TrackedEmotion


def scripted_face(face_id: int = 1, emotion: str = "happy", left: int = 10) -> TrackedEmotion:
    """Returns a face of 40x50 pixels that shows the emotion with a probability of 0.76."""
    values = np.full(len(EMOTIONS), 0.04, np.float32)
    values[EMOTIONS.index(emotion)] = 0.76
    raw = values[::-1].copy()
    return TrackedEmotion(Face((left, 20, 40, 50), 0.9), values, EMOTIONS, face_id, raw)


class ScriptedRecognizer:
    """Stands in for `EmotionRecognizer`.

    Args:
        update: What a stream's `update(frame, time_s)` does; one happy face by default.

    Attributes:
        streams: All streams that were started.
    """

    class_names = EMOTIONS
    detector = "scripted"

    def __init__(self, update: Callable = lambda frame, time_s: [scripted_face()]) -> None:
        self.update = update
        self.streams: list[ScriptedStream] = []

    def start_stream(self):
        stream = ScriptedStream(self.update, self.detector)
        self.streams.append(stream)
        return stream

    def predict(self, image: np.ndarray) -> list[FaceEmotion]:
        return [
            FaceEmotion(face.face, face.probabilities, EMOTIONS) for face in self.update(image, 0)
        ]


class ScriptedStream:
    """Stands in for `EmotionStream`."""

    def __init__(self, update: Callable, detector: object) -> None:
        self.update = update
        self.detector = detector
        self.is_open = True

    def close(self) -> None:
        self.is_open = False
