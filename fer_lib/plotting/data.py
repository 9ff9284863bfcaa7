"""Figures of a data set: its faces, and how many there are of each class."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from fer_lib.plotting import style


def plot_faces(
    images: Iterable[np.ndarray],
    titles: Sequence[Any] | None = None,
    *,
    columns: int | None = None,
    ax: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draws pictures in a grid, each with its title.

    Args:
        images: Pictures, `(height, width)`, `(height, width, 1)` or `(height, width, 3)`, sizes
            may differ; uint8, or float in `[0, 255]` or `[0, 1]`.
        titles: One title a picture.
        columns: Pictures in a row; chosen by their number if None.
        ax: At least as many Axes as pictures; a new figure if None.

    Returns:
        `(n,)` array of Axes, one a picture.

    Raises:
        ValueError: No picture, a picture of another shape, or not one title a picture.
    """
    images = [displayable(np.asarray(image)) for image in images]
    if not images:
        raise ValueError("Expected at least one picture. Received: none")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"Expected {len(images)} titles, one a picture. Received: {len(titles)}")
    columns = columns or min(len(images), 8)
    # A few pictures are not blown up to fill the width.
    cell = min(style.WIDTH / columns, 2.0)
    lines = 0
    if titles is not None:
        titles, lines = wrap_titles(titles, cell)
    row_height = cell + lines * 1.3 * style.SMALL / 72
    axes = style.many_axes(ax, len(images), columns, columns * cell, row_height)
    for index, (place, image) in enumerate(zip(axes, images, strict=True)):
        place.imshow(image, cmap="gray", vmin=0, vmax=255)
        place.set_axis_off()
        if titles is not None:
            place.set_title(titles[index], fontsize=style.SMALL, pad=3)
    return axes


def plot_class_counts(
    counts: pd.DataFrame | pd.Series | Mapping[str, int], *, ax: Axes | None = None
) -> Axes:
    """Draws how many pictures each class has, as bars with their numbers.

    Args:
        counts: Class to count; or a table with one row a class and one column a split, as
            `FaceDataset.counts()` gives it, whose splits are then parts of the bars.
        ax: Where to draw; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: Nothing to draw.
    """
    table = counts if isinstance(counts, pd.DataFrame) else pd.Series(counts).to_frame("")
    if table.shape[1] > 1:
        # `FaceDataset.counts()` adds the sum of the splits, which is the bar itself here.
        table = table.drop(columns="all", errors="ignore")
    if table.empty:
        raise ValueError("Expected counts of at least one class. Received: none")
    names = [str(name) for name in table.index]
    ax = style.one_axes(ax, style.WIDTH * 0.8, 0.8 + 0.32 * len(names))
    strengths = np.linspace(1.0, 0.3, table.shape[1])
    start = np.zeros(len(names))
    for column, strength in zip(table.columns, strengths, strict=True):
        faded = [(color, strength) for color in style.class_colors(names)]
        bars = ax.barh(names, table[column], left=start, color=faded)
        start += table[column].to_numpy()
    ax.bar_label(bars, [f"{total:,.0f}" for total in start], padding=3, fontsize=style.SMALL)
    if table.shape[1] > 1:
        keys = [Patch(color=("black", strength)) for strength in strengths]
        ax.legend(keys, table.columns, frameon=False, fontsize=style.SMALL)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlim(left=0)
    ax.set_xlabel("pictures")
    ax.tick_params(axis="y", length=0)
    style.remove_frame(ax)
    return ax


def wrap_titles(titles: Sequence[Any], width: float) -> tuple[list[str], int]:
    """Returns titles broken into lines of a width in inches, and the most lines that one has."""
    letters = max(int(width * 72 / (0.55 * style.SMALL)), 6)
    wrapped = [
        "\n".join(textwrap.fill(line, letters) for line in str(title).split("\n"))
        for title in titles
    ]
    return wrapped, max(title.count("\n") + 1 for title in wrapped)


def displayable(image: np.ndarray) -> np.ndarray:
    """Returns a picture as imshow takes it: 0 to 255, grey without a channel axis."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.size == 0 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            "Expected pictures of shape (height, width), (height, width, 1) or "
            f"(height, width, 3). Received: {image.shape}"
        )
    if image.dtype.kind == "f":
        scale = 255.0 if image.max() <= 1.0 else 1.0
        image = np.clip(np.nan_to_num(image * scale), 0, 255).astype(np.uint8)
    return image
