"""The expressions of the faces of a video over time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from fer_lib.plotting import style

# Inches: of the legend and the axis below, and of each row.
_AROUND, _ROW = 0.8, 1.2

# Round times between two ticks, in seconds, from tenths of one to hours.
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_MAX_TICKS = 9


def plot_timeline(
    table: pd.DataFrame | str | os.PathLike[str],
    *,
    max_faces: int = 6,
    ax: Axes | Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws how the probabilities of each face change in a video, one row a face.

    The height of a colour is the probability of its emotion; where a face is not to be seen there
    is a gap.

    Args:
        table: What `analyze_video` returns, or the path of the CSV file that it wrote.
        max_faces: The faces that are seen in the most frames are drawn, no more than this.
        ax: One Axes a face; a new figure if None.

    Returns:
        `(num_faces,)` array of Axes; one Axes that says so where the video shows no face.

    Raises:
        ValueError: It is no such table, or `max_faces` is below 1.
        FileNotFoundError: No such file.

    Example:
        >>> plot_timeline(analyze_video("clip.mp4"))  # doctest: +SKIP
    """
    if isinstance(table, (str, os.PathLike)):
        table = pd.read_csv(table)
    names = [name.removeprefix("raw_") for name in table if str(name).startswith("raw_")]
    missing = {"frame", "time_s", "face_id", *names} - {*table}
    if missing or not names:
        raise ValueError(
            "Expected a table of analyze_video, with frame, time_s, face_id and probabilities. "
            f"Received the columns {list(table)}"
        )
    if max_faces < 1:
        raise ValueError(f"Expected `max_faces` of at least 1. Received: {max_faces}")
    frames_of = table["face_id"].dropna().astype(int).value_counts()
    # A stable order among those that are seen equally long.
    chosen = sorted(frames_of.index, key=lambda face_id: (-frames_of[face_id], face_id))
    shown = sorted(chosen[:max_faces])
    count = max(len(shown), 1)
    axes = style.many_axes(ax, count, 1, style.WIDTH, _ROW + _AROUND / count)
    times = table["time_s"].to_numpy(float)
    step = float(np.median(np.diff(np.unique(times)))) if len(np.unique(times)) > 1 else 1.0
    end = times.max(initial=0.0) + step
    if not shown:
        axes[0].set_title("no face found", fontsize=style.TEXT)
    for place, face_id in zip(axes, shown, strict=False):
        for start_stop, values in _stretches(table[table["face_id"] == face_id], names, step):
            place.stackplot(
                start_stop,
                values,
                colors=style.class_colors(names),
                labels=names,
                linewidth=0,
            )
        place.set_ylabel(f"face {face_id}", fontsize=style.TEXT)
    tick_s = next((step for step in _TICKS_S if end / step <= _MAX_TICKS), end)
    for place in axes:
        place.set(xlim=(min(times.min(initial=0.0), 0.0), end), ylim=(0, 1))
        place.set_yticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=style.SMALL)
        place.tick_params(axis="x", labelsize=style.SMALL, labelbottom=place is axes[-1])
        place.xaxis.set_major_locator(MultipleLocator(tick_s))
        style.remove_frame(place)
    if end > 120:
        axes[-1].xaxis.set_major_formatter(FuncFormatter(_minutes))
    axes[-1].set_xlabel("time in minutes" if end > 120 else "time in seconds")
    _draw_legend(axes[0], names, len(frames_of), len(shown))
    return axes


def _stretches(
    rows: pd.DataFrame, names: Sequence[str], step: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields times and `(num_classes, n)` probabilities of the stretches without a gap."""
    rows = rows.sort_values("frame")
    breaks = np.flatnonzero(np.diff(rows["frame"]) > 1) + 1
    for part in np.split(np.arange(len(rows)), breaks):
        times = rows["time_s"].to_numpy(float)[part]
        values = rows[list(names)].to_numpy(float)[part].T
        # A frame is shown until the next one: a face in a single frame is a thin line, not nothing.
        times = np.append(times, times[-1] + step)
        yield times, np.concatenate([values, values[:, -1:]], axis=1)


def _draw_legend(ax: Axes, names: Sequence[str], found: int, shown: int) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    title = f"{shown} of {found} faces, those seen longest" if found > shown else None
    ax.legend(
        handles[: len(names)],
        labels[: len(names)],
        title=title,
        title_fontsize=style.SMALL,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=min(len(names), 8),
        frameon=False,
        fontsize=style.SMALL,
        handlelength=1,
        columnspacing=1.2,
    )


def _minutes(seconds: float, _: int) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
