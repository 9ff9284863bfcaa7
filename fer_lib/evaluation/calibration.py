"""Do confidences mean what they say? Calibration error, log-loss, temperature, priors.

Top-label calibration as in Guo et al. (arXiv 1706.04599): of the predictions with a confidence of
80%, 80% should be correct.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import optimize, special

from fer_lib.evaluation.inputs import check_predictions

NUM_BINS = 15
_NUM_DRAWS = 200


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each sample, `float64 (n,)`."""
    return -clipped_log(probabilities[np.arange(len(labels)), labels])


def clipped_log(probabilities: np.ndarray) -> np.ndarray:
    """Returns logarithms, float64 of the same shape, finite: clipped as scikit-learn does."""
    tiny = np.finfo(probabilities.dtype).eps
    return np.log(np.clip(probabilities, tiny, 1 - tiny).astype(np.float64))


def reliability(
    correct: np.ndarray, confidence: np.ndarray, num_bins: int = NUM_BINS
) -> pd.DataFrame:
    """Compares confidence with accuracy, bin by bin: the data of a reliability diagram.

    Args:
        correct: `(n,)`, whether the prediction is correct, or the share of people who agree.
        confidence: `(n,)` in `[0, 1]`, the probability of the predicted class.
        num_bins: How many bins of equal width.

    Returns:
        One row per bin that is not empty: `low, high, confidence, accuracy, count`.
    """
    edges = np.linspace(0, 1, num_bins + 1)
    values = pd.DataFrame({"confidence": confidence, "accuracy": correct}, dtype=np.float64)
    by_bin = values.groupby(np.searchsorted(edges[1:-1], confidence))
    bins = by_bin.mean().assign(count=by_bin.size())
    bins.insert(0, "low", edges[bins.index])
    bins.insert(1, "high", edges[bins.index + 1])
    return bins.reset_index(drop=True)


def calibration_error(bins: pd.DataFrame) -> float:
    """Expected calibration error of the bins that `reliability` returns, 0 (calibrated) to 1."""
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float(np.average(gaps, weights=bins["count"]))


def error_if_calibrated(confidence: np.ndarray, seed: int = 0) -> float:
    """Expected calibration error that chance alone gives a perfectly calibrated model.

    A finite sample never matches its confidences exactly, so no model reaches zero. Predictions are
    drawn as correct with their `confidence (n,)` as the probability (Broecker and Smith, 2007,
    doi:10.1175/WAF993.1), and scored as the model is. Returns the mean over the draws.
    """
    confidence = np.asarray(confidence, np.float64)
    generator, total = np.random.default_rng(seed), 0.0
    index = np.searchsorted(np.linspace(0, 1, NUM_BINS + 1)[1:-1], confidence)
    for _ in range(_NUM_DRAWS):
        surplus = (generator.random(len(confidence)) < confidence) - confidence
        total += np.abs(np.bincount(index, surplus)).sum()
    return float(total / (_NUM_DRAWS * len(confidence)))


def fit_temperature(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """Finds the temperature that calibrates confidences without changing a prediction.

    Logits are divided by it before the softmax (`pretrained.apply_temperature` does that to
    probabilities); it minimizes the log-loss. Fit it on samples that the model was not trained
    on, and report scores on others.

    Args:
        y_true: `int (n,)` true classes.
        y_prob: `(n, num_classes)`, rows sum to 1.

    Returns:
        The temperature: above 1 the model was overconfident, below 1 underconfident. It is kept
        between 0.05 and 20, where a model that is always right or knows nothing ends.

    Example:
        >>> confident = np.tile([0.9, 0.1], (10, 1))  # correct in six cases of ten
        >>> round(fit_temperature(np.array([0] * 6 + [1] * 4), confident), 1)
        5.4
    """
    labels, y_prob = check_predictions(y_true, y_prob)
    logits = np.log(np.maximum(y_prob, np.finfo(np.float32).tiny), dtype=np.float64)
    of_label = logits[np.arange(len(labels)), labels]

    def mean_loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((special.logsumexp(scale * logits, axis=1) - scale * of_label).mean())

    bounds = np.log([0.05, 20.0])
    return float(np.exp(optimize.minimize_scalar(mean_loss, bounds=bounds, method="bounded").x))


def adjust_priors(y_prob: np.ndarray, counts: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Adjusts probabilities to a world in which all classes are equally frequent.

    Each is divided by its class' share of the training images, which is the same as subtracting
    the logarithm from the logit (Menon et al., arXiv 2007.07314, equation 9). Recall of rare
    classes rises, at the cost of accuracy on images as frequent as the training ones.

    Args:
        y_prob: `(n, num_classes)`, rows sum to 1.
        counts: Training images of each class, `(num_classes,)`, above 0.
        strength: 0 changes nothing, 1 adjusts in full.

    Returns:
        `float32 (n, num_classes)`, rows sum to 1.

    Example:
        >>> adjusted = adjust_priors(np.array([[0.6, 0.4]]), np.array([900, 100]))
        >>> [round(float(p), 2) for p in adjusted[0]]
        [0.14, 0.86]
    """
    _, y_prob = check_predictions(None, y_prob)
    counts = np.asarray(counts, np.float64)
    if counts.shape != y_prob.shape[1:] or not (counts > 0).all():
        raise ValueError(
            f"Expected `counts` above 0 for each of {y_prob.shape[1]} classes. "
            f"Received: {counts.tolist()}"
        )
    weighed = y_prob / (counts / counts.sum()) ** strength
    return (weighed / weighed.sum(axis=1, keepdims=True)).astype(np.float32)
