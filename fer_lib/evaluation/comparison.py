"""Is one model really better than another, on the same samples?"""

from __future__ import annotations

import dataclasses
import html
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from fer_lib.evaluation import bootstrap, calibration, tables
from fer_lib.evaluation.report import EvaluationReport

_LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """The first model against the second; differences are the first's value less the second's.

    Attributes:
        first: Name of one model.
        second: Name of the other.
        n: Number of samples.
        only_first: Samples that only the first gets right.
        only_second: Samples that only the second gets right.
        accuracy: Difference of the accuracies, and so on for the other scores.
        accuracy_ci95: Its 95 % interval, paired bootstrap, and so on; None where the samples are
            too few for one.
        balanced_accuracy: See `accuracy`.
        balanced_accuracy_ci95: See `accuracy_ci95`.
        loss: See `accuracy`; below 0 the first is better.
        loss_ci95: See `accuracy_ci95`.
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
    p_adjusted: float = 1.0

    @property
    def real(self) -> bool:
        """Whether chance is an unlikely explanation, at 5 % over all pairs together."""
        return self.p_adjusted < _LEVEL

    def sentence(self) -> str:
        """Says in plain words whether the difference is real."""
        samples = "1 sample" if self.n == 1 else f"{self.n:,} samples"
        if self.only_first == self.only_second == 0:
            return (
                f"{self.first} and {self.second} get the same of {samples} right and wrong: "
                "there is no difference in accuracy."
            )
        ahead, behind, sign = self.first, self.second, 1
        if self.accuracy < 0:
            ahead, behind, sign = self.second, self.first, -1
        ends = "no interval"
        if self.accuracy_ci95 is not None:
            low, high = sorted(100 * sign * end for end in self.accuracy_ci95)
            ends = f"95 % interval {low:.1f} to {high:.1f}"
        ends += f", McNemar p {tables.p_text(self.p_adjusted)}"
        gap = f"{100 * abs(self.accuracy):.1f} points of accuracy ({ends})"
        if self.real:
            return f"{ahead} is better than {behind} by {gap}."
        return (
            f"Chance is enough to explain the difference between {ahead} and {behind}, {gap}: "
            f"neither is shown to be better on {samples}."
        )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Every pair of the compared models. `compare` makes it; printing it shows the sentences."""

    differences: tuple[Difference, ...]

    def sentence(self) -> str:
        """Says in plain words whether a model is really ahead of the others."""
        if len(self.differences) == 1:
            return self.differences[0].sentence()
        leads: dict[str, float] = {}
        for pair in self.differences:
            leads[pair.first] = leads.get(pair.first, 0.0) + pair.accuracy
            leads[pair.second] = leads.get(pair.second, 0.0) - pair.accuracy
        if not any(pair.real for pair in self.differences):
            return f"Chance is enough to explain every difference between the {len(leads)} models."
        best = max(leads, key=leads.__getitem__)
        beaten, open_ = [], []
        for pair in self.differences:
            if best in (pair.first, pair.second):
                other = pair.second if pair.first == best else pair.first
                (beaten if pair.real else open_).append(other)
        says = [f"it is better than {_list(beaten)}"] if beaten else []
        says += [f"chance is enough to explain its lead over {_list(open_)}"] if open_ else []
        return f"Of {len(leads)} models none is more accurate than {best}: {'; '.join(says)}."

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON."""
        pairs = []
        for difference in self.differences:
            values = dataclasses.asdict(difference)
            values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
            pairs.append({**values, "real": difference.real, "sentence": difference.sentence()})
        return {"sentence": self.sentence(), "differences": pairs}

    def to_frame(self) -> pd.DataFrame:
        """Returns one row a pair: `first, second, n, only_first, only_second`, the differences.

        Each difference has the ends of its 95 % interval beside it, such as `accuracy`,
        `accuracy_low`, `accuracy_high`; then `p_value, p_adjusted, real`.
        """
        rows = []
        for difference in self.differences:
            row: dict[str, Any] = {}
            for name, value in dataclasses.asdict(difference).items():
                if name.endswith("_ci95"):
                    score = name.removesuffix("_ci95")
                    # Too few samples have no interval.
                    row[f"{score}_low"], row[f"{score}_high"] = value or (np.nan, np.nan)
                else:
                    row[name] = value
            rows.append({**row, "real": difference.real})
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        pairs = [pair.sentence() for pair in self.differences]
        return "\n".join(pairs if len(pairs) == 1 else [self.sentence(), *pairs])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in str(self).splitlines())
        return f"<ul>{items}</ul>"


def compare(
    *reports: EvaluationReport,
    names: Sequence[str] | None = None,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compares models pair by pair on the samples that all of them were scored on.

    The exact McNemar test looks only at the samples that one of the two gets right and the other
    wrong. The intervals are of a bootstrap that draws the samples of both models together and
    keeps the number of each class.

    Args:
        *reports: Two or more reports of `evaluate` on the same data set, in the same order.
        names: What to call the models; by default their own names.
        num_resamples: Bootstrap resamples.
        seed: Of the bootstrap.

    Returns:
        The comparison of every pair, in the order of the reports.

    Raises:
        ValueError: Fewer than two reports, other samples, or not one different name a report.
    """
    if len(reports) < 2:
        raise ValueError(f"Expected at least two reports to compare. Received: {len(reports)}")
    names = _model_names(reports) if names is None else [str(name) for name in names]
    if len(names) != len(reports) or len(set(names)) != len(names):
        raise ValueError(f"Expected {len(reports)} different `names`. Received: {names}")
    for name, report in zip(names, reports, strict=True):
        _check_same_samples(names[0], reports[0], name, report)
    pairs = [
        _compare_pair(
            (names[i], reports[i]), (names[j], reports[j]), num_resamples=num_resamples, seed=seed
        )
        for i, j in itertools.combinations(range(len(reports)), 2)
    ]
    adjusted = holm([pair.p_value for pair in pairs])
    return Comparison(
        tuple(
            dataclasses.replace(pair, p_adjusted=value)
            for pair, value in zip(pairs, adjusted, strict=True)
        )
    )


