"""From an `EvaluationReport` to the page: what each section says, as tables for the template.

The same input gives the same bytes: there is no date, and figures have no random names. The page
holds no image of a face.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

import fer_lib
from fer_lib import plotting
from fer_lib.evaluation import Comparison, EvaluationReport, RobustnessReport, compare
from fer_lib.evaluation.base import p_text, text_of
from fer_lib.evaluation.slices import SliceReport
from fer_lib.files import write_text

_PARTS = ("training", "validation")
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
    slices: SliceReport | None = None,
    robustness: RobustnessReport | None = None,
    details: Mapping[str, str] | None = None,
) -> Path:
    """Writes an evaluation as one self-contained web page, to read, print, grade or cite.

    Args:
        path: The file, `.html`; replaced where it exists.
        report: What `evaluate` returned.
        others: Reports of other models on the same samples, to compare with.
        card: What is known of the model, `Pretrained.card`.
        slices: What `slice_report` returned.
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
    values, card, confused = report.to_dict(), card or {}, report.most_confused(8)
    # Which part of the making of the model had these very images.
    hashes = {part: card.get("data", {}).get(part, {}).get("sha256") for part in _PARTS}
    used = [part for part in _PARTS if hashes[part] and hashes[part] == values["data_hash"]]
    page = environment.get_template("template.html").render(
        version=fer_lib.__version__,
        model=report.model or "model",
        dataset=report.dataset or "data set without a name",
        report=report,
        values=values,
        used=used,
        scored=_facts(_scored(report, details or {})),
        scores=_scores(report),
        classes=report.tables()[1][1],
        confused=None if confused.empty else confused.set_index("true"),
        verdicts=report.agreement and pd.DataFrame({"images": report.agreement.errors}),
        comparison=comparison,
        compared=_compared((report, *others)),
        differences=comparison and _differences(comparison),
        slices=slices,
        robustness=robustness,
        card=_facts(_card_rows(card)),
        figures=_draw(report),
        data={"report": values, "comparison": comparison and comparison.to_dict()},
    )
    return write_text(path, page)


def _draw(report: EvaluationReport) -> dict[str, str]:
    """Returns the figures of a report, name to the address of an image that holds all of it."""
    # The reader's own settings of matplotlib would change the page; elements get repeatable names.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.hashsalt": "fer_lib", "svg.fonttype": "path"})
        matrix = plotting.plot_confusion_matrix(report.confusion_matrix, report.class_names)
        return {
            "confusion": _address(matrix),
            "reliability": _address(plotting.plot_reliability(report)),
            "risk_coverage": _address(plotting.plot_risk_coverage(report.risk_coverage)),
        }


def _address(ax: Axes) -> str:
    buffer, nothing = io.BytesIO(), {"Date": None, "Creator": None}
    ax.figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=nothing)
    plt.close(ax.figure)
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _facts(rows: Mapping[str, Any]) -> pd.DataFrame | None:
    known = {
        name: f"{v:,}" if isinstance(v, int) else str(v)
        for name, v in rows.items()
        if v not in (None, "")
    }
    return pd.DataFrame({"value": known}, dtype=object) if known else None


def _scored(report: EvaluationReport, details: Mapping[str, str]) -> dict[str, Any]:
    return {
        "model": report.model,
        "data set": report.dataset,
        **details,
        "images": report.n,
        "classes": ", ".join(report.class_names),
        "also among the training images": report.num_duplicates,
        "sha256 of images and labels": report.data_hash,
    }


def _card_rows(card: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a model's card says of its making; a card may lack any of it."""
    recipe, data, epoch = card.get("recipe", {}), card.get("data", {}), card.get("selected_epoch")
    total = f" of {recipe['epochs']}" if recipe.get("epochs") else ""
    return {
        "network": recipe.get("variant"),
        "parameters": card.get("parameters"),
        "multiply-adds per face": card.get("multiply_adds"),
        "trained on": _describe(data.get("training")),
        "selected on": _describe(data.get("validation")),
        "epoch selected": None if epoch is None else f"{epoch}{total}",
        "seed": str(recipe.get("seed", "")),
        "temperature of the probabilities": card.get("temperature"),
        "versions": ", ".join(f"{k} {v}" for k, v in card.get("versions", {}).items()),
    }


def _describe(data: Mapping[str, Any] | None) -> str | None:
    if not data:
        return None
    count = f"{data['images']:,}" if "images" in data else "unknown number of"
    splits = [split for split in data.get("splits", ()) if split]
    name = f"{data.get('name', 'data set')} {' and '.join(splits)}".strip()
    hashed = f", sha256 {data['sha256']}" if data.get("sha256") else ""
    return f"{count} images of {name}{hashed}"


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
