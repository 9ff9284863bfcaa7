"""Do confidences mean what they say, and do people agree? Calibration, log-loss, priors, votes.

Top-label calibration as in Guo et al. (arXiv 1706.04599): of the predictions with a confidence of
80%, 80% should be correct. FER+ (Barsoum et al., arXiv 1608.01041) asked ten people about each
image of FER2013: one label hides that they often disagree; the votes show how good a prediction
can be at all.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from fer_lib.evaluation.base import Report
from fer_lib.evaluation.inputs import check_predictions

_NUM_BINS = 15
_NUM_DRAWS = 200
VERDICTS = (
    "people agree with the label",
    "people agree with the model",
    "people agree on something else",
    "people were split",
)
"""What most people say about a sample that the model got wrong."""


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each sample, `float64 (n,)`."""
    return -clipped_log(probabilities[np.arange(len(labels)), labels])


def clipped_log(probabilities: np.ndarray) -> np.ndarray:
    """Returns logarithms, float64 of the same shape, finite: clipped as scikit-learn does."""
    tiny = np.finfo(probabilities.dtype).eps
    return np.log(np.clip(probabilities, tiny, 1 - tiny).astype(np.float64))


def reliability(correct: np.ndarray, confidence: np.ndarray) -> pd.DataFrame:
    """Compares confidence with accuracy, bin by bin: the data of a reliability diagram.

    Args:
        correct: `(n,)`, whether the prediction is correct, or the share of people who agree.
        confidence: `(n,)` in `[0, 1]`, the probability of the predicted class.

    Returns:
        One row per bin that is not empty, of 15 of equal width: `low, high, confidence, accuracy,
        count`.
    """
    edges = np.linspace(0, 1, _NUM_BINS + 1)
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
    index = np.searchsorted(np.linspace(0, 1, _NUM_BINS + 1)[1:-1], confidence)
    for _ in range(_NUM_DRAWS):
        surplus = (generator.random(len(confidence)) < confidence) - confidence
        total += np.abs(np.bincount(index, surplus)).sum()
    return float(total / (_NUM_DRAWS * len(confidence)))


def fit_temperature(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """Finds the temperature that calibrates confidences without changing a prediction.

    Logits are divided by it before the softmax (`pretrained.apply_temperature` does that to
    probabilities); it minimizes the log-loss. Fit it on samples that the model was not trained
    on, and report scores on others.

    Takes true classes `int (n,)` and probabilities `(n, num_classes)`. Above 1 the model was
    overconfident, below 1 underconfident; the result is kept between 0.05 and 20, where a model
    that is always right or knows nothing ends.

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


@dataclasses.dataclass(frozen=True, repr=False)
class VoteAgreement(Report):
    """A model's predictions beside the votes of several people, means over the samples.

    Attributes:
        n: Number of samples with at least one vote.
        model: Mean share of the people who voted for the predicted class.
        label: Mean share of the people who voted for the label of the data set.
        ceiling: Mean share of the most frequent vote: no single class can agree with more.
        cross_entropy: Of the votes under the model's probabilities, mean in nats.
        entropy: Of the votes themselves, mean in nats: no cross-entropy can be less.
        ece: Expected calibration error against the votes: the mean distance of the confidence
            from the share of the people who voted for the predicted class, over bins.
        errors: Of the samples that the model got wrong by the label, how many are each of
            `VERDICTS`.
    """

    n: int
    model: float
    label: float
    ceiling: float
    cross_entropy: float
    entropy: float
    ece: float
    errors: dict[str, int]

    def title(self) -> str:
        excused = self.errors[VERDICTS[1]] + self.errors[VERDICTS[3]]
        return (
            f"On average {self.model:.1%} of the voters agree with the model and "
            f"{self.label:.1%} with the label; no single class could agree with more than "
            f"{self.ceiling:.1%}. Of {sum(self.errors.values()):,} errors, people were split or "
            f"agree with the model on {excused:,}. The cross-entropy of the votes is "
            f"{self.cross_entropy:.3f} nats, the least possible {self.entropy:.3f}; confidences "
            f"differ from the share of people who agree by {self.ece:.3f} (ECE)."
        )


def agree_with_votes(
    votes: np.ndarray, probabilities: np.ndarray, labels: np.ndarray
) -> VoteAgreement:
    """Compares predictions `(n, num_classes)` with people's votes for the same classes.

    Rows without a vote are skipped. `labels`, `int (n,)`, are those of the data set.
    """
    voted = votes.any(axis=1)
    labels, probabilities, votes = labels[voted], probabilities[voted], votes[voted]
    shares = votes / votes.sum(axis=1, keepdims=True)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows, top = np.arange(len(shares)), shares.argmax(axis=1)
    cases = [predicted == labels, shares.max(axis=1) <= 0.5, top == labels, top == predicted]
    verdicts = np.select(cases, ["", VERDICTS[3], *VERDICTS[:2]], VERDICTS[2])
    agree = shares[rows, predicted]
    return VoteAgreement(
        n=len(rows),
        model=float(agree.mean()),
        label=float(shares[rows, labels].mean()),
        ceiling=float(shares.max(axis=1).mean()),
        cross_entropy=float(-(shares * clipped_log(probabilities)).sum(axis=1).mean()),
        entropy=float(stats.entropy(shares, axis=1).mean()),
        ece=calibration_error(reliability(agree, confidence)),
        errors={name: int((verdicts == name).sum()) for name in VERDICTS},
    )
