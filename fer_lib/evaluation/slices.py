"""Does a model serve everybody equally well? Scores by group, and whether gaps are real.

The groups come from those who describe the images: people, or the program that drew them. They
are never predicted by a model: its errors would be blamed on the groups.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.evaluation import stats
from fer_lib.evaluation.base import Report, interval_texts, p_text
from fer_lib.evaluation.report import EvaluationReport

_LEVEL = 0.05
_NUM_PERMUTATIONS = 9999
# More groups than this are no longer read, and each has few samples.
_MAX_GROUPS = 20
_GAP_COLUMNS = ["column", "score", "best", "best_score", "worst", "worst_score", "gap", "gap_low"]
_GAP_COLUMNS += ["gap_high", "by_classes", "num_groups", "p_value"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SliceReport(Report):
    """How a model does in each group. `slice_report` makes it; printing it shows sentences.

    Attributes:
        model, dataset, n, accuracy: Those of the whole report.
        min_size: Samples below which nothing is claimed; values are NaN there.
        groups: One row per group: `column, group, n, accuracy, accuracy_low, accuracy_high`.
        recalls: One row per group and class: `column, group, class, n, recall, recall_low,
            recall_high`.
        gaps: One row per column and score (`accuracy`, `recall of happy`, ...) that two groups are
            large enough for: `best` and `worst` group with `best_score` and `worst_score`, their
            `gap` with `gap_low` and `gap_high`, how much of it the mix of classes explains
            (`by_classes`), out of how many groups (`num_groups`), `p_value`, `p_adjusted`.
        notes: Which groups are too small, and what has no value, in plain sentences.
    """

    model: str
    dataset: str
    n: int
    accuracy: float
    min_size: int
    groups: pd.DataFrame
    recalls: pd.DataFrame
    gaps: pd.DataFrame
    notes: tuple[str, ...]

    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        table = self.groups.set_index(self.groups["column"] + " " + self.groups["group"])
        ends = table["accuracy_low"], table["accuracy_high"]
        table = table[["n", "accuracy"]].rename(columns={"n": "samples"})
        return [("", table.assign(**{"95% interval": interval_texts(*ends)}))]

    def sentences(self) -> list[str]:
        """Says in plain words, column by column, whether groups differ, and in which class most."""
        sentences = []
        for name in self.groups["column"].unique():
            gaps = self.gaps[self.gaps["column"] == name]
            of_classes = gaps["score"] != "accuracy"
            if of_classes.all():
                small = f"fewer than two groups have {self.min_size} samples: nothing is claimed."
                sentences.append(f"{name}: {small}")
                continue
            # Of the recalls, the widest gap that is real.
            real = gaps[of_classes & (gaps["p_adjusted"] < _LEVEL)]
            shown = pd.concat([gaps[~of_classes], real.sort_values("gap", kind="stable")[-1:]])
            sentences += [_describe(gap) for gap in shown.to_dict("records")]
        return sentences + list(self.notes)


def _describe(gap: Mapping[str, Any]) -> str:
    groups = gap["num_groups"]
    picked = f" between the best and the worst of {groups} groups" if groups > 2 else ""
    text = (
        f"{gap['column']}: {gap['score']} is {gap['best_score']:.3f} for {gap['best']} and "
        f"{gap['worst_score']:.3f} for {gap['worst']}, a gap of {100 * gap['gap']:.1f} points"
        f"{picked} (95% interval {100 * gap['gap_low']:.1f} to {100 * gap['gap_high']:.1f}, "
        f"permutation p {p_text(gap['p_adjusted'])})"
    )
    if abs(gap["by_classes"]) >= 0.005:
        text += f"; {100 * gap['by_classes']:.1f} of them come from the mix of expressions"
    verdict = "does not" if gap["p_adjusted"] < _LEVEL else "is enough to"
    return f"{text}: chance {verdict} explain it."


def slice_report(report: EvaluationReport, metadata: Any, *, min_size: int = 30) -> SliceReport:
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
        metadata: The columns to slice by, each by itself, with one row per sample in the report's
            order: a table such as `dataset.metadata[["glasses"]]`, or a dictionary. Rows where a
            column has no value are left out of it. `pd.qcut(metadata["age"], 3)` makes groups of
            numbers; `metadata["age"].astype(str) + " " + metadata["light"]` joins two columns.
        min_size: Samples below which nothing is claimed, at least 1.

    Raises:
        ValueError: Another number of rows, no column, or one of many different values.

    Example:
        >>> from fer_lib.evaluation import evaluate
        >>> labels = np.tile([0, 1], 100)
        >>> glasses = np.repeat(["no", "yes"], 100)
        >>> predicted = np.where(glasses == "yes", 0, labels)  # glasses: always the first class
        >>> report = evaluate(labels, np.eye(2)[predicted], ["happy", "sad"])
        >>> slice_report(report, {"glasses": glasses}).groups["accuracy"].tolist()
        [1.0, 0.5]
    """
    generator = np.random.default_rng(0)
    labels, names = report.labels, report.class_names
    correct = report.probabilities.argmax(axis=1) == labels
    groups, recalls, gaps, notes = [], [], [], []
    for column, found in _group_samples(metadata, report.n).items():
        values = np.asarray(found.categories, object)
        # Samples, and correct ones, of each group and class.
        sizes, right = np.zeros((2, len(values), len(names)), int)
        known = found.codes >= 0
        np.add.at(sizes, (found.codes[known], labels[known]), 1)
        np.add.at(right, (found.codes[known], labels[known]), correct[known])
        totals = sizes.sum(axis=1)
        start = {"column": column, "group": values}
        groups.append(start | _shares("accuracy", right.sum(axis=1), totals, min_size))
        start = {"column": column, "group": values.repeat(len(names)), "class": names * len(values)}
        recalls.append(start | _shares("recall", right.ravel(), sizes.ravel(), min_size))
        scores = {"accuracy": slice(None)}
        scores |= {f"recall of {name}": slice(k, k + 1) for k, name in enumerate(names)}
        for score, part in scores.items():
            large = sizes[:, part].sum(axis=1) >= min_size
            if large.sum() >= 2:
                gap = _measure_gap(sizes[large, part], right[large, part], generator)
                gap["best"], gap["worst"] = (values[large][gap[end]] for end in ("best", "worst"))
                gaps.append({"column": column, "score": score, **gap})
        if not known.all():
            notes.append(f"{column}: {(~known).sum():,} samples without a value are left out.")
        small = ", ".join(f"{values[g]} ({totals[g]})" for g in np.flatnonzero(totals < min_size))
        if small:
            notes.append(f"{column}: fewer than {min_size} samples of {small}: nothing is claimed.")
    table = pd.DataFrame(gaps, columns=_GAP_COLUMNS)
    # The p-values of accuracies and those of recalls are two families.
    families = table.groupby(table["score"] == "accuracy")["p_value"]
    table["p_adjusted"] = families.transform(stats.holm).astype(np.float64)
    return SliceReport(
        model=report.model,
        dataset=report.dataset,
        n=report.n,
        accuracy=report.accuracy,
        min_size=min_size,
        groups=pd.concat(map(pd.DataFrame, groups), ignore_index=True),
        recalls=pd.concat(map(pd.DataFrame, recalls), ignore_index=True),
        gaps=table,
        notes=tuple(notes),
    )


