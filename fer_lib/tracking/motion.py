"""Where a face has gone from one frame to the next, by optical flow on a small gray image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_lib.detection import LANDMARKS, Face

# The longer side in pixels: the flow of a frame costs less than half a millisecond.
_MAX_SIDE = 640
# Points that are followed in each face besides its landmarks: a grid over the middle of the box.
_GRID = np.stack(np.meshgrid(*[np.linspace(-0.35, 0.35, 3)] * 2), axis=-1).reshape(-1, 2)
# A point is trusted when the flow back leads to where it came from, within so many pixels.
_MAX_RETURN_ERROR = 1.0
_MIN_TRUSTED = 0.4
_PATCH = (24, 24)


@dataclass(frozen=True)
class Place:
    """Where a face is in the small image, in fractions of its pixels."""

    center: np.ndarray  # (x, y) of the box's middle
    size: np.ndarray  # (width, height) of the box
    landmarks: np.ndarray  # (5, 2) in the order of LANDMARKS, or (0, 2)
    score: float  # of the last detection

    @property
    def corners(self) -> np.ndarray:
        """Left, top, right, bottom, `(4,)`."""
        return np.concatenate([self.center - self.size / 2, self.center + self.size / 2])


def shrink(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns an RGB frame in gray with at most 640 pixels a side, and the factor of its size."""
    height, width = image.shape[:2]
    scale = min(1.0, _MAX_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), scale


def to_place(face: Face, scale: float) -> Place:
    """Returns where a face of the frame is in the small image; `scale` is that of `shrink`."""
    x, y, width, height = face.box
    center = np.array([x + width / 2, y + height / 2]) * scale - 0.5
    points = [face.landmarks[name] for name in LANDMARKS] if face.landmarks else []
    landmarks = (np.array(points, np.float64).reshape(-1, 2) + 0.5) * scale - 0.5
    return Place(center, np.array([width, height]) * scale, landmarks, face.score)


def to_face(place: Place, scale: float, frame_size: tuple[int, int]) -> Face | None:
    """Returns the face in a frame of `(height, width)`, `None` where most of it has left that."""
    middle, half = (place.center + 0.5) / scale, place.size / scale / 2
    edges = np.array([middle - half, middle + half])
    inside = np.clip(edges, 0, frame_size[::-1])
    if np.prod(inside[1] - inside[0]) < 0.5 * np.prod(edges[1] - edges[0]):
        return None
    (left, top), (right, bottom) = np.rint(inside).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    points = ((place.landmarks + 0.5) / scale - 0.5).tolist()
    landmarks = dict(zip(LANDMARKS, map(tuple, points), strict=False)) or None
    return Face((left, top, right - left, bottom - top), place.score, landmarks)


def follow(
    previous: np.ndarray, current: np.ndarray, places: Sequence[Place]
) -> list[Place | None]:
    """Returns where faces have gone between two gray images, `None` for a face that is lost.

    Pyramidal Lucas-Kanade flow of the landmarks and of points around them, there and back
    (Kalal et al., "Forward-Backward Error", 10.1109/ICPR.2010.675); the shift, turn and scale that
    most of the points agree on moves the box and the landmarks.
    """
    if not places:
        return []
    grids = [place.center + _GRID * place.size for place in places]
    points = [np.concatenate([grid, p.landmarks]) for grid, p in zip(grids, places, strict=True)]
    owner = np.repeat(np.arange(len(places)), [len(own) for own in points])
    starts = np.concatenate(points).astype(np.float32)[:, None]  # (n, 1, 2)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(previous, current, starts, None)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(current, previous, ends, None)
    error = np.linalg.norm(back - starts, axis=2)[:, 0]
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & (error < _MAX_RETURN_ERROR)
    moved: list[Place | None] = []
    for index, place in enumerate(places):
        rows = owner == index
        is_lost = good[rows].mean() < _MIN_TRUSTED
        rows &= good
        moved.append(None if is_lost else _move(place, starts[rows], ends[rows]))
    return moved


def patch(gray: np.ndarray, place: Place) -> np.ndarray:
    """Returns how a face looks, `float32 (24, 24)` without mean and of length 1, to compare."""
    size = np.clip(np.rint(place.size), 2, 2 * _MAX_SIDE).astype(int).tolist()
    cut = cv2.getRectSubPix(gray, size, place.center.tolist())
    cut = cv2.resize(cut, _PATCH, interpolation=cv2.INTER_AREA)
    cut = cut.astype(np.float32) - cut.mean(dtype=np.float32)
    return cut / max(float(np.linalg.norm(cut)), 1e-6)


def _move(place: Place, starts: np.ndarray, ends: np.ndarray) -> Place | None:
    # RANSAC begins with the same seed in each call: the same frames give the same places.
    matrix, inliers = cv2.estimateAffinePartial2D(starts, ends, ransacReprojThreshold=1.5)
    if matrix is None or inliers.sum() < 4:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    center = matrix[:, :2] @ place.center + matrix[:, 2]
    # From one frame to the next a face does not double, nor jump by its own width.
    if not 0.7 < scale < 1.4 or np.abs(center - place.center).max() > place.size.max():
        return None
    landmarks = place.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return replace(place, center=center, size=place.size * scale, landmarks=landmarks)
