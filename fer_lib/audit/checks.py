"""`check_dataset`: all checks on one data set, one report."""

from __future__ import annotations

from typing import Any

from fer_lib.audit import image_checks, label_checks, leakage
from fer_lib.audit.audit_report import AuditReport
from fer_lib.audit.finding import SEVERITIES
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS


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
        >>> faces = make_faces(3)
        >>> check_dataset(faces).findings
        ()
    """
    if not len(dataset):
        raise ValueError("Expected a data set with at least one image. Received: an empty one")
    findings = label_checks.check_sizes(dataset) + image_checks.check_images(dataset)
    figures: dict[str, Any] = {}
    unchecked = []

    def add(name: str, found: tuple[list, dict[str, Any]]) -> None:
        findings.extend(found[0])
        figures[name] = found[1]

    add("duplicates", leakage.check_duplicates(dataset))
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        add("votes", label_checks.check_votes(dataset))
    else:
        unchecked.append("what people see in the images (needs the FER+ votes, load_ferplus)")
    if model is not None:
        add("model", label_checks.check_model(dataset, model))
    else:
        unchecked.append("the order of the labels (needs a model)")
    # Votes and model may find the same; the first is the surest.
    unique = {finding.name: finding for finding in reversed(findings)}
    ordered = [finding for finding in findings if unique[finding.name] is finding]
    ordered.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return AuditReport(dataset, tuple(ordered), figures, tuple(unchecked))
