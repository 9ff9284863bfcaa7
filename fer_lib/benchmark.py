"""How fast the library is on this machine, beside the plain way to do the same, in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import cv2
import keras
import numpy as np
import pandas as pd
import skimage.data

from fer_lib.detection import FaceDetector
from fer_lib.pretrained import load_pretrained
from fer_lib.recognition import EmotionRecognizer


def run_benchmark(model: str = "cnn", repeats: int = 30) -> pd.DataFrame:
    """Times the library's steps and the plain way to do them, after a warm-up.

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
    rows.append(_measure("import fer_lib (new process)", _import_in_new_process, 5))
    rows.append(_measure("python -c pass (new process)", lambda: _start_python("pass"), 5))
    return pd.DataFrame(rows)


def one_face_photograph() -> np.ndarray:
    """Returns a photograph with one face, RGB `uint8 (480, 640, 3)` (NASA, public domain)."""
    square = cv2.resize(skimage.data.astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


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
    median = float(np.median(times))
    return {
        "what": what,
        "median_ms": round(median, 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "per_second": round(1000 * count / median, 1),
    }
