"""A picture with the faces found in it: boxes, landmarks, and the probabilities of each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox
from PIL import Image

from fer_lib.plotting import style

# Up to this many faces have one bar a class; more have one divided bar each.
_MAX_DETAILED = 3
_MAX_ROWS = 30
# Pixels: a figure of notebook width has 800 to 1,600, and matplotlib takes seconds for a photo's.
_MAX_SIDE = 1600
# Inches: of one bar, of the names beside the bars, of the axis below them, between the parts.
_BAR_HEIGHT, _NAMES, _AXIS, _GAP = 0.19, 0.75, 0.3, 0.1
# The same of the divided bars, whose names are longer and which need a legend.
_DIVIDED_HEIGHT, _DIVIDED_NAMES, _LEGEND = 0.25, 1.3, 0.6


def plot_predictions(
    image: np.ndarray,
    faces: Sequence[Any],
    *,
    ax: Axes | None = None,
    bars_ax: Axes | None = None,
) -> Axes:
    """Draws a picture with its faces' boxes, landmarks and expressions, and their probabilities.

    Without `ax` a new figure holds the picture and, beside or below it, the bars: one a class for
    up to three faces, one divided bar a face for more. Faces are numbered as they come.

    Args:
        image: `uint8 (height, width, 3)` or `(height, width)`.
        faces: What `EmotionRecognizer.predict` returns for the picture; may be empty.
        ax: Where to draw the picture; the bars are then drawn only where `bars_ax` says.
        bars_ax: Where to draw the bars.

    Returns:
        The Axes of the picture.

    Raises:
        ValueError: The picture has another shape.

    Example:
        >>> recognizer = EmotionRecognizer()  # doctest: +SKIP
        >>> plot_predictions(image, recognizer.predict(image))  # doctest: +SKIP
    """
    image = np.asarray(image)
    if image.size == 0 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            "Expected a picture of shape (height, width, 3) or (height, width). "
            f"Received: {image.shape}"
        )
    if ax is None:
        ax, bars_ax = _new_figure(image, faces)
    _draw_picture(ax, image)
    if not faces:
        ax.set_title("no face found", fontsize=style.TEXT)
        return ax
    for face in faces:
        _draw_face(ax, face)
    _draw_tags(ax, faces)
    if bars_ax is not None:
        draw = _draw_bars if len(faces) <= _MAX_DETAILED else _draw_divided_bars
        draw(bars_ax, faces)
    return ax


def _new_figure(image: np.ndarray, faces: Sequence[Any]) -> tuple[Axes, Axes | None]:
    """Makes a figure whose parts have the sizes that picture and bars need, in inches."""
    aspect = image.shape[1] / image.shape[0]
    if not faces:
        height = min(6.0 / aspect, 6.0)
        return plt.subplots(figsize=(6.0, height + 0.4), layout="constrained")[1], None
    if len(faces) <= _MAX_DETAILED:
        names, below, widest = _NAMES, _AXIS, 4.8
        bars_height = _BAR_HEIGHT * len(faces) * (len(faces[0].class_names) + 1)
    else:
        names, below, widest = _DIVIDED_NAMES, _AXIS + _LEGEND, 4.2
        bars_height = _DIVIDED_HEIGHT * min(len(faces), _MAX_ROWS)
    if aspect < 1.5:
        picture_height = min(widest / aspect, 6.5)
        picture_width = picture_height * aspect
        bars_width = style.WIDTH - picture_width - names - 5 * _GAP
        height = max(picture_height, bars_height + below) + 2 * _GAP
        left, top = picture_width + 2 * _GAP + names, height - _GAP
    else:
        picture_width = style.WIDTH - 2 * _GAP
        picture_height = picture_width / aspect
        bars_width = picture_width - names - 4 * _GAP
        height = picture_height + bars_height + below + 3 * _GAP
        left, top = names + _GAP, height - picture_height - 2 * _GAP
    figure = plt.figure(figsize=(style.WIDTH, height))

    def place(left: float, top: float, width: float, high: float) -> Axes:
        bounds = np.array([left, top - high, width, high])
        return figure.add_axes(tuple(bounds / [style.WIDTH, height, style.WIDTH, height]))

    return (
        place(_GAP, height - _GAP, picture_width, picture_height),
        place(left, top, min(bars_width, 4.5), bars_height),
    )


def _draw_picture(ax: Axes, image: np.ndarray) -> None:
    """Draws at most about twice the pixels that a figure shows; axes stay in the picture's own."""
    factor = max(max(image.shape[:2]) // _MAX_SIDE, 1)
    shown = np.asarray(Image.fromarray(image).reduce(factor)) if factor > 1 else image
    height, width = shown.shape[:2]
    extent = (-0.5, width * factor - 0.5, height * factor - 0.5, -0.5)
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent)
    ax.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    ax.set_axis_off()


def _draw_face(ax: Axes, face: Any) -> None:
    x, y, width, height = face.box
    color = style.class_colors([face.emotion])[0]
    # A dark rim keeps the box visible on a background of its own colour. Unclipped, so that the
    # line of a box at the border is drawn whole.
    rim = [patheffects.withStroke(linewidth=3.5, foreground="black", alpha=0.5)]
    ax.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5),
            width,
            height,
            fill=False,
            edgecolor=color,
            linewidth=2,
            clip_on=False,
            path_effects=rim,
        )
    )
    if face.face.landmarks:
        inches = width * ax.get_window_extent().width / (np.ptp(ax.get_xlim()) * ax.figure.dpi)
        xs, ys = np.transpose(list(face.face.landmarks.values()))
        size = float(np.clip(inches * 72 / 20, 1.0, 4.0))
        ax.plot(
            xs,
            ys,
            "o",
            markersize=size,
            color="white",
            markeredgecolor="black",
            markeredgewidth=size / 6,
        )


