"""Labels and splits: how many there are, whether their order is right, and what others say."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csgraph

from fer_lib.audit.findings import Finding, listing, plural
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.evaluation import inputs
from fer_lib.labels import EMOTIONS_8

_MOST_IMBALANCE = 5.0
_LEAST_TRAIN_TO_TEST = 2  # a training split is hardly ever less than half the size of the test
_LEAST_PICTURES = 10  # of a class, to say anything about its place
_LEAST_GAIN = 0.25  # in the mean recall of the classes that change places


def check_balance(dataset: FaceDataset) -> list[Finding]:
    """Finds classes that are missing, or rare beside the others."""
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    findings = []
    missing = [n for n, count in zip(dataset.class_names, counts, strict=True) if not count]
    if missing:
        findings.append(
            Finding(
                "empty_class",
                "warning",
                len(missing),
                f"{plural(len(missing), 'class has', 'classes have')} no picture: "
                f"{listing(missing)}",
                "A network cannot learn them, and averages over classes leave them out.",
                "Take these classes out, dataset.with_classes(...), or find out where their "
                "pictures went.",
            )
        )
    present = np.where(counts > 0, counts, counts.max())
    ratio = counts.max() / present.min()
    if ratio > _MOST_IMBALANCE:
        rarest, largest = int(present.argmin()), int(counts.argmax())
        findings.append(
            Finding(
                "imbalance",
                "note",
                int(counts[rarest]),
                f"{dataset.class_names[largest]} has {counts[largest]:,} pictures, "
                f"{dataset.class_names[rarest]} {counts[rarest]:,}: {ratio:.1f} times as many",
                "Accuracy hardly sees rare classes, and a network learns to answer with the "
                "frequent ones.",
                "Report balanced accuracy and the recall of each class beside accuracy.",
                examples=np.flatnonzero(dataset.labels == rarest),
            )
        )
    return findings


def check_split_sizes(dataset: FaceDataset) -> list[Finding]:
    """Finds a training split that is much smaller than the test splits."""
    names = np.char.lower(dataset.split)
    train = int(np.char.startswith(names, "train").sum())
    test = int((np.char.find(names, "test") >= 0).sum())
    if not 0 < _LEAST_TRAIN_TO_TEST * train < test:
        return []
    return [
        Finding(
            "swapped_splits",
            "warning",
            2,
            f"Training and test may be swapped: {plural(train, 'picture')} to train on, "
            f"{test:,} to test on",
            "A network would be trained on the test pictures and scored on those of the training.",
            "Compare with the description of the data set, and rename the splits.",
        )
    ]


def check_votes(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Compares the labels with the emotion that most FER+ voters see."""
    votes = dataset.metadata[list(VOTE_COLUMNS)].to_numpy()[:, : len(EMOTIONS_8)]
    most = votes.max(axis=1, keepdims=True)
    tied = ((votes == most).sum(axis=1) > 1) | (most[:, 0] == 0)
    names = np.array([*dataset.class_names, ""], dtype=object)
    favourite = np.array(EMOTIONS_8, dtype=object)[votes.argmax(axis=1)]
    agrees = (favourite == names[dataset.labels]) & ~tied
    figures = {
        "agreement": float(agrees.mean()),
        "no_single_favourite": int(tied.sum()),
        "by_class": {
            name: float(agrees[dataset.labels == label].mean())
            for label, name in enumerate(dataset.class_names)
            if (dataset.labels == label).any()
        },
    }
    findings = []
    known = np.isin(favourite, dataset.class_names) & ~tied
    predicted = np.array(
        [dataset.class_names.index(n) if k else -1 for n, k in zip(favourite, known, strict=True)]
    )
    findings += _permutation(dataset, predicted, "FER+ votes")
    if agrees.mean() < 0.9 and not findings:
        weakest = sorted(figures["by_class"].items(), key=lambda item: item[1])[:3]
        findings.append(
            Finding(
                "votes_disagree",
                "note",
                int((~agrees).sum()),
                f"On {agrees.mean():.0%} of the pictures the label is what most FER+ voters see; "
                "least for " + listing([f"{name} {share:.0%}" for name, share in weakest]),
                "Labels came from how pictures were searched for: a network can beat people "
                "only by learning that.",
                "Read scores beside this figure; load_ferplus(..., labels='majority') takes the "
                "voters' labels instead.",
                examples=np.flatnonzero(~agrees & ~tied),
            )
        )
    return findings, figures


def check_model(dataset: FaceDataset, model: Any) -> tuple[list[Finding], dict[str, Any]]:
    """Finds classes whose order differs from that of a model's outputs.

    Raises:
        ValueError: The model takes other pictures, or has other classes than the data set.
    """
    names = tuple(getattr(model, "class_names", dataset.class_names))
    if set(names) != set(dataset.class_names):
        raise ValueError(
            f"Expected a model of the data set's classes {dataset.class_names}; "
            f"`dataset.with_classes` makes them alike. Received: one of {names}"
        )
    nothing = np.zeros(len(dataset), np.int64)
    checked = inputs.predict(model, (dataset.images, nothing), names)
    # By name: the same classes in another order are no mistake if both say so.
    order = np.array([dataset.class_names.index(name) for name in names])
    predicted = order[checked.probabilities.argmax(axis=1)]
    findings = _permutation(dataset, predicted, f"model {getattr(model, 'name', '')}".strip())
    return findings, {"accuracy": float((predicted == dataset.labels).mean())}


def _permutation(dataset: FaceDataset, predicted: np.ndarray, witness: str) -> list[Finding]:
    moved = find_permutation(dataset.labels, predicted, len(dataset.class_names))
    if not moved:
        return []
    names = dataset.class_names
    pairs = listing([f"{names[a]} is {names[b]}" for a, b in moved.items()])
    return [
        Finding(
            "permuted_labels",
            "error",
            len(moved),
            f"Classes seem to be mixed up, judged by the {witness}: what is labelled {pairs}",
            "The pictures of these classes carry the names of others: every score is of the wrong "
            "class.",
            "Compare the class list of the file with `class_names`, and load it with the right "
            "one.",
            examples=np.concatenate([np.flatnonzero(dataset.labels == a)[:2] for a in moved]),
        )
    ]


def find_permutation(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> dict[int, int]:
    """Finds classes that changed places, from what a witness says of the pictures.

    Args:
        labels: `int (n,)`, as they are.
        predicted: `int (n,)`, what the witness says; -1 for nothing.
        num_classes: Number of classes.

    Returns:
        What is labelled with the key is the class of the value; empty where the labels' own order
        explains the answers about as well as any other.
    """
    matrix = np.zeros((num_classes, num_classes))
    np.add.at(matrix, (labels[predicted >= 0], predicted[predicted >= 0]), 1)
    support = matrix.sum(axis=1)
    recall = matrix / np.maximum(support, 1)[:, None]
    best = linear_sum_assignment(-recall)[1]
    graph = np.eye(num_classes)[best]
    cycle_of = csgraph.connected_components(graph, directed=False)[1]
    moved = {}
    for cycle in np.unique(cycle_of):
        members = np.flatnonzero(cycle_of == cycle)
        gain = recall[members, best[members]].mean() - recall[members, members].mean()
        if len(members) > 1 and gain >= _LEAST_GAIN and support[members].min() >= _LEAST_PICTURES:
            moved.update({int(a): int(best[a]) for a in members})
    return moved
