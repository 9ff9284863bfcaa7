"""The webcam, live: in a window (`run_webcam`) or in a notebook (`WebcamWidget`)."""

from fer_lib.webcam.camera import Camera, CameraFrame
from fer_lib.webcam.session import Snapshot
from fer_lib.webcam.widget import WebcamWidget
from fer_lib.webcam.window import run_webcam

__all__ = ["Camera", "CameraFrame", "Snapshot", "WebcamWidget", "run_webcam"]
