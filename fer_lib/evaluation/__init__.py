"""Scores that a reviewer would accept: arrays in, plain values out.

Nothing here needs Keras: probabilities are enough, wherever they come from.
"""

from fer_lib.evaluation.calibration import adjust_priors, fit_temperature, reliability
from fer_lib.evaluation.comparison import Comparison, compare
from fer_lib.evaluation.corruptions import CORRUPTIONS, corrupt
from fer_lib.evaluation.image_properties import image_properties
from fer_lib.evaluation.inputs import find_duplicates
from fer_lib.evaluation.report import EvaluationReport
from fer_lib.evaluation.robustness import RobustnessReport, robustness_suite
from fer_lib.evaluation.scoring import evaluate
from fer_lib.evaluation.selective import at_coverage, risk_coverage
from fer_lib.evaluation.slices import slice_report

__all__ = [
    "CORRUPTIONS",
    "Comparison",
    "EvaluationReport",
    "RobustnessReport",
    "adjust_priors",
    "at_coverage",
    "compare",
    "corrupt",
    "evaluate",
    "find_duplicates",
    "fit_temperature",
    "image_properties",
    "reliability",
    "risk_coverage",
    "robustness_suite",
    "slice_report",
]
