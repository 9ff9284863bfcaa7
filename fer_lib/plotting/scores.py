"""Figures of an evaluation: confusions, calibration, and what abstaining buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fer_lib.labels import EMOTIONS
from fer_lib.plotting import style

# More cells than this have no room for numbers.
_MAX_ANNOTATED = 12


def plot_confusion_matrix(
    matrix: np.ndarray,
    class_names: Sequence[str] = EMOTIONS,
    *,
    normalize: str | None = "true",
    ax: Axes | None = None,
) -> Axes:
    """Draws a confusion matrix: shares as colour and percent, counts below them.

    Args:
        matrix: `(num_classes, num_classes)` counts, true classes in rows.
        class_names: Names of the classes.
        normalize: Percent of the `"true"` class (the diagonal is recall), of the `"pred"` class
            (precision), of `"all"` samples; None shows counts alone.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: The matrix is not square, has not one row a class, or `normalize` is unknown.
    """
    matrix = np.asarray(matrix)
    size = len(class_names)
    if matrix.shape != (size, size):
        raise ValueError(
            f"Expected `matrix` of shape ({size}, {size}) for {size} classes. "
            f"Received: {matrix.shape}"
        )
    totals = {
        "true": matrix.sum(axis=1, keepdims=True),
        "pred": matrix.sum(axis=0, keepdims=True),
        "all": matrix.sum(),
        None: matrix.sum(axis=1, keepdims=True),
    }
    if normalize not in totals:
        raise ValueError(
            f"Expected `normalize` to be 'true', 'pred', 'all' or None. Received: {normalize!r}"
        )
    shares = matrix / np.maximum(totals[normalize], 1)
    if normalize is None:
        texts = [[f"{count:,}" for count in row] for row in matrix]
    else:
        texts = [
            [f"{share:.0%}\n{count:,}" for share, count in zip(*rows, strict=True)]
            for rows in zip(shares, matrix, strict=True)
        ]
    shown = matrix if normalize is None else shares
    ax = style.one_axes(ax, style.WIDTH * 0.85, style.WIDTH * 0.75)
    sns.heatmap(
        shown,
        annot=np.array(texts) if size <= _MAX_ANNOTATED else None,
        fmt="",
        annot_kws={"fontsize": style.SMALL},
        cmap="Blues",
        vmin=0,
        vmax=None if normalize is None else max(shares.max(), 0.01),
        linewidths=0.5,
        xticklabels=list(class_names),
        yticklabels=list(class_names),
        cbar=size > _MAX_ANNOTATED,
        square=True,
        ax=ax,
    )
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.tick_params(length=0)
    if max(map(len, class_names)) > 8:
        for label in ax.get_xticklabels():
            label.set(rotation=45, horizontalalignment="right", rotation_mode="anchor")
    ax.tick_params(axis="y", rotation=0)
    return ax


def plot_reliability(
    reliability: pd.DataFrame | Any, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draws a reliability diagram: accuracy of the answers against their confidence.

    Bars below the diagonal are over-confident, above it under-confident. The strip on top shows
    how many answers each bar stands for.

    Args:
        reliability: Table with `low, high, confidence, accuracy, count`, one row a bin, as
            `evaluation.reliability` gives it, or a report that has it.
        title: Shown on top.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes; the strip is its child.
    """
    table = pd.DataFrame(getattr(reliability, "reliability", reliability))
    ax = style.one_axes(ax, 5.0, 5.0)
    width = table["high"] - table["low"]
    bars = {"x": table["low"], "width": width, "align": "edge", "edgecolor": "white"}
    ax.bar(height=table["accuracy"], color=style.SERIES_COLORS[4], label="accuracy", **bars)
    ax.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="perfectly calibrated")
    ax.plot(
        table["confidence"],
        table["accuracy"],
        "o",
        color=style.SERIES_COLORS[0],
        markersize=4,
        label="mean confidence",
    )
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
    ax.set_aspect("equal", adjustable="box")
    ax.legend(frameon=False, loc="upper left", fontsize=style.SMALL)
    style.remove_frame(ax)

    strip = ax.inset_axes([0, 1.03, 1, 0.14], sharex=ax)
    strip.bar(height=table["count"], color="0.6", **bars)
    strip.set_ylabel("answers", fontsize=style.SMALL)
    strip.set_yticks([int(table["count"].max())])
    strip.tick_params(labelbottom=False, labelsize=style.SMALL)
    style.remove_frame(strip)
    if title:
        strip.set_title(title, fontsize=style.TEXT)
    return ax


def plot_risk_coverage(
    curves: pd.DataFrame | Mapping[str, pd.DataFrame], *, ax: Axes | None = None
) -> Axes:
    """Draws the error among the most confident answers against how many are answered.

    Args:
        curves: Table with `coverage` and `risk`, as `evaluation.risk_coverage` gives it, or
            name to table for several models.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.
    """
    named = curves if isinstance(curves, Mapping) else {"": curves}
    ax = style.one_axes(ax, style.WIDTH * 0.75, 3.8)
    for index, (name, curve) in enumerate(named.items()):
        color = style.SERIES_COLORS[index % len(style.SERIES_COLORS)]
        ax.plot(curve["coverage"], curve["risk"], color=color, label=name)
    ax.set(xlim=(0, 1), xlabel="share of pictures answered, the most confident first")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("error among the answers")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(alpha=0.3)
    style.remove_frame(ax)
    if any(named):
        ax.legend(frameon=False)
    return ax
