"""Faces by YuNet, the small detector that OpenCV runs, with weights that are fetched once."""

from __future__ import annotations

import hashlib
import threading

import cv2
import numpy as np

from fer_lib.detection.types import Detections
from fer_lib.paths import cache_dir

WEIGHTS_NAME = "face_detection_yunet_2023mar.onnx"
# The zoo keeps the file in Git LFS: github.com's raw address gives a pointer, this one the file.
WEIGHTS_URL = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/"
    + WEIGHTS_NAME
)
WEIGHTS_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_LOG_ERRORS = 2
# With a side of 32 pixels or less OpenCV 4.10 reads unwritten memory and finds faces in it.
_MIN_SIDE = 64


def has_weights() -> bool:
    """Returns whether the right weights lie in `cache_dir()`, so that no network is needed."""
    path = cache_dir() / WEIGHTS_NAME
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == WEIGHTS_SHA256


def fetch_weights() -> str:
    """Returns the path of YuNet's weights in `cache_dir()`, where they are downloaded at first use.

    Raises:
        OSError: They are not there and cannot be fetched, or what came has another checksum.
    """
    import pooch  # a tenth of a second, which those who use mtcnn need not wait

    try:
        # Downloads to a temporary name and renames, so that an interrupted fetch leaves nothing.
        return pooch.retrieve(
            WEIGHTS_URL, f"sha256:{WEIGHTS_SHA256}", fname=WEIGHTS_NAME, path=cache_dir()
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"Cannot fetch the weights of YuNet ({type(error).__name__}). Download {WEIGHTS_URL} "
            f"to {cache_dir() / WEIGHTS_NAME}, or use the detector 'mtcnn', which needs no network."
        ) from error


class YunetBackend:
    """`cv2.FaceDetectorYN`, which sees faces of some 10 to 300 pixels."""

    smallest_face = 12.0

    def __init__(self) -> None:
        # One net keeps the size and the layers of one image: threads take turns.
        self._lock = threading.Lock()
        path = fetch_weights()
        # OpenCV 5 warns about a target that nobody asked for; 4 has the same functions elsewhere.
        log = getattr(cv2.utils, "logging", cv2)
        level = log.getLogLevel()
        log.setLogLevel(_LOG_ERRORS)
        try:
            self._net = cv2.FaceDetectorYN.create(path, "", (320, 320))
        finally:
            log.setLogLevel(level)

    def find(self, image: np.ndarray, score_threshold: float) -> Detections:
        """Returns the faces of an RGB `uint8 (height, width, 3)` image."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        below, beside = (max(0, _MIN_SIDE - side) for side in image.shape[:2])
        bgr = cv2.copyMakeBorder(bgr, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        with self._lock:
            self._net.setInputSize(bgr.shape[1::-1])
            self._net.setScoreThreshold(score_threshold)
            _, rows = self._net.detect(bgr)
        if rows is None:
            rows = np.empty((0, 15), np.float32)
        # A row is: left, top, width, height, five (x, y), score. The eye and the mouth corner that
        # come first are the person's right ones, which the viewer sees on the left.
        left_top, size = rows[:, 0:2], rows[:, 2:4]
        corners = np.concatenate([left_top, left_top + size], axis=1)
        return Detections(corners, rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2))
