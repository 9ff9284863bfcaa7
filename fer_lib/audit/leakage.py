"""Duplicates within a split, leakage between splits, conflicting labels, people in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.audit.finding import Finding, listing, listing_by_split, plural
from fer_lib.audit.similarity import Duplicates, find_all_duplicates
from fer_lib.datasets.face_dataset import FaceDataset

_MIN_OF_TWO_PEOPLE = 0.97  # of 200 million synthetic ones, eight pairs correlate by .951 to .960


def check_duplicates(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Returns what is found of duplicates, and how many there are."""
    duplicates = find_all_duplicates(dataset.images)
    unexpected = _unexpected(dataset, duplicates)
    # A leak is taken out of the smaller split, or of the later one.
    sizes = pd.Series(dataset.split, dtype=object).value_counts(sort=False)
    order = sizes.sort_values(ascending=False, kind="stable").index
    rank = order.get_indexer(dataset.split)
    images = pd.DataFrame({"rank": rank, "label": dataset.labels})
    exact = images.assign(group=duplicates.exact)
    exact = exact[exact.duplicated("group", keep=False)]
    near = images.assign(group=duplicates.near_groups(unexpected)).query("group >= 0")
    findings = _findings(dataset, exact, "exact", [])
    findings += _findings(dataset, near, "near", findings)
    findings += _shared_subjects(dataset, rank, findings)
    labels_of = exact.groupby("group")["label"]
    return findings, {
        "distinct": int(duplicates.exact.max() + 1),
        "exact_groups": len(labels_of),
        "conflicting_groups": int((labels_of.nunique() > 1).sum()),
        "near_pairs": int(unexpected.sum()),
        "near_groups": near["group"].nunique(),
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


def _others(indices: np.ndarray, findings: Sequence[Finding]) -> np.ndarray:
    """Returns the indices, sorted, of images that no finding takes out already."""
    for finding in findings:
        indices = np.setdiff1d(indices, finding.indices)
    return np.unique(indices)


def _findings(
    dataset: FaceDataset, table: pd.DataFrame, kind: str, known: Sequence[Finding]
) -> list[Finding]:
    groups = table.groupby("group")
    has_conflict = groups["label"].transform("nunique") > 1
    first = groups["rank"].transform("idxmin")  # an image of the split that keeps the image
    how = "pixel-identical to" if kind == "exact" else "nearly identical to"
    findings = []
    for what, chosen in (
        ("duplicates", ~has_conflict & table.duplicated(["group", "rank"])),
        ("leak", table["rank"] > table["rank"][first].to_numpy()),
        ("conflict", has_conflict),
    ):
        out = _others(table.index[chosen].to_numpy(), known)
        if not len(out):
            continue
        named = np.unique(table["group"][out])
        are = f"{'is' if len(out) == 1 else 'are'} {how}"
        if what == "duplicates":
            title = f"{plural(len(out), 'image')} {are} another of the same split and label"
        elif what == "leak":
            sources = np.unique(dataset.split[first[out]])
            title = f"{listing_by_split(dataset.split[out])} {are} an image of "
            title += listing([name or "unnamed" for name in sources])
        else:
            title = f"{plural(len(named), 'group')} of {'nearly ' * (kind == 'near')}identical "
            title += f"images with different labels, {plural(len(out), 'image')}"
        members = tuple(tuple(groups.groups[group].tolist()) for group in named)
        findings.append(Finding(f"{kind}_{what}", title, out, members))
    return findings


def _shared_subjects(
    dataset: FaceDataset, rank: np.ndarray, known: Sequence[Finding]
) -> list[Finding]:
    """Finds people who are in several splits, with other images than those found already."""
    if dataset.subjects is None:
        return []
    left = _others(np.flatnonzero(dataset.subjects != ""), known)
    people = dataset.subjects[left]
    out = left[rank[left] > pd.Series(rank[left]).groupby(people).transform("min")]
    if not len(out):
        return []
    names = np.unique(dataset.subjects[out])
    title = f"{plural(len(names), 'person is', 'people are')} in several splits: "
    title += f"{listing(names, 5)} ({listing_by_split(dataset.split[out])})"
    return [Finding("subject_leak", title, out)]
