"""From a picture to its faces: boxes, scores and five landmarks, by one of two detectors."""

from fer_lib.detection.face_detector import LANDMARKS, Face, FaceDetector

__all__ = ["LANDMARKS", "Face", "FaceDetector"]
