"""A video as a table: a row per face and frame, true times, and what is lost is counted."""

from __future__ import annotations

import http.server
import threading
import warnings

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import ClipDetector, ClipModel, analyze, scene, turn, write_clip
from PIL import Image

from fer_lib.detection import FaceDetector
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionRecognizer
from fer_lib.video import VideoSource, analyze_video

COLUMNS = ["frame", "time_s", "face_id", "x", "y", "width", "height", "detection_score"]
COLUMNS += ["emotion", "confidence", *EMOTIONS, *(f"raw_{name}" for name in EMOTIONS)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """45 frames: a face that moves to the right, none in frames 20 to 29; the index in front."""
    frames = [scene(20 + index, face=not 20 <= index < 30) for index in range(45)]
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(file, frames, options={"movflags": "faststart"})


def test_each_frame_has_a_row_for_each_face_or_an_empty_one(clip):
    table = analyze(clip)
    assert list(table) == COLUMNS
    assert list(table["frame"]) == list(range(45))
    np.testing.assert_allclose(table["time_s"], np.arange(45) / 30, atol=1e-4)
    seen, gap = table[table["face_id"].notna()], table[table["face_id"].isna()]
    assert set(seen["face_id"]) == {1}
    assert list(gap["frame"]) == list(range(20, 30))
    assert gap.drop(columns=["frame", "time_s"]).isna().all(axis=None)
    assert gap["emotion"].tolist() == [None] * 10
    np.testing.assert_allclose(seen["x"].astype(float), 28 + seen["frame"], atol=2)
    np.testing.assert_allclose(seen[list(EMOTIONS)].sum(axis=1), 1, atol=1e-5)
    assert (seen["emotion"] == seen[list(EMOTIONS)].idxmax(axis=1)).all()
    assert (seen["confidence"] == seen[list(EMOTIONS)].max(axis=1)).all()
    assert table.attrs == {
        "source": str(clip),
        "frames": 45,
        "lost_frames": 0,
        "interrupted": False,
        "class_names": list(EMOTIONS),
    }


def test_the_same_file_gives_the_same_table_and_the_csv_holds_it(clip, tmp_path):
    table = analyze(clip)
    pd.testing.assert_frame_equal(analyze(clip), table)
    file = tmp_path / "a" / "t.csv"
    pd.testing.assert_frame_equal(analyze(clip, csv_path=file), table)
    stored = pd.read_csv(file).astype(table.dtypes)
    stored["emotion"] = stored["emotion"].where(stored["emotion"].notna(), None)
    pd.testing.assert_frame_equal(stored, table)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".webm", ".gif", ".mkv", ".ts"])
def test_every_container_is_read_whole_from_time_0(suffix, tmp_path):
    """A transport stream begins at 1.4 seconds, which no player shows."""
    file = write_clip(tmp_path / f"clip{suffix}", [scene(20 + i) for i in range(12)], rate=25)
    detector = ClipDetector()
    table = analyze(file, detector=detector, detect_every=3)
    assert list(table["frame"]) == list(range(12))
    np.testing.assert_allclose(table["time_s"], np.arange(12) / 25, atol=2e-3)
    assert set(table["face_id"]) == {1}
    assert detector.calls == 4 and table.attrs["lost_frames"] == 0


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2)])
def test_a_turned_clip_is_set_upright(degrees, turns, tmp_path):
    upright = scene(50, 10, size=(160, 240))
    lying = np.ascontiguousarray(np.rot90(upright, turns))  # so that a clockwise turn undoes it
    file = turn(write_clip(tmp_path / "turned.mp4", [lying] * 3), degrees)
    with VideoSource(file) as source:
        for frame in source:
            assert np.abs(frame.image.astype(int) - upright).mean() < 8


