"""One function per figure: each takes `ax=None`, returns the Axes it drew on, and computes nothing.

Without `ax` a new pyplot figure of notebook width is made, which a notebook then shows;
`ax.figure.savefig(...)` writes it and `matplotlib.pyplot.close(ax.figure)` frees it. An emotion has
the same color in every figure (`labels.EMOTION_COLORS`).
"""

from fer_lib.plotting.curves import plot_history, plot_timeline
from fer_lib.plotting.face_grid import plot_explanations, plot_faces
from fer_lib.plotting.predictions import plot_predictions
from fer_lib.plotting.scores import (
    plot_confusion_matrix,
    plot_reliability,
    plot_risk_coverage,
    plot_robustness,
)

__all__ = [
    "plot_confusion_matrix",
    "plot_explanations",
    "plot_faces",
    "plot_history",
    "plot_predictions",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_robustness",
    "plot_timeline",
]
