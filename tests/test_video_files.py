"""Videos from anywhere: what they name stays closed, and a failing run damages no earlier file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from clips import ClipModel, analyze, scene, write_clip
from PIL import Image

from fer_lib.video import VideoSource, VideoWriter
from fer_lib.video.containers import Clock


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(file, [scene(20 + index) for index in range(12)])


def read(source):
    """The times and images of a source."""
    with VideoSource(source) as video:
        frames = list(video)
    return [frame.time_s for frame in frames], [frame.image for frame in frames]


class FailingModel(ClipModel):
    """Fails at the fifth frame."""

    calls = 0

    def predict(self, crops):
        self.calls += 1
        if self.calls == 5:
            raise RuntimeError("out of memory")
        return super().predict(crops)


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failing_run_leaves_earlier_files_and_nothing_else(earlier, clip, tmp_path):
    outputs = {"csv_path": tmp_path / "rows.csv", "annotate": tmp_path / "out.mp4"}
    if earlier:
        for path in outputs.values():
            path.write_bytes(b"earlier")
    with pytest.raises(RuntimeError, match="out of memory"):
        analyze(clip, FailingModel(), **outputs)
    assert sorted(tmp_path.iterdir()) == (sorted(outputs.values()) if earlier else [])
    assert not earlier or {path.read_bytes() for path in outputs.values()} == {b"earlier"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM")
def test_a_killed_run_leaves_nothing_under_the_final_names(clip, tmp_path):
    (tmp_path / "rows.csv").write_text("earlier")
    paths = [str(Path(__file__).parent / "tools"), str(Path(__file__).parent.parent)]
    code = (
        f"import os, signal, sys; sys.path[:0] = {paths}\n"
        "import clips\n"
        "class Killed(clips.ClipModel):\n"
        "    def predict(self, crops): os.kill(os.getpid(), signal.SIGTERM)\n"
        "clips.analyze(sys.argv[1], Killed(), csv_path='rows.csv', annotate='out.mp4')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(clip)], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == -signal.SIGTERM, run.stderr
    assert (tmp_path / "rows.csv").read_text() == "earlier"
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("budget", [320 * 240 - 1, 1000])
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".webm", ".avi", ".gif"])
def test_frames_above_the_budget_are_refused_before_decoding(suffix, budget, tmp_path, monkeypatch):
    file = write_clip(tmp_path / f"clip{suffix}", [scene(size=(240, 320))] * 12)
    monkeypatch.setenv("FER_LIB_MAX_FRAME_PIXELS", str(budget))
    with pytest.raises(OSError, match="FER_LIB_MAX_FRAME_PIXELS"):
        read(file)
    monkeypatch.setenv("FER_LIB_MAX_FRAME_PIXELS", str(320 * 240))
    assert len(read(file)[0]) == 12


@pytest.mark.parametrize("name", ["list.mp4", "list.ffconcat", "list.m3u8", "clip.txt"])
@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile clip.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_list_of_other_files_is_refused(text, name, clip, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    (tmp_path / name).write_text(text)
    with pytest.raises(OSError, match="Expected a video"):
        VideoSource(tmp_path / name)


@pytest.mark.parametrize("name", ["pipe:0.mp4", "pipe:0", "a:b.mp4", "%03d.mp4"])
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_video_may_have_any_name(name, is_relative, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(clip.read_bytes())
    assert len(read(name if is_relative else tmp_path / name)[0]) == 12


@pytest.mark.parametrize("name", ["image%d.png", "*.png", "pipe:0", "concat:a.mp4|b.mp4"])
def test_a_name_is_a_file_and_no_pattern(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(3):
        Image.fromarray(scene()).save(f"image{index}.png")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        VideoSource(name)
    Image.fromarray(scene()).save(tmp_path / name, "PNG")
    with pytest.raises(OSError, match="Expected a video"):
        VideoSource(name)


def test_a_file_address_is_a_path(clip, tmp_path):
    file = tmp_path / "my clip.mp4"
    file.write_bytes(clip.read_bytes())
    with VideoSource(file.as_uri()) as video:
        assert video.name == str(file) and len(list(video)) == 12
    written = tmp_path / "a:b.mp4"
    with VideoWriter(written) as writer:
        writer.write(scene(), 0.0)
    assert len(read(written)[0]) == 1


@pytest.mark.parametrize(
    ("aspect", "shape"), [("2/1", (120, 320)), ("1/2", (240, 160)), ("1/1", (120, 160))]
)
def test_pixels_become_square(aspect, shape, tmp_path):
    file = write_clip(tmp_path / "anamorphic.mkv", [scene()] * 3, pixel_aspect=aspect)
    assert {image.shape for image in read(file)[1]} == {(*shape, 3)}


def test_a_cover_that_comes_first_is_no_video(tmp_path):
    file = tmp_path / "cover_first.mkv"
    with av.open(str(file), "w") as container:
        cover = container.add_stream("mjpeg", rate=30, options={"strict": "-1"})
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        image = av.VideoFrame.from_ndarray(scene(size=(240, 320)), format="rgb24")
        container.mux(cover.encode(image))
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(scene(), format="rgb24")))
        container.mux(video.encode())
    assert [image.shape for image in read(file)[1]] == [(120, 160, 3)] * 3


def test_times_of_a_joined_recording_increase(tmp_path):
    part = write_clip(tmp_path / "part.ts", [scene(20 + i) for i in range(30)]).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part * 3)
    times, _ = read(tmp_path / "joined.ts")
    assert 80 <= len(times) <= 90
    assert (np.diff(times) > 0).all() and 2.5 < times[-1] < 3.5


@pytest.mark.parametrize("start", [-16.3, -0.01, 1e9])
def test_a_clock_starts_at_zero_where_the_files_start_is_wrong(start):
    clock = Clock(0.1)
    times = [clock.follow(start + step) for step in (0.0, 0.1, 0.3)]
    assert times == pytest.approx([0.0, 0.1, 0.3], abs=1e-5)


def test_a_clock_follows_jumps_and_gaps():
    clock = Clock(0.1)
    times = [clock.follow(time_s) for time_s in (0.0, 0.1, None, 0.19, 5.0, 1e6, 1e6 + 0.1, 3.0)]
    assert times == pytest.approx([0, 0.1, 0.2, 0.201, 5, 5.1, 5.2, 5.3])


def test_sound_that_cannot_be_read_is_a_warning(tmp_path):
    (tmp_path / "sound.mp4").write_text("no video " * 50)
    with (
        pytest.warns(UserWarning, match="sound"),
        VideoWriter(tmp_path / "out.mp4", sound_of=tmp_path / "sound.mp4") as writer,
    ):
        writer.write(scene(), 0.0)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.mp4", "sound.mp4"]


def test_an_index_that_claims_billions_of_frames_costs_nothing(tmp_path):
    file = write_clip(tmp_path / "claims.avi", [scene(20), scene(40), scene(60)])
    data = bytearray(file.read_bytes())
    length = data.index(b"strh") + 40  # the number of frames, in the header of the stream
    data[length : length + 4] = (2**31 - 1).to_bytes(4, "little")
    file.write_bytes(data)
    with VideoSource(file) as source:
        assert len(list(source)) == 3
    assert source.lost > 2**30
