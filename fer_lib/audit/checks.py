"""`check_dataset`: all checks on one data set, one report.

Here are those of images, of labels and splits, and of what voters and a model say about them; those
of duplicates and leakage are in `leakage`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csgraph
from sklearn.metrics import confusion_matrix

from fer_lib.audit import leakage
from fer_lib.audit.audit_report import SEVERITIES, AuditReport, Finding, listing, plural
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.evaluation.inputs import predict
from fer_lib.labels import EMOTIONS_8

_MIN_SIDE = 32  # below, people and networks lose the eyes and brows
_MAX_ENLARGEMENT = 2.0
_MAX_IMBALANCE = 5.0
_MIN_TRAIN_TO_TEST = 0.5  # a training split is hardly ever smaller beside the test
_MIN_AGREEMENT = 0.9
_MIN_IMAGES = 10  # of a class, to say anything about its place
_MIN_GAIN = 0.25  # in the mean recall of the classes that change places
_MAX_OF_LABEL, _MIN_OF_OTHER = 0.01, 0.95  # probabilities that make a label doubtful


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
        The report. Printing it shows what was found, how bad it is and what to do;
        `dataset.without(report)` takes out what is better left out.

    Raises:
        ValueError: The data set is empty, or the model takes other images or classes.

    Example:
        >>> from fer_lib.synthetic import make_faces
        >>> check_dataset(make_faces(3)).findings
        ()
    """
    if not len(dataset):
        raise ValueError("Expected a data set with at least one image. Received: an empty one")
    findings = _check_sizes(dataset) + _check_images(dataset)
    figures: dict[str, Any] = {}
    unchecked = []
    found, figures["duplicates"] = leakage.check_duplicates(dataset)
    findings += found
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        found, figures["votes"] = _check_votes(dataset)
        findings += found
    else:
        unchecked.append("what people see in the images (needs the FER+ votes, load_ferplus)")
    if model is not None:
        found, figures["model"] = _check_model(dataset, model)
        findings += found
    else:
        unchecked.append("the order of the labels (needs a model)")
    # Votes and model may find the same; the first is the most certain.
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
    nearly = (deviation > 0) & (deviation < leakage.MIN_DEVIATION)
    text = f"nearly constant, with a standard deviation below {leakage.MIN_DEVIATION:g}"
    text += " of 255 gray levels"
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


def _check_sizes(dataset: FaceDataset) -> list[Finding]:
    """Finds classes without images or rare beside the others, and a small training split."""
    findings = []
    splits = np.char.lower(dataset.split)
    train = int(np.char.startswith(splits, "train").sum())
    test = int((np.char.find(splits, "test") >= 0).sum())
    if 0 < train < _MIN_TRAIN_TO_TEST * test:
        title = f"Training and test may be swapped: {train:,} images to train on, {test:,} to test"
        findings.append(Finding("split_sizes", title, count=2))
    counts = pd.Series(dataset.labels).value_counts()
    names = dataset.class_names
    missing = [name for label, name in enumerate(names) if label not in counts]
    if missing:
        title = f"{plural(len(missing), 'class has', 'classes have')} no image: {listing(missing)}"
        findings.append(Finding("empty_class", title, count=len(missing)))
    largest, rarest = counts.idxmax(), counts.idxmin()
    ratio = counts[largest] / counts[rarest]
    if ratio > _MAX_IMBALANCE:
        title = f"{names[largest]} has {counts[largest]:,} images, {names[rarest]} "
        title += f"{counts[rarest]:,}: {ratio:.1f} times as many"
        examples = np.flatnonzero(dataset.labels == rarest)
        findings.append(Finding("imbalance", title, examples=examples))
    return findings


