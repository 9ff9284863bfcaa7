"""What detectors and their users share: a face, and what a backend returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The five points of a face, left and right as the viewer of the upright face sees them."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in an image.

    Attributes:
        box: `(x, y, width, height)` in whole pixels, inside the image.
        score: How sure the detector is, in `[0, 1]`; scores of two backends do not compare.
        landmarks: Name (`LANDMARKS`) to `(x, y)` in pixels, or `None` where a box is all there is.
            They may lie outside the image when the face is cut off.
    """

    box: tuple[int, int, int, int]
    score: float = 1.0
    landmarks: dict[str, tuple[float, float]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON: `box`, `detection_score`, `landmarks`."""
        points = self.landmarks
        return {
            "box": [int(value) for value in self.box],
            "detection_score": float(self.score),
            "landmarks": points and {k: [float(x), float(y)] for k, (x, y) in points.items()},
        }


class Detections(NamedTuple):
    """What a backend finds, in pixels of the image that it is given."""

    corners: np.ndarray  # (n, 4) left, top, right, bottom
    scores: np.ndarray  # (n,)
    landmarks: np.ndarray  # (n, 5, 2) in the order of LANDMARKS
