"""Times a stream stage by stage, frames with a detection apart, beside the naive loop."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import keras
import numpy as np
import skimage.data

from fer_lib.alignment import align_face
from fer_lib.benchmark.timing import measure, row
from fer_lib.detection import FaceDetector
from fer_lib.detection.yunet_backend import WEIGHTS_NAME
from fer_lib.paths import DEFAULT_STREAM_MODEL, cache_dir
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.recognition import EmotionRecognizer
from fer_lib.tracking import FaceTracker

_CAMERA_FPS = 30


def one_face_photograph() -> np.ndarray:
    """Returns a photograph with one face, RGB `uint8 (480, 640, 3)` (NASA, public domain)."""
    square = cv2.resize(skimage.data.astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


def five_faces_photograph() -> np.ndarray:
    """Returns the same face five times, RGB `uint8 (480, 640, 3)`."""
    photograph = one_face_photograph()
    face = photograph[20:210, 200:400]
    places = [(10, 10), (10, 220), (10, 430), (250, 110), (250, 330)]
    result = np.full_like(photograph, 128)
    for top, left in places:
        result[top : top + face.shape[0], left : left + face.shape[1]] = face
    return result


def measure_streams(repeats: int) -> list[dict]:
    """Returns the rows of a stream with each detector that this machine can run."""
    name = DEFAULT_STREAM_MODEL
    pretrained = load_pretrained(name)
    detectors = {}
    if keras.backend.backend() == "tensorflow":
        detectors["mtcnn"] = FaceDetector("mtcnn")
    if (cache_dir() / WEIGHTS_NAME).is_file():
        detectors["yunet"] = FaceDetector("yunet")
    rows = []
    for backend, detector in detectors.items():
        label = f"stream, {name}, {backend}"
        rows += _measure_stages(label, pretrained, detector, repeats)
        rows += _measure_frames(label, EmotionRecognizer(pretrained, detector), repeats)
    return rows


def _measure_stages(
    label: str, pretrained: Pretrained, detector: FaceDetector, repeats: int
) -> list[dict]:
    """Times what a frame of 640x480 with one face consists of, and the same loop done naively."""
    photograph = one_face_photograph()
    frames = _moving(photograph)
    tracker = FaceTracker()
    tracker.follow(next(frames), 0.0)
    found = detector.detect(photograph)
    tracker.match(found, 0.0)
    crops = np.array([align_face(photograph, face) for face in found])
    network = pretrained.model

    def loop_naively() -> None:
        faces = [align_face(photograph, face) for face in detector.detect(photograph)]
        network.predict(np.array(faces, np.float32)[..., None], verbose=0)

    slow = max(3, repeats // 3)
    return [
        measure(f"{label}: detect", lambda: detector.detect(photograph), slow),
        measure(f"{label}: follow", lambda: tracker.follow(next(frames), 0.0), repeats),
        measure(f"{label}: align", lambda: align_face(photograph, found[0]), repeats),
        measure(f"{label}: predict", lambda: pretrained.predict(crops), repeats),
        measure(f"{label}: detect and model.predict in every frame", loop_naively, slow),
    ]


def _measure_frames(label: str, recognizer: EmotionRecognizer, repeats: int) -> list[dict]:
    """Times whole frames: those that wait for a detection, the others, and a camera's."""
    rows = []
    pictures = {"1 face": one_face_photograph(), "5 faces": five_faces_photograph()}
    for count, photograph in pictures.items():
        times = _time_frames(recognizer, photograph, 4 * repeats, background=False)
        for what, chosen in (("with a detection", times[0]), ("without", times[1])):
            if chosen:
                rows.append(row(f"{label}, {count}: frames {what}", chosen))
        rows.append(row(f"{label}, {count}: all frames", [*times[0], *times[1]]))
        times = _time_frames(recognizer, photograph, 4 * repeats, background=True)
        what = f"{label}, {count}: camera, detecting in the background"
        rows.append(row(what, [*times[0], *times[1]]))
    return rows


def _time_frames(
    recognizer: EmotionRecognizer, photograph: np.ndarray, count: int, background: bool
) -> tuple[list[float], list[float]]:
    """Returns the milliseconds of the frames with a detection, and of those without."""
    with_detection, without = [], []
    warm_up = 20
    with recognizer.start_stream(background=background) as stream:
        for index, frame in zip(range(warm_up + count), _moving(photograph), strict=False):
            started = time.perf_counter()
            stream.update(frame, index / _CAMERA_FPS)
            passed = time.perf_counter() - started
            if index >= warm_up:
                (with_detection if stream.detected else without).append(1000 * passed)
            if background:
                # As a camera does: the next frame comes when its time has come.
                time.sleep(max(0.0, 1 / _CAMERA_FPS - passed))
    return with_detection, without


def _moving(photograph: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the photograph for ever, moved to and fro by a pixel a frame."""
    while True:
        for shift in (*range(20), *range(20, 0, -1)):
            yield np.roll(photograph, shift, axis=1)
