"""The learning curves of a training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fer_lib.plotting import style


def plot_history(
    history: Any,
    metrics: Sequence[str] = ("loss", "accuracy"),
    *,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws the learning curves of a training, one panel a metric.

    Args:
        history: What `model.fit` returns or its `history` dict, a table with one row an epoch, or
            the path of a `history.csv`. Columns are metrics, `val_` ones are of the validation
            set; `epoch`, where there is one, is the horizontal axis.
        metrics: Which to draw.
        ax: One Axes a metric; a new figure if None.

    Returns:
        `(num_metrics,)` array of Axes.

    Raises:
        ValueError: No epoch, or a metric that the history does not hold.
        FileNotFoundError: No such file.
    """
    is_file = isinstance(history, (str, os.PathLike))
    table = pd.read_csv(history) if is_file else pd.DataFrame(getattr(history, "history", history))
    if table.empty:
        raise ValueError("Expected a history of at least one epoch. Received: none")
    missing = [name for name in metrics if not {name, f"val_{name}"} & {*table}]
    if missing:
        raise ValueError(f"Expected `metrics` among {list(table)}. Received: {missing[0]!r}")
    epochs = table["epoch"] if "epoch" in table else np.arange(1, len(table) + 1)
    axes = style.make_axes(ax, len(metrics), len(metrics), style.WIDTH, 3.0)
    looks = (("", "training", "--"), ("val_", "validation", "-"))
    # A line of a single epoch would not be seen.
    marker = "o" if len(table) == 1 else None
    for place, metric in zip(axes, metrics, strict=True):
        for (prefix, label, line), color in zip(looks, style.SERIES_COLORS[:2], strict=True):
            if prefix + metric in table:
                look = {"color": color, "label": label, "marker": marker}
                place.plot(epochs, table[prefix + metric], line, **look)
        place.set_xlabel("epoch")
        place.set_title(metric.replace("_", " "), fontsize=style.TEXT)
        place.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        place.legend(frameon=False)
        style.finish(place, grid=True)
    return axes
