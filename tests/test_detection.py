"""Faces: in the right place, inside the image, the same in every form, and real errors shown."""

from __future__ import annotations

import functools
import http.server
import json
import pickle
import threading
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fer_lib.detection import LANDMARKS, Face, FaceDetector, face_detector, yunet_backend
from fer_lib.detection.types import Detections
from fer_lib.images import read_image

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="mtcnn needs the TensorFlow backend of Keras"
)


# Making a detector takes longer than most tests with it.
make_mtcnn = functools.cache(functools.partial(FaceDetector, "mtcnn"))
make_yunet = functools.cache(functools.partial(FaceDetector, "yunet"))


@pytest.fixture(params=[pytest.param("mtcnn", marks=needs_tensorflow), "yunet"])
def make_detector(request):
    """A function that makes a detector of each backend in turn."""
    if request.param == "mtcnn":
        return make_mtcnn
    request.getfixturevalue("yunet_weights")
    return make_yunet


class FakeBackend:
    """Finds what it is told to, and remembers the images that it was shown."""

    smallest_face = 20.0

    def __init__(self, corners=(), landmarks=None):
        self.corners = np.array(corners, float).reshape(-1, 4)
        count = len(self.corners)
        self.landmarks = np.zeros((count, 5, 2)) if landmarks is None else np.array(landmarks)
        self.shapes = []

    def find(self, image, score_threshold):
        self.shapes.append(image.shape)
        return Detections(self.corners, np.full(len(self.corners), 0.9), self.landmarks)


@pytest.fixture
def use_backend(monkeypatch):
    """A function that makes a detector around a fake backend."""

    def use(backend, **settings) -> FaceDetector:
        monkeypatch.setattr(face_detector, "_load_backend", lambda *_: backend)
        return FaceDetector(**settings)

    return use


def plain(faces: list[Face]) -> list[dict]:
    return [face.to_dict() for face in faces]


def test_one_face_with_landmarks_on_the_viewers_sides(make_detector, astronaut):
    (face,) = make_detector().detect(astronaut)
    x, y, width, height = face.box
    assert abs(x + width / 2 - 224) < 8 and abs(y + height / 2 - 118) < 12
    assert 80 < width < 110 and 95 < height < 125
    assert 0.8 < face.score <= 1
    expected = [(204, 101), (245, 102), (222, 124), (204, 140), (244, 140)]
    assert tuple(face.landmarks) == LANDMARKS
    np.testing.assert_allclose(list(face.landmarks.values()), expected, atol=7)
    entry = json.loads(json.dumps(face.to_dict()))
    assert tuple(entry["box"]) == face.box and entry["detection_score"] == face.score
    assert {k: tuple(v) for k, v in entry["landmarks"].items()} == face.landmarks
    assert Face((1, 2, 3, 4)).to_dict()["landmarks"] is None


def test_no_face_in_a_cat_or_a_cup(make_detector):
    for image in (skimage.data.chelsea(), skimage.data.coffee()):
        assert make_detector().detect(image) == []


@pytest.mark.parametrize("shape", [(1, 1), (10, 10), (20, 20), (1, 300), (300, 3), (12, 640)])
def test_images_without_room_for_a_face_have_none(make_detector, shape):
    for make in (make_detector, functools.partial(make_detector, min_face_size=10)):
        assert make().detect(np.full(shape, 0.5)) == []


@pytest.mark.parametrize("scale", [0.5, 3])
def test_faces_scale_with_the_image(make_detector, astronaut, scale):
    image = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (small,) = make_detector().detect(astronaut)
    (large,) = make_detector().detect(image)
    side = scale * small.box[3]
    np.testing.assert_allclose(large.box, np.multiply(small.box, scale), atol=0.1 * side)
    for name in LANDMARKS:
        expected = np.multiply(small.landmarks[name], scale)
        np.testing.assert_allclose(large.landmarks[name], expected, atol=0.06 * side)


def test_a_limit_or_threshold_above_the_face_leaves_it_out(make_detector, astronaut):
    for limit in (20, 40, 100):
        (face,) = make_detector(min_face_size=limit).detect(astronaut)
        assert max(face.box[2:]) >= limit
    for limits in ({"min_face_size": 180}, {"score_threshold": 1}):
        assert make_detector(**limits).detect(astronaut) == []


