"""A report as text for a terminal of 80 columns, and as HTML for a notebook."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_lib.evaluation import selective

if TYPE_CHECKING:
    from fer_lib.evaluation.report import EvaluationReport

_WIDTH = 80
_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "kappa": "Cohen's kappa",
    "top2_accuracy": "top-2 accuracy",
    "loss": "loss (cross-entropy)",
    "brier": "Brier score",
}
# A wider matrix is no longer read in a terminal; JSON and the plot have it.
_MAX_MATRIX_CLASSES = 8


def to_text(report: EvaluationReport) -> str:
    """Returns the report as a table, lines of at most 80 characters."""
    name_width = min(max(map(len, report.class_names)), 14)
    parts = [
        _title(report),
        _text_table(["", "value", "95 % interval"], _score_rows(report), 22),
        _text_table(
            ["class", "precision", "recall", "F1", "support", "recall 95 %"],
            _class_rows(report),
            max(name_width, 5),
        ),
    ]
    if len(report.class_names) <= _MAX_MATRIX_CLASSES:
        parts.append(
            "Confusion matrix: true classes in rows, predicted ones in columns.\n"
            + _text_table(["", *report.class_names], _matrix_rows(report), name_width, 8, " ")
        )
    parts.extend(_sentences(report))
    return "\n\n".join(part if "\n" in part else textwrap.fill(part, _WIDTH) for part in parts)


def to_html(report: EvaluationReport) -> str:
    """Returns the report as HTML tables, without scripts or anything loaded from elsewhere."""
    matrix = report.confusion_matrix
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    parts = [
        f"<p><b>{html.escape(_title(report))}</b></p>",
        _html_table(["score", "value", "95 % interval"], _score_rows(report)),
        _html_table(
            ["class", "precision", "recall", "F1", "support", "recall 95 %"], _class_rows(report)
        ),
        "<p>Confusion matrix: true classes in rows, predicted ones in columns.</p>",
        _html_table(["", *report.class_names], _matrix_rows(report), shares),
    ]
    parts.extend(f"<p>{html.escape(sentence)}</p>" for sentence in _sentences(report))
    return "<div>" + "".join(parts) + "</div>"


def _title(report: EvaluationReport) -> str:
    name = report.predictions.dataset or "Evaluation"
    samples = "sample" if report.n == 1 else "samples"
    return f"{name}: {report.n:,} {samples}, {len(report.class_names)} classes"


def _score_rows(report: EvaluationReport) -> list[list[str]]:
    rows = [
        [title, _number(getattr(report, name)), _ends(report.intervals[name])]
        for name, title in _TITLES.items()
    ]
    chance = f"{report.ece_if_calibrated:.3f} by chance"
    return [*rows, ["calibration error ECE", _number(report.ece), chance]]


def _class_rows(report: EvaluationReport) -> list[list[str]]:
    return [
        [
            str(name),
            _number(row["precision"]),
            _number(row["recall"]),
            _number(row["f1"]),
            f"{int(row['support']):,}",
            _ends((row["recall_low"], row["recall_high"])),
        ]
        for name, row in report.per_class.iterrows()
    ]


def _matrix_rows(report: EvaluationReport) -> list[list[str]]:
    return [
        [name, *(str(count) for count in row)]
        for name, row in zip(report.class_names, report.confusion_matrix, strict=True)
    ]


def _sentences(report: EvaluationReport) -> list[str]:
    """What is said in words: confusions, abstaining, sets, votes, twins, and the notes."""
    sentences = []
    if len(pairs := report.most_confused(3)):
        texts = (
            f"{pair.true} taken for {pair.predicted} ({pair.count}, {pair.share:.0%})"
            for pair in pairs.itertuples()
        )
        sentences.append(f"Most confused: {'; '.join(texts)}.")
    most = selective.at_coverage(report.risk_coverage, 0.8)
    sentences.append(
        f"Answering only from a confidence of {most.threshold:.2f} on: {most.coverage:.0%} are "
        f"answered, with an accuracy of {1 - most.error:.3f}."
    )
    if (sets := report.conformal) is not None:
        sentences.append(
            f"Sets of classes that shall hold the true one in {sets.wanted:.0%} of the cases held "
            f"it in {sets.measured:.1%}, with {sets.mean_size:.1f} classes on average."
        )
    if (people := report.agreement) is not None:
        split = people.errors["people were split"] + people.errors["people agree with the model"]
        sentences.append(
            f"On average {people.model:.1%} of the voters agree with the model and "
            f"{people.label:.1%} with the label; the best possible answers reach "
            f"{people.ceiling:.1%}. Of "
            f"{sum(people.errors.values()):,} errors, people were split or agree with the model "
            f"on {split:,}."
        )
    if report.num_twins is not None:
        sentences.append(_twins_sentence(report))
    return [*sentences, *report.notes]


def _twins_sentence(report: EvaluationReport) -> str:
    if not report.num_twins:
        return "None of the pictures is among the training pictures."
    found = f"{report.num_twins:,} pictures are among the training pictures"
    if report.clean is None:
        return f"All {found}: nothing is left to score without them."
    ends = _ends(report.clean.intervals["accuracy"])
    return f"{found}; without them the accuracy is {report.clean.accuracy:.3f} ({ends})."


def _number(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"


def _ends(ends: tuple[float, float] | None) -> str:
    return "-" if ends is None or np.isnan(ends[0]) else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _text_table(
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


def _html_table(
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
