"""A face keeps its number: while it moves, through short gaps, and when it crosses another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lib.detection import LANDMARKS, Face
from fer_lib.synthetic import draw_face
from fer_lib.tracking import FaceTracker, motion

SIZE = 72
LEFT = draw_face({"emotion": "happy", "skin_tone": 2, "hair": "short"}, SIZE)
RIGHT = draw_face({"emotion": "sad", "skin_tone": 8, "hair": "none"}, SIZE)
BACKGROUND = np.random.default_rng(0).integers(60, 200, (24, 32, 3), dtype=np.uint8)
BACKGROUND = BACKGROUND.repeat(10, axis=0).repeat(10, axis=1)  # (240, 320, 3)


def scene(*faces):
    """A frame with synthetic faces, `(image, x, y)` each, the last one in front."""
    frame = BACKGROUND.copy()
    for image, x, y in faces:
        frame[y : y + SIZE, x : x + SIZE] = image
    return frame


def face_at(x, y):
    """The face that a detector would find there: a box inside the image of it."""
    points = {"left_eye": (22, 27), "right_eye": (49, 27), "nose": (35, 43)}
    points |= {"mouth_left": (25, 56), "mouth_right": (47, 56)}
    landmarks = {name: (x + points[name][0], y + points[name][1]) for name in LANDMARKS}
    return Face((x + 10, y + 8, 52, 60), 0.9, landmarks)


def ids(tracker):
    return sorted(face_id for face_id, _ in tracker.faces)


def test_a_face_is_carried_along_between_detections():
    tracker = FaceTracker()
    for step in range(20):
        x, y = 40 + 4 * step, 30 + 2 * step
        assert tracker.follow(scene((LEFT, x, y)), step / 30) is False
        if step == 0:
            tracker.match([face_at(x, y)], 0.0)
        [(face_id, face)] = tracker.faces
        assert face_id == 1 and face.score == 0.9
        np.testing.assert_allclose(face.box, face_at(x, y).box, atol=2)
        points = np.array(list(face.landmarks.values()))
        np.testing.assert_allclose(points, list(face_at(x, y).landmarks.values()), atol=2)


def test_a_growing_face_has_a_growing_box():
    tracker = FaceTracker()
    for step in range(15):
        size = SIZE + 4 * step
        frame = BACKGROUND.copy()
        frame[20 : 20 + size, 60 : 60 + size] = draw_face({"skin_tone": 5}, size)
        tracker.follow(frame, step / 30)
        if step == 0:
            tracker.match([Face((66, 26, 60, 60))], 0.0)
    [(_, face)] = tracker.faces
    assert face.box[2] == pytest.approx(60 * size / SIZE, rel=0.08)


def test_a_covered_face_is_not_reported_and_keeps_its_number():
    tracker = FaceTracker()
    for step in range(60):
        time_s, covered = step / 30, 20 <= step < 40
        frame = scene() if covered else scene((LEFT, 60 + step, 50))
        lost = tracker.follow(frame, time_s)
        assert lost is (step == 20)
        if step % 10 == 0:
            tracker.match([] if covered else [face_at(60 + step, 50)], time_s)
        assert ids(tracker) == ([] if covered else [1])


def test_a_face_that_was_away_for_long_is_another():
    tracker = FaceTracker()
    for step in range(81):
        time_s, covered = step / 30, 20 <= step < 70
        tracker.follow(scene() if covered else scene((LEFT, 60, 50)), time_s)
        if step % 10 == 0:
            tracker.match([] if covered else [face_at(60, 50)], time_s)
    assert ids(tracker) == [2]


def test_a_face_that_the_detector_misses_once_comes_back_with_its_number():
    tracker = FaceTracker()
    for step in range(40):
        time_s = 0.11 * step  # 1.1 s from one detection to the next, longer than is bridged
        tracker.follow(scene((LEFT, 60 + step, 50)), time_s)
        if step % 10 == 0:
            tracker.match([] if step == 20 else [face_at(60 + step, 50)], time_s)
            assert ids(tracker) == ([] if step == 20 else [1])


@pytest.mark.parametrize("every", [1, 4, 10])
@pytest.mark.parametrize("speed", [3, 6])
@pytest.mark.parametrize("drop", [0, 20])
def test_faces_that_cross_keep_their_numbers(every, speed, drop):
    """`LEFT` passes in front of `RIGHT`, which the detector does not see meanwhile."""
    tracker = FaceTracker()
    steps = 240 // speed
    for step in range(steps):
        a, b = speed * step, 240 - speed * step
        tracker.follow(scene((RIGHT, b, 80 + drop), (LEFT, a, 80)), step / 30)
        if step % every == 0:
            hidden = abs(a - b) < 40
            seen = [face_at(a, 80)] + ([] if hidden else [face_at(b, 80 + drop)])
            tracker.match(seen, step / 30)
        if step == 0:
            first = dict(tracker.faces)
    places = {face_id: face.box[0] for face_id, face in tracker.faces}
    assert set(places) == set(first) == {1, 2}
    started_left = min(first, key=lambda face_id: first[face_id].box[0])
    assert places[started_left] == max(places.values())


def test_an_answer_about_an_older_frame_is_carried_on():
    tracker = FaceTracker()
    tracker.follow(scene((LEFT, 40, 50)), 0.0)
    tracker.mark()
    for step in range(1, 8):
        tracker.follow(scene((LEFT, 40 + 5 * step, 50)), step / 30)
    tracker.match([face_at(40, 50)], 7 / 30)
    [(face_id, face)] = tracker.faces
    assert face_id == 1
    np.testing.assert_allclose(face.box, face_at(75, 50).box, atol=2)


def test_a_face_that_leaves_the_frame_is_gone():
    tracker = FaceTracker()
    for step in range(30):
        x = 200 + 6 * step
        frame = np.zeros((240, 600, 3), np.uint8)
        frame[:, :320] = BACKGROUND
        frame[50 : 50 + SIZE, x : x + SIZE] = LEFT
        tracker.follow(frame[:, :320], step / 30)
        if step == 0:
            tracker.match([face_at(x, 50)], 0.0)
    assert tracker.faces == []


@settings(max_examples=30, deadline=None)
@given(
    box=st.tuples(*[st.integers(0, 900)] * 2, *[st.integers(10, 900)] * 2),
    size=st.tuples(st.integers(1000, 3000), st.integers(1000, 3000)),
)
def test_a_detected_face_is_reported_as_it_is(box, size):
    x, y, width, height = box
    box = (x, y, min(width, size[1] - x), min(height, size[0] - y))
    landmarks = {name: (x + 0.25, y + k) for k, name in enumerate(LANDMARKS)}
    scale = 640 / max(size)
    face = motion.to_face(motion.to_place(Face(box, 0.7, landmarks), scale), scale, size)
    assert face.box == box and face.score == 0.7
    np.testing.assert_allclose(list(face.landmarks.values()), list(landmarks.values()))
