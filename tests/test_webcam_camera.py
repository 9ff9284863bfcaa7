"""The camera: a thread keeps the newest frame, fails with one line, and leaves nothing open."""

from __future__ import annotations

import socket
import time

import cv2
import pytest
from webcam_doubles import FakeCapture

from fer_lib.webcam import Camera

pytestmark = pytest.mark.usefixtures("no_camera_left")


def test_a_slow_reader_gets_the_newest_frame_and_no_queue(camera_video):
    with Camera(camera_video) as camera:
        first = camera.read()
        time.sleep(0.5)
        second = camera.read()
    assert first.image.shape == (120, 160, 3)
    assert second.index >= first.index + 4
    assert second.time_s == pytest.approx(second.index / 15, abs=0.01)
    assert abs(int(second.image.mean()) - 10 * second.index) < 6


def test_a_video_plays_at_its_own_speed_and_ends(camera_video):
    with Camera(camera_video) as camera:
        started = time.monotonic()
        while not camera.ended:
            camera.read(0.1)
        assert 0.8 < time.monotonic() - started < 5
        assert camera.read(0.1) is None


@pytest.mark.parametrize("source", [1, "/dev/null"])
def test_a_number_or_a_character_device_is_a_camera(source, monkeypatch):
    """`/dev/null` stands in for `/dev/video0`."""
    opened, capture = [], FakeCapture(10**6)
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
    capture = FakeCapture(2, error)
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: capture)
    monkeypatch.setattr("fer_lib.video.video_source._SILENCE_S", 0.1)
    with Camera(0) as camera, pytest.raises(OSError, match=message):
        while True:
            camera.read(1)
    assert capture.is_released


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_an_address_that_never_answers_is_given_up(scheme, monkeypatch):
    monkeypatch.setattr("fer_lib.video.containers.TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/stream"
        started = time.monotonic()
        with pytest.raises(OSError, match="gave no answer in 0.5 s") as caught:
            Camera(address)
    assert time.monotonic() - started < 4
    assert "\n" not in str(caught.value) and address in str(caught.value)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        (97, OSError, "No camera answers at 97"),
        ("/dev/null", OSError, "No camera answers at '/dev/null'"),
        ("no_such_file.mp4", FileNotFoundError, "no_such_file.mp4"),
        (__file__, OSError, "Expected a video"),
        (True, FileNotFoundError, "number of a camera"),
        (1.5, FileNotFoundError, "number of a camera"),
    ],
)
def test_what_is_no_camera_is_told(source, error, text, capfd):
    with pytest.raises(error, match=text):
        Camera(source)
    assert capfd.readouterr().err == ""
