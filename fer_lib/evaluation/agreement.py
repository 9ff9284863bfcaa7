"""Is the model wrong, or were people split? Predictions against the votes of several people.

FER+ (Barsoum et al., arXiv 1608.01041) asked ten people about each image of FER2013. One label
hides that they often disagree; the votes show how good a prediction can be at all.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from fer_lib.evaluation.base import Report
from fer_lib.evaluation.inputs import check_pair

VERDICTS = (
    "people agree with the label",
    "people agree with the model",
    "people agree on something else",
    "people were split",
)
"""What most people say about a sample that the model got wrong."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class VoteAgreement(Report):
    """A model's predictions beside the votes of several people.

    Shares are means over the samples that anybody voted on.

    Attributes:
        n: Number of samples with at least one vote.
        model: Mean share of the people who voted for the predicted class.
        ceiling: Mean share of the most frequent vote: no single class can agree with more.
        person: Chance that two people who looked at the same sample agree; None where nobody
            shared a sample.
        label: Mean share of the people who voted for the label of the data set.
        accuracy_majority: Share of the samples with one most frequent vote where the model
            predicts it; None where there is no such sample.
        kl: Mean Kullback-Leibler divergence of the model's probabilities from the votes, in
            nats: 0 is a model that is as undecided as people are, in the same way.
        errors: Of the samples that the model got wrong by the label, how many are each of
            `VERDICTS`.
        verdicts: `(n_all,)` verdict on each sample, an empty string where the model was right
            or nobody voted.
    """

    n: int
    model: float
    ceiling: float
    person: float | None
    label: float
    accuracy_majority: float | None
    kl: float
    errors: dict[str, int]
    verdicts: np.ndarray

    def title(self) -> str:
        """Returns the agreement in words."""
        excused = self.errors[VERDICTS[1]] + self.errors[VERDICTS[3]]
        return (
            f"On average {self.model:.1%} of the voters agree with the model and "
            f"{self.label:.1%} with the label; no single class could agree with more than "
            f"{self.ceiling:.1%}. Of {sum(self.errors.values()):,} errors, people were split or "
            f"agree with the model on {excused:,}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON, without the verdict on each sample."""
        return {name: value for name, value in super().to_dict().items() if name != "verdicts"}


def agree_with_votes(votes: np.ndarray, y_prob: np.ndarray, labels: np.ndarray) -> VoteAgreement:
    """Compares a model's predictions with people's votes.

    Args:
        votes: `(n, num_classes)` numbers of votes for the same classes; votes for anything
            else are left out. Rows without a vote are skipped.
        y_prob: `(n, num_classes)`, rows sum to 1.
        labels: `int (n,)`, the labels of the data set.

    Raises:
        ValueError: Bad probabilities or labels, votes of another shape or below 0, or none.
    """
    labels, probabilities = check_pair(labels, y_prob)
    votes = np.asarray(votes, np.float64)
    if votes.shape != probabilities.shape or not (votes >= 0).all() or not votes.any():
        raise ValueError(
            f"Expected `votes` of shape {probabilities.shape}, 0 or more each and some above. "
            f"Received: shape {votes.shape}, sum {votes.sum():g}"
        )
    voted = votes.any(axis=1)
    votes, probabilities, truth = votes[voted], probabilities[voted], labels[voted]
    rows, predicted, top = np.arange(len(votes)), probabilities.argmax(axis=1), votes.argmax(axis=1)
    totals = votes.sum(axis=1)
    shares = votes / totals[:, np.newaxis]
    unique = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    pairs = totals * (totals - 1)
    agreeing = (votes * (votes - 1)).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    tiny = np.finfo(np.float32).tiny
    cases = [predicted == truth, shares.max(axis=1) <= 0.5, top == truth, top == predicted]
    verdict = np.select(cases, ["", VERDICTS[3], *VERDICTS[:2]], VERDICTS[2])
    verdicts = np.full(len(labels), "", dtype=verdict.dtype)
    verdicts[voted] = verdict
    return VoteAgreement(
        n=len(rows),
        model=float(shares[rows, predicted].mean()),
        ceiling=float(shares.max(axis=1).mean()),
        person=float(agreeing.mean()) if len(agreeing) else None,
        label=float(shares[rows, truth].mean()),
        accuracy_majority=float((predicted == top)[unique].mean()) if unique.any() else None,
        kl=float(special.rel_entr(shares, np.maximum(probabilities, tiny)).sum(axis=1).mean()),
        errors={name: int((verdict == name).sum()) for name in VERDICTS},
        verdicts=verdicts,
    )
