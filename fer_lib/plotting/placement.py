"""Where a label of a face fits: one placement for figures and for the frames of a video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Rectangle = tuple[float, float, float, float]
"""`(left, top, width, height)` in pixels; `top` grows downwards."""


def place_label(
    box: Rectangle,
    size: tuple[float, float],
    frame: Rectangle,
    taken: Sequence[Rectangle],
    *,
    gap: float = 0,
    sides: Sequence[str] = ("above", "below", "right", "left", "inside"),
) -> Rectangle:
    """Returns the place beside a face that covers least, moved into the frame.

    Args:
        box: The face.
        size: Width and height of the label.
        frame: What the label must not leave.
        taken: Other faces and labels.
        gap: Distance from the box.
        sides: Where to try, the first of the best wins.
    """
    x, y, width, height = box
    wide, high = size
    corners = {
        "above": (x, y - high - gap),
        "below": (x, y + height + gap),
        "right": (x + width + gap, y),
        "left": (x - wide - gap, y),
        "inside": (x, y),
    }
    places = [(*_move_inside(corners[side], size, frame), wide, high) for side in sides]
    # The face itself is covered where nothing else is left.
    return min(
        places, key=lambda place: shared_area(place, taken) + 0.3 * shared_area(place, [box])
    )


def shared_area(place: Rectangle, others: Iterable[Rectangle]) -> float:
    """Returns the area that a rectangle shares with others."""
    left, top, width, height = place
    area = 0.0
    for x, y, wide, high in others:
        across = min(left + width, x + wide) - max(left, x)
        down = min(top + height, y + high) - max(top, y)
        area += max(across, 0) * max(down, 0)
    return area


def _move_inside(
    corner: tuple[float, float], size: tuple[float, float], frame: Rectangle
) -> tuple[float, ...]:
    """Returns the corner moved so that the label lies in the frame, at its start if too large."""
    limits = zip(corner, size, frame[:2], frame[2:], strict=True)
    return tuple(max(min(value, start + room - own), start) for value, own, start, room in limits)
