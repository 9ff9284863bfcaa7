"""The figure of a robustness suite: what is left of the accuracy as pictures get worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fer_lib.plotting import style

_COLUMNS = 4
_MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_robustness(
    reports: Any | Mapping[str, Any],
    *,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws accuracy against strength, one panel a corruption, with its 95 % interval.

    Each line starts at the accuracy on clean faces, strength 0. The dotted line is what always
    naming the most frequent class would give: there the model has nothing left to say.

    Args:
        reports: A report of `robustness_suite`, or name to report for several models.
        ax: At least one Axes a corruption; a new figure if None.

    Returns:
        `(num_corruptions,)` array of Axes.

    Raises:
        ValueError: No report, or reports on other corruptions.
    """
    named = dict(reports) if isinstance(reports, Mapping) else {reports.model or "model": reports}
    tables = {name: report.to_frame() for name, report in named.items()}
    kinds = [list(table["corruption"].unique()) for table in tables.values()]
    if not kinds or any(kind != kinds[0] for kind in kinds):
        raise ValueError(
            "Expected reports on the same corruptions, in the same order. "
            f"Received: {kinds or 'no report'}"
        )
    count = len(kinds[0])
    # A new figure has one more place, for the legend.
    places = count + 1 if ax is None else count
    axes = style.many_axes(ax, places, min(_COLUMNS, places), style.WIDTH, 1.75)
    for index, (place, kind) in enumerate(zip(axes, kinds[0], strict=False)):
        for (name, table), look in zip(tables.items(), _looks(), strict=False):
            part = table[table["corruption"] == kind]
            _draw_line(place, named[name], part, name, *look)
        chance = next(iter(named.values())).majority
        place.axhline(chance, color="black", ls=":", lw=1, label="most frequent class")
        _label(place, part, first=index % _COLUMNS == 0)
    legend = {"frameon": False, "fontsize": style.SMALL, "handlelength": 1.6}
    if places > count:
        axes[-1].set_axis_off()
        legend["loc"] = "center left"
    axes[-1 if places > count else 0].legend(*axes[0].get_legend_handles_labels(), **legend)
    return axes[:count]


def _looks() -> list[tuple[str, str]]:
    return list(zip(style.SERIES_COLORS, _MARKERS, strict=True))


def _draw_line(ax: Axes, report: Any, part: Any, name: str, color: str, marker: str) -> None:
    strengths = [0, *part["strength"]]
    low, high = report.accuracy_ci95
    ax.fill_between(
        strengths,
        [low, *part["accuracy_low"]],
        [high, *part["accuracy_high"]],
        color=color,
        alpha=0.2,
        linewidth=0,
    )
    accuracies = [report.accuracy, *part["accuracy"]]
    ax.plot(strengths, accuracies, color=color, marker=marker, markersize=3.5, label=name)


def _label(ax: Axes, part: Any, first: bool) -> None:
    levels, unit = part["level"].tolist(), part["unit"].iloc[0]
    ax.set_title(part["title"].iloc[0], fontsize=style.TEXT)
    ax.set_xlabel(f"{levels[0]:g} to {levels[-1]:g} {unit}", fontsize=style.SMALL)
    ax.set_xticks([0, *part["strength"]])
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.tick_params(labelsize=style.SMALL, labelleft=first)
    if first:
        ax.set_ylabel("accuracy", fontsize=style.SMALL)
    ax.grid(alpha=0.3)
    style.remove_frame(ax)
