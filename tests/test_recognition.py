"""From an image to expressions: one pass for all faces, the same for every form of an image."""

from __future__ import annotations

import json
import pickle
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_lib.alignment import align_face, crop_face
from fer_lib.detection import LANDMARKS, Face, FaceDetector
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionRecognizer, FaceEmotion

ASTRONAUT_LANDMARKS = [
    (204.2, 99.8), (245.4, 101.6), (224.0, 126.2), (202.4, 138.7), (243.6, 140.2),
]  # fmt: skip


class CountingModel:
    """A tiny untrained network that remembers how many crops it got in each call."""

    class_names = EMOTIONS

    def __init__(self):
        keras.utils.set_random_seed(1)
        scale, flatten = keras.layers.Rescaling(1 / 255), keras.layers.Flatten()
        head = keras.layers.Dense(len(EMOTIONS), activation="softmax")
        self.network = keras.Sequential([keras.Input((48, 48, 1)), scale, flatten, head])
        self.calls = []

    def predict(self, crops):
        assert crops.dtype == np.uint8 and crops.shape[1:] == (48, 48)
        self.calls.append(len(crops))
        return keras.ops.convert_to_numpy(self.network(crops[..., None].astype(np.float32)))


class FixedDetector:
    """Finds the same faces in every image that is bright enough."""

    def __init__(self):
        landmarks = dict(zip(LANDMARKS, ASTRONAUT_LANDMARKS, strict=True))
        self.faces = [Face((182, 64, 83, 107), 0.99, landmarks), Face((10, 20, 40, 40), 0.8)]

    def detect(self, image):
        return self.faces if image.mean() > 20 else []


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


@pytest.fixture
def recognizer(model) -> EmotionRecognizer:
    return EmotionRecognizer(model, FixedDetector())


DARK = np.zeros((60, 60, 3), np.uint8)


def assert_same(faces: list[FaceEmotion], expected: list[FaceEmotion]) -> None:
    assert [face.face.to_dict() for face in faces] == [face.face.to_dict() for face in expected]
    for face, other in zip(faces, expected, strict=True):
        np.testing.assert_allclose(face.probabilities, other.probabilities, atol=1e-5)


def test_each_face_has_probabilities(recognizer, model, astronaut):
    faces = recognizer.predict(astronaut)
    assert [face.face for face in faces] == recognizer.detector.faces
    for face in faces:
        assert face.probabilities.dtype == np.float32 and face.probabilities.shape == (7,)
        assert abs(face.probabilities.sum() - 1) < 1e-5
        assert face.emotion == EMOTIONS[face.probabilities.argmax()]
        assert face.confidence == face.probabilities.max()
        assert face.box == face.face.box and face.class_names == EMOTIONS
    crops = np.stack([align_face(astronaut, face.face) for face in faces])
    np.testing.assert_allclose(
        model.predict(crops), [face.probabilities for face in faces], atol=1e-6
    )


