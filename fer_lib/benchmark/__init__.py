"""How fast the library is on this machine, beside the plain way to do the same, in one run."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pandas as pd

from fer_lib.benchmark.networks import measure_networks
from fer_lib.benchmark.streams import measure_streams, one_face_photograph
from fer_lib.benchmark.timing import measure
from fer_lib.detection import FaceDetector
from fer_lib.pretrained import load_pretrained
from fer_lib.recognition import EmotionRecognizer


def run_benchmark(model: str = "cnn", repeats: int = 30) -> pd.DataFrame:
    """Times the library's steps and the plain way to do them, after a warm-up.

    Small networks are timed beside one of the shape of mini-XCEPTION, and training steps beside the
    machine's rate in a matrix product. Streams are timed with the net for streams
    (`DEFAULT_STREAM_MODEL`), with mtcnn and, where its weights have been fetched, with YuNet.

    Args:
        model: A shipped model's name, or a model folder.
        repeats: Timed calls of each kind; slow kinds get a third of them.

    Returns:
        One row a measurement: `what`, `median_ms`, `p95_ms` (milliseconds a call) and
        `per_second` (faces or pictures).
    """
    pretrained = load_pretrained(model)
    height, width, _ = pretrained.image_shape
    faces = np.random.default_rng(0).integers(0, 256, (64, height, width, 1), dtype=np.uint8)
    floats = faces.astype(np.float32)
    network: keras.Model = pretrained.model
    photograph = one_face_photograph()
    recognizer = EmotionRecognizer(model=pretrained)
    slow = max(3, repeats // 3)

    rows = [
        measure("1 face, fer_lib", lambda: pretrained.predict(faces[:1]), repeats),
        measure("1 face, predict_on_batch", lambda: network.predict_on_batch(floats[:1]), repeats),
        measure("1 face, model.predict", lambda: network.predict(floats[:1], verbose=0), slow),
        measure("64 faces, fer_lib", lambda: pretrained.predict(faces), slow, count=64),
        measure(
            "64 faces, model.predict", lambda: network.predict(floats, verbose=0), slow, count=64
        ),
    ]
    if keras.backend.backend() == "tensorflow":
        import mtcnn

        plain = mtcnn.MTCNN()
        detector = FaceDetector("mtcnn")
        rows += [
            measure("640x480 picture, mtcnn alone", lambda: plain.detect_faces(photograph), slow),
            measure("640x480 picture, FaceDetector", lambda: detector.detect(photograph), slow),
            measure("640x480 picture, everything", lambda: recognizer.predict(photograph), slow),
        ]
    rows += measure_streams(repeats)
    rows += measure_networks(repeats)
    rows.append(measure("import fer_lib (new process)", _import_in_new_process, 5))
    rows.append(measure("python -c pass (new process)", lambda: _start_python("pass"), 5))
    return pd.DataFrame(rows)


def _import_in_new_process() -> None:
    _start_python("import fer_lib")


def _start_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)
