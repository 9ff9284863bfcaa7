"""From an image to its faces: boxes, scores and five landmarks, by one of two detectors."""

from fer_lib.detection.face_detector import BACKENDS, FaceDetector
from fer_lib.detection.types import LANDMARKS, Face

__all__ = ["BACKENDS", "LANDMARKS", "Face", "FaceDetector"]
