"""What `slice_report` returns: groups, gaps and sentences, as values, as JSON, as a table."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import textwrap
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import tables
from fer_lib.files import write_text

_LEVEL = 0.05
_HEADER = ["group", "samples", "accuracy", "95 % interval"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SliceReport:
    """How a model does in each group. `slice_report` makes it; printing it shows tables.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        n: Number of samples.
        accuracy: Share of all samples that are classified correctly.
        min_size: Samples below which nothing is claimed; values are NaN there.
        groups: One row a group: `column, group, n, accuracy, accuracy_low, accuracy_high`.
        recalls: One row a group and class: `column, group, class, n, recall, recall_low,
            recall_high`.
        gaps: One row a column and score (`accuracy`, `recall of happy`, ...) that two groups are
            large enough for: `best` and `worst` group with `best_score` and `worst_score`, their
            `gap` with `gap_low` and `gap_high`, how much of it the mix of classes explains
            (`by_classes`), out of how many groups (`num_groups`), `p_value`, `p_adjusted`.
        notes: Which groups are too small, and what has no value, in plain sentences.
    """

    model: str
    dataset: str
    n: int
    accuracy: float
    min_size: int
    groups: pd.DataFrame
    recalls: pd.DataFrame
    gaps: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns that make the groups."""
        return list(dict.fromkeys(self.groups["column"]))

    @property
    def worst_gap(self) -> pd.Series | None:
        """The row of `gaps` with the widest gap in accuracy; None where none can be claimed."""
        gaps = self.gaps[self.gaps["score"] == "accuracy"]
        return None if gaps.empty else gaps.loc[gaps["gap"].idxmax()]

    def sentences(self) -> list[str]:
        """Says in plain words, column by column, whether groups differ, and in which class most."""
        return [text for name in self.columns for text in self._sentences_on(name)]

    def to_dict(self) -> dict[str, Any]:
        """Returns all values as plain Python, ready for JSON; what is not claimed is None."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            values[field.name] = _records(value) if isinstance(value, pd.DataFrame) else value
        values["notes"] = list(self.notes)
        return {**values, "sentences": self.sentences()}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        if path is not None:
            write_text(path, text + "\n")
        return text

    def __repr__(self) -> str:
        return f"SliceReport(n={self.n}, columns={self.columns})"

    def __str__(self) -> str:
        parts = [self._title()]
        for name in self.columns:
            parts.append(tables.text_table([name, *_HEADER[1:]], self._rows(name), 30))
        texts = [*self.sentences(), *self.notes]
        return "\n\n".join([*parts, *(textwrap.fill(text, tables.WIDTH) for text in texts)])

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self._title())}</b></p>"]
        for name in self.columns:
            parts.append(tables.html_table([name, *_HEADER[1:]], self._rows(name)))
            classes = self.recalls["class"].unique()
            of_column = self.recalls.loc[self.recalls["column"] == name, "recall"]
            recalls = of_column.to_numpy().reshape(-1, len(classes))
            rows = [
                [row[0], *map(tables.number, values)]
                for row, values in zip(self._rows(name), recalls, strict=True)
            ]
            parts.append(tables.html_table(["recall", *classes], rows, np.nan_to_num(recalls)))
        parts += [f"<p>{html.escape(text)}</p>" for text in [*self.sentences(), *self.notes]]
        return "<div>" + "".join(parts) + "</div>"

    def _title(self) -> str:
        names = " on ".join(filter(None, [self.model, self.dataset])) or "Groups"
        return f"{names}: {self.n:,} samples, accuracy {self.accuracy:.3f}"

    def _rows(self, column: str) -> list[list[str]]:
        return [
            [
                row.group,
                f"{row.n:,}",
                tables.number(row.accuracy),
                tables.ends((row.accuracy_low, row.accuracy_high)),
            ]
            for row in self.groups[self.groups["column"] == column].itertuples()
        ]

    def _sentences_on(self, column: str) -> list[str]:
        gaps = self.gaps[self.gaps["column"] == column]
        of_accuracy = gaps[gaps["score"] == "accuracy"]
        if of_accuracy.empty:
            return [
                f"{column}: fewer than two groups have {self.min_size} samples: nothing is claimed."
            ]
        gap = of_accuracy.iloc[0]
        sentences = [f"{column}: accuracy is {_describe(gap)}."]
        real = gaps[(gaps["score"] != "accuracy") & (gaps["p_adjusted"] < _LEVEL)]
        if len(real):
            worst = real.loc[real["gap"].idxmax()]
            sentences.append(f"{column}: {worst['score']} is {_describe(worst)}.")
        return sentences


def _describe(gap: pd.Series) -> str:
    picked = ""
    if gap["num_groups"] > 2:
        picked = f" between the best and the worst of {gap['num_groups']} groups"
    text = (
        f"{gap['best_score']:.3f} for {gap['best']} and {gap['worst_score']:.3f} for "
        f"{gap['worst']}, a gap of {100 * gap['gap']:.1f} points{picked} (95 % interval "
        f"{100 * gap['gap_low']:.1f} to {100 * gap['gap_high']:.1f}, permutation p "
        f"{tables.p_text(gap['p_adjusted'])})"
    )
    if abs(gap["by_classes"]) >= 0.005:
        text += f"; {100 * gap['by_classes']:.1f} of them come from the mix of expressions"
    verdict = "does not" if gap["p_adjusted"] < _LEVEL else "is enough to"
    return f"{text}: chance {verdict} explain it"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.to_dict("records")
    return [{k: None if value != value else value for k, value in row.items()} for row in rows]
