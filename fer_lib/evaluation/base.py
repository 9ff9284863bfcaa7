"""What all reports have in common: plain values, JSON, text for a terminal, HTML for a notebook."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import textwrap
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.files import write_text

WIDTH = 80
"""Characters in a line of text."""


class Report:
    """Base of the reports: a dataclass that says its title, its tables and its sentences."""

    def title(self) -> str:
        """Returns one line on what was scored, and how well it went."""
        names = " on ".join(filter(None, [self.model, self.dataset])) or "Evaluation"
        samples = "sample" if self.n == 1 else "samples"
        return f"{names}: {self.n:,} {samples}, accuracy {self.accuracy:.3f}"

    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        """Returns pairs of a caption (or "") and a table of numbers and texts."""
        return []

    def sentences(self) -> list[str]:
        """Says the results in plain words."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Returns all values as plain Python, ready for JSON; what is undefined is None."""
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        if path is not None:
            write_text(path, text + "\n")
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.title()}>"

    def __str__(self) -> str:
        parts = [textwrap.fill(self.title(), WIDTH)]
        for caption, table in self.tables():
            if text := text_table(table):
                parts.append(f"{caption}\n{text}" if caption else text)
        return "\n\n".join(parts + [textwrap.fill(text, WIDTH) for text in self.sentences()])

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.title())}</b></p>"]
        for caption, table in self.tables():
            parts += [f"<p>{html.escape(caption)}</p>", _cells(table).to_html(border=0)]
        parts += [f"<p>{html.escape(text)}</p>" for text in self.sentences()]
        return f"<div>{''.join(parts)}</div>"


def plain(value: Any) -> Any:
    """Turns NumPy values, tables, reports and what holds them into plain Python; NaN into None."""
    if isinstance(value, Report):
        return value.to_dict()
    if isinstance(value, pd.DataFrame):
        return plain(value.to_dict("records"))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if value != value else value


def text_of(value: Any) -> str:
    """Writes a cell of a table: a number, an interval, or a dash where it is undefined."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return "-" if np.isnan(value[0]) else f"{value[0]:.3f} to {value[1]:.3f}"
    if value is None or np.isnan(value):
        return "-"
    return f"{value:.3f}" if isinstance(value, (float, np.floating)) else f"{value:,}"


def interval_texts(low: pd.Series, high: pd.Series) -> list[str]:
    """Writes the intervals of a table as texts, a dash where there is none."""
    return [text_of(pair) for pair in zip(low, high, strict=True)]


def p_text(value: float) -> str:
    """Writes a p-value with its sign, `= 0.012` or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def text_table(table: pd.DataFrame) -> str:
    """Aligns a table in lines of at most 80 characters; empty where it does not fit.

    Long texts are cut to 30 characters or, if need be, to 16 or 7.
    """
    cells = _cells(table)
    for limit in (30, 16, 7):
        short = cells.map(lambda text, limit=limit: text[:limit])
        short.index = [str(name)[: limit + 1] for name in cells.index]
        short.columns = [str(name)[:limit] for name in cells.columns]
        text = short.rename_axis(columns=cells.columns.name).to_string()
        if max(map(len, text.splitlines())) <= WIDTH:
            return text
    return ""


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    # The name of the index stands above it, in the line of the columns.
    return table.astype(object).map(text_of).rename_axis(index=None, columns=table.index.name)