def _draw_tags(ax: Axes, faces: Sequence[Any]) -> None:
    """Writes each expression where it covers no other face or tag and stays in the picture."""
    ax.apply_aspect()
    frame = ax.get_window_extent()
    boxes = [_on_screen(ax, face.box) for face in faces]
    taken: list[Bbox] = []
    for index, face in enumerate(faces):
        number = str(index + 1)
        full = f"{face.emotion} {_percent(face.confidence)}"
        others = taken + boxes[:index] + boxes[index + 1 :]
        texts = [full] if len(faces) == 1 else [f"{number} {full}", number]
        taken.append(_draw_tag(ax, face, texts, boxes[index], frame, others))


def _draw_tag(
    ax: Axes, face: Any, texts: list[str], box: Bbox, frame: Bbox, others: list[Bbox]
) -> Bbox:
    """Draws the longest of the texts that has room, and returns the place that it takes."""
    color = style.class_colors([face.emotion])[0]
    # The box of a text is drawn around it, `pad` points wide: it counts as part of the tag.
    pad = 1.5
    points = ax.figure.dpi / 72
    tag = ax.text(
        0,
        0,
        "",
        fontsize=style.SMALL,
        color=style.text_color(color),
        verticalalignment="bottom",
        bbox={"facecolor": color, "edgecolor": "none", "pad": pad},
    )
    best: tuple[float, Bbox, str] | None = None
    for text in texts:
        tag.set_text(text)
        size = tag.get_window_extent()
        width, height = size.width + 2 * pad * points, size.height + 2 * pad * points
        for x, y in (
            (box.x0, box.y1 + points),
            (box.x0, box.y0 - height - points),
            (box.x1 + points, box.y1 - height),
            (box.x0 - width - points, box.y1 - height),
            (box.x0, box.y1 - height),
        ):
            x = np.clip(x, frame.x0, max(frame.x1 - width, frame.x0))
            y = np.clip(y, frame.y0, max(frame.y1 - height, frame.y0))
            place = Bbox.from_bounds(x, y, width, height)
            # Its own box is covered only where nothing else is left.
            covered = sum(_overlap(place, other) for other in others) + 0.3 * _overlap(place, box)
            if best is None or covered < best[0] - 1e-6:
                best = (covered, place, text)
        if best[0] < 1:
            break
    _, place, text = best
    tag.set_text(text)
    tag.set_position(
        ax.transData.inverted().transform((place.x0 + pad * points, place.y0 + pad * points))
    )
    return place


def _draw_bars(ax: Axes, faces: Sequence[Any]) -> None:
    """One bar a class, face below face."""
    ticks, names = [], []
    for index, face in enumerate(faces):
        top = index * (len(face.class_names) + 1)
        if len(faces) > 1:
            ax.text(
                0.02, top, f"face {index + 1}", fontsize=style.SMALL, va="center", weight="bold"
            )
        rows = top + 1 + np.arange(len(face.class_names))
        bars = ax.barh(rows, face.probabilities, color=style.class_colors(face.class_names))
        labels = [_percent(value) for value in face.probabilities]
        ax.bar_label(bars, labels, padding=3, fontsize=style.SMALL)
        ticks.extend(rows)
        names.extend(face.class_names)
    ax.set_yticks(ticks, names, fontsize=style.SMALL)
    ax.set_ylim(max(ticks) + 0.6, (0 if len(faces) == 1 else -1) + 0.4)
    ax.set_xlim(0, 1.15)
    _finish_bars(ax)


def _draw_divided_bars(ax: Axes, faces: Sequence[Any]) -> None:
    """One bar a face, divided as its probabilities are."""
    shown = faces[:_MAX_ROWS]
    names = shown[0].class_names
    table = np.array([face.probabilities for face in shown], np.float64)
    starts = np.cumsum(table, axis=1) - table
    rows = np.arange(len(shown))
    for k, color in enumerate(style.class_colors(names)):
        ax.barh(rows, table[:, k], left=starts[:, k], color=color, label=names[k], height=0.75)
    ax.set_yticks(
        rows,
        [f"{row + 1} {face.emotion} {_percent(face.confidence)}" for row, face in enumerate(shown)],
        fontsize=style.SMALL,
    )
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    _finish_bars(ax)
    left_out = len(faces) > len(shown)
    ax.legend(
        title=f"the first {len(shown)} of {len(faces)} faces" if left_out else None,
        title_fontsize=style.SMALL,
        ncols=3,
        frameon=False,
        fontsize=style.SMALL,
        loc="upper right",
        bbox_to_anchor=(1, 0),
        borderaxespad=1.8,
        handlelength=1,
        columnspacing=1,
    )


def _finish_bars(ax: Axes) -> None:
    ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=style.SMALL)
    ax.tick_params(axis="y", length=0)
    style.remove_frame(ax)


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def _on_screen(ax: Axes, box: tuple[float, float, float, float]) -> Bbox:
    x, y, width, height = box
    corners = ax.transData.transform([(x - 0.5, y + height - 0.5), (x + width - 0.5, y - 0.5)])
    return Bbox(corners)


def _overlap(a: Bbox, b: Bbox) -> float:
    """Returns the area that two boxes share, in square pixels."""
    shared = Bbox.intersection(a, b)
    return 0.0 if shared is None else shared.width * shared.height