def _check_votes(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Compares the labels with the emotion that most FER+ voters see."""
    votes = dataset.metadata[list(VOTE_COLUMNS)].to_numpy()[:, : len(EMOTIONS_8)]
    most = votes.max(axis=1, keepdims=True)
    tied = ((votes == most).sum(axis=1) > 1) | (most[:, 0] == 0)
    names = dataset.class_names
    label_of = np.array([names.index(name) if name in names else -1 for name in EMOTIONS_8])
    voted = np.where(tied, -1, label_of[votes.argmax(axis=1)])
    agrees = voted == dataset.labels
    shares = pd.Series(agrees).groupby(dataset.labels).mean()
    by_class = {names[label]: float(share) for label, share in shares.items()}
    findings = _permuted(dataset, voted, "FER+ votes")
    if agrees.mean() < _MIN_AGREEMENT and not findings:
        weakest = sorted(by_class, key=by_class.get)[:3]
        title = f"On {agrees.mean():.0%} of the images the label is what most FER+ voters see; "
        title += "least for " + listing([f"{name} {by_class[name]:.0%}" for name in weakest])
        examples = np.flatnonzero(~agrees & ~tied)
        count = int((~agrees).sum())
        findings.append(Finding("votes_disagree", title, examples=examples, count=count))
    agreement = float(agrees.mean())
    return findings, {"agreement": agreement, "no_majority": int(tied.sum()), "by_class": by_class}


def _check_model(dataset: FaceDataset, model: Any) -> tuple[list[Finding], dict[str, Any]]:
    """Compares the labels with a model's predictions: their order, and which are doubtful."""
    probabilities = predict(dataset, model).probabilities
    predicted = probabilities.argmax(axis=1)
    findings = _permuted(dataset, predicted, f"model {getattr(model, 'name', '')}".strip())
    of_label = probabilities[np.arange(len(dataset)), dataset.labels]
    doubtful = (of_label < _MAX_OF_LABEL) & (probabilities.max(axis=1) > _MIN_OF_OTHER)
    if doubtful.any() and not findings:
        title = f"{plural(int(doubtful.sum()), 'label')} that the model gives less than "
        title += f"{_MAX_OF_LABEL:.0%}, and another class more than {_MIN_OF_OTHER:.0%}"
        findings = [Finding("doubtful_labels", title, examples=np.flatnonzero(doubtful))]
    return findings, {"accuracy": float((predicted == dataset.labels).mean())}


def _permuted(dataset: FaceDataset, predicted: np.ndarray, witness: str) -> list[Finding]:
    names = dataset.class_names
    moved = find_permutation(dataset.labels, predicted, len(names))
    if not moved:
        return []
    pairs = listing([f"{names[a]} is {names[b]}" for a, b in moved.items()])
    title = f"Classes seem to be mixed up, judged by the {witness}: what is labeled {pairs}"
    examples = np.concatenate([np.flatnonzero(dataset.labels == a)[:2] for a in moved])
    return [Finding("permuted_labels", title, examples=examples, count=len(moved))]


def find_permutation(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> dict[int, int]:
    """Finds classes that changed places, such as those numbered in alphabetical order.

    `predicted` is what a model or voters say, -1 for nothing. What is labeled with a key of the
    result is the class of its value; the result is empty where the labels' own order explains the
    predictions about as well as any other.
    """
    known = predicted >= 0
    if not known.any():
        return {}
    matrix = confusion_matrix(labels[known], predicted[known], labels=range(num_classes))
    support = matrix.sum(axis=1)
    recall = matrix / np.maximum(support, 1)[:, None]
    best = linear_sum_assignment(-recall)[1]
    cycles = csgraph.connected_components(np.eye(num_classes)[best], directed=False)[1]
    moved = {}
    for cycle in np.unique(cycles):
        members = np.flatnonzero(cycles == cycle)
        gain = recall[members, best[members]].mean() - recall[members, members].mean()
        if len(members) > 1 and gain >= _MIN_GAIN and support[members].min() >= _MIN_IMAGES:
            moved.update({int(a): int(best[a]) for a in members})
    return moved