def _group_samples(metadata: Any, num_samples: int) -> dict[str, pd.Categorical]:
    """Returns the groups of each column, with texts as categories; code -1 is no value."""
    table = pd.DataFrame(metadata).rename(columns=str)
    if table.shape != (num_samples, max(table.shape[1], 1)):
        raise ValueError(
            f"Expected `metadata` with one row per sample of the report, {num_samples:,}, and a "
            f"column or more. Received: {table.shape[0]:,} rows, {table.shape[1]} columns"
        )
    groups = {}
    for name in table:
        # A column of whole numbers in which some are missing comes as floats.
        found = pd.Categorical(table[name].convert_dtypes()).remove_unused_categories()
        if not 1 <= len(found.categories) <= _MAX_GROUPS:
            raise ValueError(
                f"Expected columns of 1 to {_MAX_GROUPS} groups; `pd.qcut` makes some of numbers. "
                f"Received: {len(found.categories):,} different values of {name!r}"
            )
        groups[name] = found.rename_categories(list(map(str, found.categories)))
    return groups


def _measure_gap(
    sizes: np.ndarray, right: np.ndarray, generator: np.random.Generator
) -> dict[str, float]:
    """Measures the gap in accuracy between the best and the worst of the groups, and tests it.

    `sizes` and `right`, `int (num_groups, num_classes)`, are samples and correct ones. Returns a
    row of `SliceReport.gaps` with groups as indices.

    The test asks by permutation within classes whether groups differ beyond their mix of classes.
    Permuting the groups of a class' samples deals its correct ones out among the groups: their
    numbers are then multivariate hypergeometric, so they are drawn directly, a class at a time.
    The p-value is the share of permutations, the observed one among them, with a gap as wide.
    """
    hits, total = right.sum(axis=1), sizes.sum(axis=1)
    # How many of each group are correct if a class is as easy in every group.
    expected = (sizes * right.sum(axis=0) / np.maximum(sizes.sum(axis=0), 1)).sum(axis=1)
    drawn = sum(
        generator.multivariate_hypergeometric(of_class, correct.sum(), _NUM_PERMUTATIONS)
        for of_class, correct in zip(sizes.T, right.T, strict=True)
    )  # (num_permutations, num_groups)
    gaps = np.ptp((drawn - expected) / total, axis=1)
    as_wide = (gaps >= np.ptp((hits - expected) / total) - 1e-12).sum()
    shares, expected = hits / total, expected / total
    # Of equal groups the first and the last, so that two are named.
    best, worst = int(shares.argmax()), len(shares) - 1 - int(shares[::-1].argmin())
    gap, (low, high) = shares[best] - shares[worst], stats.wilson(hits, total)
    return {
        "best": best,
        "best_score": shares[best],
        "worst": worst,
        "worst_score": shares[worst],
        "gap": gap,
        # Newcombe's interval of the difference between two shares.
        "gap_low": gap - np.hypot(shares[best] - low[best], high[worst] - shares[worst]),
        "gap_high": gap + np.hypot(high[best] - shares[best], shares[worst] - low[worst]),
        "by_classes": expected[best] - expected[worst],
        "num_groups": len(shares),
        "p_value": float((1 + as_wide) / (1 + _NUM_PERMUTATIONS)),
    }


def _shares(name: str, right: np.ndarray, sizes: np.ndarray, min_size: int) -> dict[str, Any]:
    """Returns shares and the ends of their intervals, NaN below the size that allows a claim."""
    claimed = np.where(sizes >= min_size, sizes, np.nan)
    low, high = stats.wilson(right, np.nan_to_num(claimed))
    return {"n": sizes, name: right / claimed, f"{name}_low": low, f"{name}_high": high}
