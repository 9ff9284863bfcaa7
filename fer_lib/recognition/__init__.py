"""From an image, or frame after frame, to faces with their expressions, in one object."""

from fer_lib.recognition.emotion_recognizer import EmotionRecognizer
from fer_lib.recognition.emotion_stream import EmotionStream
from fer_lib.recognition.face_emotion import Classifier, FaceEmotion, TrackedEmotion
from fer_lib.recognition.predict_each import predict_each

__all__ = [
    "Classifier",
    "EmotionRecognizer",
    "EmotionStream",
    "FaceEmotion",
    "TrackedEmotion",
    "predict_each",
]