@pytest.mark.parametrize(
    ("shape", "limit", "shown"),
    [
        ((480, 640), None, (480, 640)),
        ((480, 640), 40, (240, 320)),
        ((480, 640), 10, (960, 1280)),
        ((3000, 4000), None, (1039, 1386)),
        ((3000, 4000), 300, (200, 267)),
        ((30, 20000), 100, (6, 4000)),
        ((2, 900), 400, (1, 45)),
    ],
)
def test_images_are_shown_so_that_the_smallest_face_fits(use_backend, shape, limit, shown):
    backend = FakeBackend()
    detector = use_backend(backend, min_face_size=limit)
    detector.detect(np.zeros(shape, np.uint8), second_look=False)
    assert backend.shapes == [(*shown, 3)]


def test_boxes_return_to_the_pixels_of_the_image(use_backend):
    # Shown at half its size, a box from the middle of pixel 10 to that of pixel 60 is twice that.
    backend = FakeBackend([(10, 20, 60, 80)], np.full((1, 5, 2), 30.0))
    (face,) = use_backend(backend, min_face_size=40).detect(np.zeros((400, 400, 3), np.uint8))
    assert face.box == (20, 40, 100, 120)
    assert face.landmarks["nose"] == (60.5, 60.5)


@needs_tensorflow
def test_a_second_look_finds_a_face_that_fills_the_image(astronaut):
    close = astronaut[72:163, 190:257]
    assert make_mtcnn().detect(close, second_look=False) == []
    (face,) = make_mtcnn().detect(close)
    x, y, width, height = face.box
    assert 50 < width <= 67 - x and 70 < height <= 91 - y
    np.testing.assert_allclose(face.landmarks["nose"], (224 - 190, 126 - 72), atol=8)


def test_a_second_look_is_had_only_where_nothing_is_found(use_backend):
    image = np.zeros((100, 200, 3), np.uint8)
    for corners, shapes in (
        ([(20, 20, 80, 80)], [(100, 200, 3)]),
        ([], [(100, 200, 3), (200, 300, 3)]),
    ):
        backend = FakeBackend(corners)
        use_backend(backend).detect(image)
        assert backend.shapes == shapes


@settings(max_examples=100, deadline=None)
@given(
    corners=hnp.arrays(
        float, (6, 4), elements=st.floats(-90, 190) | st.sampled_from([np.nan, np.inf])
    ),
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    limit=st.floats(10, 50),
)
def test_boxes_lie_inside_the_image_largest_first(corners, shape, limit):
    finder = FaceDetector.__new__(FaceDetector)
    finder.backend, finder.score_threshold = "mtcnn", 0.5
    finder.min_face_size, finder._backend = limit, FakeBackend(corners)
    faces = finder.detect(np.zeros(shape, np.uint8), second_look=False)
    areas = [face.box[2] * face.box[3] for face in faces]
    assert areas == sorted(areas, reverse=True)
    for face in faces:
        x, y, width, height = face.box
        assert all(type(value) is int for value in face.box)
        assert 0 <= x < x + width <= shape[1] and 0 <= y < y + height <= shape[0]
        json.dumps(face.to_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "haar"}, "yunet"),
        ({"min_face_size": 5}, "10 pixels"),
        ({"min_face_size": float("nan")}, "10 pixels"),
        ({"score_threshold": 1.5}, "score_threshold"),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        FaceDetector(**settings)


@needs_tensorflow
def test_errors_of_tensorflow_are_not_reported_as_no_face(astronaut, monkeypatch):
    import tensorflow as tf

    finder = FaceDetector("mtcnn")

    def fail(*_):
        raise tf.errors.InvalidArgumentError(None, None, "broken")

    monkeypatch.setattr(finder._backend, "_propose", fail)
    with pytest.raises(tf.errors.InvalidArgumentError, match="broken"):
        finder.detect(astronaut)


@needs_tensorflow
def test_mtcnn_finds_the_same_next_to_a_training_in_half_precision(astronaut):
    expected = plain(make_mtcnn().detect(astronaut))
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert plain(FaceDetector("mtcnn").detect(astronaut)) == expected
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)


@functools.cache
def package_stages():
    import mtcnn

    return mtcnn.MTCNN().stages


def find_by_package(image: np.ndarray) -> np.ndarray:
    """Returns the rows that the stages of the mtcnn package give: image, box, score, points."""
    rows = None
    for stage in package_stages():
        rows = stage(
            bboxes_batch=rows,
            images_normalized=(image[None].astype(np.float32) - 127.5) / 128,
            images_oshapes=np.array([image.shape]),
            threshold_onet=0.9,
        )
        if len(rows) == 0:
            return np.empty((0, 16))
    return rows


def assert_finds_what_the_package_finds(image: np.ndarray) -> int:
    found = make_mtcnn()._backend.find(image, 0.9)
    rows = find_by_package(image)
    assert len(rows) == len(found.scores)
    np.testing.assert_allclose(found.corners, rows[:, 1:5], atol=0.1)
    np.testing.assert_allclose(found.scores, rows[:, 5], atol=1e-4)
    points = rows[:, 6:].reshape(-1, 2, 5).transpose(0, 2, 1)
    np.testing.assert_allclose(found.landmarks, points, atol=0.1)
    return len(rows)


