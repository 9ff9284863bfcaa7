"""Frame after frame to faces: one result a frame, smoothed over time, the same on every run."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest

from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionRecognizer, EmotionStream, FaceEmotion, TrackedEmotion
from fer_lib.synthetic import draw_face

FACE = draw_face({"emotion": "happy"}, 80)
BACKGROUND = np.random.default_rng(0).integers(60, 200, (120, 160, 3), dtype=np.uint8)


def scene(x=40, *, face=True):
    frame = BACKGROUND.copy()
    if face:
        frame[20:100, x : x + 80] = FACE
    return frame


class Detector:
    """Finds the synthetic face where the scene holds it, `delay` seconds later."""

    def __init__(self, delay=0.0):
        self.delay = delay
        self.threads = []

    def detect(self, image):
        self.threads.append(threading.current_thread())
        time.sleep(self.delay)
        shifts = [x for x in range(81) if np.array_equal(image[20:100, x : x + 80], FACE)]
        return [Face((x + 10, 28, 60, 64), 0.9) for x in shifts]


class Model:
    """Says what it is told to, one answer a call."""

    class_names = EMOTIONS

    def __init__(self, answers=()):
        self.answers = iter(answers)
        self.sizes = []

    def predict(self, crops):
        assert crops.dtype == np.uint8 and crops.shape[1:] == (48, 48)
        self.sizes.append(len(crops))
        index = next(self.answers, 0)
        return np.tile(np.eye(7, dtype=np.float32)[index], (len(crops), 1))


def test_every_frame_has_one_result_and_detections_are_rare():
    detector = Detector()
    frames = [scene(x) for x in range(40)]
    recognizer = EmotionRecognizer(Model(), detector)
    stream = recognizer.start_stream(detect_every=10, background=False)
    assert stream.model is recognizer.model
    results = [stream.update(frame, index / 30) for index, frame in enumerate(frames)]
    assert len(detector.threads) == 4
    for index, [face] in enumerate(results):
        assert isinstance(face, TrackedEmotion) and face.face_id == 1
        assert face.box == face.face.box and abs(face.box[0] - (index + 10)) <= 2
        assert face.class_names == EMOTIONS and face.emotion == "angry"
        assert face.probabilities.dtype == face.raw_probabilities.dtype == np.float32


@pytest.mark.parametrize("step", [0.01, 0.05, 0.3])
def test_probabilities_are_averaged_over_time_not_over_frames(step):
    times = np.arange(0, 2, step)
    answers = [0 if time_s < 1 else 3 for time_s in times]
    stream = EmotionStream(Model(answers), Detector(), smoothing_s=0.25, background=False)
    for time_s, answer in zip(times, answers, strict=True):
        [face] = stream.update(scene(), time_s)
        assert face.raw_probabilities.argmax() == answer
        assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)
        passed = time_s - times[answers.index(3) - 1] if answer == 3 else 0
        assert face.probabilities[3] == pytest.approx(1 - np.exp(-passed / 0.25), abs=1e-4)
    stream = EmotionStream(Model([0, 3]), Detector(), smoothing_s=0, background=False)
    for time_s in (0.0, step):
        [face] = stream.update(scene(), time_s)
        np.testing.assert_array_equal(face.probabilities, face.raw_probabilities)


def test_a_frame_without_a_face_is_an_empty_list_and_no_prediction():
    model = Model()
    stream = EmotionStream(model, Detector(), background=False)
    assert [stream.update(scene(face=False), index / 30) for index in range(15)] == [[]] * 15
    assert model.sizes == []


def test_results_go_to_json():
    [face] = EmotionStream(Model(), Detector()).update(scene(), 0.0)
    entry = json.loads(json.dumps(face.to_dict()))
    assert entry.pop("face_id") == 1
    assert list(entry.pop("raw_probabilities")) == list(EMOTIONS)
    still = FaceEmotion(face.face, face.probabilities, face.class_names)
    assert entry == json.loads(json.dumps(still.to_dict()))


def test_in_the_background_only_the_first_frame_waits():
    detector = Detector()
    may_answer = threading.Event()

    class SlowDetector:
        def detect(self, image):
            if detector.threads:  # the first frame's detection is not held up
                assert may_answer.wait(30)
            return detector.detect(image)

    with EmotionStream(Model(), SlowDetector(), detect_every=5) as stream:
        for index in range(20):
            # Would wait for ever if a frame waited for the detector, which is not let go.
            [face] = stream.update(scene(index), index / 100)
            assert face.face_id == 1 and abs(face.box[0] - (index + 10)) <= 2
        assert len(detector.threads) == 1
        may_answer.set()
        while len(detector.threads) == 1:
            time.sleep(0.001)
        [face] = stream.update(scene(20), 0.2)
        assert face.face_id == 1
    assert threading.main_thread() not in detector.threads[1:]
    assert not any(thread.is_alive() for thread in detector.threads[1:])


def test_a_detection_that_lags_a_second_behind_is_waited_for():
    """Frames of a file come faster than any detector; its faces are found all the same."""
    with EmotionStream(Model(), Detector(delay=0.1)) as stream:
        results = [stream.update(scene(face=index > 10), index / 30) for index in range(90)]
    found = [index for index, faces in enumerate(results) if faces]
    assert found and found[0] <= 10 + 2 * 32
    assert found == list(range(found[0], 90))


def test_an_error_of_the_detector_reaches_the_caller():
    class Broken(Detector):
        def detect(self, image):
            if len(self.threads) > 0:
                raise OSError("no weights")
            return super().detect(image)

    with (
        EmotionStream(Model(), Broken(), detect_every=1) as stream,
        pytest.raises(OSError, match="no weights"),
    ):
        for index in range(100):
            stream.update(scene(), index / 10)


def test_a_frame_of_another_size_begins_a_new_scene():
    for background in (False, True):
        with EmotionStream(Model(), Detector(), background=background) as stream:
            assert [face.face_id for face in stream.update(scene(), 0.0)] == [1]
            assert [face.face_id for face in stream.update(scene()[:110], 0.1)] == [2]


def test_a_clock_that_jumps_back_stands_still():
    stream = EmotionStream(Model([0, 3, 3]), Detector(), background=False)
    stream.update(scene(), 5.0)
    [face] = stream.update(scene(), 0.0)
    assert face.probabilities[0] == 1
    [face] = stream.update(scene(), 5.25)
    assert face.probabilities[3] == pytest.approx(1 - np.exp(-1), abs=1e-4)


def test_bad_arguments_are_errors():
    for arguments in ({"detect_every": 0}, {"detect_every": 2.5}, {"smoothing_s": -1}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            EmotionStream(Model(), Detector(), **arguments)
    stream = EmotionStream(Model(), Detector())
    with pytest.raises(ValueError, match="time_s"):
        stream.update(scene(), float("nan"))
    with pytest.raises(ValueError, match="Expected an image"):
        stream.update(np.zeros(3, np.uint8), 0.0)
    stream.close()
    with pytest.raises(RuntimeError, match="closed"):
        stream.update(scene(), 0.0)
