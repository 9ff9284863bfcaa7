"""`check_dataset`: all checks on one data set, one report."""

from __future__ import annotations

from typing import Any

from fer_lib.audit import duplicates, labels, pictures, published, twins
from fer_lib.audit.findings import SEVERITIES
from fer_lib.audit.report import AuditReport
from fer_lib.datasets.face_dataset import FaceDataset


def check_dataset(dataset: FaceDataset, model: Any = None) -> AuditReport:
    """Examines a data set: is it whole, clean and free of leaks?

    Looked for are pictures that are constant, tiny or no face; identical and nearly identical
    pictures, within a split and across splits, with one label or several; people in several splits;
    missing and rare classes; labels in another order than a model or the voters of FER+ suggest.
    A copy of FER2013 is compared with the published counts and checksums, and said to be swapped,
    permuted, saved as JPEG or incomplete where it is.

    Args:
        dataset: Any data set. With the votes of `load_ferplus` in its metadata more is checked.
        model: Anything with `predict(images)` that returns probabilities, such as what
            `load_pretrained` returns; its answers are compared with the order of the labels.

    Returns:
        The report. Printing it shows what was found, how bad it is and what to do; a notebook
        shows the pictures, too. `dataset.without(report)` takes out what is better left out.

    Raises:
        ValueError: The data set is empty, or the model takes other pictures or classes.

    Example:
        >>> from fer_lib.synthetic import make_faces
        >>> faces = make_faces(3)
        >>> check_dataset(faces).findings
        ()
    """
    if not len(dataset):
        raise ValueError("Expected a data set with at least one picture. Received: an empty one")
    unchecked = []
    findings, as_published = published.check_published(dataset)
    figures: dict[str, Any] = {"published": as_published} if as_published else {}
    findings += labels.check_split_sizes(dataset)
    findings += labels.check_balance(dataset)
    found, figures["pictures"] = pictures.check_pictures(dataset)
    findings += found
    found, copies = twins.check_copies(dataset, duplicates.find_copies(dataset.images))
    findings += found
    figures |= copies
    if pictures.has_votes(dataset):
        found, figures["votes"] = labels.check_votes(dataset)
        findings += found
    else:
        unchecked.append(
            "whether the pictures show faces, and what people see in them (needs the FER+ votes, "
            "load_ferplus)"
        )
    if model is not None:
        found, figures["model"] = labels.check_model(dataset, model)
        findings += found
    else:
        unchecked.append("the order of the labels (needs a model)")
    # Several witnesses may say the same; the first is the surest.
    unique = {finding.name: finding for finding in reversed(findings)}
    ordered = sorted(
        (finding for finding in findings if unique[finding.name] is finding),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    return AuditReport(dataset, tuple(ordered), figures, tuple(unchecked))
