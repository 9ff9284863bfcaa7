"""Annotated videos: what is drawn can be read, and what is written plays everywhere."""

from __future__ import annotations

import warnings

import av
import numpy as np
import pytest
from clips import analyze, scene, write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageColor

from fer_lib.detection import Face
from fer_lib.labels import EMOTION_COLORS, EMOTIONS
from fer_lib.recognition import TrackedEmotion
from fer_lib.video import VideoWriter, annotate_frame


def read(file):
    """The times and frames of a video."""
    with av.open(str(file)) as container:
        frames = list(container.decode(video=0))
        return [frame.time for frame in frames], [f.to_ndarray(format="rgb24") for f in frames]


def test_it_is_an_mp4_that_browsers_play_and_every_frame_keeps_its_time(tmp_path):
    times = [0.0, 0.04, 0.05, 0.3, 0.31, 0.9, 2.0]
    source = write_clip(tmp_path / "clip.webm", [scene(20 + i) for i in range(7)], times)
    output = tmp_path / "new" / "out.mp4"
    analyze(source, annotate=output)
    data = output.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(output)) as container:
        [stream] = container.streams
        assert stream.codec_context.name == "h264" and stream.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (160, 120)
    assert read(output)[0] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("clip.mp4", "aac", 44_100, 1),
        ("old.mov", "pcm_s16le", 22_254, 1),
        ("studio.mov", "pcm_s24le", 192_000, 2),
        ("windows.wmv", "wmav2", 44_100, 2),
        ("clip.avi", "mp2", 44_100, 1),
        ("camera.avi", "adpcm_ms", 11_025, 1),
        ("phone.avi", "adpcm_ima_wav", 22_050, 2),
    ],
)
def test_the_sound_is_kept(name, codec, rate, channels, tmp_path):
    options = {"sound": codec, "sound_rate": rate, "channels": channels}
    source = write_clip(tmp_path / name, [scene()] * 30, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with VideoWriter(tmp_path / "out.mp4", sound_of=source) as writer:
            for index in range(30):
                writer.write(scene(), index / 30)
    with av.open(str(tmp_path / "out.mp4")) as container:
        [sound] = container.streams.audio
        assert sound.codec_context.name == "aac"
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(sound)])
        rate = sound.rate
    assert samples.size / rate == pytest.approx(1, abs=0.12)
    # The tone of 440 Hz, not something else.
    spectrum = np.abs(np.fft.rfft(samples[rate // 5 : rate // 5 + rate // 2]))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4) and np.abs(samples).max() > 0.1
    assert len(read(tmp_path / "out.mp4")[0]) == 30


@pytest.mark.parametrize("size", [(121, 161), (120, 161), (121, 160)])
def test_odd_sizes_grow_by_a_pixel(size, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(image, 0.0)
    [frame] = read(tmp_path / "out.mp4")[1]
    assert frame.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)


def test_frames_of_another_size_are_fitted_into_the_first_ones(tmp_path):
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(np.full((120, 160, 3), 200, np.uint8), 0.0)
        writer.write(np.full((60, 160, 3), 200, np.uint8), 0.1)
        writer.write(np.full((400, 200, 3), 200, np.uint8), 0.1)
    times, frames = read(tmp_path / "out.mp4")
    assert len(times) == 3 and times[2] > times[1]
    assert [frame.shape for frame in frames] == [(120, 160, 3)] * 3
    assert frames[1][5].max() < 40 and frames[1][60].min() > 180
    assert frames[2][:, 5].max() < 40 and frames[2][:, 80].min() > 180


def test_without_a_frame_nothing_is_left_behind(tmp_path):
    with VideoWriter(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot write"):
        VideoWriter(tmp_path / "file" / "out.mp4")
    with pytest.raises(ValueError, match=r"\.mp4"):
        VideoWriter(tmp_path / "out.webm")


def tracked(box, emotion="happy", face_id=1):
    probabilities = np.full(7, 0.05, np.float32)
    probabilities[EMOTIONS.index(emotion)] = 0.7
    return TrackedEmotion(Face(box), probabilities, EMOTIONS, face_id, probabilities)


def near(image, emotion):
    """The pixels of an emotion's color."""
    color = np.array(ImageColor.getrgb(EMOTION_COLORS[emotion]))
    return (np.abs(image.astype(int) - color) < 12).all(axis=2)


def test_a_face_has_a_box_a_label_and_bars_in_its_color():
    image = np.full((480, 640, 3), 30, np.uint8)
    before = image.copy()
    drawn = annotate_frame(image, [tracked((200, 150, 160, 180), "happy")])
    assert np.array_equal(image, before) and drawn.dtype == np.uint8
    happy = near(drawn, "happy")
    assert happy[200:300, 198:203].any(axis=1).all()  # the left side of the box
    assert happy[125:149, 200:300].mean() > 0.3  # the label above it
    assert all(near(drawn, name)[:, 370:].any() for name in EMOTIONS), "a bar for each class"
    np.testing.assert_array_equal(drawn[200:300, 215:350], image[200:300, 215:350])


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(16, 400), st.integers(16, 400)),
    places=st.lists(st.tuples(*[st.floats(0, 0.95)] * 2, *[st.floats(0.05, 1)] * 2), max_size=5),
)
def test_any_faces_are_drawn_on_any_frame(size, places):
    height, width = size
    faces = []
    for index, (x, y, w, h) in enumerate(places):
        left, top = int(x * width), int(y * height)
        box = left, top, max(1, int(w * (width - left))), max(1, int(h * (height - top)))
        faces.append(tracked(box, EMOTIONS[index], index + 1))
    drawn = annotate_frame(np.zeros((height, width, 3), np.uint8), faces)
    assert drawn.shape == (height, width, 3) and (len(faces) == 0) == (drawn.max() == 0)
