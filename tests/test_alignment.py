"""Crops: the landmarks land on the template, whatever the turn, and large faces do not alias."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lib.alignment import FACE_TEMPLATE, align_face, crop_face
from fer_lib.detection import LANDMARKS, Face

# What mtcnn finds in skimage.data.astronaut().
POINTS = np.array([(204.2, 99.8), (245.4, 101.6), (224.0, 126.2), (202.4, 138.7), (243.6, 140.2)])
BOX = (182, 64, 83, 107)


def make_face(points: np.ndarray, box=BOX) -> Face:
    return Face(box, landmarks=dict(zip(LANDMARKS, map(tuple, points.tolist()), strict=True)))


def rotate(image: np.ndarray, points: np.ndarray, angle: float, scale: float = 1):
    """Turns an image and points of it around the face, on a canvas that holds all of it."""
    matrix = cv2.getRotationMatrix2D((224, 118), angle, scale)
    matrix[:, 2] += (376, 482)
    turned = cv2.warpAffine(image, matrix, (1200, 1200), flags=cv2.INTER_AREA)
    return turned, points @ matrix[:, :2].T + matrix[:, 2]


@pytest.fixture(scope="module")
def dots():
    """A function from a face to its crop of an image that is dark but for the landmarks."""

    def draw(points: np.ndarray, size: int, radius: float) -> np.ndarray:
        image = np.zeros((1200, 1200, 3), np.uint8)
        for x, y in points:
            # In sixteenths of a pixel: whole ones would tilt the eyes of a small face by degrees.
            middle = (round(x * 16), round(y * 16))
            cv2.circle(image, middle, math.ceil(radius) * 16, (255,) * 3, -1, shift=4)
        return align_face(image, make_face(points), size)

    return draw


def test_a_face_on_the_template_is_only_turned_to_gray():
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    np.testing.assert_array_equal(align_face(image, make_face(FACE_TEMPLATE)), image)


@pytest.mark.parametrize("size", [48, 96, 224])
def test_every_size_shows_the_same(astronaut, size):
    crop = align_face(astronaut, make_face(POINTS), size)
    assert crop.shape == (size, size) and crop.dtype == np.uint8
    small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - align_face(astronaut, make_face(POINTS))).mean() < 3


@settings(max_examples=60, deadline=None)
@given(
    angle=st.floats(-90, 90),
    scale=st.floats(0.5, 3),
    noise=st.lists(st.floats(-1, 1), min_size=10, max_size=10),
)
def test_eyes_are_level_at_any_turn(dots, angle, scale, noise):
    # Landmarks that are off by up to half a pixel of the crop, as a detector's are.
    points = POINTS + np.reshape(noise, (5, 2))
    _, points = rotate(np.zeros((9, 9, 3), np.uint8), points, angle, scale)
    crop = dots(points, 96, scale).astype(float)
    rows, columns = np.mgrid[0:48, 0:96]  # the eyes lie in the upper half, nothing else does
    sides = []
    for half in (columns < 48, columns >= 48):
        weights = crop[:48] * half
        assert weights.sum() > 0
        sides.append([(weights * axis).sum() / weights.sum() for axis in (columns, rows)])
    (left_x, left_y), (right_x, right_y) = sides
    assert abs(math.degrees(math.atan2(right_y - left_y, right_x - left_x))) < 3
    template = (FACE_TEMPLATE[:2] + 0.5) * 2 - 0.5
    np.testing.assert_allclose(sides, template, atol=3)


@pytest.mark.parametrize("angle", [-90, -60, -30, -10, 10, 30, 60, 90])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_turned_photograph_gives_the_same_crop(astronaut, angle, scale):
    upright = align_face(astronaut, make_face(POINTS)).astype(float)
    crop = align_face(*(lambda p, x: (p, make_face(x)))(*rotate(astronaut, POINTS, angle, scale)))
    assert np.corrcoef(upright.ravel(), crop.ravel())[0, 1] > 0.98
    assert np.abs(upright - crop).mean() < 6


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.floats(-400, 400), st.floats(-400, 400)), min_size=5, max_size=5
    ).map(np.array),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_any_landmarks_give_a_crop_or_a_clear_error(points, shape):
    image = np.full(shape, 77, np.uint8)
    try:
        crop = align_face(image, make_face(points))
    except ValueError as error:
        assert "landmarks" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert (crop == 77).all() and crop.shape == (48, 48)


@pytest.mark.parametrize("pitch", [1, 2, 3])
@pytest.mark.parametrize("angle", [0, 33])
def test_large_faces_are_averaged(pitch, angle):
    rows, columns = np.indices((1200, 1200)) // pitch
    board = ((rows + columns) % 2 * 255).astype(np.uint8)
    _, points = rotate(np.zeros((9, 9, 3), np.uint8), POINTS, angle, 8)
    crop = align_face(board, make_face(points))
    middle = crop[12:36, 12:36].astype(float)
    assert abs(middle.mean() - 127.5) < 4 and middle.std() < 12


def test_what_lies_outside_repeats_the_border():
    image = np.zeros((60, 60), np.uint8)
    image[:, :30], image[:, 30:] = 50, 200
    crop = align_face(image, make_face(FACE_TEMPLATE + (-40, 4)))  # 40 pixels off to the left
    assert (crop[:, :35] == 50).all()
    assert set(np.unique(crop_face(image, (200, 200, 30, 30)))) == {200}
    wide = np.zeros((64, 40000), np.uint8)  # OpenCV warps 32,767 pixels a side at most
    wide[:, 39000:] = 90
    assert (align_face(wide, make_face(FACE_TEMPLATE + (39500, 8))) == 90).all()


def test_a_face_without_landmarks_is_cut_out_by_its_widened_box(astronaut):
    crop = align_face(astronaut, Face(BOX))
    np.testing.assert_array_equal(crop, crop_face(astronaut, BOX))
    aligned = align_face(astronaut, make_face(POINTS)).astype(float)
    assert np.corrcoef(aligned.ravel(), crop.ravel())[0, 1] > 0.5
    # The square is 1.1 times the mean side, around the middle of the box.
    image = np.zeros((200, 200), np.uint8)
    image[45:155, 45:155] = 255
    assert crop_face(image, (75, 0, 50, 200)).min() > 230
    assert crop_face(image, (75, 0, 50, 200), widen=1.2).min() == 0


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 2)),
        np.full((5, 2), np.nan),
        np.full((5, 2), np.inf),
        FACE_TEMPLATE / 100,
        np.array([(0, 0), (0, 0), (9, 9), (0, 0), (0, 0)]),  # a nose beside all the rest
        FACE_TEMPLATE[[1, 0, 2, 4, 3]],  # left and right as the person has them
    ],
)
def test_landmarks_that_span_no_face(points):
    with pytest.raises(ValueError, match="span a face") as error:
        align_face(np.zeros((9, 9, 3), np.uint8), make_face(points))
    assert "\n" not in str(error.value)


def test_wrong_arguments(astronaut):
    with pytest.raises(ValueError, match="size=0"):
        align_face(astronaut, make_face(POINTS), 0)
    for box, widen in (((1, 2, 0, 5), 1), ((1, 2, 5, -1), 1), ((1, 2, np.nan, 4), 1), (BOX, 0)):
        with pytest.raises(ValueError, match=f"with an area.*widen={widen}"):
            crop_face(astronaut, box, widen=widen)
    with pytest.raises(ValueError, match="read-only"):
        FACE_TEMPLATE[0] = 1
