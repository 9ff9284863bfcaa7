"""From a picture, or frame after frame, to faces with their expressions, in one object."""

from fer_lib.recognition.faces import FaceEmotion, TrackedEmotion
from fer_lib.recognition.recognizer import Classifier, EmotionRecognizer
from fer_lib.recognition.stream import EmotionStream

__all__ = ["Classifier", "EmotionRecognizer", "EmotionStream", "FaceEmotion", "TrackedEmotion"]
