"""How fast the library is on this machine, beside the plain way to do the same, in one run.

    python tests/benchmarks/speed.py [--model cnn] [--repeats 30] [--peers]

Small networks are timed beside one of the shape of mini-XCEPTION, training steps beside the
machine's rate in a matrix product, streams with each detector that this machine can run.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import peers
import skimage.data
from keras import layers

from fer_lib import models, paths, training
from fer_lib.alignment import align_face
from fer_lib.detection import FaceDetector
from fer_lib.detection.yunet_backend import has_weights
from fer_lib.images import read_image
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.recognition import EmotionRecognizer
from fer_lib.synthetic import make_faces
from fer_lib.tracking import FaceTracker
from fer_lib.training import networks
from fer_lib.training.targets import TrainingBatches, build_targets

_BATCH = 64
_CAMERA_FPS = 30
_CLASSES = tuple(f"class {index}" for index in range(7))
_MATRIX_SIDE = 2048
# A training step computes the forward pass, the gradient of the activations and that of the
# weights, each with two operations a multiply-add.
_OPERATIONS_PER_MULTIPLY_ADD = 6


def run_benchmark(model: str = "cnn", repeats: int = 30, with_peers: bool = False) -> pd.DataFrame:
    """Returns one row a measurement: `what`, `median_ms`, `p95_ms` and `per_second`.

    Args:
        model: A shipped model's name, or a model folder.
        repeats: Timed calls of each kind; slow kinds get a third of them.
        with_peers: Also time the package fer, which is installed from the registry for it.
    """
    pretrained = load_pretrained(model)
    faces = np.random.default_rng(0).integers(0, 256, (_BATCH, *pretrained.image_shape), np.uint8)
    floats = faces.astype(np.float32)
    network: keras.Model = pretrained.model
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

        plain, photograph = mtcnn.MTCNN(), one_face_photograph()
        package = lambda: plain.detect_faces(photograph)  # noqa: E731
        rows.append(measure("640x480 image, the package mtcnn alone", package, slow))
    if with_peers:
        rows.append(measure_fer(repeats))
    for name, detector in make_detectors().items():
        rows += measure_image(f"640x480 image, {name}", pretrained, detector, slow)
    rows += measure_streams(repeats) + measure_networks(repeats)
    for code in ("import fer_lib", "pass"):
        command = [sys.executable, "-c", code]
        rows.append(
            measure(f"python -c {code!r}", lambda c=command: subprocess.run(c, check=True), 5)
        )
    return pd.DataFrame(rows)


def make_detectors() -> dict[str, FaceDetector]:
    """Returns the detectors that this machine can run; yunet where its weights are at hand."""
    names = ["mtcnn"] if keras.backend.backend() == "tensorflow" else []
    names += ["yunet"] if has_weights() else []
    return {name: FaceDetector(name) for name in names}


def measure_fer(repeats: int) -> dict:
    """Returns the row of the package fer with its defaults, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "photograph.png"))
        cv2.imwrite(path, one_face_photograph()[..., ::-1])
        answers = peers.run_fer(peers.install_fer(Path(folder, "fer")), [path] * repeats)
    return row("640x480 image, the package fer: everything but reading", [ms for _, ms in answers])


def measure_image(
    label: str, pretrained: Pretrained, detector: FaceDetector, repeats: int
) -> list[dict]:
    """Returns the rows of one photograph from a PNG file to its expression, stage by stage."""
    photograph = one_face_photograph()
    _, file = cv2.imencode(".png", photograph[..., ::-1])
    data, [face] = file.tobytes(), detector.detect(photograph)
    crops = align_face(photograph, face)[None]
    recognizer = EmotionRecognizer(pretrained, detector)
    return [
        measure(f"{label}: read", lambda: read_image(data), repeats),
        measure(f"{label}: detect", lambda: detector.detect(photograph), repeats),
        measure(f"{label}: align", lambda: align_face(photograph, face), repeats),
        measure(f"{label}: predict", lambda: pretrained.predict(crops), repeats),
        measure(f"{label}: everything", lambda: recognizer.predict(data), repeats),
    ]


def measure(what: str, call: Callable[[], object], repeats: int, count: int = 1) -> dict:
    """Times `repeats` calls after three that warm up; `count` faces or images per call."""
    times = []
    for index in range(3 + repeats):
        started = time.perf_counter()
        call()
        if index >= 3:
            times.append(1000 * (time.perf_counter() - started))
    return row(what, times, count)


