"""Does a model serve everybody equally well? Scores by group, and whether gaps are real.

The groups come from whoever describes the pictures: people, or the program that drew them. They are
never guessed by a model: its errors would be blamed on the groups, and nobody asked to be sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation.bootstrap import wilson
from fer_lib.evaluation.comparison import holm
from fer_lib.evaluation.group_report import SliceReport
from fer_lib.evaluation.grouping import group_samples
from fer_lib.evaluation.report import EvaluationReport


def slice_report(
    report: EvaluationReport,
    metadata: Any,
    columns: str | Sequence[str] | None = None,
    *,
    bins: Mapping[str, int | Sequence[float]] | None = None,
    min_size: int = 30,
    num_permutations: int = 9999,
    seed: int = 0,
) -> SliceReport:
    """Scores the groups of one or several columns, and tests whether they differ.

    Nothing is claimed of a group with fewer than `min_size` samples, nor of a class of which it has
    fewer. Intervals are Wilson's for a share and Newcombe's for the gap between two (1998,
    10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10).

    A gap is tested by permutation: samples change groups at random, within their true class. So a
    group that merely shows more of a difficult expression is not taken for one that the model
    fails; what the mix of classes explains of a gap is in the column `by_classes`. The statistic is
    the difference between the groups that do best and worst for their mix, which makes up for
    having picked them. P-values are corrected for the number of columns, those of recalls for the
    number of classes, too (Holm).

    Args:
        report: What `evaluate` returned.
        metadata: What is known of the samples, one row each, in the report's order: a table, a
            dictionary of columns, one column, or a `FaceDataset` with `metadata`. Rows where a
            column has no value are left out of it. For groups of several columns together, join
            them: `metadata["age"].astype(str) + " " + metadata["light"]`.
        columns: Which columns to slice by, each by itself; may be left out where there is one.
        bins: For a column of many numbers: how many groups of about equal size, or the edges of
            the groups (each holds its upper edge, the first its lower one, too).
        min_size: Samples below which nothing is claimed, at least 1.
        num_permutations: Of each test; p is never below `1 / (num_permutations + 1)`.
        seed: Of the permutations.

    Returns:
        The report on the groups.

    Raises:
        ValueError: Another number of rows, an unknown column, a column of many different values
            without `bins`, or bins that cannot be made.

    Example:
        >>> from fer_lib.evaluation import evaluate
        >>> labels = np.tile([0, 1], 100)
        >>> glasses = np.repeat(["no", "yes"], 100)
        >>> answers = np.where(glasses == "yes", 0, labels)  # with glasses always the first class
        >>> report = evaluate(labels, np.eye(2)[answers], ["happy", "sad"])
        >>> slice_report(report, {"glasses": glasses}).groups["accuracy"].tolist()
        [1.0, 0.5]
    """
    if min_size < 1 or num_permutations < 1:
        raise ValueError(
            "Expected `min_size` and `num_permutations` of at least 1. "
            f"Received: {min_size} and {num_permutations}"
        )
    generator = np.random.default_rng(seed)
    labels = report.predictions.labels
    correct = report.predictions.probabilities.argmax(axis=1) == labels
    groups, recalls, gaps, notes = [], [], [], []
    for name, column in group_samples(metadata, columns, bins, report.n).items():
        known = column.codes >= 0
        sizes, right = (
            _count(column.codes[known & taken], labels[known & taken], column, report)
            for taken in (np.ones(report.n, bool), correct)
        )
        new_groups, new_recalls = _score(name, column.categories, report, sizes, right, min_size)
        groups += new_groups
        recalls += new_recalls
        gaps += _compare(
            name, column.categories, report, sizes, right, min_size, num_permutations, generator
        )
        notes += _note(name, column, sizes.sum(axis=1), min_size)
    return SliceReport(
        model=report.predictions.model,
        dataset=report.predictions.dataset,
        n=report.n,
        accuracy=report.accuracy,
        min_size=min_size,
        groups=pd.DataFrame(groups),
        recalls=pd.DataFrame(recalls),
        gaps=_adjust(pd.DataFrame(gaps, columns=_GAP_COLUMNS)),
        notes=tuple(notes),
    )


_GAP_COLUMNS = ["column", "score", "best", "best_score", "worst", "worst_score", "gap", "gap_low"]
_GAP_COLUMNS += ["gap_high", "by_classes", "num_groups", "p_value"]


def _count(
    codes: np.ndarray, labels: np.ndarray, column: pd.Categorical, report: EvaluationReport
) -> np.ndarray:
    """Counts the samples of each group and class, `int64 (num_groups, num_classes)`."""
    shape = len(column.categories), len(report.class_names)
    return np.bincount(codes * shape[1] + labels, minlength=shape[0] * shape[1]).reshape(shape)


def _share(name: str, right: int, total: int, min_size: int) -> dict[str, float]:
    """Returns a share and the ends of its interval, NaN below the size that allows a claim."""
    if total < min_size:
        return {name: np.nan, f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = wilson(right, total)
    return {name: float(right / total), f"{name}_low": low, f"{name}_high": high}


def _score(
    name: str,
    values: Sequence[str],
    report: EvaluationReport,
    sizes: np.ndarray,
    right: np.ndarray,
    min_size: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns a row for each group, and one for each class of each group."""
    groups, recalls = [], []
    for value, of_group, hits in zip(values, sizes, right, strict=True):
        start = {"column": name, "group": value}
        total = int(of_group.sum())
        groups.append({**start, "n": total, **_share("accuracy", hits.sum(), total, min_size)})
        for k, class_name in enumerate(report.class_names):
            share = _share("recall", hits[k], of_group[k], min_size)
            recalls.append({**start, "class": class_name, "n": int(of_group[k]), **share})
    return groups, recalls


