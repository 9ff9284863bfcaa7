"""What is known of one face of an image or a video: where it is and what it may express."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fer_lib.detection import Face


class Classifier(Protocol):
    """What recognition needs of a model; `load_pretrained` returns one."""

    class_names: tuple[str, ...]

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Returns `float32 (n, num_classes)` probabilities of `uint8 (n, 48, 48)` faces."""


@dataclass(frozen=True, eq=False)
class FaceEmotion:
    """One face of an image and what its expression may be.

    Attributes:
        face: Where the face is.
        probabilities: `float32 (num_classes,)`, in the order of `class_names`.
        class_names: The names of the classes.
    """

    face: Face
    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def emotion(self) -> str:
        """The most probable class."""
        return self.class_names[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """The probability of `emotion`, in `[0, 1]`."""
        return float(np.max(self.probabilities))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The face's `(x, y, width, height)` in pixels of the image."""
        return self.face.box

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON.

        The keys are `box`, `detection_score`, `landmarks` (or `None`), `emotion`, `confidence`
        and `probabilities` (class name to probability).
        """
        return {
            **self.face.to_dict(),
            "emotion": self.emotion,
            "confidence": self.confidence,
            "probabilities": self._by_name(self.probabilities),
        }

    def _by_name(self, probabilities: np.ndarray) -> dict[str, float]:
        return dict(zip(self.class_names, map(float, probabilities), strict=True))


@dataclass(frozen=True, eq=False)
class TrackedEmotion(FaceEmotion):
    """One face in one frame of a stream.

    Between two detections the box and the landmarks of `face` are carried on by tracking, its
    score is that of the last detection; `probabilities` are averaged over the last moments.

    Attributes:
        face_id: A whole number from 1, the same for the same face in all frames.
        raw_probabilities: `float32 (num_classes,)`, what this frame alone says.
    """

    face_id: int
    raw_probabilities: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values: those of `FaceEmotion`, `face_id` and `raw_probabilities`."""
        raw = self._by_name(self.raw_probabilities)
        return {"face_id": int(self.face_id), **super().to_dict(), "raw_probabilities": raw}
