"""Duplicates within a split, leakage between splits, conflicting labels, people in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.audit.finding import Finding, listing, listing_by_split, plural
from fer_lib.audit.similarity import Duplicates, find_all_duplicates
from fer_lib.datasets.face_dataset import FaceDataset

# Of 200 million pairs of synthetic people, the eight that pass for duplicates correlate by .951 to
# .960.
_MIN_OF_TWO_PEOPLE = 0.97


def check_duplicates(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Returns what is found of duplicates, and how many there are."""
    duplicates = find_all_duplicates(dataset.images)
    rank = _ranks(dataset.split)
    unexpected = _unexpected(dataset, duplicates)
    groups = {"exact": duplicates.exact_groups(), "near": duplicates.near_groups(unexpected)}
    findings: list[Finding] = []
    for kind in groups:
        findings += _findings(dataset, rank, groups[kind], kind, _indices(findings))
    findings += _shared_subjects(dataset, rank, _indices(findings))
    return findings, {
        "distinct": int(duplicates.exact.max() + 1),
        "exact_groups": len(groups["exact"]),
        "conflicting_groups": sum(_has_conflict(dataset, group) for group in groups["exact"]),
        "near_pairs": int(unexpected.sum()),
        "near_groups": len(groups["near"]),
    }


def _ranks(split: np.ndarray) -> np.ndarray:
    """Ranks the split of each image: a leak is taken out of the smaller or later split."""
    sizes = pd.Series(split, dtype=object).value_counts(sort=False)  # in order of appearance
    order = sizes.sort_values(ascending=False, kind="stable").index
    return order.get_indexer(split)


def _unexpected(dataset: FaceDataset, duplicates: Duplicates) -> np.ndarray:
    """Tells for each near pair whether it is one that should not be, given who is on the images.

    A person in one pose twice, such as two frames of one sequence, is no duplicate as long as both
    are in one split. Two people are one image only where it is more alike than people ever are.
    """
    if dataset.subjects is None:
        return np.ones(len(duplicates.near), bool)
    subjects, splits = dataset.subjects[duplicates.near], dataset.split[duplicates.near]
    known = (subjects != "").all(axis=1)
    same_person = subjects[:, 0] == subjects[:, 1]
    in_one_split = splits[:, 0] == splits[:, 1]
    by_chance = ~same_person & (duplicates.correlations < _MIN_OF_TWO_PEOPLE)
    return ~known | ~(same_person & in_one_split | by_chance)


def _has_conflict(dataset: FaceDataset, group: np.ndarray) -> bool:
    return len(set(dataset.labels[group])) > 1


def _indices(findings: Sequence[Finding]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *(finding.indices for finding in findings)])


def _findings(
    dataset: FaceDataset, rank: np.ndarray, groups: Sequence[np.ndarray], kind: str, known: Any
) -> list[Finding]:
    """Returns up to three findings; `known` are images that other findings take out already."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]]
    found = {"duplicates": [], "leak": [], "conflict": []}
    for group in groups:
        parts = {"leak": group[rank[group] > rank[group].min()]}
        if _has_conflict(dataset, group):
            parts["conflict"] = group
        else:
            parts["duplicates"] = group[pd.Series(rank[group]).duplicated()]
        for what, part in parts.items():
            if len(out := np.setdiff1d(part, known)):
                found[what].append((group, out))
    findings = []
    for what, pairs in found.items():
        if pairs:
            out = np.concatenate([part for _, part in pairs])
            sources = dataset.split[[group[rank[group].argmin()] for group, _ in pairs]]
            how = "pixel-identical to" if kind == "exact" else "nearly identical to"
            how = f"{'is' if len(out) == 1 else 'are'} {how}"
            title = {
                "duplicates": f"{plural(len(out), 'image')} {how} another of the same split "
                "and label",
                "leak": f"{listing_by_split(dataset.split[out])} {how} an image of "
                + listing([name or "unnamed" for name in np.unique(sources)]),
                "conflict": f"{plural(len(pairs), 'group')} of {'nearly ' * (kind == 'near')}"
                f"identical images with different labels, {plural(len(out), 'image')}",
            }[what]
            named = tuple(tuple(group.tolist()) for group, _ in pairs)
            findings.append(Finding(f"{kind}_{what}", title, out, named))
    return findings


def _shared_subjects(dataset: FaceDataset, rank: np.ndarray, known: np.ndarray) -> list[Finding]:
    """Finds people who are in several splits, with other images than those found already."""
    if dataset.subjects is None:
        return []
    left = np.setdiff1d(np.flatnonzero(dataset.subjects != ""), known)
    people = dataset.subjects[left]
    out = left[rank[left] > pd.Series(rank[left]).groupby(people).transform("min")]
    if not len(out):
        return []
    names = np.unique(dataset.subjects[out])
    title = f"{plural(len(names), 'person is', 'people are')} in several splits: "
    title += f"{listing(names, 5)} ({listing_by_split(dataset.split[out])})"
    return [Finding("subject_leak", title, out)]
