"""From an image, or frame after frame, to faces with their expressions, in one object."""

from fer_lib.recognition.emotion_recognizer import EmotionRecognizer, predict_each
from fer_lib.recognition.emotion_stream import EmotionStream
from fer_lib.recognition.face_emotion import Classifier, FaceEmotion, TrackedEmotion

__all__ = [
    "Classifier",
    "EmotionRecognizer",
    "EmotionStream",
    "FaceEmotion",
    "TrackedEmotion",
    "predict_each",
]
