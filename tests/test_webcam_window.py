"""The webcam in a window: the loop and its keys, and what may be missing."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import camera_clip
import cv2
import numpy as np
import psutil
import pytest
import skimage.data
from scripted import ScriptedRecognizer

from fer_lib import EmotionRecognizer
from fer_lib.cli import main
from fer_lib.images import read_image
from fer_lib.webcam import run_webcam, window


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video file of one second, 15 frames, each brighter than the one before."""
    frames = [np.full((120, 160, 3), 10 * index, np.uint8) for index in range(15)]
    return camera_clip.write_mp4(tmp_path_factory.mktemp("video") / "clip.mp4", frames)


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """A video file of ten seconds, for loops that a key ends."""
    frames = [np.full((120, 160, 3), index, np.uint8) for index in range(150)]
    return camera_clip.write_mp4(tmp_path_factory.mktemp("video") / "long.mp4", frames)


class FakeWindow:
    """Stands in for OpenCV's window: presses each key once so many images were shown, keeps those.

    `keys` maps a number of images to a key, `closes_at` is the number at which the user closes it.
    """

    def __init__(self, keys=None, closes_at=None):
        self.keys = list((keys or {}).items())
        self.closes_at = closes_at
        self.shown = []
        self.is_closed = False

    def wait_for_key(self):
        if self.keys and len(self.shown) >= self.keys[0][0]:
            return ord(self.keys.pop(0)[1])
        return -1

    def close(self, _):
        self.is_closed = True


