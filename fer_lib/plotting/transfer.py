"""Accuracy against the number of labelled pictures, with a head start and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, PercentFormatter

from fer_lib.plotting import style

# How a training began -> what the figure calls it, its line and its marks.
_MODES = {
    "scratch": ("from scratch", "--", "o"),
    "frozen": ("head start, features frozen", ":", "s"),
    "fine-tuned": ("head start, all fine-tuned", "-", "^"),
}


def plot_transfer(results: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draws what a head start is worth, from few labelled pictures to many.

    Args:
        results: What `load_experiments("transfer")` returns; of it the `rows`, each with its
            `mode` (`"scratch"`, `"frozen"` or `"fine-tuned"`), the number of `pictures`, the mean
            `accuracy` in `[0, 1]` and that of each draw, `by_draw`.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes: a line a mode, through the means; a small mark is one draw of pictures.

    Raises:
        ValueError: No row, or a mode that is none of the three.
    """
    rows = results["rows"]
    modes = [mode for mode in _MODES if any(row["mode"] == mode for row in rows)]
    unknown = sorted({row["mode"] for row in rows} - set(modes))
    if not rows or unknown:
        raise ValueError(
            f"Expected rows of the modes {', '.join(_MODES)}. Received: {unknown or 'no row'}"
        )
    ax = style.one_axes(ax, style.WIDTH, 3.4)
    for mode, color in zip(modes, style.SERIES_COLORS, strict=False):
        label, line, marker = _MODES[mode]
        own = sorted((row for row in rows if row["mode"] == mode), key=lambda row: row["pictures"])
        pictures = [row["pictures"] for row in own]
        means = [row["accuracy"] for row in own]
        ax.plot(pictures, means, line, marker=marker, color=color, label=label)
        for row in own:
            draws = row["by_draw"]
            places = [row["pictures"]] * len(draws)
            ax.plot(places, draws, marker, color=color, markersize=3, alpha=0.6)
    counts = sorted({row["pictures"] for row in rows})
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("labelled pictures")
    ax.set_ylabel("accuracy")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    style.remove_frame(ax)
    return ax
