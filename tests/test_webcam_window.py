"""The webcam in a window: the loop and its keys, and what may be missing."""

from __future__ import annotations

import re
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import camera_clip
import clips
import cv2
import numpy as np
import pytest
import skimage.data
from scripted import ScriptedRecognizer
from webcam_doubles import FakeCapture, FakeWindow, measure_leaks, run_on_a_display

from fer_lib import EmotionRecognizer
from fer_lib.cli import main
from fer_lib.images import read_image
from fer_lib.webcam import run_webcam, window

pytestmark = pytest.mark.usefixtures("no_camera_left")


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """A video file of ten seconds, for loops that a key ends."""
    frames = [np.full((120, 160, 3), index, np.uint8) for index in range(150)]
    return clips.write_clip(tmp_path_factory.mktemp("video") / "long.mp4", frames, rate=15)


@pytest.fixture
def open_window(monkeypatch):
    """A function that makes the loop use a fake window with these keys."""
    return lambda **options: FakeWindow(monkeypatch.setattr, **options)


def test_a_video_is_shown_to_its_end(camera_video, open_window):
    fake = open_window()
    table = run_webcam(camera_video, ScriptedRecognizer())
    assert fake.is_closed
    assert fake.size == (320, 240)
    assert 2 <= table["frame"].nunique() <= 15
    assert table["time_s"].is_monotonic_increasing
    assert set(table["emotion"]) == {"happy"}
    height, width = fake.shown[-1].shape[:2]
    assert width == 160
    assert height > 120, "a status line is below the image"


@pytest.mark.parametrize(
    "options", [{"keys": {3: "q"}}, {"keys": {3: "Q"}}, {"keys": {3: "\x1b"}}, {"closes_at": 3}]
)
def test_keys_and_the_closed_window_quit(long_video, open_window, options):
    fake = open_window(**options)
    table = run_webcam(long_video, ScriptedRecognizer())
    assert len(table) == len(fake.shown) == 3 and fake.is_closed


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_camera_is_released_whatever_happens(camera_video, open_window, error):
    def fail(frame, time_s):
        raise error("in the middle")

    fake = open_window()
    recognizer = ScriptedRecognizer(fail)
    with pytest.raises(error):
        run_webcam(camera_video, recognizer)
    assert fake.is_closed
    assert not any(stream.is_open for stream in recognizer.streams)


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
    open_window(keys={2: "s", 3: "s", 5: "s", 6: "q"})
    run_webcam(long_video, ScriptedRecognizer(), output=tmp_path / "new")
    files = sorted((tmp_path / "new").glob("webcam-*.png"))
    assert len(files) == 3
    image = read_image(files[0])
    assert image.shape == (120, 160, 3)
    assert (image != image[0, 0]).any(), "the face's box is on it"
    # A folder that cannot be written is told, and nothing is lost.
    fake = open_window(keys={2: "s", 5: "q"})
    assert len(run_webcam(long_video, ScriptedRecognizer(), output=files[0])) == 4
    assert (fake.shown[1][125:] != fake.shown[2][125:]).any(), "a notice was shown, too"


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
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: FakeCapture(10**6, image=image))
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


def test_opencv_without_windows_is_told(camera_video, open_window, monkeypatch):
    def not_there(*_):
        raise cv2.error("The function is not implemented.")

    open_window()
    monkeypatch.setattr(cv2, "namedWindow", not_there)
    with pytest.raises(OSError, match="pip install --force-reinstall opencv-python"):
        run_webcam(camera_video, ScriptedRecognizer())


def test_the_subcommand_shows_a_video_with_real_networks(capfd, open_window, tmp_path):
    frames = camera_clip.moving_photograph(skimage.data.astronaut(), count=15)
    clip = clips.write_clip(tmp_path / "face.mp4", frames, rate=5)
    fake = open_window()
    status, out, err = run(capfd, "--camera", clip)
    assert (status, err) == (0, "")
    assert re.fullmatch(r"\d+ frames in \d\.\d s\n", out)
    assert len(fake.shown) > 1


@pytest.mark.slow
def test_fifty_runs_leave_nothing_behind(camera_video, open_window):
    recognizer = EmotionRecognizer()

    def use():
        open_window(keys={2: "q"})
        run_webcam(camera_video, recognizer)

    threads, handles, memory = measure_leaks(use)
    assert threads <= 0 and handles <= 0 and memory < 20e6


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb: apt-get install xvfb")
def test_a_real_window_opens_and_closes(camera_video):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from scripted import ScriptedRecognizer\n"
        "from fer_lib.webcam import run_webcam\n"
        "print(len(run_webcam(sys.argv[1], ScriptedRecognizer())))"
    )
    tools = Path(__file__).with_name("tools")
    shown = run_on_a_display([sys.executable, "-c", code, str(camera_video), str(tools)])
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout) > 0
