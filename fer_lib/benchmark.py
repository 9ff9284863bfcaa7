"""How fast the library is on this machine, beside the plain way to do the same, in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import keras
import numpy as np
import pandas as pd
import skimage.data

from fer_lib.alignment import align_face
from fer_lib.detection import FaceDetector
from fer_lib.detection.yunet_backend import WEIGHTS_NAME
from fer_lib.paths import cache_dir, stream_model
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.recognition import EmotionRecognizer
from fer_lib.tracking import FaceTracker

_CAMERA_FPS = 30


def run_benchmark(model: str = "cnn", repeats: int = 30) -> pd.DataFrame:
    """Times the library's steps and the plain way to do them, after a warm-up.

    Streams are timed with the net for streams (`stream_model`), with mtcnn and, where its weights
    have been fetched, with YuNet.

    Args:
        model: A shipped model's name, or a model folder.
        repeats: Timed calls of each kind; slow kinds get a third of them.

    Returns:
        One row a measurement: `what`, `median_ms`, `p95_ms` (milliseconds a call) and
        `per_second` (faces or pictures).
    """
    pretrained = load_pretrained(model)
    height, width = pretrained.image_size
    faces = np.random.default_rng(0).integers(0, 256, (64, height, width, 1), dtype=np.uint8)
    floats = faces.astype(np.float32)
    network: keras.Model = pretrained.model
    photograph = one_face_photograph()
    recognizer = EmotionRecognizer(model=pretrained)
    slow = max(3, repeats // 3)

    rows = [
        _measure("1 face, fer_lib", lambda: pretrained.predict(faces[:1]), repeats),
        _measure("1 face, predict_on_batch", lambda: network.predict_on_batch(floats[:1]), repeats),
        _measure("1 face, model.predict", lambda: network.predict(floats[:1], verbose=0), slow),
        _measure("64 faces, fer_lib", lambda: pretrained.predict(faces), slow, count=64),
        _measure(
            "64 faces, model.predict", lambda: network.predict(floats, verbose=0), slow, count=64
        ),
    ]
    if keras.backend.backend() == "tensorflow":
        import mtcnn

        plain = mtcnn.MTCNN()
        detector = FaceDetector("mtcnn")
        rows += [
            _measure("640x480 picture, mtcnn alone", lambda: plain.detect_faces(photograph), slow),
            _measure("640x480 picture, FaceDetector", lambda: detector.detect(photograph), slow),
            _measure("640x480 picture, everything", lambda: recognizer.predict(photograph), slow),
        ]
    rows += _measure_streams(repeats)
    rows.append(_measure("import fer_lib (new process)", _import_in_new_process, 5))
    rows.append(_measure("python -c pass (new process)", lambda: _start_python("pass"), 5))
    return pd.DataFrame(rows)


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


def _measure_streams(repeats: int) -> list[dict]:
    name = stream_model()
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
        _measure(f"{label}: detect", lambda: detector.detect(photograph), slow),
        _measure(f"{label}: follow", lambda: tracker.follow(next(frames), 0.0), repeats),
        _measure(f"{label}: align", lambda: align_face(photograph, found[0]), repeats),
        _measure(f"{label}: predict", lambda: pretrained.predict(crops), repeats),
        _measure(f"{label}: detect and model.predict in every frame", loop_naively, slow),
    ]


def _measure_frames(label: str, recognizer: EmotionRecognizer, repeats: int) -> list[dict]:
    """Times whole frames: those that wait for a detection, the others, and a camera's."""
    rows = []
    pictures = {"1 face": one_face_photograph(), "5 faces": five_faces_photograph()}
    for count, photograph in pictures.items():
        times = _time_frames(recognizer, photograph, 4 * repeats, background=False)
        for what, chosen in (("with a detection", times[0]), ("without", times[1])):
            if chosen:
                rows.append(_row(f"{label}, {count}: frames {what}", chosen))
        rows.append(_row(f"{label}, {count}: all frames", [*times[0], *times[1]]))
        times = _time_frames(recognizer, photograph, 4 * repeats, background=True)
        what = f"{label}, {count}: camera, detecting in the background"
        rows.append(_row(what, [*times[0], *times[1]]))
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


def _import_in_new_process() -> None:
    _start_python("import fer_lib")


def _start_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _measure(what: str, call: Callable[[], object], repeats: int, count: int = 1) -> dict:
    """Times `repeats` calls after three that warm up; `count` faces or pictures a call."""
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return _row(what, times, count)


def _row(what: str, times: Sequence[float], count: int = 1) -> dict:
    """Returns the row of calls that took `times` milliseconds, `count` faces or pictures each."""
    median = float(np.median(times))
    return {
        "what": what,
        "median_ms": round(median, 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "per_second": round(1000 * count / median, 1),
    }
