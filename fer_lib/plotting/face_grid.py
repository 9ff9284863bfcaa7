"""Figures of faces: in a grid with titles, and under the maps that explain a prediction."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fer_lib.images import read_image
from fer_lib.plotting import style

# Images with fewer pixels a side are shown as they are; matplotlib would blur some enlargements.
_SHOWN_AS_SQUARES = 100


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
    return _show_rows(images, [titles], columns, ax)


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

    Example:
        >>> plot_explanations(faces.images, grad_cam(model, faces))  # doctest: +SKIP
    """
    images, maps = list(images), np.asarray(maps)
    if maps.ndim != 3 or len(maps) != len(images):
        raise ValueError(
            f"Expected `maps` of shape ({len(images)}, height, width), one per image. "
            f"Received: {maps.shape}"
        )
    grid = _show_rows(images, [titles, None], len(images), ax).reshape(2, -1)
    for place, values in zip(grid[1], maps, strict=True):
        shown = np.clip(values, 0, None) / max(values.max(), 1e-12)
        # Even in lightness and told apart by people with any common color blindness; the face
        # shows through where the map is low.
        look = {"cmap": "inferno", "vmin": 0, "vmax": 1, "alpha": 0.65 * np.sqrt(shown)}
        extent = place.images[0].get_extent()
        place.imshow(shown, extent=extent, interpolation="bilinear", **look)
    return grid


def _show_rows(
    images: Iterable[np.ndarray],
    titles: Sequence[Sequence[Any] | None],
    columns: int | None,
    ax: Any,
) -> np.ndarray:
    """Shows the images once for each of `titles`; two and more fill the width of a new figure.

    Returns:
        Axes, `(len(titles) * n,)`.
    """
    images = [_to_bytes(np.asarray(image)) for image in images]
    if not images:
        raise ValueError("Expected at least one image. Received: none")
    texts: list[str] = []
    for part in titles:
        part = [""] * len(images) if part is None else [str(title) for title in part]
        if len(part) != len(images):
            raise ValueError(f"Expected {len(images)} titles, one per image. Received: {len(part)}")
        texts += part
    columns = columns or min(len(images), 8)
    side = style.WIDTH / max(columns, 2)
    letters = max(int(side * 72 / (0.55 * style.SMALL)), 6)
    texts = ["\n".join(textwrap.fill(line, letters) for line in t.split("\n")) for t in texts]
    title_height = max(t.count("\n") + bool(t) for t in texts) * 1.3 * style.SMALL / 72
    height = side + title_height / len(titles)
    axes = style.make_axes(ax, len(texts), columns, columns * side, height)
    for place, image, text in zip(axes, images * len(titles), texts, strict=True):
        small = max(image.shape[:2]) < _SHOWN_AS_SQUARES
        place.imshow(image, interpolation="nearest" if small else "auto")
        place.set_axis_off()
        place.set_title(text, fontsize=style.SMALL, pad=3)
    return axes


def _to_bytes(image: np.ndarray) -> np.ndarray:
    """Returns RGB `uint8`; floats may go to 1 or, as in the models, to 255, and a little beyond."""
    if image.dtype.kind == "f" and image.size:
        scale = 255.0 if image.max() <= 1.0 else 1.0
        image = np.clip(np.nan_to_num(image * scale), 0, 255).astype(np.uint8)
    return read_image(image)
