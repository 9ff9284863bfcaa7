"""Figures of explanations: maps over faces, their means, and the parts of the face they fall on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fer_lib.plotting import style
from fer_lib.plotting.data import displayable, wrap_titles

# Even in lightness and told apart by people with any common colour blindness; the face shows
# through where a map is low.
_COLORS = "inferno"
_OPACITY = 0.65


def plot_explanations(
    images: Iterable[np.ndarray],
    maps: np.ndarray,
    titles: Sequence[Any] | None = None,
    *,
    columns: int | None = None,
    ax: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws faces, and below each the same face under its map.

    The brighter, the more the place matters; each map is shown relative to its highest value. What
    is below 0 in an occlusion map is shown as nothing.

    Args:
        images: `n` pictures, `(height, width)`, `(height, width, 1)` or `(height, width, 3)`.
        maps: `(n, height, width)`, of `explain.grad_cam` or `explain.occlusion_map`.
        titles: One title a picture.
        columns: Pictures in a row; chosen by their number if None.
        ax: At least twice as many Axes as pictures; a new figure if None.

    Returns:
        `(2, n)` array of Axes: the pictures, and the pictures under their maps.

    Raises:
        ValueError: No picture, or not one map or title a picture.

    Example:
        >>> plot_explanations(faces.images, grad_cam(model, faces))  # doctest: +SKIP
    """
    images = [displayable(np.asarray(image)) for image in images]
    maps = np.asarray(maps)
    if not images:
        raise ValueError("Expected at least one picture. Received: none")
    if maps.ndim != 3 or len(maps) != len(images):
        raise ValueError(
            f"Expected `maps` of shape ({len(images)}, height, width), one a picture. "
            f"Received: {maps.shape}"
        )
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"Expected {len(images)} titles, one a picture. Received: {len(titles)}")
    columns = min(columns or 7, len(images))
    cell = min(style.WIDTH / columns, 1.6)
    lines = 0
    if titles is not None:
        titles, lines = wrap_titles(titles, cell)
    bands = -(-len(images) // columns)
    height = cell + lines * 0.65 * style.SMALL / 72
    # Each band of the grid holds a row of faces and, below it, a row of the same under their maps.
    places = 2 * bands * columns if ax is None else 2 * len(images)
    axes = style.many_axes(ax, places, columns, columns * cell, height)
    if ax is None:
        grid = axes.reshape(bands, 2, columns).swapaxes(0, 1).reshape(2, bands * columns)
    else:
        grid = axes.reshape(2, len(images))
    for unused in grid[:, len(images) :].ravel():
        unused.set_axis_off()
    for index, (image, values) in enumerate(zip(images, maps, strict=True)):
        plain, overlaid = grid[:, index]
        for place in (plain, overlaid):
            place.imshow(image, cmap="gray", vmin=0, vmax=255)
            place.set_axis_off()
        _overlay(overlaid, values, image.shape)
        if titles is not None:
            plain.set_title(titles[index], fontsize=style.SMALL, pad=3)
    return grid[:, : len(images)]


def plot_mean_saliency(
    means: Mapping[str, np.ndarray],
    face: np.ndarray | None = None,
    *,
    ax: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws where a network looks on average, class by class.

    Args:
        means: Class to mean map `(height, width)`, as `explain.mean_saliency` gives it.
        face: A picture to lay the maps over, such as `draw_face(image_size=48)`; the maps alone if
            None. It should be one that may be shown.
        ax: At least as many Axes as classes; a new figure if None.

    Returns:
        `(n,)` array of Axes, one a class.

    Raises:
        ValueError: No map.
    """
    if not means:
        raise ValueError("Expected the mean map of at least one class. Received: none")
    columns = min(len(means), 7)
    cell = min(style.WIDTH / columns, 1.6)
    axes = style.many_axes(ax, len(means), columns, columns * cell, cell + 1.5 * style.SMALL / 72)
    for place, (name, values) in zip(axes, means.items(), strict=True):
        values = np.asarray(values)
        if face is None:
            place.imshow(values, cmap=_COLORS, vmin=0, vmax=max(float(values.max()), 1e-12))
        else:
            image = displayable(np.asarray(face))
            place.imshow(image, cmap="gray", vmin=0, vmax=255)
            _overlay(place, values, image.shape)
        place.set_axis_off()
        place.set_title(name, fontsize=style.TEXT, pad=3)
    return axes


def plot_region_energy(
    energy: pd.DataFrame | Mapping[str, pd.DataFrame],
    chance: pd.DataFrame | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draws how much of the maps falls on each part of the face, as bars of their means.

    Args:
        energy: One row a map and one column a part, as `explain.region_energy` gives it; or name
            to table for several models, methods or classes. Classes that are emotions have their
            own colours.
        chance: What a map without preference has, `region_energy(np.ones((48, 48)))`: drawn as a
            line across each group of bars.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: Nothing to draw.
    """
    named = dict(energy) if isinstance(energy, Mapping) else {"": energy}
    if not named or any(len(table) == 0 for table in named.values()):
        raise ValueError("Expected the energy of at least one map. Received: none")
    parts = list(next(iter(named.values())).columns)
    ax = style.one_axes(ax, style.WIDTH * 0.8, 3.4)
    middle, width = np.arange(len(parts)), 0.8 / len(named)
    for index, (name, color) in enumerate(zip(named, style.class_colors(list(named)), strict=True)):
        means = named[name][parts].mean()
        start = middle - 0.4 + (index + 0.5) * width
        bars = ax.bar(start, means, width, color=color, label=name, edgecolor="white")
        if len(named) == 1:
            ax.bar_label(bars, [f"{share:.0%}" for share in means], padding=3)
    if chance is not None:
        # White under black is seen on any colour of bar and beside it.
        ends = {"xmin": middle - 0.42, "xmax": middle + 0.42}
        ax.hlines(chance[parts].mean(), **ends, color="white", linewidth=3.5)
        ax.hlines(
            chance[parts].mean(), **ends, color="black", linewidth=1.5, label="share of the area"
        )
    ax.set_xticks(middle, parts)
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_ylabel("share of the map")
    ax.margins(y=0.12)
    style.remove_frame(ax)
    if any(named) or chance is not None:
        ax.legend(frameon=False, fontsize=style.SMALL, loc="upper left")
    return ax


def _overlay(ax: Axes, values: np.ndarray, shape: tuple[int, ...]) -> None:
    """Lays a map over a picture of any size, the more opaque the higher."""
    shown = np.clip(np.asarray(values, np.float64), 0, None)
    shown = shown / max(shown.max(), 1e-12)
    height, width = shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(
        shown,
        cmap=_COLORS,
        vmin=0,
        vmax=1,
        alpha=_OPACITY * np.sqrt(shown),
        extent=extent,
        interpolation="bilinear",
    )
