"""Tables of values with their intervals, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

WIDTH = 80
"""Letters in a line of a terminal."""


def number(value: float | None) -> str:
    """Writes a value, or a dash where it is undefined."""
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"


def ends(interval: tuple[float, float] | None) -> str:
    """Writes an interval, or a dash where there is none."""
    if interval is None or np.isnan(interval[0]):
        return "-"
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def p_text(value: float) -> str:
    """Writes a p-value with its sign, `= 0.012` or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def text_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    first_width: int,
    max_width: int = 16,
    gap: str = "  ",
) -> str:
    """Aligns the first column left and the others right, what is too long is cut."""
    columns = list(zip(header, *rows, strict=True))
    widths = [min(max(map(len, column)), max_width) for column in columns[1:]]
    lines = []
    for row in [header, *rows]:
        cells = [cell[:width].rjust(width) for cell, width in zip(row[1:], widths, strict=True)]
        lines.append(gap.join([row[0][:first_width].ljust(first_width), *cells]).rstrip())
    return "\n".join(lines)


def html_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], shades: np.ndarray | None = None
) -> str:
    """Builds a table; `shades` in `[0, 1]` colour the cells after the first of each row."""
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in header)]
    for i, row in enumerate(rows):
        cells = [f'<th style="text-align:left">{html.escape(row[0])}</th>']
        for j, cell in enumerate(row[1:]):
            # Half-transparent, so that the text stays readable on a light and on a dark page.
            opacity = 0.0 if shades is None else 0.6 * shades[i, j]
            shade = f";background:rgba(0,114,178,{opacity:.2f})" if opacity else ""
            cells.append(f'<td style="text-align:right{shade}">{html.escape(cell)}</td>')
        lines.append("".join(cells))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
