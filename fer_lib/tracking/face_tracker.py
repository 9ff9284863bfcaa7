"""The same number for the same face, through detections, short gaps and crossings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from fer_lib.detection import Face
from fer_lib.tracking import motion
from fer_lib.tracking.motion import Place

# A detection belongs to a known face when their boxes overlap at least this much (area in common
# over area of both).
_MIN_OVERLAP = 0.2
# A face may be out of sight for so many seconds and keep its number; in each, its box grows by this
# part of its size.
_BRIDGE_S, _GROWTH = 1.0, 1.0
# Correlation with the face as it was detected last; less is another thing in its place.
_MIN_LIKENESS = 0.5
# A detector may miss a face that is there; a face is forgotten only after two misses.
_MAX_MISSES = 2


class TrackedFace(NamedTuple):
    """A face and its number, which it keeps from frame to frame."""

    face_id: int
    face: Face


@dataclass
class _Track:
    face_id: int
    place: Place
    look: np.ndarray
    seen_s: float  # when the detector or the flow saw it last
    velocity: np.ndarray  # pixels of the small image per second
    visible: bool = True
    misses: int = 0

    def expected(self, time_s: float) -> Place:
        """Where it should be by now: faces out of sight go on as they went, ever more vaguely."""
        if self.visible:
            return self.place
        gap = time_s - self.seen_s
        center = self.place.center + self.velocity * gap
        return replace(self.place, center=center, size=self.place.size * (1 + _GROWTH * gap))

    def move(self, place: Place, time_s: float) -> None:
        passed = time_s - self.seen_s
        if passed > 0:
            # The mean over a fifth of a second: one step is too noisy to go on by.
            weight = 1 - np.exp(-passed / 0.2)
            speed = (place.center - self.place.center) / passed
            self.velocity = self.velocity + weight * (speed - self.velocity)
        self.place, self.seen_s = place, max(time_s, self.seen_s)


class FaceTracker:
    """Follows faces from frame to frame, and recognizes them again when they are detected anew.

    Call `follow` with each frame, and `match` with what the detector found in it, whenever it
    has looked. A face that is covered, or that the detector misses, is out of sight: it is
    not reported, but keeps its number for a second, and is expected where its speed would have
    taken it. That is how two faces keep their numbers when they cross.

    Example:
        >>> tracker = FaceTracker()
        >>> frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype="uint8")
        >>> tracker.follow(frame, 0.0)
        False
        >>> tracker.match([Face((40, 30, 50, 60))], 0.0)
        >>> tracker.follow(np.roll(frame, 3, axis=1), 0.04)
        False
        >>> [(face_id, face.box) for face_id, face in tracker.faces]
        [(1, (43, 30, 50, 60))]
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._gray: np.ndarray | None = None
        self._scale = 1.0
        self._frame_size = (0, 0)
        # Frames since the one that a slow detector is looking at, see `mark`.
        self._since_mark: list[np.ndarray] | None = None

    @property
    def faces(self) -> list[TrackedFace]:
        """The faces that are to be seen in the newest frame, the largest first."""
        shown = []
        for track in self._tracks:
            face = motion.to_face(track.place, self._scale, self._frame_size)
            if track.visible and face is not None:
                shown.append(TrackedFace(track.face_id, face))
        return sorted(shown, key=lambda item: (-item.face.box[2] * item.face.box[3], item.face_id))

    def follow(self, frame: np.ndarray, time_s: float) -> bool:
        """Moves the known faces on to the next frame.

        Args:
            frame: RGB `uint8 (height, width, 3)`. A frame of another size than the one before
                begins a new scene.
            time_s: Its time in seconds, not before that of the last frame.

        Returns:
            Whether a face has just gone out of sight, which is a reason to detect again.
        """
        gray, scale = motion.shrink(frame)
        if frame.shape[:2] != self._frame_size:
            self._tracks.clear()
            self._since_mark = None
            self._frame_size, self._scale = frame.shape[:2], scale
        visible = [track for track in self._tracks if track.visible]
        places = motion.follow(self._gray, gray, [track.place for track in visible])
        for track, place in zip(visible, places, strict=True):
            track.visible = False
            if place is None or np.vdot(track.look, motion.patch(gray, place)) < _MIN_LIKENESS:
                continue
            track.move(place, time_s)
            track.visible = motion.to_face(place, scale, self._frame_size) is not None
        self._gray = gray
        if self._since_mark is not None:
            self._since_mark.append(gray)
        return not all(track.visible for track in visible)

    def mark(self) -> None:
        """Remembers the newest frame, for a detector that returns some frames later."""
        self._since_mark = [self._gray]

    def match(self, faces: Sequence[Face], time_s: float) -> None:
        """Matches what the detector found with the known faces, and takes up the new ones.

        Faces and boxes are paired so that the boxes overlap most in all (Kuhn's assignment).

        Args:
            faces: The faces of the newest frame, or of the frame at the last `mark`; those are
                first carried on to the newest frame by the flow.
            time_s: The time of the newest frame.
        """
        places = [motion.to_place(face, self._scale) for face in faces]
        frames, self._since_mark = self._since_mark or [], None
        for previous, current in itertools.pairwise(frames):
            moved = motion.follow(previous, current, places)
            places = [place for place in moved if place is not None]
        tracks = self._tracks
        overlaps = np.array(
            [[_overlap(track.expected(time_s), place) for place in places] for track in tracks]
        ).reshape(len(tracks), len(places))
        rows, columns = linear_sum_assignment(overlaps, maximize=True)
        paired = overlaps[rows, columns] >= _MIN_OVERLAP
        rows, columns = rows[paired], columns[paired]
        for row, column in zip(rows, columns, strict=True):
            tracks[row].move(places[column], time_s)
            tracks[row].look = motion.patch(self._gray, places[column])
            tracks[row].visible, tracks[row].misses = True, 0
        for row in {*range(len(tracks))}.difference(rows):
            tracks[row].visible = False
            tracks[row].misses += 1
        self._tracks = [
            track
            for track in tracks
            if track.misses < _MAX_MISSES or time_s - track.seen_s <= _BRIDGE_S
        ]
        for column in sorted({*range(len(places))}.difference(columns)):
            look = motion.patch(self._gray, places[column])
            self._tracks.append(_Track(self._next_id, places[column], look, time_s, np.zeros(2)))
            self._next_id += 1


def _overlap(a: Place, b: Place) -> float:
    """Returns intersection over union of two boxes, `[0, 1]`."""
    low = np.maximum(a.corners[:2], b.corners[:2])
    high = np.minimum(a.corners[2:], b.corners[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (np.prod(a.size) + np.prod(b.size) - shared))
