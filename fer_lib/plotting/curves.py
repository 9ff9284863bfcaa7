"""What changes over time: the scores of a training by epoch, the faces of a video by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fer_lib.plotting import style

# Inches: of the legend and the axis below a timeline, and of each row.
_AROUND, _ROW = 0.8, 1.2
_MAX_FACES = 6


def plot_history(
    history: Any,
    metrics: Sequence[str] = ("loss", "accuracy"),
    *,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws the learning curves of a training run, one panel per metric.

    Args:
        history: What `model.fit` returns or its `history` dict, or a table with one row per epoch.
            Columns are metrics, `val_` ones are of the validation set; `epoch`, where there is
            one, is the horizontal axis.
        metrics: Which to draw.
        ax: One Axes per metric; a new figure if None.

    Returns:
        `(num_metrics,)` array of Axes.

    Raises:
        ValueError: No epoch, or a metric that the history does not hold.
    """
    table = pd.DataFrame(getattr(history, "history", history))
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


def plot_timeline(
    table: pd.DataFrame, *, ax: Axes | Sequence[Axes] | np.ndarray | None = None
) -> np.ndarray:
    """Draws how the probabilities of each face change in a video, one row per face.

    The height of a color is the probability of its emotion; where a face is not to be seen there
    is a gap. The six faces that are seen in the most frames are drawn.

    Args:
        table: What `analyze_video` returns.
        ax: One Axes per face; a new figure if None.

    Returns:
        `(num_faces,)` array of Axes; one Axes that says so where the video shows no face.

    Raises:
        ValueError: It is no such table.

    Example:
        >>> plot_timeline(analyze_video("clip.mp4"))  # doctest: +SKIP
    """
    names = [name.removeprefix("raw_") for name in table if str(name).startswith("raw_")]
    if not names or {"frame", "time_s", "face_id", *names} - {*table}:
        raise ValueError(
            "Expected a table of analyze_video, with frame, time_s, face_id and probabilities. "
            f"Received the columns {list(table)}"
        )
    # Among those that are seen equally long the first come first.
    frames_of = table["face_id"].dropna().astype(int).value_counts().sort_index()
    shown = sorted(frames_of.sort_values(ascending=False, kind="stable").index[:_MAX_FACES])
    count = max(len(shown), 1)
    axes = style.make_axes(ax, count, 1, style.WIDTH, _ROW + _AROUND / count)
    is_long = table["time_s"].max() > 120
    table = table.assign(time=table["time_s"] / (60 if is_long else 1))
    times = np.unique(table["time"].to_numpy(float))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    end = times.max(initial=0.0) + step
    for place in axes:
        place.set(xlim=(min(times.min(initial=0.0), 0.0), end), ylim=(0, 1))
        place.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
        place.tick_params(axis="x", labelbottom=place is axes[-1])
        style.finish(place, small=True)
    axes[-1].set_xlabel("time in minutes" if is_long else "time in seconds")
    if not shown:
        axes[0].set_title("no face found", fontsize=style.TEXT)
        return axes
    for place, face_id in zip(axes, shown, strict=True):
        rows = table[table["face_id"] == face_id].sort_values("frame")
        for _, part in rows.groupby((rows["frame"].diff() > 1).cumsum()):
            # A frame is shown until the next one: a face in a single frame is a thin line, not
            # nothing.
            seen = [*part["time"], part["time"].iloc[-1] + step]
            values = part[names].iloc[[*range(len(part)), -1]].to_numpy(float).T
            colors = style.class_colors(names)
            areas = place.stackplot(seen, values, colors=colors, linewidth=0)
        place.set_ylabel(f"face {face_id}", fontsize=style.TEXT)
    longest = f"{len(shown)} of {len(frames_of)} faces, those seen longest"
    title = longest if len(frames_of) > len(shown) else None
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": min(len(names), 8)}
    axes[0].legend(areas, names, title=title, **place, **style.LEGEND)
    return axes
