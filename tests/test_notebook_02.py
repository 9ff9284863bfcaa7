"""What lesson 02 builds by hand is what the library does."""

from __future__ import annotations

from pathlib import Path

import keras
import notebook_cells
import numpy as np
import pytest
from skimage.transform import estimate_transform

from fer_lib.alignment import FACE_TEMPLATE, align_face
from fer_lib.detection import LANDMARKS, Face
from fer_lib.labels import EMOTIONS
from fer_lib.models import build_cnn
from fer_lib.pretrained import load_pretrained
from fer_lib.synthetic import make_faces

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "02_faces.ipynb"
# The astronaut's face, upright, turned, and with a mouth that fits no template.
POINTS = {
    "upright": [(205, 103), (244, 103), (222, 123), (206, 139), (242, 138)],
    "turned": [(210, 130), (268, 112), (250, 150), (232, 186), (281, 171)],
    "odd": [(205, 103), (244, 103), (222, 123), (206, 199), (242, 168)],
}


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_the_matrix_is_the_one_of_the_library(names: dict, points: list) -> None:
    library = estimate_transform("similarity", np.array(points, float), FACE_TEMPLATE)
    np.testing.assert_allclose(
        names["fit_similarity"](points, FACE_TEMPLATE), library.params[:2], atol=1e-6
    )


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_the_crop_is_the_one_of_align_face(
    names: dict, points: list, astronaut: np.ndarray
) -> None:
    face = Face((180, 60, 90, 110), landmarks=dict(zip(LANDMARKS, points, strict=True)))
    matrix = names["fit_similarity"](points, FACE_TEMPLATE)
    by_hand = names["cut_out"](astronaut, matrix).astype(int)
    # align_face works on the part of the image that the crop shows, so that coordinates are
    # rounded elsewhere: a gray level at most.
    assert np.abs(by_hand - align_face(astronaut, face)).max() <= 1


def test_standardize_is_the_first_layer_of_every_network(names: dict) -> None:
    network = build_cnn("lesson")
    first = keras.Model(network.input, network.get_layer("standardize").output)
    crop = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    output = first(crop[None, ..., None].astype("float32"))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(output)[0, ..., 0], names["standardize"](crop), atol=1e-5
    )


def test_the_story_of_the_third_exercise_happens() -> None:
    faces = make_faces(20, seed=1).images
    network = load_pretrained("cnn_tiny")
    right, wrong = (network.predict(crops).argmax(axis=1) for crops in (faces, faces / 255))
    angry = EMOTIONS.index("angry")
    assert (wrong == angry).mean() > 0.6 > 0.2 > (right == angry).mean()
    assert (right == wrong).mean() < 0.25
