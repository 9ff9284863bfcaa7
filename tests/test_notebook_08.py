"""What lesson 08 builds by hand is what the library does with a video."""

from __future__ import annotations

from pathlib import Path

import notebook_cells
import numpy as np
import pytest
import speed
from clips import ClipDetector, ClipModel, scene, write_clip

from fer_lib import EmotionRecognizer, analyze_video
from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionStream
from fer_lib.tracking import FaceTracker
from fer_lib.video import VideoSource

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "08_video.ipynb"
IMAGE = np.random.default_rng(0).integers(0, 256, (400, 640, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


def draw_boxes(generator: np.random.Generator, count: int) -> list[tuple[int, int, int, int]]:
    """Boxes in the middle of `IMAGE`, so that many of them overlap."""
    return [
        (*map(int, generator.integers(100, 260, 2)), *map(int, generator.integers(40, 130, 2)))
        for _ in range(count)
    ]


def match_in_library(known: list, boxes: list) -> list[tuple[int, int]]:
    """The pairs that `FaceTracker` makes: it numbers faces from 1 in the order of the boxes."""
    tracker = FaceTracker()
    tracker.follow(IMAGE, 0.0)
    tracker.match([Face(box) for box in known], 0.0)
    tracker.match([Face(box) for box in boxes], 0.0)
    number_of = {face.box: face_id for face_id, face in tracker.faces}
    numbers = [number_of[box] for box in boxes]
    return sorted((n - 1, column) for column, n in enumerate(numbers) if n <= len(known))


@pytest.mark.parametrize("seed", range(40))
def test_boxes_are_matched_as_the_tracker_does(names: dict, seed: int) -> None:
    generator = np.random.default_rng(seed)
    known, boxes = (draw_boxes(generator, int(n)) for n in generator.integers(0, 6, 2))
    assert sorted(names["match"](known, boxes)) == match_in_library(known, boxes)


@pytest.mark.parametrize("shift", range(60, 75))
def test_the_least_overlap_is_that_of_the_tracker(names: dict, shift: int) -> None:
    known, boxes = [(100, 100, 100, 80)], [(100 + shift, 100, 100, 80)]
    expected = [(0, 0)] if (100 - shift) / (100 + shift) >= 0.2 else []
    assert names["match"](known, boxes) == match_in_library(known, boxes) == expected


def test_tracked_faces_are_those_of_a_stream(names: dict, tmp_path: Path) -> None:
    """A face comes, is covered for a while, and comes back; a second of it is at 30 frames."""
    frames = [scene(10 + i, face=i > 3 and not 25 <= i < 40) for i in range(60)]
    with VideoSource(write_clip(tmp_path / "clip.mp4", frames)) as source:
        frames = list(source)
    detectors = ClipDetector(), ClipDetector()
    by_hand = [
        [(face_id, face.box) for face_id, face in faces]
        for _, faces in names["track"](frames, detectors[0])
    ]
    with EmotionStream(ClipModel(), detectors[1], background=False) as stream:
        library = [
            [(face.face_id, face.box) for face in stream.update(frame.image, frame.time_s)]
            for frame in frames
        ]
    assert by_hand == library
    assert sum(map(bool, library)) > 20
    assert detectors[0].calls == detectors[1].calls > 60 / 10  # a loss asks for one more


class Model:
    """Gives one row of answers after the other."""

    class_names = EMOTIONS

    def __init__(self, answers: np.ndarray) -> None:
        self._answers = iter(answers)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        return next(self._answers)[None]


class Detector:
    """Finds one face in the middle of `IMAGE`."""

    def detect(self, image: np.ndarray) -> list[Face]:
        return [Face((250, 120, 120, 140))]


@pytest.mark.parametrize("smoothing_s", [0.05, 0.25, 2.0])
def test_means_are_those_of_a_stream(names: dict, smoothing_s: float) -> None:
    generator = np.random.default_rng(1)
    times = np.cumsum(generator.choice([0.01, 0.04, 0.2], 40))
    answers = generator.dirichlet(np.ones(7), 40).astype(np.float32)
    with EmotionStream(
        Model(answers), Detector(), smoothing_s=smoothing_s, background=False
    ) as stream:
        faces = [stream.update(IMAGE, time_s)[0] for time_s in times]
    assert {face.face_id for face in faces} == {1}
    np.testing.assert_array_equal([face.raw_probabilities for face in faces], answers)
    np.testing.assert_allclose(
        names["smooth"](times, answers, smoothing_s),
        [face.probabilities for face in faces],
        atol=1e-6,
    )


def test_the_table_is_that_of_analyze_video(names: dict, tmp_path: Path) -> None:
    """At a variable rate; of two faces one is away for so long that it gets a new number."""
    frames, times = [], []
    for index in range(40):
        frame = scene(10 + 2 * index, 10, face=5 <= index < 18 or index >= 26, size=(160, 240))
        if index >= 12:
            frame[90:154, 150 - index : 214 - index] = scene()[20:84, 30:94]
        frames.append(frame)
        times.append((times[-1] if times else -0.1) + (0.1 if index % 7 else 0.2))
    video = write_clip(tmp_path / "video.mp4", frames, [time_s - times[0] for time_s in times])
    library = analyze_video(video, EmotionRecognizer(ClipModel(), ClipDetector()), progress=False)
    with VideoSource(video) as source:
        by_hand = names["analyze"](source, ClipDetector(), ClipModel())
    assert by_hand["face_id"].nunique() == 3 and by_hand["face_id"].isna().sum() >= 5
    library = library[list(by_hand)].astype(float)
    np.testing.assert_allclose(by_hand.to_numpy(float), library.to_numpy(), atol=1e-6)


def test_the_summary_of_times_is_that_of_the_benchmark(names: dict) -> None:
    seconds = np.random.default_rng(2).gamma(2, 0.01, 50).tolist()
    library = speed.row("anything", [1000 * value for value in seconds])
    assert {"what": "anything", **names["summarize"](seconds)} == library