def _compare_pair(
    first: tuple[str, EvaluationReport],
    second: tuple[str, EvaluationReport],
    num_resamples: int,
    seed: int,
) -> Difference:
    labels = first[1].predictions.labels
    right, losses = [], []
    for _, report in (first, second):
        probabilities = report.predictions.probabilities
        right.append(probabilities.argmax(axis=1) == labels)
        losses.append(calibration.log_losses(labels, probabilities))
    ahead = right[0].astype(np.float64) - right[1]
    by_class = np.eye(len(first[1].class_names))[labels] * ahead[:, np.newaxis]
    features = np.column_stack([by_class, losses[0] - losses[1]])
    drawn = bootstrap.resample_sums(features, labels, num_resamples, seed)
    support = first[1].confusion_matrix.sum(axis=1)
    present = support > 0

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        by_class = sums[..., :-1]
        return {
            "accuracy": by_class.sum(axis=-1) / len(labels),
            "balanced_accuracy": (by_class[..., present] / support[present]).mean(axis=-1),
            "loss": sums[..., -1] / len(labels),
        }

    values: dict[str, Any] = {k: float(v) for k, v in scores(features.sum(axis=0)).items()}
    differ = {"accuracy": ahead.any(), "balanced_accuracy": ahead.any()}
    differ["loss"] = features[:, -1].any()
    for name, replicates in scores(drawn).items():
        # Models that differ on no sample have an interval of no width. Where they do, resamples
        # that are all alike mean that the samples are too few.
        found = bootstrap.interval(replicates)
        values[f"{name}_ci95"] = (0.0, 0.0) if found is None and not differ[name] else found
    only_first, only_second = int((ahead > 0).sum()), int((ahead < 0).sum())
    discordant = only_first + only_second
    return Difference(
        first=first[0],
        second=second[0],
        n=len(labels),
        only_first=only_first,
        only_second=only_second,
        p_value=float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0,
        **values,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects for the number of tests (Holm, 1979); one test stays as it is."""
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _model_names(reports: Sequence[EvaluationReport]) -> list[str]:
    """The models' own names, numbered where two are called alike or one has none."""
    own = [report.predictions.model for report in reports]
    return [
        name if name and own.count(name) == 1 else f"{name or 'model'} {index + 1}"
        for index, name in enumerate(own)
    ]


def _check_same_samples(
    first_name: str, first: EvaluationReport, name: str, other: EvaluationReport
) -> None:
    if first.class_names != other.class_names:
        raise ValueError(
            f"Expected reports on the same classes, {first.class_names} of {first_name}; evaluate "
            f"both on the classes that they share. Received: {other.class_names} of {name}"
        )
    hashes = {first.predictions.data_hash, other.predictions.data_hash} - {None}
    if not np.array_equal(first.predictions.labels, other.predictions.labels) or len(hashes) > 1:
        raise ValueError(
            "Expected reports on the same samples in the same order. "
            f"Received: {first_name} on {first.n:,} samples and {name} on {other.n:,}"
        )


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
