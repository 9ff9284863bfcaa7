"""From an `EvaluationReport` to the page: what each section says, as plain values for the template.

The same input gives the same bytes: there is no date, and figures have no random names. The page
holds no picture of a face.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

import fer_lib
from fer_lib.evaluation import EvaluationReport, compare
from fer_lib.files import write_text
from fer_lib.report import figures
from fer_lib.report.facts import card_rows, card_warnings

# Score -> what it is called, whether it is a share, what it says.
_SCORES = {
    "accuracy": ("accuracy", True, "share of the pictures that are named as they are labelled"),
    "balanced_accuracy": ("balanced accuracy", True, "mean recall: every class counts alike"),
    "macro_f1": ("macro F1", False, "mean F1: every class counts alike, 0 to 1"),
    "kappa": ("Cohen's kappa", False, "agreement beyond chance: 0 is chance, 1 is perfect"),
    "top2_accuracy": ("top-2 accuracy", True, "the label is among the two likeliest classes"),
    "loss": ("loss", False, "cross-entropy in nats; lower is better"),
    "brier": ("Brier score", False, "squared distance from the truth, 0 to 2; lower is better"),
}


def write_report(
    path: str | os.PathLike[str],
    report: EvaluationReport,
    *,
    others: Sequence[EvaluationReport] = (),
    card: Mapping[str, Any] | None = None,
    robustness: Any = None,
    details: Mapping[str, str] | None = None,
) -> Path:
    """Writes an evaluation as one self-contained web page, to read, print, grade or cite.

    Args:
        path: The file, `.html`; replaced where it exists.
        report: What `evaluate` returned.
        others: Reports of other models on the same samples, to compare with.
        card: What is known of the model, `Pretrained.card`.
        robustness: What `robustness_suite` returned, or a table with its columns `title`,
            `severity` and `accuracy`.
        details: More on what was scored, such as `{"split": "PublicTest"}`.

    Returns:
        The path.

    Raises:
        ValueError: The others were scored on other samples, or the table lacks a column.
        OSError: The file cannot be written.

    Example:
        >>> from fer_lib import evaluate
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> report = evaluate(np.array([0, 1, 1]), probabilities, ["cat", "dog"])
        >>> write_report("report.html", report).name
        'report.html'
    """
    page = render_report(report, others=others, card=card, robustness=robustness, details=details)
    return write_text(path, page)


def render_report(
    report: EvaluationReport,
    *,
    others: Sequence[EvaluationReport] = (),
    card: Mapping[str, Any] | None = None,
    robustness: Any = None,
    details: Mapping[str, str] | None = None,
) -> str:
    """Returns the page that `write_report` writes, as HTML; see there."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fer_lib.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "number": number,
        "points": points,
        "count": "{:,}".format,
    }
    model = report.predictions.model or "model"
    comparison = compare(report, *others) if others else None
    values = report.to_dict()
    return environment.get_template("template.html").render(
        version=fer_lib.__version__,
        model=model,
        dataset=report.predictions.dataset or "data set without a name",
        report=report,
        values=values,
        scored=_scored_rows(report, model, details or {}),
        warnings=[*card_warnings(card or {}, report.predictions.data_hash), *report.notes],
        scores=_score_rows(report),
        classes=_class_rows(report),
        weakest=_weakest(values["per_class"]),
        rarest=report.per_class["support"].min(),
        majority=report.per_class["support"].max() / report.n,
        confused=report.most_confused(8).to_dict("records"),
        compared=[(other.predictions.model or "model", other) for other in (report, *others)],
        comparison=comparison,
        robustness=_robustness_rows(robustness),
        card=card_rows(card or {}),
        figures=figures.draw_all(report),
    )


def percent(value: float | None, digits: int = 1) -> str:
    """Writes a share as percent, or a dash where it is undefined."""
    return "\N{EN DASH}" if value is None or np.isnan(value) else f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """Writes a difference of shares in percentage points, with its sign."""
    text = f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
    return "0.0" if text[1:] == "0.0" else text


def number(value: float | None) -> str:
    """Writes a number with three digits, or a dash where it is undefined."""
    return (
        "\N{EN DASH}"
        if value is None or np.isnan(value)
        else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")
    )


def ends(interval: Sequence[float] | None, share: bool = True) -> str:
    """Writes an interval, or a dash where there is none."""
    if interval is None or np.isnan(interval[0]):
        return "\N{EN DASH}"
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f} %" if share else f"{number(low)} to {number(high)}"


def _scored_rows(
    report: EvaluationReport, model: str, details: Mapping[str, str]
) -> list[tuple[str, str]]:
    rows = [
        ("model", model),
        ("data set", report.predictions.dataset or "without a name"),
        *((str(name), str(value)) for name, value in details.items()),
        ("pictures", f"{report.n:,}"),
        ("classes", ", ".join(report.class_names)),
    ]
    if report.num_duplicates is not None:
        rows.append(("also among the training pictures", f"{report.num_duplicates:,}"))
    if report.predictions.data_hash:
        rows.append(("sha256 of pictures and labels", report.predictions.data_hash))
    return rows


def _score_rows(report: EvaluationReport) -> list[dict[str, Any]]:
    rows = []
    for name, (title, share, meaning) in _SCORES.items():
        columns = []
        for part in (report, report.clean):
            if part is not None:
                value = getattr(part, name)
                shown = percent(value) if share else number(value)
                columns.append((shown, ends(part.intervals[name], share)))
        rows.append({"title": title, "meaning": meaning, "columns": columns})
    return rows


def _class_rows(report: EvaluationReport) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "support": int(row["support"]),
            "recall": row["recall"],
            "recall_ends": ends((row["recall_low"], row["recall_high"])),
            "precision": row["precision"],
            "precision_ends": ends((row["precision_low"], row["precision_high"])),
            "f1": row["f1"],
        }
        for name, row in report.per_class.iterrows()
    ]


def _weakest(per_class: Mapping[str, Any]) -> tuple[str, float] | None:
    found = {name: row["recall"] for name, row in per_class.items() if row["recall"] is not None}
    return min(found.items(), key=lambda item: item[1]) if found else None


def _robustness_rows(robustness: Any) -> dict[str, Any] | None:
    """Returns the table of corruptions by severity, from a report or a table of it."""
    if robustness is None:
        return None
    of_report = hasattr(robustness, "to_frame")
    table = robustness.to_frame() if of_report else pd.DataFrame(robustness)
    missing = {"title", "severity", "accuracy"} - set(table.columns)
    if missing:
        raise ValueError(
            "Expected `robustness` with the columns title, severity and accuracy. "
            f"Received: {list(table.columns)}"
        )
    pivot = table.pivot_table("accuracy", "title", "severity", sort=False, aggfunc="mean")
    return {
        "severities": [str(severity) for severity in pivot.columns],
        "rows": [
            (title, list(row)) for title, row in zip(pivot.index, pivot.to_numpy(), strict=True)
        ],
        "clean": robustness.accuracy if of_report else None,
        "clean_n": robustness.n if of_report else None,
    }
