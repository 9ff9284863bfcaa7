"""Is the model wrong, or were people split? Answers against the votes of several people.

FER+ (Barsoum et al., arXiv 1608.01041) asked ten people about each picture of FER2013. One label
hides that they often disagree; the votes show how good an answer can be at all.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from fer_lib.evaluation.inputs import check_pair

VERDICTS = (
    "people agree with the label",
    "people agree with the model",
    "people agree on something else",
    "people were split",
)
"""What most people say about a sample that the model got wrong."""


@dataclasses.dataclass(frozen=True, eq=False)
class VoteAgreement:
    """A model's answers beside the votes of several people.

    Shares are means over the samples that anybody voted on.

    Attributes:
        n: Number of samples with at least one vote.
        model: Mean share of the people who gave the model's answer.
        ceiling: Mean share who gave the most frequent answer: no single answer can do better.
        person: Chance that two people who looked at the same sample agree; None where nobody
            shared a sample.
        label: Mean share who gave the label of the data set.
        accuracy_majority: Share of the samples with one most frequent answer where the model
            gives it; None where there is no such sample.
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

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON, without the verdict on each sample."""
        values = dataclasses.asdict(self)
        del values["verdicts"]
        return values


def agree_with_votes(votes: np.ndarray, y_prob: np.ndarray, labels: np.ndarray) -> VoteAgreement:
    """Compares a model's answers with people's votes.

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
    voted = votes.sum(axis=1) > 0
    rows = np.arange(int(voted.sum()))
    counts, answers, truth = votes[voted], probabilities[voted].argmax(axis=1), labels[voted]
    totals = counts.sum(axis=1)
    shares = counts / totals[:, np.newaxis]
    ranked = np.sort(counts, axis=1)
    unique = ranked[:, -1] > ranked[:, -2]
    top = counts.argmax(axis=1)
    pairs = totals * (totals - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    tiny = np.finfo(np.float32).tiny
    divergence = special.rel_entr(shares, np.maximum(probabilities[voted], tiny)).sum(axis=1)

    verdict = np.select(
        [shares.max(axis=1) <= 0.5, top == truth, top == answers],
        [VERDICTS[3], VERDICTS[0], VERDICTS[1]],
        VERDICTS[2],
    )
    verdict[answers == truth] = ""
    verdicts = np.full(len(labels), "", dtype=verdict.dtype)
    verdicts[voted] = verdict
    return VoteAgreement(
        n=len(rows),
        model=float(shares[rows, answers].mean()),
        ceiling=float(shares.max(axis=1).mean()),
        person=float((agreeing[pairs > 0] / pairs[pairs > 0]).mean()) if pairs.any() else None,
        label=float(shares[rows, truth].mean()),
        accuracy_majority=(float((answers == top)[unique].mean()) if unique.any() else None),
        kl=float(divergence.mean()),
        errors={name: int((verdict == name).sum()) for name in VERDICTS},
        verdicts=verdicts,
    )