def test_a_folder_leaves_bad_images_out_and_counts_them(tmp_path):
    for index in range(12):
        Image.fromarray(scene(20 + index)).save(tmp_path / f"frame{index}.png")
    (tmp_path / "frame5.png").write_bytes((tmp_path / "frame5.png").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.warns(UserWarning, match="1 frames are damaged or cut off; 11 could be read"):
        table = analyze(tmp_path, fps=10)
    assert list(table["frame"]) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(table["time_s"], table["frame"] / 10)
    assert set(table["face_id"]) == {1}
    assert table.attrs["lost_frames"] == 1
    np.testing.assert_allclose(table["x"].astype(float), 28 + table["frame"], atol=2)


def test_of_a_file_that_is_cut_off_the_rest_is_counted(clip, tmp_path):
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with pytest.warns(UserWarning, match="damaged or cut off"):
        table = analyze(cut)
    whole = analyze(clip)
    read = table.attrs["frames"]
    assert 10 < read < 40 and list(table["frame"]) == list(range(read))
    assert table.attrs["lost_frames"] == 45 - read
    pd.testing.assert_frame_equal(table.iloc[: read - 2], whole.iloc[: read - 2])


def test_what_is_damaged_in_the_middle_is_left_out(clip, tmp_path):
    file = tmp_path / "damaged.webm"
    write_clip(file, [scene(20 + i) for i in range(40)])
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    file.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = analyze(file)
    assert table.attrs["frames"] + table.attrs["lost_frames"] in range(38, 42)
    assert bool(table.attrs["lost_frames"]) == bool(caught)


def broken(tmp_path, kind):
    file = tmp_path / "broken.mp4"
    if kind == "text":
        file.write_text("no video " * 50)
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "no index":
        data = write_clip(file, [scene()] * 5).read_bytes()
        file.write_bytes(data[: data.index(b"moov")])
    elif kind == "no frame":
        data = write_clip(file, [scene()] * 5, options={"movflags": "faststart"}).read_bytes()
        file.write_bytes(data[: data.index(b"mdat") + 8])
    elif "folder" in kind:
        file.mkdir()
        if kind == "folder of text":
            (file / "frame.png").write_text("no image")
    return file


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "not a video, or its index is cut off"),
        ("empty", "empty \\(0 bytes\\)"),
        ("no index", "index is cut off"),
        ("no frame", "no frame that can be decoded"),
        ("missing", "does not exist"),
        ("folder", "holds none"),
        ("folder of text", "none can be read"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_one_line(kind, message, tmp_path):
    with pytest.raises(OSError, match=message) as caught:
        analyze(broken(tmp_path, kind))
    assert "\n" not in str(caught.value)


def test_an_interrupted_run_keeps_its_rows(clip, tmp_path):
    class Interrupted(ClipModel):
        calls = 0

        def predict(self, crops):
            self.calls += 1
            if self.calls == 10:
                # Those before are on the disk already, whatever happens now.
                [partial] = tmp_path.glob(".rows*.partial.csv")
                assert len(pd.read_csv(partial)) == 9
                raise KeyboardInterrupt
            return super().predict(crops)

    outputs = {"csv_path": tmp_path / "rows.csv", "annotate": tmp_path / "out.mp4"}
    with pytest.warns(UserWarning, match="Interrupted: the 9 frames until then are kept"):
        table = analyze(clip, Interrupted(), **outputs)
    assert table.attrs["interrupted"] is True
    pd.testing.assert_frame_equal(table, analyze(clip).iloc[:9])
    with VideoSource(tmp_path / "out.mp4") as written:
        assert len(list(written)) == 9


def test_a_face_in_4k_is_detected_and_tracked(astronaut, yunet_weights, tmp_path):
    frame = np.full((2160, 3840, 3), 120, np.uint8)
    frame[:, 800:2960] = cv2.resize(astronaut, (2160, 2160))
    frames = [np.roll(frame, 10 * index, axis=1) for index in range(3)]
    file = write_clip(tmp_path / "4k.mp4", frames)
    detector = FaceDetector("yunet")
    table = analyze(file, detector=detector, detect_every=2)
    assert list(table["face_id"]) == [1, 1, 1] and table["width"].between(250, 450).all()
    assert table["x"].iloc[1] - table["x"].iloc[0] == pytest.approx(10, abs=3)


def test_bad_arguments_are_errors(clip, tmp_path):
    for options, message in [
        ({"fps": 0}, "fps"),
        ({"detect_every": 0}, "detect_every"),
        ({"annotate": tmp_path / "out.avi"}, "mp4"),
        ({"annotate": clip}, "another file than the video"),
        ({"csv_path": clip}, "another file than the video"),
    ]:
        with pytest.raises(ValueError, match=message):
            analyze(clip, **options)


class StreamHandler(http.server.BaseHTTPRequestHandler):
    """Sends a part of a transport stream and closes the connection, each time the next part."""

    parts: list[bytes] = []  # noqa: RUF012

    def do_GET(self):
        if not self.parts:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        self.wfile.write(self.parts.pop(0))

    def log_message(self, *_):
        pass


@pytest.fixture
def live(tmp_path):
    """An address, and the list of what it sends at each connection."""
    handler = type("Handler", (StreamHandler,), {"parts": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/stream.ts", handler.parts
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def transport_stream(tmp_path_factory):
    file = tmp_path_factory.mktemp("live") / "clip.ts"
    options = {"mpegts_flags": "resend_headers"}
    return write_clip(file, [scene(20 + i) for i in range(30)], options=options).read_bytes()


def test_a_live_stream_that_breaks_off_is_taken_up_again_once(live, transport_stream):
    address, parts = live
    middle = len(transport_stream) // 188 // 2 * 188
    parts += [transport_stream[:middle], transport_stream, transport_stream]
    table = analyze(address)
    assert len(parts) == 1
    assert 32 <= table.attrs["frames"] < 60
    assert list(table["frame"]) == list(range(table.attrs["frames"]))
    assert (np.diff(table["time_s"]) > 0).all()
    assert table["time_s"].iloc[0] == 0 and table["time_s"].iloc[-1] > 1.2
    assert analyze(address).attrs["frames"] == 30, "what does not come back ends"


def test_an_address_that_does_not_answer_is_an_error():
    with pytest.raises(OSError, match="is it running"):
        analyze("http://127.0.0.1:9/stream.ts")


@pytest.fixture(scope="module")
def real_recognizer(yunet_weights):
    return EmotionRecognizer("cnn", FaceDetector("yunet"))


def test_a_real_face_is_one_face_throughout(real_data, real_recognizer):
    file = real_data / "video" / "single_face.mp4"
    table = analyze_video(file, real_recognizer, progress=False)
    assert len(table) == 72 and set(table["face_id"]) == {1}
    assert table["emotion"].iloc[0] == "neutral"
    assert table["emotion"].iloc[40] == "happy"


def test_a_real_face_is_there_and_then_is_not(real_data, real_recognizer):
    file = real_data / "video" / "face_noface.mov"
    table = analyze_video(file, real_recognizer, progress=False)
    assert list(table["frame"]) == list(range(169))
    seen = table["face_id"].notna()
    last = table["frame"][seen].max()
    assert 60 < last < 90 and seen[: last + 1].all() and not seen[last + 1 :].any()
    assert set(table["face_id"][seen]) == {1}
