"""Turns copies into findings: copies within a split, leaks between splits, conflicting labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lib.audit.duplicates import Copies
from fer_lib.audit.findings import Finding, listing, plural
from fer_lib.datasets.face_dataset import FaceDataset

_HOW = {
    "identical": "pixel-identical to",
    "near": "nearly identical to",
}

# Of 200 million pairs of drawn people, the eight that pass for copies correlate by .951 to .960.
_LEAST_OF_TWO_PEOPLE = 0.97


def check_copies(dataset: FaceDataset, copies: Copies) -> tuple[list[Finding], dict[str, Any]]:
    """Returns what is found of copies, and the figures of identical and of near ones."""
    identical = copies.identical_groups()
    unexpected = _unexpected(dataset, copies)
    near = copies.near_groups(unexpected)
    findings = _findings(dataset, identical, "identical", np.zeros(0, np.int64))
    known = _concatenate([finding.indices for finding in findings])
    findings += _findings(dataset, near, "near", known)
    findings += _shared_subjects(dataset, _concatenate([f.indices for f in findings]))
    near_figures = {
        "pairs": int(unexpected.sum()),
        "mirrored_pairs": int(copies.mirrored[unexpected].sum()),
        "groups": len(near),
        "largest_group": max(map(len, near), default=0),
    }
    return findings, {"identical": _figures(dataset, copies), "near": near_figures}


def _unexpected(dataset: FaceDataset, copies: Copies) -> np.ndarray:
    """Tells for each near pair whether it is one that should not be, given who is on the pictures.

    A person in one pose twice, such as two frames of one sequence, is no copy, as long as both are
    in one split. Two people are one picture only where it is more alike than people ever are.
    """
    if dataset.subjects is None:
        return np.ones(len(copies.near), bool)
    subjects, splits = dataset.subjects[copies.near], dataset.split[copies.near]
    known = (subjects != "").all(axis=1)
    same_person = known & (subjects[:, 0] == subjects[:, 1])
    other_person = known & (subjects[:, 0] != subjects[:, 1])
    in_one_split = splits[:, 0] == splits[:, 1]
    by_chance = other_person & (copies.correlations < _LEAST_OF_TWO_PEOPLE)
    return ~(same_person & in_one_split) & ~by_chance


def _findings(
    dataset: FaceDataset, groups: Sequence[np.ndarray], kind: str, known: np.ndarray
) -> list[Finding]:
    """Returns up to three findings; `known` are pictures that other findings take out already."""
    rank = _ranks(dataset)
    copies, leaks, conflicts = [], [], []
    for group in groups:
        if len(np.unique(dataset.labels[group])) > 1:
            conflicts.append(group)
        ranks = rank[group]
        if ranks.min() != ranks.max():
            leaks.append((group, group[ranks > ranks.min()]))
        if len(np.unique(dataset.labels[group])) == 1:
            extra = [group[ranks == value][1:] for value in np.unique(ranks)]
            if sum(map(len, extra)):
                copies.append((group, np.concatenate(extra)))
    near = kind == "near"
    found = []
    copies, out = _new(copies, known)
    if len(out):
        found.append(
            Finding(
                f"{kind}_copies",
                "warning",
                len(out),
                f"{plural(len(out), 'picture is', 'pictures are')} {_HOW[kind]} another of the "
                "same split and label",
                "A picture that is there twice counts twice, in training and in the score.",
                "Keep one of each: dataset.without(finding)"
                + (", after a look at some of them." if near else "."),
                out,
                copies,
            )
        )
    leaks, out = _new(leaks, known)
    if len(out):
        found.append(
            Finding(
                f"{kind}_leak",
                "error",
                len(out),
                f"{_by_split(dataset, out)} {'is' if len(out) == 1 else 'are'} {_HOW[kind]} a "
                f"picture of {listing(_splits_of(dataset, leaks))}",
                "A network that has learned these pictures by heart scores too well on them.",
                "Report the score on the whole split and on its clean part, "
                "dataset.without(finding).",
                out,
                leaks,
            )
        )
    conflicts, out = _new([(group, group) for group in conflicts], known)
    if len(out):
        found.append(
            Finding(
                f"{kind}_conflict",
                "warning",
                len(out),
                f"{plural(len(conflicts), 'group')} of {'nearly ' * near}identical pictures with "
                f"different labels, {plural(len(out), 'picture')}",
                "At most one of the labels is right; the others teach an error and cannot be "
                "predicted.",
                "Decide by looking, or leave all of them out: dataset.without(finding).",
                out,
                conflicts,
            )
        )
    return found


def _new(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], known: np.ndarray
) -> tuple[tuple[tuple[int, ...], ...], np.ndarray]:
    """Returns the groups with pictures to take out that are not known yet, and those pictures."""
    pairs = [(group, np.setdiff1d(out, known)) for group, out in pairs]
    pairs = [(group, out) for group, out in pairs if len(out)]
    groups = tuple(tuple(int(i) for i in group) for group, _ in pairs)
    return groups, _concatenate([out for _, out in pairs])


def _ranks(dataset: FaceDataset) -> np.ndarray:
    """Ranks the split of each picture: a leak is taken out of the smaller or later split."""
    names, first, inverse, sizes = np.unique(
        dataset.split, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort([first, -sizes])] = np.arange(len(names))
    return rank[inverse]


def _shared_subjects(dataset: FaceDataset, known: np.ndarray) -> list[Finding]:
    """Finds people who are in several splits, with other pictures than those found already."""
    if dataset.subjects is None:
        return []
    rank = _ranks(dataset)
    left = np.setdiff1d(np.flatnonzero(dataset.subjects != ""), known)
    best: dict[str, int] = {}
    for index in left:
        name = dataset.subjects[index]
        best[name] = min(best.get(name, rank[index]), rank[index])
    out = np.array([i for i in left if rank[i] > best[dataset.subjects[i]]], np.int64)
    if not len(out):
        return []
    people = np.unique(dataset.subjects[out])
    return [
        Finding(
            "subject_leak",
            "error",
            len(out),
            f"{plural(len(people), 'person is', 'people are')} in several splits: "
            f"{listing(people, 5)} ({_by_split(dataset, out)})",
            "A network that knows the people scores better than it will on strangers.",
            "Split by person, dataset.split_by_subject(), or dataset.without(finding).",
            out,
        )
    ]


def _figures(dataset: FaceDataset, copies: Copies) -> dict[str, Any]:
    """Counts identical pictures in the whole set and in each split."""
    rank = _ranks(dataset)
    figures = _count_groups(dataset, copies.identical, np.arange(len(dataset)))
    splits = dict.fromkeys(dataset.split.tolist())
    if len(splits) > 1:
        figures["by_split"] = {}
        for name in splits:
            members = np.flatnonzero(dataset.split == name)
            own = _count_groups(dataset, copies.identical, members)
            others = copies.identical[rank < rank[members[0]]]
            own["in_a_larger_split"] = int(np.isin(copies.identical[members], others).sum())
            figures["by_split"][name] = own
    return figures


def _count_groups(dataset: FaceDataset, keys: np.ndarray, members: np.ndarray) -> dict[str, Any]:
    pairs = np.stack([keys[members], dataset.labels[members]], axis=1)
    sizes = np.unique(keys[members], return_counts=True)[1]
    labels_a_picture = np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)[1]
    return {
        "pictures": len(members),
        "distinct": len(sizes),
        "groups": int((sizes > 1).sum()),
        "conflicting_groups": int((labels_a_picture > 1).sum()),
    }


def _by_split(dataset: FaceDataset, indices: np.ndarray) -> str:
    names, counts = np.unique(dataset.split[indices], return_counts=True)
    return ", ".join(
        plural(int(count), f"{name or 'unnamed'} picture")
        for name, count in zip(names, counts, strict=True)
    )


def _splits_of(dataset: FaceDataset, groups: Sequence[Sequence[int]]) -> list[str]:
    """The splits that the pictures of the groups are copied from."""
    rank = _ranks(dataset)
    first = [min(group, key=lambda index: rank[index]) for group in groups]
    return [str(name) or "unnamed" for name in np.unique(dataset.split[first])]


def _concatenate(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *parts])
