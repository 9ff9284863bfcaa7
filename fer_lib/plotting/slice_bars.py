"""The figure of a slice report: how a model does in each group, and how sure that is."""

from __future__ import annotations

from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fer_lib.plotting import style


def plot_slices(report: Any, *, score: str = "accuracy", ax: Axes | None = None) -> Axes:
    """Draws the score of each group as a bar, with its 95% interval and number of samples.

    Groups with too few samples for a claim have no bar.

    Args:
        report: A report of `slice_report`.
        score: `"accuracy"`, or the name of a class for its recall.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: The report has no such class.
    """
    names = report.columns
    classes = list(report.recalls["class"].unique())
    if score not in ("accuracy", *classes):
        raise ValueError(
            f"Expected `score` 'accuracy' or a class of {classes}. Received: {score!r}"
        )
    of_class = score != "accuracy"
    table = report.recalls[report.recalls["class"] == score] if of_class else report.groups
    value = "recall" if of_class else "accuracy"
    color = style.class_colors([score])[0] if of_class else style.SERIES_COLORS[4]
    # A row a group below a row with the name of its column.
    parts = [table[table["column"] == name] for name in names]
    num_rows = sum(map(len, parts)) + len(names)
    ax = style.one_axes(ax, style.WIDTH * 0.75, 0.8 + 0.27 * num_rows)
    note = {"fontsize": style.SMALL, "va": "center"}
    right = {**note, "x": 1.02, "transform": ax.get_yaxis_transform()}
    ax.text(y=0, s="samples", **right)
    labels: list[str] = []
    headings = []
    for name, part in zip(names, parts, strict=True):
        headings.append(len(labels))
        labels.append(name)
        for group in part.to_dict("records"):
            row = len(labels)
            labels.append(group["group"])
            ax.text(y=row, s=f"{group['n']:,}", **right)
            share, low, high = (group[value + end] for end in ("", "_low", "_high"))
            if share != share:
                ax.text(0.01, row, "too few", color="0.35", **note)
                continue
            # An interval at the border may miss the share by a rounding error.
            ends = [[max(share - low, 0)], [max(high - share, 0)]]
            bar = {"ecolor": "black", "capsize": 3, "error_kw": {"elinewidth": 1.2}}
            ax.barh(row, share, height=0.7, color=color, xerr=ends, **bar)
    if not of_class:
        ax.axvline(report.accuracy, color="black", linestyle="--", linewidth=1, zorder=0)
    ax.set_yticks(range(num_rows), labels, fontsize=style.SMALL)
    for row in headings:
        ax.get_yticklabels()[row].set_weight("bold")
    ax.set(xlim=(0, 1), ylim=(num_rows - 0.4, -0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(f"recall of {score}" if of_class else "accuracy (dashed: all samples together)")
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax)
    return ax
