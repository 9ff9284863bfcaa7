"""The Python half of the webcam widget: messages in, answers out, no browser."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import multiprocessing
import re
import threading
import time
import weakref

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scripted import ScriptedRecognizer, scripted_face
from webcam_doubles import Browser, encode, measure_leaks

from fer_lib import EmotionRecognizer, WebcamWidget
from fer_lib.labels import EMOTIONS
from fer_lib.webcam import messages
from fer_lib.webcam import widget as widget_module

GRAY = np.full((120, 160, 3), 128, np.uint8)
FRAME = memoryview(encode(GRAY))  # as Jupyter delivers it


@pytest.fixture
def start():
    """A function that makes a widget and returns the browser of its started view."""
    browsers = []

    def start(recognizer=None, **options):
        browser = Browser(WebcamWidget(recognizer or ScriptedRecognizer(), **options))
        browsers.append(browser)
        browser.send("start")
        return browser

    yield start
    for browser in browsers:
        browser.widget.close()


def test_frames_are_answered_one_by_one(start):
    browser = start()
    assert browser.answers[-1][0] == {"type": "started", "session": "a"}
    answer = browser.send("frame", FRAME, time_s=0.5)
    [face] = answer.pop("faces")
    assert answer == {
        "type": "result", "session": "a", "width": 160, "height": 120, "time_s": 0.5,
    }  # fmt: skip
    assert face["box"] == [10, 20, 40, 50]
    assert (face["face_id"], face["emotion"]) == (1, "happy")
    assert face["confidence"] == pytest.approx(0.76, abs=1e-4) == face["probabilities"]["happy"]
    settings = json.loads(json.dumps(browser.widget._settings))
    assert [entry["name"] for entry in settings["classes"]] == list(EMOTIONS)
    for entry in settings["classes"]:
        assert re.fullmatch("#[0-9A-F]{6}", entry["color"]) and entry["text"] in ("black", "white")
        assert re.fullmatch("#[0-9A-Fa-f]{6}", entry["bright"])
    assert (settings["frame_width"], settings["kernel_camera"]) == (640, False)
    answer = browser.send("frame", FRAME, time_s=1, snapshot=True)
    assert json.loads(json.dumps(answer)) == answer


def test_snapshots_are_kept_where_asked_and_nothing_else(start):
    browser = start()
    widget = browser.widget
    assert "note" not in browser.send("frame", FRAME, time_s=0.0)
    answer = browser.send("frame", FRAME, time_s=0.1, snapshot=True)
    assert "widget.snapshots[0]" in answer["note"]
    [snapshot] = widget.snapshots
    assert snapshot.image.shape == (120, 160, 3)
    assert np.abs(snapshot.image.astype(int) - 128).max() <= 3
    assert (snapshot.faces[0].emotion, snapshot.time_s) == ("happy", 0.1)
    widget.clear()
    assert widget.snapshots == []
    assert len(widget.to_frame()) == 0


def test_a_photo_needs_no_start_and_snapshots_have_a_limit(monkeypatch):
    monkeypatch.setattr(widget_module, "MAX_SNAPSHOTS", 2)
    widget = WebcamWidget(ScriptedRecognizer())
    browser = Browser(widget)
    answers = [browser.send("photo", FRAME, snapshot=True) for _ in range(4)]
    assert [face["face_id"] for face in answers[3]["faces"]] == [1]
    assert len(widget.snapshots) == 2 and "widget.snapshots[1]" in answers[1]["note"]
    assert "widget.clear()" in answers[3]["note"]
    assert len(widget.to_frame()) == 0, "the record is of the live image"


def test_the_record_has_a_row_for_each_face_and_for_each_frame_without_one(start):
    faces = iter([[scripted_face(1), scripted_face(2, "sad", left=90)], [], [scripted_face(2)]])
    browser = start(ScriptedRecognizer(lambda frame, time_s: next(faces)))
    for time_s in (0.0, 0.1, 0.2):
        browser.send("frame", FRAME, time_s=time_s)
    table = browser.widget.to_frame()[["frame", "time_s", "face_id", "x", "emotion", "happy"]]
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == [
        [0, 0.0, 1, 10, "happy", 0.76],
        [0, 0.0, 2, 90, "sad", 0.04],
        [1, 0.1, None, None, None, None],
        [2, 0.2, 2, 10, "happy", 0.76],
    ]


@pytest.mark.parametrize(
    ("message", "buffers", "text"),
    [
        ({"type": "frame", "time_s": 0}, [b"no JPEG"], "Expected a JPEG"),
        ({"type": "frame", "time_s": 0}, [bytes(FRAME)[:300]], "Expected a JPEG"),
        ({"type": "frame", "time_s": 0}, [bytes(FRAME)[:-60]], "Cannot read"),
        ({"type": "frame", "time_s": 0}, [b""], "Expected a JPEG"),
        ({"type": "frame", "time_s": 0}, [encode(GRAY, "PNG")], "Expected a JPEG"),
        ({"type": "frame", "time_s": 0}, [], "Expected one JPEG"),
        ({"type": "frame", "time_s": "now"}, [FRAME], "Expected a message"),
        ({"type": "frame"}, [FRAME], "Expected a message"),
        ({"type": "photo"}, [FRAME, FRAME], "Expected one JPEG"),
        ({"type": "next"}, [], "Expected a message"),
        ({"type": "dance"}, [], "Expected a message"),
        ({"type": ["start"] * 1000}, [], "Expected a message"),
        ({"type": "start", "session": None}, [], "Expected a message"),
        ({}, [], "Expected a message"),
        ("start", [], "Expected a message"),
        (None, [], "Expected a message"),
    ],
)
def test_a_bad_message_gets_an_answer_and_stops_nothing(start, message, buffers, text):
    browser = start()
    if isinstance(message, dict):
        message = {"session": "a", **message}
    answer = browser.send_raw(message, buffers)
    assert answer["type"] == "error" and re.search(text, answer["message"])
    assert "\n" not in answer["message"] and len(answer["message"]) < 300
    assert answer["session"] == (message["session"] if isinstance(message, dict) else None)
    assert str(browser.widget.error) in answer["message"]
    assert browser.send("frame", FRAME, time_s=0)["type"] == "result", "it goes on"


@pytest.mark.parametrize(("limit", "value"), [("BYTES", len(FRAME) - 1), ("PIXELS", 160 * 120 - 1)])
def test_frames_and_photos_have_a_limit(start, monkeypatch, limit, value):
    browser = start()
    monkeypatch.setattr(messages, f"MAX_JPEG_{limit}", value)
    for kind in ("frame", "photo"):
        answer = browser.send(kind, FRAME, time_s=0, snapshot=True)
        assert answer["type"] == "error" and str(value) in answer["message"]
    assert browser.widget.snapshots == []


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), KeyboardInterrupt()])
def test_an_error_of_the_recognizer_and_an_interrupted_kernel_are_answered(start, error):
    def fail(frame, time_s):
        raise error

    browser = start(ScriptedRecognizer(fail))
    is_bad_frame = isinstance(error, Exception)
    with contextlib.nullcontext() if is_bad_frame else pytest.raises(KeyboardInterrupt):
        browser.send("frame", FRAME, time_s=0)
    message = "by zero" if is_bad_frame else "KeyboardInterrupt"
    assert browser.answers[-1][0] == {"type": "error", "session": "a", "message": message}
    assert browser.widget.error is error


def test_a_second_view_takes_over_and_the_first_is_told(start):
    first = start()
    second = Browser(first.widget, "b")
    second.send("start")
    first.answers = second.answers  # the widget sends to both
    assert first.send("frame", FRAME, time_s=0)["type"] == "stopped"
    first.send("stop")  # a view that was told to stop says so, too
    assert second.send("frame", FRAME, time_s=0)["type"] == "result"


def test_the_table_may_be_asked_for_while_frames_come(start):
    # Jupyter delivers messages in a thread of their own, beside the cells.
    browser = start()
    widget = browser.widget

    def send_all():
        for index in range(300):
            browser.send("frame", FRAME, time_s=index / 10)

    sender = threading.Thread(target=send_all)
    sender.start()
    while sender.is_alive():
        frames = widget.to_frame()["frame"].tolist()
        assert frames == list(range(len(frames)))
    assert len(widget.to_frame()) == 300


def test_stop_closes_the_stream(start):
    recognizer = ScriptedRecognizer()
    browser = start(recognizer)
    assert recognizer.streams[-1].is_open
    assert browser.send("stop") is None
    assert not any(stream.is_open for stream in recognizer.streams)


def test_python_reads_a_camera_itself(start, camera_video, monkeypatch):
    monkeypatch.setattr(widget_module, "_FRAME_WIDTH", 80)
    browser = start(camera=camera_video)
    assert browser.widget._settings["kernel_camera"] is True
    answer = browser.send("next")
    [encoded] = browser.answers[-1][1]
    assert Image.open(io.BytesIO(encoded)).size == (answer["width"], answer["height"]) == (80, 60)
    while answer["type"] == "result":
        answer = browser.send("next")
    assert answer == {"type": "stopped", "session": "a", "message": "The video has ended."}
    assert browser.widget.to_frame()["time_s"].is_monotonic_increasing


def test_a_browser_that_went_away_does_not_keep_the_camera(start, camera_video, monkeypatch):
    monkeypatch.setattr(widget_module, "_IDLE_S", 0.1)
    start(camera=camera_video)
    deadline = time.monotonic() + 5
    while any(thread.name == "fer_lib camera" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_camera_is_one_line_with_a_remedy(start):
    answer = start(camera=97).answers[-1][0]
    assert answer["type"] == "error"
    assert re.search("No camera answers at 97.* name another one", answer["message"])


def start_fifty_times(video):
    """Returns how many threads, handles and bytes more there are, and how many widgets."""
    recognizer = EmotionRecognizer()
    face = encode(skimage.data.astronaut()[::2, ::2])
    references = []

    def use():
        widget = WebcamWidget(recognizer)
        references.append(weakref.ref(widget))
        browser = Browser(widget)
        browser.send("start")
        assert browser.send("frame", face, time_s=0)["faces"]
        browser.send("frame", face, time_s=0.1, snapshot=True)
        browser.send("stop")
        widget.close()
        own = WebcamWidget(recognizer, camera=video)
        browser = Browser(own)
        browser.send("start")
        browser.send("next")
        own.close()

    leaks = measure_leaks(use)
    return *leaks, sum(reference() is not None for reference in references)


@pytest.mark.slow
def test_fifty_starts_leave_nothing_behind(camera_video):
    # In a process of its own: what other tests leave behind moves the memory, too.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        threads, handles, memory, alive = pool.submit(start_fifty_times, camera_video).result()
    assert threads <= 0 and handles <= 0 and memory < 20e6 and alive == 0
