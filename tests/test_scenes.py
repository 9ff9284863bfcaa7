"""Real photographs: the faces that a person counts are found, whatever the limit of size."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pandas as pd
import pytest

from fer_lib.alignment import align_face
from fer_lib.cli import main
from fer_lib.detection import FaceDetector
from fer_lib.images import read_image, write_image
from fer_lib.recognition import EmotionRecognizer

SCENES = ("Luciano.png", "dog-human.jpg", "group.jpeg", "happy-baby.jpeg", "neutral.jpeg")
SCENES += ("women-on-phones.jpg",)
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="mtcnn needs the TensorFlow backend of Keras"
)
make_mtcnn = functools.cache(functools.partial(FaceDetector, "mtcnn"))
make_yunet = functools.cache(functools.partial(FaceDetector, "yunet"))


@pytest.fixture(scope="session")
def package_faces(scenes):
    """A function from a scene to the boxes that the mtcnn package finds at its defaults."""
    import mtcnn

    package = mtcnn.MTCNN()

    @functools.cache
    def find(name: str) -> list[list[int]]:
        return [face["box"] for face in package.detect_faces(read_image(scenes / name))]

    return find


def overlap(box, other) -> float:
    """Returns the intersection over the union of two boxes."""
    (x, y, w, h), (u, v, s, t) = box, other
    inside = max(0, min(x + w, u + s) - max(x, u)) * max(0, min(y + h, v + t) - max(y, v))
    return inside / (w * h + s * t - inside)


@pytest.fixture
def known(scenes):
    """What is known of each scene: a row of `scenes.csv` by the name of its file."""
    return pd.read_csv(scenes / "scenes.csv", index_col="file")


@pytest.mark.parametrize("limit", [None, 40])
def test_yunet_finds_all_faces(scenes, known, yunet_weights, limit):
    assert sorted(known.index) == sorted(SCENES)
    detector = make_yunet(min_face_size=limit)
    found = {name: len(detector.detect(scenes / name)) for name in SCENES}
    assert found == known["faces"].to_dict()


@needs_tensorflow
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("limit", [None, 20, 40, 60])
def test_mtcnn_finds_what_the_package_finds(scenes, package_faces, name, limit):
    boxes = [face.box for face in make_mtcnn(min_face_size=limit).detect(scenes / name)]
    for box in package_faces(name):
        if max(box[2:]) >= 1.2 * (limit or 20):
            assert any(overlap(box, other) > 0.5 for other in boxes), (box, boxes)


@needs_tensorflow
@pytest.mark.parametrize("name", SCENES)
def test_both_detectors_give_the_same_crops(scenes, yunet_weights, name):
    image = read_image(scenes / name)
    limit = max(20, np.sqrt(image.shape[0] * image.shape[1]) / 40)
    others = make_yunet(min_face_size=limit).detect(image)
    for face in make_mtcnn(min_face_size=limit).detect(image):
        other = max(others, key=lambda other: overlap(face.box, other.box))
        assert overlap(face.box, other.box) > 0.5
        for name_, point in face.landmarks.items():
            distance = np.linalg.norm(np.subtract(point, other.landmarks[name_]))
            assert distance < 0.2 * max(face.box[2:]), name_
        crops = [align_face(image, one).astype(float).ravel() for one in (face, other)]
        assert np.corrcoef(*crops)[0, 1] > 0.5


@needs_tensorflow
@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
def test_the_shipped_network_ranks_posed_expressions_high(scenes, known, yunet_weights, detector):
    found = make_mtcnn() if detector == "mtcnn" else make_yunet()
    recognizer = EmotionRecognizer(detector=found)
    for name, expression in known["expression"].dropna().items():
        nearest, *_ = recognizer.predict(scenes / name)  # the largest face
        chances = nearest.to_dict()["probabilities"]
        assert expression in sorted(chances, key=chances.get)[-2:], (name, chances)


@needs_tensorflow
def test_predict_says_the_limit_where_few_faces_are_found_in_a_large_image(
    astronaut, tmp_path, capsys
):
    large = np.full((3000, 4000, 3), 128, np.uint8)
    large[100:356, 100:356] = astronaut[::2, ::2]  # a face of 55 pixels
    small, large = (
        str(write_image(tmp_path / name, image))
        for name, image in (("small.png", large[:900, :1200]), ("large.png", large))
    )
    for options in ([], ["--json"]):
        assert main(["predict", small, large, "--model", "cnn_tiny", *options]) == 0
        [line] = capsys.readouterr().err.splitlines()
        assert large in line and "58 pixels" in line and "--min-face-size" in line
    assert main(["predict", large, "--model", "cnn_tiny", "--min-face-size", "40"]) == 0
    assert capsys.readouterr().err == ""
