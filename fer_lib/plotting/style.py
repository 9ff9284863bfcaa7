"""Colours and figure sizes that all plots share; nothing here changes matplotlib's settings."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes

from fer_lib.labels import EMOTION_COLORS

WIDTH = 8.0
"""Width of a figure in inches, as wide as a notebook's column."""

SMALL, TEXT = 8.5, 10.0
"""Font sizes in points: of numbers in and beside marks, and of everything else."""

# Paul Tol's muted scheme (https://sronpersonalpages.nl/~pault/), told apart by people with any
# common colour blindness, and from the emotions' colours.
SERIES_COLORS = ("#332288", "#882255", "#117733", "#999933", "#44AA99", "#AA4499")
"""For what is no emotion: training and validation, one model and another."""


def class_colors(class_names: Sequence[str]) -> list[str]:
    """Returns the colour of each class; classes that are no emotions get one of the series'."""
    others = [name for name in class_names if name not in EMOTION_COLORS]
    return [
        EMOTION_COLORS.get(name) or SERIES_COLORS[others.index(name) % len(SERIES_COLORS)]
        for name in class_names
    ]


def text_color(background: str) -> str:
    """Returns black or white, whichever is read better on this colour (WCAG's luminance)."""
    channels = np.asarray(colors.to_rgb(background))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "white"


def one_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Returns `ax`, or the Axes of a new figure of this size in inches."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def many_axes(
    ax: Axes | Sequence[Axes] | np.ndarray | None,
    count: int,
    columns: int,
    width: float,
    row_height: float,
) -> np.ndarray:
    """Returns `count` Axes in one row of an array: those given, or those of a new figure.

    Axes that are not needed are emptied, so that a grid may have more places than pictures.

    Raises:
        ValueError: Fewer Axes are given than needed.
    """
    if ax is None:
        rows = -(-count // columns)
        figsize = (width, rows * row_height)
        ax = plt.subplots(rows, columns, figsize=figsize, layout="constrained", squeeze=False)[1]
    axes = np.array([ax] if isinstance(ax, Axes) else ax, dtype=object).ravel()
    if len(axes) < count:
        raise ValueError(f"Expected `ax` with at least {count} Axes. Received: {len(axes)}")
    for unused in axes[count:]:
        unused.set_axis_off()
    return axes[:count]


def remove_frame(ax: Axes) -> None:
    """Takes away the lines above and to the right, which hold no information."""
    ax.spines[["top", "right"]].set_visible(False)
