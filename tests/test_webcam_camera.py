"""The camera: a thread keeps the newest frame, fails with one line, and leaves nothing open."""

from __future__ import annotations

import socket
import threading
import time

import camera_clip
import cv2
import numpy as np
import pytest

from fer_lib.webcam import Camera


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video file of one second, 15 frames, each brighter than the one before."""
    frames = [np.full((120, 160, 3), 10 * index, np.uint8) for index in range(15)]
    return camera_clip.write_mp4(tmp_path_factory.mktemp("video") / "clip.mp4", frames)


@pytest.fixture(autouse=True)
def _camera_is_released():
    """No test leaves a camera open, whatever happened in it."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "fer_lib camera"]


class Capture:
    """Stands in for OpenCV's camera: gives this many frames, then fails or falls silent."""

    def __init__(self, frames, error=None):
        self.frames, self.error = frames, error
        self.is_released = False

    def isOpened(self):
        return True

    def read(self):
        self.frames -= 1
        if self.frames < 0 and self.error:
            raise self.error
        return self.frames >= 0, np.full((8, 8, 3), (0, 0, 200), np.uint8)

    def release(self):
        self.is_released = True


def test_a_slow_reader_gets_the_newest_frame_and_no_queue(video):
    with Camera(video) as camera:
        first = camera.read()
        time.sleep(0.5)
        second = camera.read()
    assert first.image.shape == (120, 160, 3)
    assert second.index >= first.index + 4
    assert second.time_s == pytest.approx(second.index / 15, abs=0.01)
    assert abs(int(second.image.mean()) - 10 * second.index) < 6


def test_a_video_plays_at_its_own_speed_and_ends(video):
    with Camera(video) as camera:
        started = time.monotonic()
        while not camera.ended:
            camera.read(0.1)
        assert 0.8 < time.monotonic() - started < 5
        assert camera.read(0.1) is None


@pytest.mark.parametrize("source", [1, "/dev/null"])
def test_a_number_or_a_character_device_is_a_camera(source, monkeypatch):
    """`/dev/null` stands in for `/dev/video0`."""
    opened, capture = [], Capture(10**6)
    monkeypatch.setattr(cv2, "VideoCapture", lambda name: opened.append(name) or capture)
    with Camera(source) as camera:
        frame = camera.read(5)
        assert camera.source.is_camera
    assert opened == [source] and capture.is_released
    assert frame.image[0, 0].tolist() == [200, 0, 0], "RGB"


@pytest.mark.parametrize(
    ("error", "message"), [(None, "unplugged"), (RuntimeError("driver fell over"), "fell over")]
)
def test_a_camera_that_fails_is_an_error_and_released(error, message, monkeypatch):
    capture = Capture(2, error)
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: capture)
    monkeypatch.setattr("fer_lib.video.cameras._SILENCE_S", 0.1)
    with Camera(0) as camera, pytest.raises(OSError, match=message):
        while True:
            camera.read(1)
    assert capture.is_released


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_an_address_that_never_answers_is_given_up(scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/stream"
        started = time.monotonic()
        with pytest.raises(OSError, match="gave no answer in 0.5 s") as caught:
            Camera(address, timeout_s=0.5)
    assert time.monotonic() - started < 4
    assert "\n" not in str(caught.value) and address in str(caught.value)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        (97, OSError, "No camera answers at 97"),
        ("/dev/null", OSError, "No camera answers at '/dev/null'"),
        ("no_such_file.mp4", FileNotFoundError, "no_such_file.mp4"),
        (__file__, OSError, "Expected a video"),
        (True, TypeError, "number of a camera"),
        (1.5, TypeError, "number of a camera"),
    ],
)
def test_what_is_no_camera_is_told(source, error, text, capfd):
    with pytest.raises(error, match=text):
        Camera(source)
    assert capfd.readouterr().err == ""
