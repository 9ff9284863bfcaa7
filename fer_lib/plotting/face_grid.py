"""Figures of faces: in a grid with titles, and under the maps that explain a prediction."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fer_lib.plotting import style


def plot_faces(
    images: Iterable[np.ndarray],
    titles: Sequence[Any] | None = None,
    *,
    columns: int | None = None,
    ax: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws images in a grid, each with its title.

    Args:
        images: `(height, width)`, `(height, width, 1)` or `(height, width, 3)`, sizes may differ;
            uint8, or float in `[0, 255]` or `[0, 1]`.
        titles: One title per image.
        columns: Images in a row; chosen by their number if None.
        ax: At least as many Axes as images; a new figure if None.

    Returns:
        `(n,)` array of Axes, one per image.

    Raises:
        ValueError: No image, an image of another shape, or not one title per image.
    """
    images, titles = _check(images, titles)
    columns = columns or min(len(images), 8)
    # A few images are not blown up to fill the width.
    cell = min(style.WIDTH / columns, 2.0)
    titles, title_height = _wrap(titles, cell)
    axes = style.many_axes(ax, len(images), columns, columns * cell, cell + title_height)
    for place, image, title in zip(axes, images, titles, strict=True):
        _show(place, image, title)
    return axes


def plot_explanations(
    images: Iterable[np.ndarray],
    maps: np.ndarray,
    titles: Sequence[Any] | None = None,
    *,
    ax: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws a row of faces, and below each the same face under its map.

    The brighter, the more the position matters; each map is shown relative to its highest value.
    What is below 0 in an occlusion map is shown as nothing.

    Args:
        images: As `plot_faces` takes them.
        maps: `(n, height, width)`, of `explain.grad_cam` or `explain.occlusion_map`.
        titles: One title per image.
        ax: At least twice as many Axes as images; a new figure if None.

    Returns:
        `(2, n)` array of Axes: the images, and the images under their maps.

    Raises:
        ValueError: No image, or not one map or title per image.

    Example:
        >>> plot_explanations(faces.images, grad_cam(model, faces))  # doctest: +SKIP
    """
    images, titles = _check(images, titles)
    maps = np.asarray(maps)
    count = len(images)
    if maps.ndim != 3 or len(maps) != count:
        raise ValueError(
            f"Expected `maps` of shape ({count}, height, width), one per image. "
            f"Received: {maps.shape}"
        )
    cell = min(style.WIDTH / count, 1.6)
    titles, title_height = _wrap(titles, cell)
    axes = style.many_axes(ax, 2 * count, count, count * cell, cell + title_height / 2)
    grid = axes.reshape(2, count)
    for places, image, values, title in zip(grid.T, images, maps, titles, strict=True):
        _show(places[0], image, title)
        _show(places[1], image)
        shown = np.clip(values, 0, None) / max(values.max(), 1e-12)
        # Even in lightness and told apart by people with any common color blindness; the face
        # shows through where the map is low.
        look = {"cmap": "inferno", "vmin": 0, "vmax": 1, "alpha": 0.65 * np.sqrt(shown)}
        extent = places[1].images[0].get_extent()
        places[1].imshow(shown, extent=extent, interpolation="bilinear", **look)
    return grid


def displayable(image: np.ndarray) -> np.ndarray:
    """Returns an image as imshow takes it: 0 to 255, gray without a channel axis.

    Raises:
        ValueError: It has no pixels or another shape.
    """
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.size == 0 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            "Expected an image of shape (height, width), (height, width, 1) or "
            f"(height, width, 3). Received: {image.shape}"
        )
    if image.dtype.kind == "f":
        scale = 255.0 if image.max() <= 1.0 else 1.0
        image = np.clip(np.nan_to_num(image * scale), 0, 255).astype(np.uint8)
    return image


def _check(images: Iterable[np.ndarray], titles: Sequence[Any] | None) -> tuple[list, list]:
    images = [displayable(np.asarray(image)) for image in images]
    titles = [""] * len(images) if titles is None else [str(title) for title in titles]
    if not images:
        raise ValueError("Expected at least one image. Received: none")
    if len(titles) != len(images):
        raise ValueError(f"Expected {len(images)} titles, one per image. Received: {len(titles)}")
    return images, titles


def _wrap(titles: Sequence[str], width: float) -> tuple[list[str], float]:
    """Returns titles broken into lines of a width in inches, and the height of the longest."""
    letters = max(int(width * 72 / (0.55 * style.SMALL)), 6)
    wrapped = [
        "\n".join(textwrap.fill(line, letters) for line in title.split("\n")) for title in titles
    ]
    lines = max(title.count("\n") + bool(title) for title in wrapped)
    return wrapped, lines * 1.3 * style.SMALL / 72


def _show(ax: Axes, image: np.ndarray, title: str = "") -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set_axis_off()
    ax.set_title(title, fontsize=style.SMALL, pad=3)
