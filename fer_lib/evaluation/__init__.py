"""Scores that a reviewer would accept: arrays in, plain values out.

Nothing here needs Keras: probabilities are enough, wherever they come from.
"""

from fer_lib.evaluation.agreement import agree_with_votes
from fer_lib.evaluation.calibration import (
    adjust_priors,
    calibration_error,
    fit_temperature,
    reliability,
)
from fer_lib.evaluation.comparison import Comparison, compare
from fer_lib.evaluation.corruptions import CORRUPTIONS, Corruption, corrupt
from fer_lib.evaluation.inputs import find_duplicates
from fer_lib.evaluation.report import EvaluationReport
from fer_lib.evaluation.robustness import RobustnessReport, robustness_suite
from fer_lib.evaluation.scoring import evaluate
from fer_lib.evaluation.selective import (
    area_under_risk_coverage,
    at_coverage,
    fit_conformal,
    measure_conformal,
    risk_coverage,
)
from fer_lib.evaluation.slices import slice_report

__all__ = [
    "CORRUPTIONS",
    "Comparison",
    "Corruption",
    "EvaluationReport",
    "RobustnessReport",
    "adjust_priors",
    "agree_with_votes",
    "area_under_risk_coverage",
    "at_coverage",
    "calibration_error",
    "compare",
    "corrupt",
    "evaluate",
    "find_duplicates",
    "fit_conformal",
    "fit_temperature",
    "measure_conformal",
    "reliability",
    "risk_coverage",
    "robustness_suite",
    "slice_report",
]
