"""Pictures that show nothing, too little, or no face."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_lib.audit.duplicates import LEAST_DEVIATION
from fer_lib.audit.findings import Finding, plural
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS

_LEAST_SIDE = 32  # below, people and networks lose the eyes and brows
_MOST_ENLARGED = 2.0
_CHUNK = 2048


def has_votes(dataset: FaceDataset) -> bool:
    """Tells whether the votes of FER+ are in the metadata."""
    return all(name in dataset.metadata for name in VOTE_COLUMNS)


def check_pictures(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Finds constant, nearly constant and tiny pictures, and those that voters call no face."""
    deviation = _deviations(dataset.images)
    constant = np.flatnonzero(deviation == 0)
    flat = np.flatnonzero((deviation > 0) & (deviation < LEAST_DEVIATION))
    figures: dict[str, Any] = {"constant": _by_split(dataset, constant)}
    figures["nearly_constant"] = _by_split(dataset, flat)
    findings = []
    if len(constant):
        findings.append(
            _to_drop(
                "constant",
                "warning",
                constant,
                f"{plural(len(constant), 'picture is', 'pictures are')} one constant colour",
                "There is nothing to learn from it but its label, which is a guess.",
            )
        )
    if len(flat):
        findings.append(
            _to_drop(
                "nearly_constant",
                "warning",
                flat,
                f"{plural(len(flat), 'picture is', 'pictures are')} nearly constant, with a "
                f"standard deviation below {LEAST_DEVIATION:g} of 255 grey levels",
                "What little is there is noise, which standardising each picture blows up.",
            )
        )
    findings += _tiny(dataset)
    if has_votes(dataset):
        votes = dataset.metadata[list(VOTE_COLUMNS)].to_numpy()
        no_face = np.flatnonzero(2 * votes[:, -1] > votes.sum(axis=1))
        figures["not_a_face"] = _by_split(dataset, no_face)
        if len(no_face):
            findings.append(
                _to_drop(
                    "not_a_face",
                    "warning",
                    no_face,
                    f"{plural(len(no_face), 'picture')} that most FER+ voters call not a face",
                    "Whatever a network answers here is wrong.",
                )
            )
    return findings, figures


def _to_drop(name: str, severity: str, indices: np.ndarray, title: str, meaning: str) -> Finding:
    remedy = "Leave them out: dataset.without(finding)."
    return Finding(name, severity, len(indices), title, meaning, remedy, indices)


def _tiny(dataset: FaceDataset) -> list[Finding]:
    """Finds pictures of few pixels, or that were enlarged from such."""
    height, width = dataset.images.shape[1:3]
    if min(height, width) < _LEAST_SIDE:
        return [
            Finding(
                "tiny",
                "warning",
                len(dataset),
                f"All pictures are {width}x{height} pixels, less than {_LEAST_SIDE}",
                "Brows, lids and the corners of the mouth, which tell expressions apart, are "
                "gone at this size.",
                "Load the pictures in a larger size, if there are any.",
                examples=np.arange(min(len(dataset), 8)),
            )
        ]
    if not {"width", "height"} <= set(dataset.metadata):
        return []
    source = dataset.metadata[["width", "height"]].min(axis=1).to_numpy()
    tiny = np.flatnonzero(source * _MOST_ENLARGED < min(height, width))
    if not len(tiny):
        return []
    return [
        _to_drop(
            "tiny",
            "warning",
            tiny,
            f"{plural(len(tiny), 'picture was', 'pictures were')} enlarged more than "
            f"{_MOST_ENLARGED:g} times, the smallest from {int(source.min())} pixels",
            "Enlarging adds no detail: brows, lids and the corners of the mouth are not there.",
        )
    ]


def _deviations(images: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of each picture over its pixels; of colour, the largest."""
    deviation = np.zeros(len(images))
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK]
        deviation[start : start + _CHUNK] = part.std(axis=(1, 2), dtype=np.float32).max(axis=1)
        same = part.max(axis=(1, 2)) == part.min(axis=(1, 2))
        deviation[start : start + _CHUNK][same.all(axis=1)] = 0  # exactly, whatever was rounded
    return deviation


def _by_split(dataset: FaceDataset, indices: np.ndarray) -> dict[str, int]:
    names = dict.fromkeys(dataset.split.tolist())
    chosen = dataset.split[indices]
    return {name or "all": int((chosen == name).sum()) for name in names}
