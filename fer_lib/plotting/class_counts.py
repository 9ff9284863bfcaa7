"""The figure of how many images each class has."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from fer_lib.plotting import style


def plot_class_counts(counts: pd.Series | Mapping[str, int], *, ax: Axes | None = None) -> Axes:
    """Draws how many images each class has, as bars with their numbers.

    Args:
        counts: Class to count, such as one column of `FaceDataset.counts()`.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: Nothing to draw.
    """
    if not len(counts):
        raise ValueError("Expected counts of at least one class. Received: none")
    names, numbers = zip(*counts.items(), strict=True)
    ax = style.one_axes(ax, style.WIDTH * 0.8, 0.8 + 0.32 * len(names))
    bars = ax.barh(names, numbers, color=style.class_colors(names))
    ax.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=style.SMALL)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("images")
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax)
    return ax
