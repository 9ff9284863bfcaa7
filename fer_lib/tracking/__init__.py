"""Faces kept apart over time: boxes and ids only, no expressions and no detector of its own.

Between detections a face is carried from frame to frame by optical flow; a detection is then
matched with the faces that are known. `FaceTracker` does both.
"""

from fer_lib.tracking.face_tracker import FaceTracker, TrackedFace

__all__ = ["FaceTracker", "TrackedFace"]
