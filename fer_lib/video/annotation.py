"""Boxes, labels and bars on the frames of a video, fast enough for every frame.

An image gets `plotting.plot_predictions`; matplotlib takes longer for a frame than everything
else. Sizes follow the frame's, so that text is readable in a small clip and in 4K.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_lib.plotting import placement, style
from fer_lib.recognition import TrackedEmotion

# Up to so many faces, the largest, have a bar for each class beside them.
_MAX_BARS = 3
# A face smaller than this part of the frame's height has a label only.
_MIN_WITH_BARS = 0.12
_PANEL, _EMPTY_BAR = (20, 20, 20, 178), (70, 70, 70)

_font = functools.lru_cache(ImageFont.load_default)


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
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas, "RGBA")  # lays half-transparent colors over the frame
    text = max(12, round(0.034 * min(canvas.size)))  # height of a line of letters, in pixels
    line = max(1, round(text / 7))
    for face in faces:
        x, y, width, height = face.box
        # A dark rim keeps the box visible on a background of its own color.
        for width_of_line, color in ((line + 2, "black"), (line, _color(face.emotion))):
            grow = width_of_line // 2
            corners = (x - grow, y - grow, x + width - 1 + grow, y + height - 1 + grow)
            draw.rectangle(corners, outline=color, width=width_of_line)
    taken = [face.box for face in faces]
    for face in faces:
        label = f"{face.face_id}  {face.emotion} {face.confidence:.0%}"
        color, pad = _color(face.emotion), round(0.3 * text)
        size = round(_font(text).getlength(label)) + 2 * pad, round(1.35 * text)
        others = [box for box in taken if box != face.box]
        place = _find_place(canvas, face, size, others, gap=line // 2 + 1)
        left, top, wide, high = place
        draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=color)
        center, ink = top + high / 2, style.text_color(color)
        draw.text((left + pad, center), label, ink, _font(text), anchor="lm")
        taken.append(place)
    for face in faces[: _MAX_BARS if bars else 0]:
        if face.box[3] >= _MIN_WITH_BARS * canvas.height:
            _draw_bars(canvas, draw, face, text, taken)
    return np.array(canvas)


def _draw_bars(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    face: TrackedEmotion,
    text: int,
    taken: list[placement.Rectangle],
) -> None:
    """Draws one bar a class on a dark panel beside the box, where it covers no face."""
    font = _font(max(11, round(0.8 * text)))
    row, gap = round(1.25 * font.size), round(0.4 * font.size)
    name_width = round(max(map(font.getlength, face.class_names)))
    bar_width = round(4 * font.size)
    size = wide, high = name_width + bar_width + 3 * gap, row * len(face.class_names) + gap
    if wide > canvas.width or high > canvas.height:
        return
    sides = ("right", "left", "below")
    place = _find_place(canvas, face, size, taken, gap=gap, sides=sides)
    if placement.shared_area(place, taken) > 0.15 * wide * high:
        return  # Better no bars than bars over a face.
    taken.append(place)
    left, top = place[:2]
    draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=_PANEL)
    start = left + 2 * gap + name_width
    for index, (name, share) in enumerate(zip(face.class_names, face.probabilities, strict=True)):
        middle = top + gap / 2 + (index + 0.5) * row
        draw.text((left + gap, middle), name, "white", font, anchor="lm")
        for length, color in ((bar_width, _EMPTY_BAR), (share * bar_width, _color(name))):
            if length >= 1:
                corners = (start, middle - 0.3 * row, start + length - 1, middle + 0.3 * row)
                draw.rectangle(corners, fill=color)


def _find_place(
    canvas: Image.Image,
    face: TrackedEmotion,
    size: tuple[int, int],
    taken: Sequence[placement.Rectangle],
    **options: object,
) -> placement.Rectangle:
    """Returns a place in the frame, in whole pixels."""
    frame = (0, 0, *canvas.size)
    left, top, wide, high = placement.place_label(face.box, size, frame, taken, **options)
    return int(left), int(top), wide, high


@functools.lru_cache
def _color(name: str) -> str:
    return style.class_colors([name])[0]
