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
    """Returns the place beside a face's box that covers least of what is taken, in the frame.

    `size` is width and height of the label; one larger than the frame starts at its corner. `gap`
    is the distance from the box, and of `sides` the first of the best wins.
    """
    (x, y, width, height), (wide, high) = box, size
    left, top, room, drop = frame
    corners = {
        "above": (x, y - high - gap),
        "below": (x, y + height + gap),
        "right": (x + width + gap, y),
        "left": (x - wide - gap, y),
        "inside": (x, y),
    }
    places = []
    for corner_x, corner_y in (corners[side] for side in sides):
        inside_x = max(min(corner_x, left + room - wide), left)
        inside_y = max(min(corner_y, top + drop - high), top)
        places.append((inside_x, inside_y, wide, high))
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
