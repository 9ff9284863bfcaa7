"""What all plots share: colors, sizes, new figures; matplotlib's settings are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from seaborn.utils import relative_luminance

from fer_lib.labels import EMOTION_COLORS

WIDTH = 8.0
"""Width of a figure in inches, as wide as a notebook's column."""

SMALL, TEXT = 8.5, 10.0
"""Font sizes in points: of numbers in and beside marks, and of everything else."""

LEGEND = {"frameon": False, "fontsize": SMALL, "title_fontsize": SMALL, "handlelength": 1.4}
"""Look of a legend, without its place."""

# Paul Tol's muted scheme (https://sronpersonalpages.nl/~pault/), told apart by people with any
# common color blindness, and from the emotions' colors.
SERIES_COLORS = ("#332288", "#882255", "#117733", "#999933", "#44AA99", "#AA4499")
"""For what is no emotion: training and validation, one model and another."""


def class_colors(class_names: Sequence[str]) -> list[str]:
    """Returns the color of each class; classes that are no emotions get others."""
    others = [name for name in class_names if name not in EMOTION_COLORS]
    palette = SERIES_COLORS
    if len(others) > len(palette):
        palette = sns.husl_palette(len(others)).as_hex()
    colors = EMOTION_COLORS | dict(zip(others, palette, strict=False))
    return [colors[name] for name in class_names]


def text_color(background: str) -> str:
    """Returns black or white, whichever is read better on this color (WCAG's luminance)."""
    return "black" if relative_luminance(background) > 0.179 else "white"


def make_axes(ax: Any, count: int, columns: int, width: float, row_height: float) -> np.ndarray:
    """Returns `count` Axes in one row of an array: those given, or those of a new figure.

    `ax` is one Axes, any sequence of them, or None for a new figure with so many columns, `width`
    inches wide. Axes that are not needed are emptied: a grid may have more places than images.
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


def finish(ax: Axes, *, percent: str = "", grid: bool = False, small: bool = False) -> None:
    """Gives Axes the look that all plots have; `percent` names axes, of `"xy"`, of shares."""
    for name in percent:
        getattr(ax, f"{name}axis").set_major_formatter(PercentFormatter(1.0))
    if grid:
        ax.grid(alpha=0.3)
    if small:
        ax.tick_params(labelsize=SMALL)
    sns.despine(ax=ax)