@needs_tensorflow
@pytest.mark.parametrize("size", [(512, 512), (640, 480), (333, 211), (90, 1000), (25, 25)])
def test_mtcnn_finds_what_the_package_finds(astronaut, size):
    image = cv2.resize(astronaut, size, interpolation=cv2.INTER_AREA)
    assert_finds_what_the_package_finds(image)
    noise = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    assert_finds_what_the_package_finds(cv2.blur(noise, (5, 5)))


@needs_tensorflow
def test_mtcnn_finds_what_the_package_finds_in_scenes(real_data):
    files = sorted((real_data / "scenes").glob("*.*g"))
    files += sorted((real_data / "photos").glob("*/*"))[::40]
    faces = 0
    for file in files:
        image = read_image(file)
        scale = min(1.0, 700 / max(image.shape))
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        faces += assert_finds_what_the_package_finds(image)
    assert faces > 20


@needs_tensorflow
def test_mtcnn_is_traced_once_for_images_of_any_size(astronaut):
    backend = make_mtcnn()._backend
    for side in range(60, 400, 34):
        backend.find(cv2.resize(astronaut, (side, 460 - side)), 0.9)
    for stage in (backend._propose, backend._refine, backend._finish):
        assert stage.experimental_get_tracing_count() == 1


@needs_tensorflow
def test_weights_are_not_taken_from_the_working_folder(tmp_path, monkeypatch):
    for name in ("pnet", "rnet", "onet"):
        (tmp_path / f"{name}.lz4").write_bytes(b"no weights")
    monkeypatch.chdir(tmp_path)
    FaceDetector("mtcnn")


def test_a_detector_is_pickled_by_its_settings(make_detector, astronaut):
    detector = make_detector(min_face_size=30)
    copied = pickle.loads(pickle.dumps(detector))
    assert copied.min_face_size == 30
    assert plain(copied.detect(astronaut)) == plain(detector.detect(astronaut))


def test_mtcnn_under_another_backend_names_yunet(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="'jax'; use 'yunet'") as error:
        FaceDetector("mtcnn")
    assert "\n" not in str(error.value)


# The weights of YuNet: fetched once, checked, and a clear error where that is impossible.


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FER_LIB_HOME", str(folder))
    return folder


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """A function that publishes bytes as the weights and returns the list of requests so far."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *parts):
            requests.append(parts)

    handler = functools.partial(Handler, directory=tmp_path)
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/weights.onnx"
    monkeypatch.setattr(yunet_backend, "WEIGHTS_URL", address)

    def publish(data: bytes) -> list:
        (tmp_path / "weights.onnx").write_bytes(data)
        return requests

    yield publish
    server.shutdown()
    server.server_close()
    thread.join()


def test_yunet_without_a_network_says_what_to_do(cache, offline):
    with pytest.raises(OSError, match="mtcnn") as error:
        FaceDetector("yunet")
    message = str(error.value)
    assert "\n" not in message and str(cache) in message and "https://media." in message
    assert not cache.exists() or not any(cache.iterdir())


def test_yunet_fetches_its_weights_once(cache, serve, yunet_weights, astronaut):
    requests = serve(yunet_weights.read_bytes())
    for _ in range(2):
        assert len(FaceDetector("yunet").detect(astronaut)) == 1
    assert len(requests) == 1
    assert [file.name for file in cache.iterdir()] == [yunet_weights.name]


@needs_tensorflow
def test_fast_is_yunet_where_its_weights_are_at_hand_else_mtcnn(cache, offline, yunet_weights):
    with pytest.warns(UserWarning, match="'fast' is 'mtcnn' here") as warned:
        assert FaceDetector("fast").backend == "mtcnn"
    assert len(warned) == 1 and "\n" not in str(warned[0].message)
    cache.mkdir()
    (cache / yunet_weights.name).write_bytes(b"cut off")
    with pytest.warns(UserWarning, match="mtcnn"):
        assert FaceDetector("fast").backend == "mtcnn"
    (cache / yunet_weights.name).write_bytes(yunet_weights.read_bytes())
    detector = FaceDetector("fast", min_face_size=40)
    assert detector.backend == "yunet" and detector.min_face_size == 40


def test_yunet_refuses_weights_with_another_checksum(cache, serve):
    serve(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(OSError, match="Cannot fetch"):
        FaceDetector("yunet")
    assert not any(cache.iterdir())
