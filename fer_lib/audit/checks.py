"""`check_dataset`: all checks on one data set, one report."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_lib.audit import label_checks, leakage
from fer_lib.audit.audit_report import AuditReport
from fer_lib.audit.finding import SEVERITIES, Finding, plural
from fer_lib.audit.similarity import MIN_DEVIATION
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS

_MIN_SIDE = 32  # below, people and networks lose the eyes and brows
_MAX_ENLARGEMENT = 2.0


def check_dataset(dataset: FaceDataset, model: Any = None) -> AuditReport:
    """Examines a data set: is it whole, clean and free of leakage?

    The checks look for images that are constant, tiny or no face; exact and near duplicates within
    a split and across splits, with one label or several; people in several splits; missing and
    rare classes; labels in another order than a model or the voters of FER+ suggest.

    Args:
        dataset: Any data set. With the votes of `load_ferplus` in its metadata more is checked.
        model: Anything with `predict(images)` that returns probabilities, such as what
            `load_pretrained` returns; its predictions are compared with the labels.

    Returns:
        The report. Printing it shows what was found, how bad it is and what to do; a notebook
        shows the images, too. `dataset.without(report)` takes out what is better left out.

    Raises:
        ValueError: The data set is empty, or the model takes other images or classes.

    Example:
        >>> from fer_lib.synthetic import make_faces
        >>> check_dataset(make_faces(3)).findings
        ()
    """
    if not len(dataset):
        raise ValueError("Expected a data set with at least one image. Received: an empty one")
    findings = label_checks.check_sizes(dataset) + _check_images(dataset)
    figures: dict[str, Any] = {}
    unchecked = []
    found, figures["duplicates"] = leakage.check_duplicates(dataset)
    findings += found
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        found, figures["votes"] = label_checks.check_votes(dataset)
        findings += found
    else:
        unchecked.append("what people see in the images (needs the FER+ votes, load_ferplus)")
    if model is not None:
        found, figures["model"] = label_checks.check_model(dataset, model)
        findings += found
    else:
        unchecked.append("the order of the labels (needs a model)")
    # Votes and model may find the same; the first is the surest.
    unique: dict[str, Finding] = {}
    for finding in findings:
        unique.setdefault(finding.name, finding)
    ordered = sorted(unique.values(), key=lambda finding: SEVERITIES.index(finding.severity))
    return AuditReport(dataset, tuple(ordered), figures, tuple(unchecked))


def _check_images(dataset: FaceDataset) -> list[Finding]:
    """Finds constant, nearly constant and tiny images, and those that voters call no face."""
    findings = []

    def add(name: str, chosen: np.ndarray, one: str, many: str, text: str) -> None:
        indices = np.flatnonzero(chosen)
        if len(indices):
            findings.append(Finding(name, f"{plural(len(indices), one, many)} {text}", indices))

    deviation = np.array([image.std(axis=(0, 1)).max() for image in dataset.images])
    add("constant", deviation == 0, "image is", "images are", "one constant color")
    nearly = (deviation > 0) & (deviation < MIN_DEVIATION)
    text = f"nearly constant, with a standard deviation below {MIN_DEVIATION:g} of 255 gray levels"
    add("nearly_constant", nearly, "image is", "images are", text)
    height, width = dataset.images.shape[1:3]
    if min(height, width) < _MIN_SIDE:
        title = f"All images are {width}x{height} pixels, less than {_MIN_SIDE}"
        findings.append(Finding("tiny", title, examples=np.arange(8)[: len(dataset)]))
    elif {"width", "height"} <= set(dataset.metadata):
        source = dataset.metadata[["width", "height"]].min(axis=1).to_numpy()
        text = f"enlarged {_MAX_ENLARGEMENT:g} times or more, the smallest from {source.min():.0f}"
        enlarged = source * _MAX_ENLARGEMENT < min(height, width)
        add("tiny", enlarged, "image was", "images were", f"{text} pixels")
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        votes = dataset.metadata[list(VOTE_COLUMNS)].to_numpy()
        no_face = 2 * votes[:, -1] > votes.sum(axis=1)
        add("not_a_face", no_face, "image", "images", "that most FER+ voters call not a face")
    return findings
