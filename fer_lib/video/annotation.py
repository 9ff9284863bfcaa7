"""Boxes, labels and bars on the frames of a video, fast enough for every frame.

An image gets `plotting.plot_predictions`; matplotlib takes longer for a frame than everything
else. Sizes follow the frame's, so that text is readable in a small clip and in 4K.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_lib.plotting import placement, style
from fer_lib.recognition import TrackedEmotion

# Up to so many faces, the largest, have a bar for each class beside them.
_MAX_BARS = 3
# A face smaller than this part of the frame's height has a label only.
_MIN_WITH_BARS = 0.12
_PANEL_COLOR, _PANEL_OPACITY = 20, 0.7


def annotate_frame(image: np.ndarray, faces: Sequence[TrackedEmotion]) -> np.ndarray:
    """Returns a copy of a frame with its faces' boxes, numbers, expressions and probabilities.

    The three largest faces have a bar for each class beside them, where there is room.

    Args:
        image: RGB `uint8 (height, width, 3)`.
        faces: The faces of the frame, as `EmotionStream.update` returns them.
    """
    image = image.copy()
    text = max(12, round(0.034 * min(image.shape[:2])))  # height of a line of letters, in pixels
    line = max(1, round(text / 7))
    for face in faces:
        x, y, width, height = face.box
        corners = (x, y), (x + width - 1, y + height - 1)
        # A dark rim keeps the box visible on a background of its own color.
        cv2.rectangle(image, *corners, (0, 0, 0), line + 2, cv2.LINE_AA)
        cv2.rectangle(image, *corners, _rgb(face.emotion), line, cv2.LINE_AA)
    taken = [face.box for face in faces]
    for face in faces:
        label = _render(f"{face.face_id}  {face.emotion} {face.confidence:.0%}", text, face.emotion)
        others = [box for box in taken if box != face.box]
        place = _find_place(image, face, label.shape[1::-1], others, gap=line // 2 + 1)
        _paste(image, label, place[:2])
        taken.append(place)
    for face in faces[:_MAX_BARS]:
        if face.box[3] >= _MIN_WITH_BARS * image.shape[0]:
            _draw_bars(image, face, text, taken)
    return image


def _draw_bars(
    image: np.ndarray, face: TrackedEmotion, text: int, taken: list[placement.Rectangle]
) -> None:
    """Draws one bar per class on a dark panel beside the box, where it covers no face."""
    small = max(11, round(0.8 * text))
    row, gap = round(1.25 * small), round(0.4 * small)
    names = [_render(name, small, None) for name in face.class_names]
    name_width = max(name.shape[1] for name in names)
    bar_width = 4 * small
    size = wide, high = name_width + bar_width + 3 * gap, row * len(names) + gap
    if wide > image.shape[1] or high > image.shape[0]:
        return
    place = _find_place(image, face, size, taken, gap=gap, sides=("right", "left", "below"))
    if placement.shared_area(place, taken) > 0.15 * wide * high:
        return  # Better no bars than bars over a face.
    taken.append(place)
    left, top = place[:2]
    panel = image[top : top + high, left : left + wide]
    panel[:] = (panel * (1 - _PANEL_OPACITY) + _PANEL_COLOR * _PANEL_OPACITY).astype(np.uint8)
    for index, (name, share) in enumerate(zip(names, face.probabilities, strict=True)):
        line = gap // 2 + index * row
        _paste(panel, name, (gap, line + (row - name.shape[0]) // 2))
        bar = panel[round(0.2 * row) + line : round(0.8 * row) + line, 2 * gap + name_width :]
        bar[:, :bar_width] = 70
        bar[:, : round(float(share) * bar_width)] = _rgb(face.class_names[index])


def _find_place(
    image: np.ndarray,
    face: TrackedEmotion,
    size: tuple[int, int],
    taken: Sequence[placement.Rectangle],
    **options: object,
) -> placement.Rectangle:
    """Returns a place in the frame, in whole pixels."""
    frame = (0, 0, image.shape[1], image.shape[0])
    left, top, wide, high = placement.place_label(face.box, size, frame, taken, **options)
    return int(left), int(top), wide, high


@functools.lru_cache(maxsize=2048)
def _render(text: str, size: int, emotion: str | None) -> np.ndarray:
    """Returns text as RGBA `uint8 (height, width, 4)`: on the emotion's color, or on nothing."""
    font = ImageFont.load_default(size)
    left, _, right, _ = font.getbbox(text)
    pad = round(0.3 * size) if emotion else 0
    color = style.class_colors([emotion])[0] if emotion else None
    shape = (round(right - left) + 2 * pad, sum(font.getmetrics()) + pad // 2)
    label = Image.new("RGBA", shape, color or (0, 0, 0, 0))
    ink = style.text_color(color) if color else "white"
    ImageDraw.Draw(label).text((pad - left, pad // 4), text, fill=ink, font=font)
    return np.asarray(label)


def _paste(image: np.ndarray, label: np.ndarray, place: tuple[int, int]) -> None:
    left, top = place
    part = image[top : top + label.shape[0], left : left + label.shape[1]]
    label = label[: part.shape[0], : part.shape[1]]
    opacity = label[..., 3:].astype(np.float32) / 255
    part[:] = (part * (1 - opacity) + label[..., :3] * opacity).astype(np.uint8)


@functools.lru_cache
def _rgb(name: str) -> tuple[int, int, int]:
    return ImageColor.getrgb(style.class_colors([name])[0])