def test_every_form_of_an_image_gives_the_same(recognizer, astronaut, tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(astronaut).save(path)
    expected = recognizer.predict(astronaut)
    forms = [path, str(path), path.read_bytes(), Image.open(path), astronaut / 255]
    for form in forms:
        assert_same(recognizer.predict(form), expected)
    stacked = np.stack([astronaut] * 2)
    for images in (forms, stacked, tuple(stacked), (image for image in stacked)):
        batch = recognizer.predict(images)
        assert len(batch) == (len(forms) if images is forms else 2)
        for faces in batch:
            assert_same(faces, expected)


@settings(max_examples=20, deadline=None)
@given(bright=st.lists(st.booleans(), max_size=6))
def test_a_batch_is_its_items_in_one_pass(astronaut, bright):
    model = CountingModel()
    recognizer = EmotionRecognizer(model, FixedDetector())
    images = [astronaut[:, :: -1 if i % 2 else 1] if b else DARK for i, b in enumerate(bright)]
    batch = recognizer.predict(images)
    assert model.calls == ([2 * sum(bright)] if any(bright) else [])
    assert len(batch) == len(images)
    for faces, image in zip(batch, images, strict=True):
        assert_same(faces, recognizer.predict(image))


def test_an_image_without_a_face_is_an_empty_list(recognizer, model):
    assert recognizer.predict(DARK) == []
    assert recognizer.predict([DARK, DARK]) == [[], []]
    assert recognizer.predict([]) == []
    assert model.calls == []


def test_results_go_to_json_and_back(recognizer, astronaut):
    for face in recognizer.predict(astronaut):
        entry = json.loads(json.dumps(face.to_dict()))
        keys = "box detection_score landmarks emotion confidence probabilities"
        assert list(entry) == keys.split()
        assert tuple(entry["box"]) == face.box
        assert entry["emotion"] == face.emotion and entry["confidence"] == face.confidence
        assert tuple(entry["probabilities"]) == EMOTIONS
        np.testing.assert_array_equal(
            np.float32(list(entry["probabilities"].values())), face.probabilities
        )


def test_bad_images_are_errors(recognizer, tmp_path, astronaut):
    (tmp_path / "text.jpg").write_text("no image")
    for bad, error in [
        (tmp_path / "none.jpg", FileNotFoundError),
        (tmp_path / "text.jpg", OSError),
        (np.full((9, 9), np.nan), ValueError),
        ([astronaut, np.zeros(3)], ValueError),
        (np.array(["a.jpg"], object), ValueError),
        ([[astronaut]], TypeError),
        *((bad, TypeError) for bad in (None, {"path": "a.jpg"}, 3)),
    ]:
        with pytest.raises(error) as caught:
            recognizer.predict(bad)
        assert "\n" not in str(caught.value)
        if error is TypeError:
            assert re.search(f"Expected an image.*{type(bad).__name__}", str(caught.value))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((40, 40, 1), (40, 40)), ((64, 64, 3), (64, 64, 3)), ((48, 32, 1), (48, 32))],
)
def test_crops_have_the_models_shape(recognizer, model, astronaut, monkeypatch, shape, expected):
    shapes = []
    monkeypatch.setattr(model, "image_shape", shape, raising=False)
    monkeypatch.setattr(model, "predict", lambda x: shapes.append(x.shape) or np.ones((2, 7)) / 7)
    recognizer.predict(astronaut)
    assert shapes == [(2, *expected)]


def test_the_default_model_is_cnn(monkeypatch, model):
    load = "fer_lib.recognition.emotion_recognizer.load_pretrained"
    monkeypatch.setattr(load, {"cnn": model}.get)
    assert EmotionRecognizer(detector=FixedDetector()).model is model


def test_wrong_parts(model):
    with pytest.raises(TypeError, match="class_names"):
        EmotionRecognizer(model.network, FixedDetector())
    with pytest.raises(TypeError, match="'mtcnn', 'yunet', 'fast'"):
        EmotionRecognizer(model, 3)
    with pytest.raises(ValueError, match="haar"):
        EmotionRecognizer(model, "haar")
    with pytest.raises(FileNotFoundError, match="no-such-model"):
        EmotionRecognizer("no-such-model", FixedDetector())


def test_landmarks_that_span_no_face_cost_no_image(model, astronaut):
    class ProfileDetector:
        def detect(self, image):
            in_one_place = dict.fromkeys(LANDMARKS, (224.0, 118.0))
            return [Face((182, 64, 83, 107), 0.9, in_one_place)]

    [face] = EmotionRecognizer(model, ProfileDetector()).predict(astronaut)
    by_box = crop_face(astronaut, (182, 64, 83, 107))
    np.testing.assert_allclose(face.probabilities, model.predict(by_box[None])[0], atol=1e-6)


def test_results_compare_and_recognizers_are_pickled(astronaut):
    recognizer = EmotionRecognizer("cnn_tiny", FaceDetector(min_face_size=40))
    expected = recognizer.predict(astronaut)
    assert expected == expected and expected != recognizer.predict(astronaut)
    copied = pickle.loads(pickle.dumps(recognizer))
    assert copied.detector.min_face_size == 40
    assert copied.predict(astronaut)[0].to_dict() == expected[0].to_dict()
