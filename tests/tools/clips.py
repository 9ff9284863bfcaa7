"""Clips that tests draw: a face on a background, written in any container, with any times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionRecognizer
from fer_lib.synthetic import draw_face
from fer_lib.video import analyze_video

SIZE = 64
FACE = draw_face({"emotion": "happy", "hair": "short"}, SIZE)
_CODECS = {".avi": "mpeg4", ".gif": "gif", ".webm": "libvpx"}
_CLOCK = Fraction(1, 10_000)


def scene(x: int = 30, y: int = 20, *, face: bool = True, size=(120, 160)) -> np.ndarray:
    """A frame, RGB `uint8 (height, width, 3)`, with the drawn face's corner at (x, y)."""
    coarse = np.random.default_rng(0).integers(60, 200, (12, 16, 3), dtype=np.uint8)
    frame = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    if face:
        frame[y : y + SIZE, x : x + SIZE] = FACE
    return frame


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    times: Sequence[float] | None = None,
    *,
    rate: int = 30,
    sound: str | None = None,
    sound_rate: int = 44_100,
    channels: int = 1,
    pixel_aspect: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes a clip in the container that the suffix names, with a second of 440 Hz as `sound`."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream(_CODECS.get(path.suffix, "libx264"), rate=rate)
        if times is not None:
            video.codec_context.time_base = _CLOCK
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = Fraction(pixel_aspect)
        layout = {1: "mono", 2: "stereo"}[channels]
        if sound is not None:
            audio = container.add_stream(sound, rate=sound_rate, layout=layout, bit_rate=128_000)
        for index, image in enumerate(frames):
            if index == 0:
                video.height, video.width = image.shape[:2]
                video.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[index] / _CLOCK), _CLOCK
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            tone = np.sin(np.arange(sound_rate) * 440 * 2 * np.pi / sound_rate) * 8000
            samples = np.repeat(tone.astype(np.int16), channels)[None]
            piece = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            piece.sample_rate, piece.pts = sound_rate, 0
            # The encoder asks for pieces of its own size and format.
            size = audio.codec_context.frame_size or None
            resampler = av.AudioResampler(audio.format, layout, sound_rate, size)
            for part in [*resampler.resample(piece), *resampler.resample(None)]:
                container.mux(audio.encode(part))
            container.mux(audio.encode())
    return path


def turn(path: Path, degrees: int) -> Path:
    """Marks an MP4 to be shown turned clockwise by 90 or 180 degrees, as phones do."""
    cosine, sine = {90: (0, 1), 180: (-1, 0)}[degrees]
    data = bytearray(path.read_bytes())
    # The matrix of the track header: nine numbers in 16.16 (the last column in 2.30), after 40
    # bytes of the box' content in its version 0.
    start = data.index(b"tkhd") + 4 + 40
    matrix = np.array([cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 14]) << 16
    data[start : start + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(data)
    return path


class ClipDetector:
    """Finds the drawn faces by their pixels, however the clip was compressed."""

    def __init__(self):
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Face]:
        self.calls += 1
        likeness = cv2.matchTemplate(image, FACE, cv2.TM_CCOEFF_NORMED)
        faces = []
        while likeness.size and likeness.max() > 0.8:
            y, x = (int(v) for v in np.unravel_index(likeness.argmax(), likeness.shape))
            faces.append(Face((x + 8, y + 7, 48, 54), float(min(likeness.max(), 1.0))))
            likeness[max(0, y - 32) : y + 32, max(0, x - 32) : x + 32] = -1
        return faces


class ClipModel:
    """Probabilities that depend on the crop and on nothing else."""

    class_names = EMOTIONS

    def predict(self, crops: np.ndarray) -> np.ndarray:
        rows = crops.reshape(len(crops), -1).astype(np.float32)
        logits = np.stack([rows[:, k::7].mean(axis=1) for k in range(7)], axis=1) % 3
        shares = np.exp(logits)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def analyze(source, model=None, detector=None, **options):
    """Returns the table of `analyze_video` with the model and detector of clips."""
    recognizer = EmotionRecognizer(model or ClipModel(), detector or ClipDetector())
    return analyze_video(source, recognizer, progress=False, **options)
