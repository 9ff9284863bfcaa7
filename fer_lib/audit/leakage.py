"""Duplicates within a split, leakage between splits, conflicting labels, people in two splits.

Near duplicates are found without comparing all pixels of all pairs, and none is missed. The
perceptual hash is that of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010), the lowest 8x8 coefficients of a cosine transform, but kept as numbers: they
bound the correlation of two images from above, and only pairs that may reach the threshold are
compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy import fft, sparse
from sklearn.neighbors import NearestNeighbors

from fer_lib.audit.audit_report import Finding, listing, plural
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.images import to_gray

MIN_DEVIATION = 3.0
"""Images with less contrast (standard deviation in gray levels of 255) show nothing."""

MIN_CORRELATION = 0.95
"""Two images are near duplicates if their pixels correlate at least this much, and their parts."""

# Faces at the same place of a small image can reach .97 by chance, but then some parts of them
# differ. Of 778 pairs over .95 in FER2013, all of which look like duplicates, 98% pass this, too.
_MIN_PART_CORRELATION = 0.8
_PART = 12  # side of a part in pixels
_FLAT = 4.0  # gray levels squared: the variance below which a part is noise rather than content
_MAX_PAIRS = 20_000  # compared at once: the frames of a video make millions
_SIDE, _LOW = 48, 8  # of the compared images, and of the coefficients of their hashes
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

    A person in one pose twice, such as two frames of a sequence, is not a duplicate while both
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
            title = f"{_list_by_split(dataset.split[out])} {are} an image of "
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
    title += f"{listing(names, 5)} ({_list_by_split(dataset.split[out])})"
    return [Finding("subject_leak", title, out)]


def _list_by_split(split: np.ndarray) -> str:
    """Returns how many images each split has, `"2 PublicTest images, 1 Training image"`."""
    counts = zip(*np.unique(split, return_counts=True), strict=True)
    return ", ".join(plural(count, f"{name or 'unnamed'} image") for name, count in counts)


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Which images of a set are the same.

    Attributes:
        exact: `int64 (n,)`, equal for images with the same pixels, counted up from 0.
        near: `int64 (pairs, 2)`, pairs of images that are nearly the same, with `correlations`
            `float32 (pairs,)`; only the first of several exact duplicates is in them.
    """

    exact: np.ndarray
    near: np.ndarray
    correlations: np.ndarray

    def near_groups(self, chosen: np.ndarray) -> np.ndarray:
        """Returns groups joined by the chosen near pairs `bool (pairs,)`, exact ones included."""
        size = int(self.exact.max()) + 1
        left, right = self.exact[self.near[chosen]].T
        graph = sparse.coo_array((np.ones(len(left)), (left, right)), (size, size))
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        groups = pd.factorize(component[self.exact])[0]
        return np.where(np.isin(component, component[left])[self.exact], groups, -1)


def find_all_duplicates(images: np.ndarray) -> Duplicates:
    """Finds exact and near duplicates in `uint8 (n, height, width, channels)` images.

    Brightness and contrast do not matter; mirror images are found, too; images that are moved by
    more than a pixel or cropped otherwise are not.
    """
    exact = pd.factorize(np.array([image.tobytes() for image in images], object))[0]
    first = np.unique(exact, return_index=True)[1]
    gray = np.array([_small_gray(image) for image in images[first]])
    has_content = gray.std(axis=(1, 2)) >= MIN_DEVIATION
    first, gray = first[has_content], gray[has_content]
    pairs, correlations = _near_pairs(gray)
    return Duplicates(exact, first[pairs], correlations)


def _small_gray(image: np.ndarray) -> np.ndarray:
    gray = to_gray(image if image.shape[2] == 3 else image[..., 0])
    if gray.shape == (_SIDE, _SIDE):
        return gray
    return cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def _near_pairs(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs `(p, 2)` and their correlations."""
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))]
    if len(gray):
        units = gray - gray.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
        units /= np.linalg.norm(units, axis=(1, 2), keepdims=True)
        hashes = _hashes(units)
        # The distance of two vectors of length 1 tells their scalar product.
        radius = np.sqrt(2 - 2 * (MIN_CORRELATION - 1e-4))
        neighbors = NearestNeighbors(radius=radius, algorithm="brute").fit(hashes)
        # The cosine that belongs to an odd horizontal frequency changes its sign in the mirror.
        signs = np.append(np.tile((-1.0) ** np.arange(_LOW), _LOW), 1).astype(np.float32)
        for others, step in ((hashes, 1), (hashes * signs, -1)):
            pairs = np.transpose(neighbors.radius_neighbors_graph(others).nonzero())
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            for part in np.array_split(pairs, len(pairs) // _MAX_PAIRS + 1):
                left, right = part.T
                correlations = np.einsum("nij,nij->n", units[left], units[right][:, :, ::step])
                by_part = _part_correlation(gray[left], gray[right][:, :, ::step])
                sure = (correlations > MIN_CORRELATION) & (by_part > _MIN_PART_CORRELATION)
                found.append((part[sure], correlations[sure]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _hashes(units: np.ndarray) -> np.ndarray:
    """Returns the low frequencies of images of unit length and the length of what is left out.

    The scalar product of two rows is at least that of the images (Cauchy and Schwarz).
    """
    low = [fft.dctn(unit, norm="ortho")[:_LOW, :_LOW].ravel() for unit in units]
    rest = np.sqrt(np.maximum(1 - np.square(low).sum(axis=1, keepdims=True), 0))
    return np.concatenate([low, rest], axis=1)


def _part_correlation(*pair: np.ndarray) -> np.ndarray:
    """Returns the mean correlation of the parts of two images; flat parts are alike."""
    count = _SIDE // _PART
    parts = [gray.reshape(-1, count, _PART, count, _PART).swapaxes(2, 3) for gray in pair]
    parts = [each.reshape(-1, count**2, _PART**2).astype(np.float32) for each in parts]
    a, b = (each - each.mean(axis=2, keepdims=True) for each in parts)
    covariance = (a * b).mean(axis=2) + _FLAT
    scale = np.sqrt(((a * a).mean(axis=2) + _FLAT) * ((b * b).mean(axis=2) + _FLAT))
    return (covariance / scale).mean(axis=1)