def _compare(
    name: str,
    values: Sequence[str],
    report: EvaluationReport,
    sizes: np.ndarray,
    right: np.ndarray,
    min_size: int,
    num_permutations: int,
    generator: np.random.Generator,
) -> list[dict[str, Any]]:
    """Returns the gap of the accuracy, and of each class's recall, where two groups allow it."""
    every = range(len(report.class_names))
    scores = {"accuracy": every} | {f"recall of {report.class_names[k]}": [k] for k in every}
    rows = []
    for score, classes in scores.items():
        large = sizes[:, classes].sum(axis=1) >= min_size
        if large.sum() < 2:
            continue
        size, hits = sizes[large][:, classes], right[large][:, classes]
        total, names = size.sum(axis=1), np.asarray(values)[large]
        shares = hits.sum(axis=1) / total
        # Of equal groups the first and the last, so that two are named.
        best, worst = int(shares.argmax()), len(shares) - 1 - int(shares[::-1].argmin())
        low, high = _gap_interval(hits.sum(axis=1), total, best, worst)
        expected = _expect(size, hits.sum(axis=0)).sum(axis=1) / total
        rows.append(
            {
                "column": name,
                "score": score,
                "best": names[best],
                "best_score": shares[best],
                "worst": names[worst],
                "worst_score": shares[worst],
                "gap": shares[best] - shares[worst],
                "gap_low": low,
                "gap_high": high,
                "by_classes": expected[best] - expected[worst],
                "num_groups": len(names),
                "p_value": permute_gap(size, hits, num_permutations, generator),
            }
        )
    return rows


def _gap_interval(hits: np.ndarray, total: np.ndarray, best: int, worst: int) -> tuple[float, ...]:
    """Returns Newcombe's 95 % interval of the difference between two shares."""
    high_share, low_share = (_share("p", hits[index], total[index], 1) for index in (best, worst))
    gap = high_share["p"] - low_share["p"]
    below = np.hypot(high_share["p"] - high_share["p_low"], low_share["p_high"] - low_share["p"])
    above = np.hypot(high_share["p_high"] - high_share["p"], low_share["p"] - low_share["p_low"])
    return float(gap - below), float(gap + above)


def _expect(sizes: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns how many of each cell would be right if a class were as easy in every group."""
    of_class = sizes.sum(axis=0)
    return sizes * np.divide(right, of_class, out=np.zeros(len(of_class)), where=of_class > 0)


def permute_gap(
    sizes: np.ndarray, right: np.ndarray, num_permutations: int, generator: np.random.Generator
) -> float:
    """Tests by permutation within classes whether groups differ beyond their mix of classes.

    Permuting the groups of a class's samples deals its right answers out among the groups: their
    numbers are then multivariate hypergeometric, so they are drawn directly, a class at a time.

    Args:
        sizes: `int (num_groups, num_classes)`, samples.
        right: The same, how many of them are classified correctly.
        num_permutations: How many.
        generator: Draws them.

    Returns:
        The p-value: the share of permutations, the observed one among them, with a gap as wide.
    """
    total, of_class = sizes.sum(axis=1), right.sum(axis=0)
    expected = _expect(sizes, of_class).sum(axis=1)
    drawn = sum(
        generator.multivariate_hypergeometric(sizes[:, k], of_class[k], num_permutations)
        for k in range(sizes.shape[1])
    )  # (num_permutations, num_groups)
    gaps = np.ptp((drawn - expected) / total, axis=1)
    observed = np.ptp((right.sum(axis=1) - expected) / total)
    return float((1 + (gaps >= observed - 1e-12).sum()) / (1 + num_permutations))


def _adjust(gaps: pd.DataFrame) -> pd.DataFrame:
    """Corrects the p-values: those of accuracies and those of recalls are two families."""
    gaps["p_adjusted"] = 1.0
    of_accuracy = gaps["score"] == "accuracy"
    for family in (of_accuracy, ~of_accuracy):
        gaps.loc[family, "p_adjusted"] = holm(gaps.loc[family, "p_value"].tolist())
    return gaps


def _note(name: str, column: pd.Categorical, sizes: np.ndarray, min_size: int) -> list[str]:
    notes = []
    if missing := int((column.codes < 0).sum()):
        notes.append(f"{name}: {missing:,} samples without a value are left out.")
    small = [
        f"{value} ({size})"
        for value, size in zip(column.categories, sizes, strict=True)
        if size < min_size
    ]
    if small:
        notes.append(
            f"{name}: fewer than {min_size} samples of {', '.join(small)}: nothing is claimed."
        )
    return notes
