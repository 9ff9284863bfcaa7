"""Duplicates within a split, leakage between splits, conflicting labels, people in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lib.audit.finding import Finding, listing, listing_by_split, plural
from fer_lib.audit.similarity import Duplicates, find_all_duplicates
from fer_lib.datasets.face_dataset import FaceDataset

# Of 200 million pairs of synthetic people, the eight that pass for duplicates correlate by .951 to
# .960.
_MIN_OF_TWO_PEOPLE = 0.97
_NONE = np.zeros(0, np.int64)


def check_duplicates(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Returns what is found of duplicates, and how many there are."""
    duplicates = find_all_duplicates(dataset.images)
    rank = _ranks(dataset)
    unexpected = _unexpected(dataset, duplicates)
    exact, near = duplicates.exact_groups(), duplicates.near_groups(unexpected)
    findings = _findings(dataset, rank, exact, "exact", _NONE)
    known = np.concatenate([_NONE, *(finding.indices for finding in findings)])
    findings += _findings(dataset, rank, near, "near", known)
    known = np.concatenate([_NONE, *(finding.indices for finding in findings)])
    findings += _shared_subjects(dataset, rank, known)
    conflicts = sum(len(np.unique(dataset.labels[group])) > 1 for group in exact)
    return findings, {
        "distinct": int(duplicates.exact.max() + 1),
        "exact_groups": len(exact),
        "conflicting_groups": conflicts,
        "near_pairs": int(unexpected.sum()),
        "near_groups": len(near),
    }


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


def _findings(
    dataset: FaceDataset,
    rank: np.ndarray,
    groups: Sequence[np.ndarray],
    kind: str,
    known: np.ndarray,
) -> list[Finding]:
    """Returns up to three findings; `known` are images that other findings take out already."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {
        "duplicates": [],
        "leak": [],
        "conflict": [],
    }
    for group in groups:
        ranks = rank[group]
        found["leak"].append((group, group[ranks > ranks.min()]))
        if len(np.unique(dataset.labels[group])) > 1:
            found["conflict"].append((group, group))
        else:
            extra = [group[ranks == value][1:] for value in np.unique(ranks)]
            found["duplicates"].append((group, np.concatenate(extra)))
    how = "pixel-identical to" if kind == "exact" else "nearly identical to"
    findings = []
    for what, pairs in found.items():
        new = [(group, np.setdiff1d(out, known)) for group, out in pairs]
        new = [(group, out) for group, out in new if len(out)]
        if not new:
            continue
        out = np.concatenate([out for _, out in new])
        is_one = "is" if len(out) == 1 else "are"
        if what == "duplicates":
            title = (
                f"{plural(len(out), 'image')} {is_one} {how} another of the same split and label"
            )
        elif what == "leak":
            first = [group[rank[group].argmin()] for group, _ in new]
            sources = [name or "unnamed" for name in np.unique(dataset.split[first])]
            title = f"{listing_by_split(dataset.split[out])} {is_one} {how} an image of "
            title += listing(sources)
        else:
            title = f"{plural(len(new), 'group')} of {'nearly ' * (kind == 'near')}identical images"
            title += f" with different labels, {plural(len(out), 'image')}"
        named = tuple(tuple(group.tolist()) for group, _ in new)
        findings.append(Finding(f"{kind}_{what}", title, out, named))
    return findings


def _ranks(dataset: FaceDataset) -> np.ndarray:
    """Ranks the split of each image: a leak is taken out of the smaller or later split."""
    names, first, inverse, sizes = np.unique(
        dataset.split, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort([first, -sizes])] = np.arange(len(names))
    return rank[inverse]


def _shared_subjects(dataset: FaceDataset, rank: np.ndarray, known: np.ndarray) -> list[Finding]:
    """Finds people who are in several splits, with other images than those found already."""
    if dataset.subjects is None:
        return []
    left = np.setdiff1d(np.flatnonzero(dataset.subjects != ""), known)
    names, person = np.unique(dataset.subjects[left], return_inverse=True)
    lowest = np.full(len(names), len(dataset))
    np.minimum.at(lowest, person, rank[left])
    out = left[rank[left] > lowest[person]]
    if not len(out):
        return []
    people = np.unique(dataset.subjects[out])
    title = f"{plural(len(people), 'person is', 'people are')} in several splits: "
    title += f"{listing(people, 5)} ({listing_by_split(dataset.split[out])})"
    return [Finding("subject_leak", title, out)]
