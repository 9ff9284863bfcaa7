"""Faces, their expressions and a status line, drawn into a frame within a few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_lib.plotting.style import class_colors, text_color

_DARK = (20, 22, 26)
_PAD = 5


def draw_faces(image: np.ndarray, faces: Sequence[Any]) -> np.ndarray:
    """Returns a frame with a box, the expression and the probabilities of each face.

    Args:
        image: RGB `uint8 (height, width, 3)`.
        faces: What `EmotionStream.update` returned for it.
    """
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = _font(image)
    for face in faces:
        _draw_face(draw, face, font, numbered=len(faces) > 1, size=picture.size)
    return np.asarray(picture)


def draw_status(image: np.ndarray, text: str) -> np.ndarray:
    """Returns a frame with a line of text below it; a text that is too long is cut."""
    height, width = image.shape[:2]
    font = _font(image)
    bar = round(font.size * 1.7)
    picture = Image.new("RGB", (width, height + bar), _DARK)
    picture.paste(Image.fromarray(image))
    ImageDraw.Draw(picture).text((2 * _PAD, height + bar / 2), text, "white", font, anchor="lm")
    return np.asarray(picture)


def _draw_face(
    draw: ImageDraw.ImageDraw, face: Any, font: Any, *, numbered: bool, size: tuple[int, int]
) -> None:
    x, y, width, height = face.box
    [color] = class_colors([face.emotion])
    line = max(2, round(font.size / 6))
    draw.rectangle((x - 1, y - 1, x + width, y + height), outline=(0, 0, 0), width=line + 2)
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=color, width=line)
    tag = f"{face.emotion} {face.confidence:.0%}"
    if numbered:
        tag = f"{face.face_id} {tag}"
    tag_width, tag_height = draw.textlength(tag, font) + 2 * _PAD, font.size + 2 * _PAD
    left = min(max(x, 0), max(size[0] - tag_width, 0))
    top = y - tag_height if y >= tag_height else y
    draw.rectangle((left, top, left + tag_width, top + tag_height), fill=color)
    middle = (left + _PAD, top + tag_height / 2)
    draw.text(middle, tag, text_color(color), font, anchor="lm")
    _draw_bars(draw, face, font, size)


def _draw_bars(draw: ImageDraw.ImageDraw, face: Any, font: Any, size: tuple[int, int]) -> None:
    """Draws the probabilities beside the face, on the side that has more room; else not at all."""
    x, y, width, height = face.box
    row = round(font.size * 1.25)
    names = max(draw.textlength(name, font) for name in face.class_names) + 2 * _PAD
    panel_width, panel_height = names + 4 * row + _PAD, row * len(face.class_names) + 2 * _PAD
    left = x + width + _PAD if size[0] - x - width >= x else x - panel_width - _PAD
    if left < 0 or left + panel_width > size[0] or panel_height > size[1]:
        return
    top = min(max(y, 0), size[1] - panel_height)
    draw.rectangle((left, top, left + panel_width, top + panel_height), fill=_DARK)
    colors = class_colors(face.class_names)
    for k, (name, share) in enumerate(zip(face.class_names, face.probabilities, strict=True)):
        middle = top + _PAD + row * (k + 0.5)
        draw.text((left + _PAD, middle), name, "white", font, anchor="lm")
        start = left + names
        end = start + 4 * row * float(share)
        draw.rectangle((start, middle - row * 0.3, end, middle + row * 0.3), fill=colors[k])


def _font(image: np.ndarray) -> Any:
    return _load_font(max(12, round(min(image.shape[:2]) / 30)))


@lru_cache(maxsize=8)
def _load_font(size: int) -> Any:
    return ImageFont.load_default(size)