@pytest.fixture
def open_window(monkeypatch):
    """A function that makes the loop use a fake window with these keys."""

    def open_one(**options):
        fake = FakeWindow(**options)
        monkeypatch.setattr(window, "check_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: fake.shown.append(image[..., ::-1]))
        monkeypatch.setattr(cv2, "resizeWindow", lambda _, *size: setattr(fake, "size", size))
        monkeypatch.setattr(cv2, "waitKey", lambda _: fake.wait_for_key())
        monkeypatch.setattr(
            cv2,
            "getWindowProperty",
            lambda *_: fake.closes_at is None or len(fake.shown) < fake.closes_at,
        )
        monkeypatch.setattr(cv2, "destroyWindow", fake.close)
        return fake

    return open_one


def camera_threads():
    return [thread for thread in threading.enumerate() if thread.name == "fer_lib camera"]


@pytest.fixture(autouse=True)
def _camera_is_released():
    """No test leaves a camera open, whatever happened in it."""
    yield
    assert camera_threads() == []


def test_a_video_is_shown_to_its_end(video, open_window):
    fake = open_window()
    table = run_webcam(video, ScriptedRecognizer())
    assert fake.is_closed
    assert fake.size == (320, 240)
    assert 2 <= table["frame"].nunique() <= 15
    assert table["time_s"].is_monotonic_increasing
    assert set(table["emotion"]) == {"happy"}
    height, width = fake.shown[-1].shape[:2]
    assert width == 160
    assert height > 120, "a status line is below the image"


@pytest.mark.parametrize("key", ["q", "Q", "\x1b"])
def test_keys_quit(long_video, open_window, key):
    fake = open_window(keys={2: key})
    table = run_webcam(long_video, ScriptedRecognizer())
    assert len(table) == len(fake.shown) == 2


def test_closing_the_window_quits(long_video, open_window):
    fake = open_window(closes_at=3)
    assert len(run_webcam(long_video, ScriptedRecognizer())) == 3
    assert fake.is_closed


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_camera_is_released_whatever_happens(video, open_window, error):
    def fail(frame, time_s):
        raise error("in the middle")

    fake = open_window()
    recognizer = ScriptedRecognizer(fail)
    with pytest.raises(error):
        run_webcam(video, recognizer)
    assert fake.is_closed
    assert not any(stream.is_open for stream in recognizer.streams)
    assert camera_threads() == []


def test_pause_looks_at_nothing_until_it_is_pressed_again(long_video, open_window):
    fake = open_window()
    looked = []
    recognizer = ScriptedRecognizer(lambda frame, time_s: looked.append(time_s) or [])
    pressed_at = []

    def wait_for_key():
        now = time.monotonic()
        if len(looked) == 4:
            return ord("q")
        first = not pressed_at and len(looked) == 2
        if first or (len(pressed_at) == 1 and now > pressed_at[0] + 0.4):
            pressed_at.append(now)
            return ord("p")
        return -1

    fake.wait_for_key = wait_for_key
    run_webcam(long_video, recognizer)
    assert len(pressed_at) == 2
    assert np.diff(looked)[1] > 0.35


def test_save_writes_what_is_shown_and_never_over_another(long_video, open_window, tmp_path):
    fake = open_window(keys={2: "s", 3: "s", 5: "s", 6: "q"})
    run_webcam(long_video, ScriptedRecognizer(), output=tmp_path / "new")
    files = sorted((tmp_path / "new").glob("webcam-*.png"))
    assert len(files) == 3
    image = read_image(files[0])
    assert image.shape == (120, 160, 3)
    assert (image != image[0, 0]).any(), "the face's box is on it"
    assert fake.is_closed


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(
    long_video, open_window, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    told = []
    tell = window._Viewer._tell
    monkeypatch.setattr(
        window._Viewer, "_tell", lambda self, text: (told.append(text), tell(self, text))
    )
    open_window(keys={2: "s", 5: "q"})
    table = run_webcam(long_video, ScriptedRecognizer(), output=tmp_path / "file")
    assert "choose another place" in told[0]
    assert len(table) == 4, "the notice was shown, too"


def test_d_switches_the_detector_and_keeps_the_model(long_video, open_window, monkeypatch):
    made = []

    def make_detector(name, min_face_size):
        made.append((name, min_face_size))
        return f"detector {name}"

    monkeypatch.setattr(window, "FaceDetector", make_detector)
    open_window(keys={2: "d", 4: "d", 6: "d", 10: "q"})
    recognizer = ScriptedRecognizer()
    recognizer.detector = SimpleNamespace(backend="mtcnn", min_face_size=33)
    run_webcam(long_video, recognizer)
    assert made == [("yunet", 33)], "each is loaded once"
    detectors = [
        getattr(stream.detector, "backend", stream.detector) for stream in recognizer.streams
    ]
    assert detectors == ["mtcnn", "detector yunet", "mtcnn", "detector yunet"]


def test_a_missing_detector_is_told_and_the_old_one_stays(long_video, open_window, monkeypatch):
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(window, "FaceDetector", fail)
    open_window(keys={2: "d", 5: "q"})
    recognizer = ScriptedRecognizer()
    assert len(run_webcam(long_video, recognizer)) == 4
    assert len(recognizer.streams) == 1


def test_images_of_a_camera_are_as_in_a_mirror(open_window, monkeypatch):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = 255
    capture = SimpleNamespace(isOpened=lambda: True, release=lambda: None)
    capture.read = lambda: (True, image)
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: capture)
    open_window(keys={2: "q"})
    seen = []
    run_webcam(0, ScriptedRecognizer(lambda frame, time_s: seen.append(frame) or []))
    assert seen[0][:, 40:].min() == 255


def run(capfd, *words):
    status = main(["webcam", *map(str, words)])
    captured = capfd.readouterr()
    return status, captured.out, captured.err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
@pytest.mark.parametrize("display", [None, ":987"])
def test_without_a_display_one_line_says_what_to_do(display, capfd, monkeypatch):
    # Qt would abort where a display does not answer: this process' survival is the test.
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    status, out, err = run(capfd)
    assert (status, out) == (1, "")
    assert "No window can open" in err or "No display" in err or "built without windows" in err
    assert "WebcamWidget" in err and err.count("\n") == 1


def test_opencv_without_windows_is_told(long_video, open_window, monkeypatch):
    def not_there(*_):
        raise cv2.error("The function is not implemented.")

    open_window()
    monkeypatch.setattr(cv2, "namedWindow", not_there)
    with pytest.raises(OSError, match="pip install --force-reinstall opencv-python"):
        run_webcam(long_video, ScriptedRecognizer())


def test_the_subcommand_shows_a_video_with_real_networks(capfd, open_window, tmp_path):
    frames = camera_clip.moving_photograph(skimage.data.astronaut(), count=15)
    clip = camera_clip.write_mp4(tmp_path / "face.mp4", frames, rate=5)
    fake = open_window()
    status, out, err = run(capfd, "--camera", clip)
    assert (status, err) == (0, "")
    assert re.fullmatch(r"\d+ frames in \d\.\d s\n", out)
    assert len(fake.shown) > 1


def test_a_camera_that_is_not_there_is_one_line(capfd, open_window):
    open_window()
    status, out, err = run(capfd, "--camera", "97")
    assert (status, out) == (1, "")
    assert err.startswith("fer_lib webcam: No camera answers at 97")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_fifty_runs_leave_nothing_behind(video, open_window):
    recognizer = EmotionRecognizer()
    process = psutil.Process()

    def use():
        open_window(keys={2: "q"})
        run_webcam(video, recognizer)

    def measure():
        gc.collect()
        return process.num_threads(), process.num_fds(), process.memory_info().rss

    for _ in range(5):  # what is loaded and cached at first use is no leak
        use()
    threads, handles, memory = measure()
    for _ in range(50):
        use()
    threads_after, handles_after, memory_after = measure()
    assert threads_after <= threads
    assert handles_after <= handles
    assert memory_after - memory < 20e6


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb: apt-get install xvfb")
def test_a_real_window_opens_and_closes(video, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from scripted import ScriptedRecognizer\n"
        "from fer_lib.webcam import run_webcam\n"
        "print(len(run_webcam(sys.argv[1], ScriptedRecognizer())))"
    )
    with tempfile.TemporaryFile() as display:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"],
            stdout=display,
            stderr=subprocess.DEVNULL,
        )
        try:
            number = b""
            while not number.strip() and server.poll() is None:
                time.sleep(0.1)
                display.seek(0)
                number = display.read()
            shown = subprocess.run(
                [sys.executable, "-c", code, str(video), str(Path(__file__).with_name("tools"))],
                env={**os.environ, "DISPLAY": f":{int(number)}"},
                capture_output=True,
                text=True,
                timeout=120,
            )
        finally:
            server.terminate()
            server.wait()
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout) > 0
