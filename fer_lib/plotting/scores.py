"""Figures of an evaluation: confusions, calibration, what abstaining buys, corrupted images."""

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
# Panels of corruptions side by side, and the marks of the models in them.
_COLUMNS, _MARKERS = 4, "os^DvP*X"


def plot_confusion_matrix(
    matrix: np.ndarray, class_names: Sequence[str] = EMOTIONS, *, ax: Axes | None = None
) -> Axes:
    """Draws a confusion matrix: shares of the true class in percent, counts below them.

    Args:
        matrix: `(num_classes, num_classes)` counts, true classes in rows.
        class_names: Names of the classes.
        ax: Where to draw; a new figure if None.

    Raises:
        ValueError: The matrix has not one row and one column per class.
    """
    table = pd.DataFrame(np.asarray(matrix), class_names, class_names)
    shares = table.div(table.sum(axis=1).clip(lower=1), axis=0)  # the diagonal is recall
    cells = zip(shares.to_numpy().flat, table.to_numpy().flat, strict=True)
    texts = np.reshape([f"{share:.0%}\n{count:,}" for share, count in cells], table.shape)
    many = len(class_names) > _MAX_ANNOTATED
    [ax] = style.make_axes(ax, 1, 1, style.WIDTH, style.WIDTH * 0.92)
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


def plot_reliability(report: Any, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draws a reliability diagram: accuracy of the predictions against their confidence.

    Bars below the diagonal are overconfident, above it underconfident. The strip on top shows
    how many predictions each bar stands for.

    Args:
        report: What `evaluate` returned.
        title: Shown on top.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes; the strip is its child.
    """
    table = report.reliability
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


def plot_risk_coverage(curve: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draws the error among the most confident predictions against how many are kept.

    Args:
        curve: Table with `coverage` and `risk`, as `evaluation.risk_coverage` gives it.
        ax: Where to draw; a new figure if None.
    """
    [ax] = style.make_axes(ax, 1, 1, style.WIDTH, 3.8)
    ax.plot(curve["coverage"], curve["risk"], color=style.SERIES_COLORS[0])
    ax.set(xlabel="coverage: share of images kept, the most confident first", xlim=(0, 1))
    ax.set(ylabel="error among these", ylim=(0, None))
    style.finish(ax, percent="xy", grid=True)
    return ax


def plot_robustness(
    reports: Mapping[str, Any], *, ax: Axes | Sequence[Axes] | np.ndarray | None = None
) -> np.ndarray:
    """Draws accuracy against severity, one panel per corruption, with its 95% interval.

    Each line starts at the accuracy on clean faces, severity 0. The dotted line is what always
    predicting the most frequent class gives: there the model is no better than that.

    Args:
        reports: Name to report of `robustness_suite`, all on the same corruptions.
        ax: At least one Axes per corruption; a new figure if None.

    Returns:
        `(num_corruptions,)` array of Axes.
    """
    tables = {name: report.to_frame() for name, report in reports.items()}
    first = next(iter(reports))
    kinds = tables[first]["corruption"].unique()
    count = len(kinds)
    # A new figure has one more place, for the legend.
    places = count + 1 if ax is None else count
    axes = style.make_axes(ax, places, min(_COLUMNS, places), style.WIDTH, 1.75)
    for index, (place, kind) in enumerate(zip(axes[:count], kinds, strict=True)):
        for number, (name, table) in enumerate(tables.items()):
            report, part = reports[name], table[table["corruption"] == kind]
            color = style.SERIES_COLORS[number % len(style.SERIES_COLORS)]
            severities = [0, *part["severity"]]
            low, high = report.accuracy_ci95
            ends = [low, *part["accuracy_low"]], [high, *part["accuracy_high"]]
            place.fill_between(severities, *ends, color=color, alpha=0.2, linewidth=0)
            line = {"color": color, "marker": _MARKERS[number % len(_MARKERS)], "markersize": 3.5}
            place.plot(severities, [report.accuracy, *part["accuracy"]], label=name, **line)
        chance = reports[first].majority
        place.axhline(chance, color="black", ls=":", lw=1, label="most frequent class")
        levels, unit = part["level"].tolist(), part["unit"].iloc[0]
        place.set_title(part["title"].iloc[0], fontsize=style.TEXT)
        place.set_xlabel(f"{levels[0]:g} to {levels[-1]:g} {unit}", fontsize=style.SMALL)
        place.set(xticks=severities, ylim=(0, 1), yticks=[0, 0.5, 1])
        style.finish(place, percent="y", grid=True, small=True)
        place.tick_params(labelleft=index % _COLUMNS == 0)
        place.set_ylabel("accuracy" if index % _COLUMNS == 0 else "", fontsize=style.SMALL)
    if places > count:
        axes[-1].set_axis_off()
    legend = {"loc": "center left", "labelspacing": 0.2, "borderpad": 0} | style.LEGEND
    axes[-1].legend(*axes[0].get_legend_handles_labels(), **legend)
    return axes[:count]
