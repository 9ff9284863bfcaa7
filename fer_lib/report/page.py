"""From an `EvaluationReport` to the page: what each section says, as tables for the template.

The same input gives the same bytes: there is no date, and figures have no random names. The page
holds no image of a face.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import fer_lib
from fer_lib.evaluation import Comparison, EvaluationReport, RobustnessReport, compare
from fer_lib.evaluation.base import p_text, text_of
from fer_lib.files import write_text
from fer_lib.report import figures
from fer_lib.report.facts import card_rows, card_warnings

# Id -> title; the optional ones are left out where there is nothing to show.
_SECTIONS = {
    "scored": "What was scored",
    "scores": "Scores",
    "classes": "Class by class",
    "confusions": "Confusions",
    "calibration": "Calibration: does the confidence mean what it says?",
    "abstaining": "Abstaining when unsure",
    "sets": "Prediction sets: several classes instead of one",
    "votes": "What people said",
    "comparison": "Comparison",
    "robustness": "Robustness to corrupted images",
    "model": "The model",
    "reading": "How to read this",
    "limits": "Limits and responsible use",
}
# What a score says, in the order of the report's table.
_MEANINGS = (
    "share of the images that are classified correctly",
    "mean recall: every class counts alike",
    "mean F1: every class counts alike, 0 to 1",
    "agreement beyond chance: 0 is chance, 1 is perfect",
    "the label is among the two most probable classes",
    "in nats; lower is better",
    "squared distance from the truth, 0 to 2; lower is better",
    "distance of confidence and accuracy; lower is better",
)


def write_report(
    path: str | os.PathLike[str],
    report: EvaluationReport,
    *,
    others: Sequence[EvaluationReport] = (),
    card: Mapping[str, Any] | None = None,
    robustness: RobustnessReport | None = None,
    details: Mapping[str, str] | None = None,
) -> Path:
    """Writes an evaluation as one self-contained web page, to read, print, grade or cite.

    Args:
        path: The file, `.html`; replaced where it exists.
        report: What `evaluate` returned.
        others: Reports of other models on the same samples, to compare with.
        card: What is known of the model, `Pretrained.card`.
        robustness: What `robustness_suite` returned.
        details: More on what was scored, such as `{"split": "PublicTest"}`.

    Returns:
        The path.

    Raises:
        ValueError: The others were scored on other samples.
        OSError: The file cannot be written.

    Example:
        >>> import numpy as np
        >>> from fer_lib import evaluate
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> report = evaluate(np.array([0, 1, 1]), probabilities, ["cat", "dog"])
        >>> write_report("report.html", report).name
        'report.html'
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fer_lib.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": "{:.1%}".format, "cell": text_of}
    comparison = compare(report, *others) if others else None
    optional = {"sets": report.conformal, "votes": report.agreement}
    optional |= {"comparison": comparison, "robustness": robustness}
    values, card = report.to_dict(), card or {}
    confused = report.most_confused(8)
    rows = card_rows(card)
    page = environment.get_template("template.html").render(
        version=fer_lib.__version__,
        model=report.model or "model",
        dataset=report.dataset or "data set without a name",
        sections={k: title for k, title in _SECTIONS.items() if optional.get(k, True) is not None},
        report=report,
        values=values,
        warnings=[*card_warnings(card, report.predictions.data_hash), *report.notes],
        scored=_facts(_scored_rows(report, details or {})),
        scores=_scores(report),
        classes=report.tables()[1][1],
        confused=None if confused.empty else confused.set_index("true"),
        verdicts=report.agreement and pd.DataFrame({"images": report.agreement.errors}),
        comparison=comparison,
        compared=_compared((report, *others)),
        differences=comparison and _differences(comparison),
        robustness=robustness,
        card=_facts(rows) if rows else None,
        figures=figures.draw_all(report),
        data={"report": values, "comparison": comparison and comparison.to_dict()},
    )
    return write_text(path, page)


def _facts(rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows).set_index(0)


def _scored_rows(report: EvaluationReport, details: Mapping[str, str]) -> list[tuple[str, str]]:
    rows = {
        "model": report.model,
        "data set": report.dataset,
        **details,
        "images": f"{report.n:,}",
        "classes": ", ".join(report.class_names),
        "also among the training images": report.num_duplicates,
        "sha256 of images and labels": report.predictions.data_hash,
    }
    return [(name, str(value)) for name, value in rows.items() if value not in (None, "")]


def _scores(report: EvaluationReport) -> pd.DataFrame:
    table = report.tables()[0][1].rename_axis("score")
    if report.clean is not None:
        name = f"without duplicates, {report.clean.n:,}"
        clean = report.clean.tables()[0][1].set_axis([name, f"{name}: 95% interval"], axis=1)
        table = table.join(clean)
    return table.assign(**{"what it says": _MEANINGS})


def _compared(reports: Sequence[EvaluationReport]) -> pd.DataFrame:
    names = ["accuracy", "balanced_accuracy", "macro_f1", "loss", "ece"]
    rows = [[getattr(report, name) for name in names] for report in reports]
    models = pd.Index([report.model or "model" for report in reports], name="model")
    return pd.DataFrame(rows, models, [name.replace("_", " ") for name in names])


def _differences(comparison: Comparison) -> pd.DataFrame:
    rows = {}
    for pair in comparison.differences:
        rows[f"{pair.first} \N{MINUS SIGN} {pair.second}"] = {
            "accuracy": pair.accuracy,
            "its 95% interval": pair.accuracy_ci95,
            "loss": pair.loss,
            "the loss' interval": pair.loss_ci95,
            "correct alone": f"{pair.only_first:,} and {pair.only_second:,}",
            "McNemar p": p_text(pair.p_value),
            "p, Holm": p_text(pair.p_adjusted),
        }
    return pd.DataFrame.from_dict(rows, "index").rename_axis("pair")
