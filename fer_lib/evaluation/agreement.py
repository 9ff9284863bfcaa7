"""Is the model wrong, or were people split? Predictions against the votes of several people.

FER+ (Barsoum et al., arXiv 1608.01041) asked ten people about each image of FER2013. One label
hides that they often disagree; the votes show how good a prediction can be at all.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.stats import entropy

from fer_lib.evaluation.base import Report
from fer_lib.evaluation.calibration import calibration_error, clipped_log, reliability

VERDICTS = (
    "people agree with the label",
    "people agree with the model",
    "people agree on something else",
    "people were split",
)
"""What most people say about a sample that the model got wrong."""


@dataclasses.dataclass(frozen=True, repr=False)
class VoteAgreement(Report):
    """A model's predictions beside the votes of several people.

    Shares are means over the samples that anybody voted on.

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
    """Compares a model's predictions with people's votes.

    Args:
        votes: `(n, num_classes)` numbers of votes for the same classes, some above 0; votes for
            anything else are left out. Rows without a vote are skipped.
        probabilities: `(n, num_classes)`, rows sum to 1.
        labels: `int (n,)`, the labels of the data set.
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
        entropy=float(entropy(shares, axis=1).mean()),
        ece=calibration_error(reliability(agree, confidence)),
        errors={name: int((verdicts == name).sum()) for name in VERDICTS},
    )
