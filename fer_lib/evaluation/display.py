"""A report as text for a terminal of 80 columns, and as HTML for a notebook."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from fer_lib.evaluation import selective, tables

if TYPE_CHECKING:
    from fer_lib.evaluation.report import EvaluationReport

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
        tables.text_table(["", "value", "95 % interval"], _score_rows(report), 22),
        tables.text_table(
            ["class", "precision", "recall", "F1", "support", "recall 95 %"],
            _class_rows(report),
            max(name_width, 5),
        ),
    ]
    if len(report.class_names) <= _MAX_MATRIX_CLASSES:
        parts.append(
            "Confusion matrix: true classes in rows, predicted ones in columns.\n"
            + tables.text_table(["", *report.class_names], _matrix_rows(report), name_width, 8, " ")
        )
    parts.extend(_sentences(report))
    return "\n\n".join(
        part if "\n" in part else textwrap.fill(part, tables.WIDTH) for part in parts
    )


def to_html(report: EvaluationReport) -> str:
    """Returns the report as HTML tables, without scripts or anything loaded from elsewhere."""
    matrix = report.confusion_matrix
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    parts = [
        f"<p><b>{html.escape(_title(report))}</b></p>",
        tables.html_table(["score", "value", "95 % interval"], _score_rows(report)),
        tables.html_table(
            ["class", "precision", "recall", "F1", "support", "recall 95 %"], _class_rows(report)
        ),
        "<p>Confusion matrix: true classes in rows, predicted ones in columns.</p>",
        tables.html_table(["", *report.class_names], _matrix_rows(report), shares),
    ]
    parts.extend(f"<p>{html.escape(sentence)}</p>" for sentence in _sentences(report))
    return "<div>" + "".join(parts) + "</div>"


def _title(report: EvaluationReport) -> str:
    name = report.predictions.dataset or "Evaluation"
    samples = "sample" if report.n == 1 else "samples"
    return f"{name}: {report.n:,} {samples}, {len(report.class_names)} classes"


def _score_rows(report: EvaluationReport) -> list[list[str]]:
    rows = [
        [title, tables.number(getattr(report, name)), tables.ends(report.intervals[name])]
        for name, title in _TITLES.items()
    ]
    chance = f"{report.ece_if_calibrated:.3f} by chance"
    return [*rows, ["calibration error ECE", tables.number(report.ece), chance]]


def _class_rows(report: EvaluationReport) -> list[list[str]]:
    return [
        [
            str(name),
            tables.number(row["precision"]),
            tables.number(row["recall"]),
            tables.number(row["f1"]),
            f"{int(row['support']):,}",
            tables.ends((row["recall_low"], row["recall_high"])),
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
    if report.num_duplicates is not None:
        sentences.append(_twins_sentence(report))
    return [*sentences, *report.notes]


def _twins_sentence(report: EvaluationReport) -> str:
    if not report.num_duplicates:
        return "None of the pictures is among the training pictures."
    found = f"{report.num_duplicates:,} pictures are among the training pictures"
    if report.clean is None:
        return f"All {found}: nothing is left to score without them."
    ends = tables.ends(report.clean.intervals["accuracy"])
    return f"{found}; without them the accuracy is {report.clean.accuracy:.3f} ({ends})."
