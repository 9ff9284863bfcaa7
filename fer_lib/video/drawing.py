"""Boxes, labels and bars on the frames of a video, fast enough for every frame.

A still gets `plotting.plot_predictions`; matplotlib would take longer for a frame than everything
else. Sizes follow the frame's, so that text is readable in a small clip and in 4K.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_lib.plotting import style
from fer_lib.recognition import TrackedEmotion

# Up to so many faces, the largest, have a bar for each class beside them.
_MAX_BARS = 3
# A face smaller than this part of the frame's height has a label only.
_SMALLEST_WITH_BARS = 0.12
_PANEL_COLOR, _PANEL_OPACITY = 20, 0.7

Rectangle = tuple[int, int, int, int]


def annotate_frame(
    image: np.ndarray, faces: Sequence[TrackedEmotion], *, bars: bool = True
) -> np.ndarray:
    """Returns a copy of a frame with its faces' boxes, numbers, expressions and probabilities.

    Args:
        image: RGB `uint8 (height, width, 3)`.
        faces: The faces of the frame, as `EmotionStream.update` returns them.
        bars: Whether the three largest faces have a bar for each class beside them.

    Returns:
        RGB `uint8 (height, width, 3)`.
    """
    image = image.copy()
    text = _text_size(image)
    for face in faces:
        _draw_box(image, face.box, _rgb(face.emotion), text)
    taken = [face.box for face in faces]
    for face in faces:
        taken.append(_draw_label(image, face, text, taken))
    if bars:
        for face in faces[:_MAX_BARS]:
            if face.box[3] >= _SMALLEST_WITH_BARS * image.shape[0]:
                _draw_bars(image, face, text, taken)
    return image


def _text_size(image: np.ndarray) -> int:
    """Height of the letters' line in pixels."""
    return max(12, round(0.034 * min(image.shape[:2])))


def _draw_box(image: np.ndarray, box: Rectangle, color: tuple[int, ...], text: int) -> None:
    x, y, width, height = box
    line = max(1, round(text / 7))
    corners = (x, y), (x + width - 1, y + height - 1)
    # A dark rim keeps the box visible on a background of its own colour.
    cv2.rectangle(image, *corners, (0, 0, 0), line + 2, cv2.LINE_AA)
    cv2.rectangle(image, *corners, color, line, cv2.LINE_AA)


def _draw_label(
    image: np.ndarray, face: TrackedEmotion, text: int, taken: Sequence[Rectangle]
) -> Rectangle:
    """Writes number, expression and confidence above the box, or where there is more room."""
    label = _render(f"{face.face_id}  {face.emotion} {face.confidence:.0%}", text, face.emotion)
    x, y, width, height = face.box
    high, wide = label.shape[:2]
    line = max(1, round(text / 7)) // 2 + 1
    others = [box for box in taken if box != face.box]
    places = [(x - line, y - high - line), (x - line, y + height + line), (x - line, y + line)]
    place = _best_place(image, places, wide, high, others)
    _paste(image, label, place)
    return (*place, wide, high)


def _draw_bars(image: np.ndarray, face: TrackedEmotion, text: int, taken: list[Rectangle]) -> None:
    """Draws one bar a class on a dark panel beside the box, where it covers no face."""
    small = max(11, round(0.8 * text))
    row, gap = round(1.25 * small), round(0.4 * small)
    names = [_render(name, small, None) for name in face.class_names]
    name_width = max(name.shape[1] for name in names)
    bar_width = 4 * small
    wide = name_width + bar_width + 3 * gap
    high = row * len(names) + gap
    x, y, width, height = face.box
    if wide > image.shape[1] or high > image.shape[0]:
        return
    places = [(x + width + gap, y), (x - wide - gap, y), (x, y + height + 2 * text)]
    left, top = _best_place(image, places, wide, high, taken)
    covered = sum(_shared((left, top, wide, high), box) for box in taken)
    if covered > 0.15 * wide * high:
        return  # Better no bars than bars over a face.
    taken.append((left, top, wide, high))
    panel = image[top : top + high, left : left + wide]
    panel[:] = (panel * (1 - _PANEL_OPACITY) + _PANEL_COLOR * _PANEL_OPACITY).astype(np.uint8)
    for index, (name, share) in enumerate(zip(names, face.probabilities, strict=True)):
        line = top + gap // 2 + index * row
        _paste(image, name, (left + gap, line + (row - name.shape[0]) // 2))
        start = left + 2 * gap + name_width
        low, high_ = line + round(0.2 * row), line + round(0.8 * row)
        image[low:high_, start : start + bar_width] = 70
        filled = round(float(share) * bar_width)
        image[low:high_, start : start + filled] = _rgb(face.class_names[index])


@functools.lru_cache(maxsize=2048)
def _render(text: str, size: int, emotion: str | None) -> np.ndarray:
    """Returns text as RGBA `uint8 (height, width, 4)`: on the emotion's colour, or on nothing."""
    font = ImageFont.load_default(size)
    left, _, right, _ = font.getbbox(text)
    ascent, descent = font.getmetrics()
    pad = round(0.3 * size) if emotion else 0
    color = style.class_colors([emotion])[0] if emotion else None
    picture = Image.new(
        "RGBA",
        (round(right - left) + 2 * pad, ascent + descent + pad // 2),
        color or (0, 0, 0, 0),
    )
    ink = style.text_color(color) if color else "white"
    ImageDraw.Draw(picture).text((pad - left, pad // 4), text, fill=ink, font=font)
    return np.asarray(picture)


def _paste(image: np.ndarray, label: np.ndarray, place: tuple[int, int]) -> None:
    left, top = place
    part = image[top : top + label.shape[0], left : left + label.shape[1]]
    label = label[: part.shape[0], : part.shape[1]]
    opacity = label[..., 3:].astype(np.float32) / 255
    part[:] = (part * (1 - opacity) + label[..., :3] * opacity).astype(np.uint8)


def _best_place(
    image: np.ndarray,
    places: Sequence[tuple[int, int]],
    wide: int,
    high: int,
    taken: Sequence[Rectangle],
) -> tuple[int, int]:
    """Returns the first of the places, moved into the frame, that covers the least of the rest."""
    limits = (max(image.shape[1] - wide, 0), max(image.shape[0] - high, 0))
    inside = [
        tuple(int(np.clip(value, 0, limit)) for value, limit in zip(place, limits, strict=True))
        for place in places
    ]
    return min(inside, key=lambda place: sum(_shared((*place, wide, high), box) for box in taken))


def _shared(a: Rectangle, b: Rectangle) -> int:
    """Returns the area that two rectangles `(x, y, width, height)` share."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)


@functools.lru_cache
def _rgb(name: str) -> tuple[int, int, int]:
    return ImageColor.getrgb(style.class_colors([name])[0])
