"""The webcam, live: in a window (`run_webcam`) or in a notebook (`WebcamWidget`)."""

from fer_lib.webcam.camera import Camera
from fer_lib.webcam.widget import Snapshot, WebcamWidget
from fer_lib.webcam.window import run_webcam

__all__ = ["Camera", "Snapshot", "WebcamWidget", "run_webcam"]