def row(what: str, times: Sequence[float], count: int = 1) -> dict:
    """Returns the row of calls that took `times` milliseconds, `count` faces or images each."""
    median = float(np.median(times))
    return {
        "what": what,
        "median_ms": round(median, 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "per_second": round(1000 * count / median, 1),
    }


def one_face_photograph() -> np.ndarray:
    """Returns a photograph with one face, RGB `uint8 (480, 640, 3)` (NASA, public domain)."""
    square = cv2.resize(skimage.data.astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


def five_faces_photograph() -> np.ndarray:
    """Returns the same face five times, RGB `uint8 (480, 640, 3)`."""
    photograph = one_face_photograph()
    face = photograph[20:210, 200:400]
    result = np.full_like(photograph, 128)
    for top, left in [(10, 10), (10, 220), (10, 430), (250, 110), (250, 330)]:
        result[top : top + face.shape[0], left : left + face.shape[1]] = face
    return result


def measure_streams(repeats: int) -> list[dict]:
    """Returns the rows of a stream with each detector that this machine can run."""
    name = paths.DEFAULT_STREAM_MODEL
    pretrained = load_pretrained(name)
    rows = []
    for backend, detector in make_detectors().items():
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
    photographs = {"1 face": one_face_photograph(), "5 faces": five_faces_photograph()}
    for count, photograph in photographs.items():
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


def measure_networks(repeats: int) -> list[dict]:
    """Returns the rows of 64 faces at once, of single faces, and of training steps."""
    mini_xception = Pretrained(build_mini_xception(), _CLASSES)
    rows = []
    for name, network in {
        "cnn_tiny": load_pretrained("cnn_tiny"),
        "mini-XCEPTION (random weights)": mini_xception,
    }.items():
        faces = np.random.default_rng(0).integers(0, 256, (_BATCH, *network.image_shape), np.uint8)
        for count in (1, _BATCH):
            call = lambda chosen=faces[:count], network=network: network.predict(chosen)  # noqa: E731
            rows.append(measure(f"{count} face{'s' * (count > 1)}, {name}", call, repeats, count))
    for name in ("cnn", "cnn_tiny"):
        config = training.load_recipe(name)
        figures = measure_training(config)
        rows.append(
            {
                "what": f"training step, {name}: {figures['share']:.0%} of the machine's "
                f"{figures['matmul_gflops']:.0f} GFLOP/s, input {figures['input_share']:.1%}",
                "median_ms": round(1000 * config.batch_size / figures["images_per_second"], 2),
                "p95_ms": float("nan"),
                "per_second": figures["images_per_second"],
            }
        )
    return rows


def build_mini_xception() -> keras.Model:
    """Builds a network of the shape of mini-XCEPTION (Arriaga et al., arXiv 1710.07557).

    58 thousand parameters at 64 x 64, separable convolutions and residual modules; with random
    weights, to compare its speed alone.
    """
    pixels = keras.Input((64, 64, 1))
    x = layers.Rescaling(1 / 127.5, -1.0)(pixels)
    for _ in range(2):
        x = layers.Conv2D(8, 3, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    for filters in (16, 32, 64, 128):
        shortcut = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x)
        shortcut = layers.BatchNormalization()(shortcut)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([x, shortcut])
    x = layers.Conv2D(len(_CLASSES), 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Softmax()(x), name="mini_xception")


def measure_training(config: training.TrainingConfig, steps: int = 8) -> dict[str, float]:
    """Times training steps on synthetic faces, after two that warm up.

    Args:
        config: The recipe; distillation and votes, which need data, are left out.
        steps: Timed steps.

    Returns:
        `images_per_second`; `gflops` (billions of operations a second that the network's
        multiply-adds amount to); `matmul_gflops`, the rate of one large matrix product in the
        recipe's precision; `share`, the former by the latter; `input_share`, the share of a step
        that reading and mixing its batch takes, `[0, 1]`.
    """
    without = {"distillation": 0.0, "votes": 0.0, "votes_share": 0.0, "prior_correction": 0.0}
    config = config.replace(**without, weights=None, head_epochs=0)
    dataset = make_faces(-(-config.batch_size // 7))
    network = networks.build_network(config, dataset, config.precision)
    trainer = networks.build_trainer(config, network)
    targets = build_targets(config, dataset)
    batches = TrainingBatches(dataset.images, targets, config.batch_size, mixup=config.mixup)
    networks.compile_trainer(config, network, trainer, steps, range(config.epochs))
    for _ in range(2):
        trainer.train_on_batch(*batches[0])
    started = time.perf_counter()
    input_seconds = 0.0
    for _ in range(steps):
        before = time.perf_counter()
        batch = batches[0]
        input_seconds += time.perf_counter() - before
        trainer.train_on_batch(*batch)
    seconds = time.perf_counter() - started
    rate = steps * batches.batch_size / seconds
    operations = _OPERATIONS_PER_MULTIPLY_ADD * models.count_multiply_adds(network)
    gflops = rate * operations / 1e9
    matmul_gflops = _measure_matmul(
        "bfloat16" if config.precision == "mixed_bfloat16" else "float32"
    )
    return {
        "images_per_second": round(rate, 1),
        "gflops": round(gflops, 1),
        "matmul_gflops": round(matmul_gflops, 1),
        "share": round(gflops / matmul_gflops, 3),
        "input_share": round(input_seconds / seconds, 4),
    }


def _measure_matmul(dtype: str) -> float:
    """Returns the rate of a matrix product, in billions of operations a second."""
    matrix = keras.ops.cast(np.ones((_MATRIX_SIDE, _MATRIX_SIDE), np.float32), dtype)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        product = keras.ops.matmul(matrix, matrix)
        # Reading one number back waits for the product, which some backends compute later.
        keras.ops.convert_to_numpy(keras.ops.cast(product[0, 0], "float32"))
        times.append(time.perf_counter() - started)
    return 2 * _MATRIX_SIDE**3 / min(times) / 1e9


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each kind")
    parser.add_argument("--peers", action="store_true", help="also time the package fer")
    options = parser.parse_args()
    table = run_benchmark(options.model, options.repeats, options.peers)
    print(table.to_string(index=False))
    machine = platform.processor() or platform.machine()
    print(f"{os.cpu_count()} cores of {machine}, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
