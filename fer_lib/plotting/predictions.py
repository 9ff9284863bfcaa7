"""An image with the faces found in it: boxes, landmarks, and the probabilities of each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from fer_lib.images import ImageSource, read_image
from fer_lib.plotting import placement, style

# Up to this many faces have one bar per class; more have one divided bar each.
_MAX_DETAILED, _MAX_ROWS = 3, 30
# Pixels: a figure of notebook width has 800 to 1,600, and matplotlib takes seconds for a photo's.
_MAX_SIDE = 1600
# Inches: height of a bar.
_BAR, _DIVIDED_BAR = 0.19, 0.25


def plot_predictions(
    image: ImageSource,
    faces: Sequence[Any],
    *,
    ax: Axes | None = None,
    bars_ax: Axes | None = None,
) -> Axes:
    """Draws an image with its faces' boxes, landmarks and expressions, and their probabilities.

    Without `ax` a new figure holds the image and, beside or below it, the bars: one per class for
    up to three faces, one divided bar per face for more. Faces are numbered as they come.

    Args:
        image: Whatever `read_image` takes.
        faces: What `EmotionRecognizer.predict` returns for the image; may be empty.
        ax: Where to draw the image; the bars are then drawn only where `bars_ax` says.
        bars_ax: Where to draw the bars.

    Returns:
        The Axes of the image.

    Example:
        >>> recognizer = EmotionRecognizer()  # doctest: +SKIP
        >>> plot_predictions(image, recognizer.predict(image))  # doctest: +SKIP
    """
    image = read_image(image)
    is_new = ax is None
    if is_new:
        ax, bars_ax = _new_figure(image.shape[1] / image.shape[0], faces)
    _draw_image(ax, image)
    if not faces:
        ax.set_title("no face found", fontsize=style.TEXT)
        return ax
    if bars_ax is not None:
        draw = _draw_bars if len(faces) <= _MAX_DETAILED else _draw_divided_bars
        draw(bars_ax, faces)
    # The size of the image on the screen decides where labels have room.
    if is_new:
        ax.figure.draw_without_rendering()
    ax.apply_aspect()
    scale = ax.get_window_extent().width / image.shape[1]
    for face in faces:
        _draw_face(ax, face, scale)
    _draw_labels(ax, faces, (-0.5, -0.5, image.shape[1], image.shape[0]), scale)
    return ax


def _new_figure(aspect: float, faces: Sequence[Any]) -> tuple[Axes, Axes | None]:
    """Makes a figure with the bars beside the image, or below it where it is wide."""
    if not faces:
        return style.make_axes(None, 1, 1, 6.0, min(6.0 / aspect, 6.0) + 0.4)[0], None
    if len(faces) <= _MAX_DETAILED:
        bars = _BAR * len(faces) * (len(faces[0].class_names) + 1) + 0.4
    else:
        bars = _DIVIDED_BAR * min(len(faces), _MAX_ROWS) + 1.0
    if aspect >= 1.5:
        heights = (style.WIDTH / aspect, bars)
        size = (style.WIDTH, sum(heights))
        return plt.subplots(2, figsize=size, height_ratios=heights, layout="constrained")[1]
    height = min(4.6 / aspect, 6.5)
    width = height * aspect
    figure = plt.figure(figsize=(style.WIDTH, max(height, bars)), layout="constrained")
    widths, heights = (width, min(style.WIDTH - width, 5.0)), (bars, max(height - bars, 0.01))
    grid = figure.add_gridspec(2, 2, width_ratios=widths, height_ratios=heights)
    ax = figure.add_subplot(grid[:, 0], anchor="N")
    return ax, figure.add_subplot(grid[0, 1])


def _draw_image(ax: Axes, image: np.ndarray) -> None:
    """Draws at most about twice the pixels that a figure shows; axes stay in the image's own."""
    factor = max(max(image.shape[:2]) // _MAX_SIDE, 1)
    shown = np.asarray(Image.fromarray(image).reduce(factor)) if factor > 1 else image
    height, width = shown.shape[:2]
    extent = (-0.5, width * factor - 0.5, height * factor - 0.5, -0.5)
    ax.imshow(shown, extent=extent)
    ax.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    ax.set_axis_off()


def _draw_face(ax: Axes, face: Any, scale: float) -> None:
    x, y, width, height = face.box
    color = style.class_colors([face.emotion])[0]
    # A dark rim keeps the box visible on a background of its own color. Unclipped, so that the
    # line of a box at the border is drawn whole.
    rim = [patheffects.withStroke(linewidth=3.5, foreground="black", alpha=0.5)]
    look = {"fill": False, "edgecolor": color, "linewidth": 2, "clip_on": False}
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, path_effects=rim, **look))
    if face.face.landmarks:
        points = np.transpose(list(face.face.landmarks.values()))
        size = float(np.clip(width * scale / ax.figure.dpi * 72 / 20, 1.0, 4.0))
        edge = {"markeredgecolor": "black", "markeredgewidth": size / 6}
        ax.plot(*points, "o", markersize=size, color="white", **edge)


