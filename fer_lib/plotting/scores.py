"""Figures of an evaluation: confusions, calibration, and what abstaining buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from fer_lib.labels import EMOTIONS
from fer_lib.plotting import style

# More cells than this have no room for numbers.
_MAX_ANNOTATED = 12


def plot_confusion_matrix(
    matrix: np.ndarray, class_names: Sequence[str] = EMOTIONS, *, ax: Axes | None = None
) -> Axes:
    """Draws a confusion matrix: shares of the true class in percent, counts below them.

    Args:
        matrix: `(num_classes, num_classes)` counts, true classes in rows.
        class_names: Names of the classes.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: The matrix has not one row and one column a class.
    """
    table = pd.DataFrame(np.asarray(matrix), class_names, class_names)
    shares = table.div(table.sum(axis=1).clip(lower=1), axis=0)  # the diagonal is recall
    cells = zip(shares.to_numpy().flat, table.to_numpy().flat, strict=True)
    texts = np.reshape([f"{share:.0%}\n{count:,}" for share, count in cells], table.shape)
    many = len(class_names) > _MAX_ANNOTATED
    [ax] = style.make_axes(ax, 1, 1, style.WIDTH * 0.85, style.WIDTH * 0.75)
    labels = {"xticklabels": True, "yticklabels": True, "fmt": ""}
    labels |= {"annot": None if many else texts, "annot_kws": {"fontsize": style.SMALL}}
    look = {"cmap": "Blues", "vmin": 0, "linewidths": 0.5, "square": True, "cbar": many}
    sns.heatmap(shares, ax=ax, **labels, **look)
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0)
    if max(map(len, class_names)) > 8:
        ax.tick_params(axis="x", rotation=45, rotation_mode="xtick")
    return ax


def plot_reliability(
    reliability: pd.DataFrame | Any, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draws a reliability diagram: accuracy of the predictions against their confidence.

    Bars below the diagonal are overconfident, above it underconfident. The strip on top shows
    how many predictions each bar stands for.

    Args:
        reliability: Table with `low, high, confidence, accuracy, count`, one row a bin, as
            `evaluation.reliability` gives it, or a report that has it.
        title: Shown on top.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes; the strip is its child.
    """
    table = pd.DataFrame(getattr(reliability, "reliability", reliability))
    [ax] = style.make_axes(ax, 1, 1, 5.0, 5.0)
    width = table["high"] - table["low"]
    bars = {"x": table["low"], "width": width, "align": "edge", "edgecolor": "white"}
    dark, *_, light, _ = style.SERIES_COLORS
    ax.bar(height=table["accuracy"], color=light, label="accuracy", **bars)
    ax.axline((0, 0), (1, 1), ls="--", color="black", lw=1, label="perfectly calibrated")
    points = {"color": dark, "markersize": 4, "label": "mean confidence"}
    ax.plot(table["confidence"], table["accuracy"], "o", **points)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", aspect="equal")
    ax.legend(frameon=False, loc="upper left", fontsize=style.SMALL)

    strip = ax.inset_axes([0, 1.03, 1, 0.14], sharex=ax)
    strip.bar(height=table["count"], color="0.6", **bars)
    strip.set_ylabel("predictions", fontsize=style.SMALL)
    strip.set_yticks([int(table["count"].max())])
    strip.tick_params(labelbottom=False, labelsize=style.SMALL)
    strip.set_title(title or "", fontsize=style.TEXT)
    for part in (ax, strip):
        style.finish(part)
    return ax


def plot_risk_coverage(
    curves: pd.DataFrame | Mapping[str, pd.DataFrame], *, ax: Axes | None = None
) -> Axes:
    """Draws the error among the most confident predictions against how many are kept.

    Args:
        curves: Table with `coverage` and `risk`, as `evaluation.risk_coverage` gives it, or
            name to table for several models.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.
    """
    named = curves if isinstance(curves, Mapping) else {"": curves}
    [ax] = style.make_axes(ax, 1, 1, style.WIDTH * 0.75, 3.8)
    for index, (name, curve) in enumerate(named.items()):
        look = style.series_look(index) | {"marker": "", "label": name}
        ax.plot(curve["coverage"], curve["risk"], **look)
    ax.set(xlabel="coverage: share of images kept, the most confident first", xlim=(0, 1))
    ax.set(ylabel="error among these", ylim=(0, None))
    style.finish(ax, percent="xy", grid=True)
    if any(named):
        ax.legend(frameon=False)
    return ax
