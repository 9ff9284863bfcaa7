"""Scores that a reviewer would accept: arrays in, plain values out.

Nothing here needs Keras: probabilities are enough, wherever they come from.
"""

from fer_lib.evaluation.calibration import calibration_error, fit_temperature, reliability
from fer_lib.evaluation.report import EvaluationReport, evaluate

__all__ = [
    "EvaluationReport",
    "calibration_error",
    "evaluate",
    "fit_temperature",
    "reliability",
]