def _draw_labels(ax: Axes, faces: Sequence[Any], frame: placement.Rectangle, scale: float) -> None:
    """Writes each expression where it covers no other face or label and stays in the image."""
    boxes = [(face.box[0] - 0.5, face.box[1] - 0.5, *face.box[2:]) for face in faces]
    pad = 1.5  # points around the letters
    point = ax.figure.dpi / 72 / scale
    taken: list[placement.Rectangle] = []
    for index, (face, text) in enumerate(zip(faces, _names(faces), strict=True)):
        color = style.class_colors([face.emotion])[0]
        look = {"facecolor": color, "edgecolor": "none", "pad": pad}
        label = ax.text(0, 0, "", fontsize=style.SMALL, color=style.text_color(color), bbox=look)
        others = taken + boxes[:index] + boxes[index + 1 :]
        # Where all of it would cover something, the number alone is written.
        for shown in (text, str(index + 1)) if len(faces) > 1 else (text,):
            label.set_text(shown)
            extent = label.get_window_extent()
            size = extent.width / scale + 2 * pad * point, extent.height / scale + 2 * pad * point
            place = placement.place_label(boxes[index], size, frame, others, gap=point)
            if placement.shared_area(place, [*others, boxes[index]]) * scale**2 < 1:
                break
        taken.append(place)
        label.set(va="top", position=(place[0] + pad * point, place[1] + pad * point))


def _draw_bars(ax: Axes, faces: Sequence[Any]) -> None:
    """Draws one bar per class, face below face."""
    names = list(faces[0].class_names)
    rows = np.arange(len(faces) * (len(names) + 1)).reshape(len(faces), -1)
    shares = np.concatenate([face.probabilities for face in faces])
    colors = style.class_colors(names) * len(faces)
    bars = ax.barh(rows[:, 1:].ravel(), shares, color=colors)
    ax.bar_label(bars, [_percent(share) for share in shares], padding=3, fontsize=style.SMALL)
    labels = [[f"face {index}", *names] for index in range(1, len(faces) + 1)]
    first = 1 if len(faces) == 1 else 0  # a single face needs no number
    ax.set_yticks(rows[:, first:].ravel(), np.ravel([part[first:] for part in labels]))
    for label in ax.get_yticklabels()[:: len(names) + 1] if len(faces) > 1 else []:
        label.set_weight("bold")
    _finish_bars(ax, 1.15, (rows.max() + 0.6, first - 0.6))


def _draw_divided_bars(ax: Axes, faces: Sequence[Any]) -> None:
    """Draws one bar per face, divided as its probabilities are."""
    shown, names = faces[:_MAX_ROWS], faces[0].class_names
    shares = [face.probabilities for face in shown]
    table = pd.DataFrame(shares, _names(faces)[: len(shown)], names)
    colors = style.class_colors(names)
    table.plot.barh(stacked=True, color=colors, width=0.75, legend=False, ax=ax)
    _finish_bars(ax, 1, (len(shown) - 0.4, -0.6))
    left_out = len(faces) > len(shown)
    title = f"the first {len(shown)} of {len(faces)} faces" if left_out else None
    place = {"loc": "upper right", "bbox_to_anchor": (1, 0), "borderaxespad": 1.8, "ncols": 3}
    ax.legend(title=title, columnspacing=1, **place, **style.LEGEND)


def _finish_bars(ax: Axes, right: float, rows: tuple[float, float]) -> None:
    ax.set(xlim=(0, right), ylim=rows, xlabel="", ylabel="")
    ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    ax.tick_params(axis="y", length=0)
    style.finish(ax, small=True)


def _names(faces: Sequence[Any]) -> list[str]:
    """Returns number, expression and confidence of each face; a single one needs no number."""
    texts = [f"{face.emotion} {_percent(face.confidence)}" for face in faces]
    return texts if len(faces) == 1 else [f"{index} {text}" for index, text in enumerate(texts, 1)]


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"
