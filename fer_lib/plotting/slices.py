"""The figure of a slice report: how a model does in each group, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fer_lib.plotting import style

_COUNT = {"fontsize": style.SMALL, "va": "center"}


def plot_slices(
    report: Any,
    columns: str | Sequence[str] | None = None,
    *,
    score: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draws the score of each group as a bar, with its 95 % interval and number of samples.

    Groups with too few samples for a claim have no bar.

    Args:
        report: A report of `slice_report`.
        columns: Which of its columns to draw; all if None.
        score: `"accuracy"`, or the name of a class for its recall.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: The report has no such column or class.
    """
    names = [columns] if isinstance(columns, str) else list(columns or report.columns)
    if not set(names) <= set(report.columns):
        raise ValueError(f"Expected `columns` among {report.columns}. Received: {names}")
    classes = list(report.recalls["class"].unique())
    if score not in ("accuracy", *classes):
        raise ValueError(
            f"Expected `score` 'accuracy' or a class of {classes}. Received: {score!r}"
        )
    of_class = score != "accuracy"
    table = report.recalls[report.recalls["class"] == score] if of_class else report.groups
    value = "recall" if of_class else "accuracy"
    color = style.class_colors([score])[0] if of_class else style.SERIES_COLORS[4]
    parts = {name: table[table["column"] == name] for name in names}
    num_rows = sum(map(len, parts.values())) + 1.6 * len(names)
    ax = style.one_axes(ax, style.WIDTH * 0.75, 0.7 + 0.27 * num_rows)
    ax.text(1.02, 0, "samples", **_COUNT, transform=ax.get_yaxis_transform())
    ticks, texts, row = [], [], 0.0
    for name, part in parts.items():
        ax.text(0.01, row, name, fontsize=style.TEXT, weight="bold", va="center")
        for group in part.itertuples():
            row += 1
            ticks.append(row)
            texts.append(group.group)
            _draw_group(ax, row, group, value, color)
        row += 1.6
    if not of_class:
        ax.axvline(report.accuracy, color="black", linestyle="--", linewidth=1, zorder=0)
    ax.set_yticks(ticks, texts, fontsize=style.SMALL)
    ax.set_ylim(row - 0.9, -0.7)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    everywhere = "" if of_class else " (dashed: all samples together)"
    ax.set_xlabel(f"recall of {score}" if of_class else f"accuracy{everywhere}")
    ax.tick_params(axis="y", length=0)
    style.remove_frame(ax)
    return ax


def _draw_group(ax: Axes, row: float, group: Any, value: str, color: str) -> None:
    share = getattr(group, value)
    if share != share:
        ax.text(0.01, row, "too few", color="0.35", **_COUNT)
    else:
        low, high = getattr(group, f"{value}_low"), getattr(group, f"{value}_high")
        # An interval at the border may miss the share by a rounding error.
        ends = [[max(share - low, 0)], [max(high - share, 0)]]
        ax.barh(row, share, height=0.7, color=color)
        ax.errorbar(share, row, xerr=ends, color="black", linewidth=1.2, capsize=3)
    ax.text(1.02, row, f"{group.n:,}", **_COUNT, transform=ax.get_yaxis_transform())
