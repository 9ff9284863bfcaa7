"""Is one model really better than another, on the same samples?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fer_lib.evaluation import stats
from fer_lib.evaluation.base import Report, p_text, plain
from fer_lib.evaluation.calibration import log_losses
from fer_lib.evaluation.report import EvaluationReport

_LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """The first model against the second; differences are the first's value less the second's.

    Attributes:
        first: Name of one model; `second` of the other.
        n: Number of samples.
        only_first: Samples that only the first classifies correctly.
        only_second: Samples that only the second classifies correctly.
        accuracy: Difference of the accuracies; so `balanced_accuracy`, and `loss`, where the first
            is better below 0.
        accuracy_ci95: Its 95% interval, paired bootstrap, None where the samples are too few for
            one; so `balanced_accuracy_ci95` and `loss_ci95`.
        p_value: Exact McNemar test of equal accuracy.
        p_adjusted: The same after Holm's correction for the number of pairs.
    """

    first: str
    second: str
    n: int
    only_first: int
    only_second: int
    accuracy: float
    accuracy_ci95: tuple[float, float] | None
    balanced_accuracy: float
    balanced_accuracy_ci95: tuple[float, float] | None
    loss: float
    loss_ci95: tuple[float, float] | None
    p_value: float
    p_adjusted: float

    @property
    def real(self) -> bool:
        """Whether chance is an unlikely explanation, at 5% over all pairs together."""
        return self.p_adjusted < _LEVEL

    def sentence(self) -> str:
        """Says in plain words whether the difference is real."""
        samples = "1 sample" if self.n == 1 else f"{self.n:,} samples"
        if self.only_first == self.only_second == 0:
            same = f"{self.first} and {self.second} are correct on the same of {samples}"
            return f"{same}: there is no difference in accuracy."
        sign = -1 if self.accuracy < 0 else 1
        ahead, behind = (self.first, self.second)[::sign]
        ends = "no interval"
        if self.accuracy_ci95 is not None:
            low, high = sorted(100 * sign * end for end in self.accuracy_ci95)
            ends = f"95% interval {low:.1f} to {high:.1f}"
        points, p = 100 * abs(self.accuracy), p_text(self.p_adjusted)
        gap = f"{points:.1f} points of accuracy ({ends}, McNemar p {p})"
        if self.real:
            return f"{ahead} is better than {behind} by {gap}."
        return (
            f"Chance is enough to explain the difference between {ahead} and {behind}, {gap}: "
            f"neither is shown to be better on {samples}."
        )


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison(Report):
    """Every pair of the compared models. `compare` makes it; printing it shows the sentences."""

    differences: tuple[Difference, ...]

    def title(self) -> str:
        return self.differences[0].sentence()

    def sentences(self) -> list[str]:
        return [pair.sentence() for pair in self.differences[1:]]

    def to_dict(self) -> dict[str, Any]:
        pairs = self.differences
        rows = [{**vars(p), "real": p.real, "sentence": p.sentence()} for p in pairs]
        return plain({"differences": rows})


def compare(
    *reports: EvaluationReport,
    names: Sequence[str] | None = None,
    num_resamples: int = 2000,
) -> Comparison:
    """Compares models pair by pair on the samples that all of them were scored on.

    The exact McNemar test looks only at the samples that one of the two classifies correctly and
    the other does not. The intervals are of a bootstrap that draws the samples of both models
    together and keeps the number of each class.

    Args:
        *reports: Two or more reports of `evaluate` on the same data set, in the same order.
        names: What to call the models; by default their own names.
        num_resamples: Bootstrap resamples.

    Raises:
        ValueError: Fewer than two reports, other samples, or not one different name per report.
    """
    if len(reports) < 2:
        raise ValueError(f"Expected at least two reports to compare. Received: {len(reports)}")
    own = [report.model for report in reports]
    # Numbered where two have one name or one has none.
    names = names or [
        name if name and own.count(name) == 1 else f"{name or 'model'} {index + 1}"
        for index, name in enumerate(own)
    ]
    if len(names) != len(reports) or len(set(names)) != len(names):
        raise ValueError(f"Expected {len(reports)} different `names`. Received: {list(names)}")
    pairs = []
    for one, other in itertools.combinations(range(len(reports)), 2):
        first, second = str(names[one]), str(names[other])
        _check_same_samples(first, reports[one], second, reports[other])
        values = _differ(reports[one], reports[other], num_resamples)
        pairs.append({"first": first, "second": second, **values})
    adjusted = stats.holm([pair["p_value"] for pair in pairs]).tolist()
    pairs = zip(pairs, adjusted, strict=True)
    return Comparison(tuple(Difference(**pair, p_adjusted=p) for pair, p in pairs))


def _differ(
    first: EvaluationReport, second: EvaluationReport, num_resamples: int
) -> dict[str, Any]:
    """Returns the fields of a `Difference`, but the names."""
    labels, support = first.labels, first.confusion_matrix.sum(axis=1)
    probabilities = [report.probabilities for report in (first, second)]
    correct = [each.argmax(axis=1) == labels for each in probabilities]
    ahead = correct[0].astype(np.float64) - correct[1]
    losses = np.subtract(*(log_losses(labels, each) for each in probabilities))
    # What a sample adds to each difference.
    parts = {
        "accuracy": ahead / len(labels),
        "balanced_accuracy": ahead / support[labels] / (support > 0).sum(),
        "loss": losses / len(labels),
    }
    drawn = stats.resample_sums(np.column_stack([*parts.values()]), labels, num_resamples)
    values: dict[str, Any] = {"n": len(labels)}
    for (name, part), replicates in zip(parts.items(), drawn.T, strict=True):
        # Models that differ on no sample have an interval of no width. Where they do, resamples
        # that are all alike mean that the samples are too few.
        ends = stats.interval(replicates) if part.any() else (0.0, 0.0)
        values |= {name: float(part.sum()), f"{name}_ci95": ends}
    only_first, only_second = int((ahead > 0).sum()), int((ahead < 0).sum())
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return values | {"only_first": only_first, "only_second": only_second, "p_value": p_value}


def _check_same_samples(
    name: str, one: EvaluationReport, other_name: str, other: EvaluationReport
) -> None:
    if one.class_names != other.class_names:
        raise ValueError(
            f"Expected reports on the same classes, {one.class_names} of {name}; evaluate both on "
            f"the classes that they share. Received: {other.class_names} of {other_name}"
        )
    hashes = {one.data_hash, other.data_hash} - {None}
    if not np.array_equal(one.labels, other.labels) or len(hashes) > 1:
        raise ValueError(
            "Expected reports on the same samples in the same order. "
            f"Received: {name} on {one.n:,} samples and {other_name} on {other.n:,}"
        )
