"""Recognizers in threads and processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data

from fer_lib.recognition import EmotionRecognizer


def recognize(_: int = 0) -> list[list[dict]]:
    """What one recognizer says about a photograph, and about a stream of it."""
    photograph = skimage.data.astronaut()[:300, 60:360]
    recognizer = EmotionRecognizer("cnn")
    frames = [np.roll(photograph, step, axis=1) for step in range(12)]
    with recognizer.start_stream(background=False, detect_every=4) as stream:
        answers = [stream.update(frame, index / 30) for index, frame in enumerate(frames)]
    answers.append(recognizer.predict(photograph))
    return [[face.to_dict() for face in faces] for faces in answers]


def assert_same(answers, expected):
    assert len(answers) == len(expected) == 13
    for faces, others in zip(answers, expected, strict=True):
        assert len(faces) == len(others) == 1
        for face, other in zip(faces, others, strict=True):
            assert face["box"] == other["box"] and face["emotion"] == other["emotion"]
            shares = [list(entry["probabilities"].values()) for entry in (face, other)]
            np.testing.assert_allclose(*shares, atol=1e-4)


@pytest.fixture(scope="module")
def alone():
    return recognize()


@pytest.mark.slow
def test_recognizers_in_two_threads_answer_as_one_after_the_other(alone):
    with ThreadPoolExecutor(2) as threads:
        for answer in threads.map(recognize, range(2)):
            assert_same(answer, alone)


@pytest.mark.slow
def test_one_recognizer_serves_two_threads(alone):
    photograph = skimage.data.astronaut()[:300, 60:360]
    recognizer = EmotionRecognizer("cnn")
    with ThreadPoolExecutor(2) as threads:
        for faces in threads.map(recognizer.predict, [photograph] * 6):
            assert_same([[face.to_dict() for face in faces]] * 13, [alone[-1]] * 13)


@pytest.mark.slow
def test_a_recognizer_works_in_a_spawned_process(alone):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        [answer] = pool.map(recognize, [0])
    assert_same(answer, alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX systems fork")
def test_a_fork_with_loaded_networks_is_an_error_and_no_hang():
    code = (
        "import multiprocessing, numpy as np\n"
        "from fer_lib import EmotionRecognizer, FaceDetector\n"
        "r = EmotionRecognizer('cnn_tiny')\n"
        "blank = np.zeros((60, 60), 'uint8')\n"
        "def work(call):\n"
        "    try: return call()\n"
        "    except RuntimeError as error: return str(error)\n"
        "calls = [lambda: r.predict(blank), lambda: r.model.predict(blank[None, :48, :48]),\n"
        "         lambda: EmotionRecognizer('cnn_tiny'), lambda: FaceDetector()]\n"
        "def run(i): return work(calls[i])\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    print(pool.map_async(run, range(4)).get(timeout=60))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.count("get_context('spawn')") == 4, result.stderr
