"""The figure of a robustness suite: what is left of the accuracy as images get worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fer_lib.plotting import style

_COLUMNS = 4
_MAX_MODELS = 12


def plot_robustness(
    reports: Any | Mapping[str, Any],
    *,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws accuracy against severity, one panel a corruption, with its 95% interval.

    Each line starts at the accuracy on clean faces, severity 0. The dotted line is what always
    predicting the most frequent class gives: there the model has nothing left to say.

    Args:
        reports: A report of `robustness_suite`, or name to report for up to 12 models.
        ax: At least one Axes a corruption; a new figure if None.

    Returns:
        `(num_corruptions,)` array of Axes.

    Raises:
        ValueError: No report, more than a figure can show, or reports on other corruptions.
    """
    named = dict(reports) if isinstance(reports, Mapping) else {reports.model or "model": reports}
    if not 1 <= len(named) <= _MAX_MODELS:
        raise ValueError(f"Expected 1 to {_MAX_MODELS} reports. Received: {len(named)}")
    tables = {name: report.to_frame() for name, report in named.items()}
    kinds = [list(table["corruption"].unique()) for table in tables.values()]
    if any(kind != kinds[0] for kind in kinds):
        raise ValueError(
            f"Expected reports on the same corruptions, in the same order. Received: {kinds}"
        )
    count = len(kinds[0])
    # A new figure has one more place, for the legend.
    places = count + 1 if ax is None else count
    axes = style.make_axes(ax, places, min(_COLUMNS, places), style.WIDTH, 1.75)
    for index, (place, kind) in enumerate(zip(axes[:count], kinds[0], strict=True)):
        for number, (name, table) in enumerate(tables.items()):
            report, part = named[name], table[table["corruption"] == kind]
            look, severities = style.series_look(number), [0, *part["severity"]]
            low, high = report.accuracy_ci95
            ends = [low, *part["accuracy_low"]], [high, *part["accuracy_high"]]
            place.fill_between(severities, *ends, color=look["color"], alpha=0.2, linewidth=0)
            line = {"markersize": 3.5, "label": name} | look
            place.plot(severities, [report.accuracy, *part["accuracy"]], **line)
        chance = next(iter(named.values())).majority
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
