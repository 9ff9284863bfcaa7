"""The figures of the page as SVG within it, the same bytes for the same numbers."""

from __future__ import annotations

import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from fer_lib import plotting
from fer_lib.evaluation import EvaluationReport


def draw_all(report: EvaluationReport) -> dict[str, str]:
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
    try:
        ax.figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=nothing)
    finally:
        plt.close(ax.figure)
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
