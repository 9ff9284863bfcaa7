"""FER+ (Barsoum et al., arXiv 1608.01041): the votes of ten people on each image of FER2013.

The vote file has no images; it is joined to FER2013 row by row, and only where both line up.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS, published_rows, read_table
from fer_lib.files import expand_user
from fer_lib.labels import EMOTIONS, EMOTIONS_8

VOTE_COLUMNS = tuple(f"votes_{name}" for name in (*EMOTIONS_8, "unknown", "not_face"))
"""The metadata columns with the votes: eight emotions, "unknown", and "not a face"."""

_ORDER = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")
VOTES_IN_FILE = [*(f"votes_{name}" for name in _ORDER), *VOTE_COLUMNS[7:]]
"""The same in the order of the published files."""

MIN_VOTES = 5
"""So many of the ten votes for one class say what people see."""

# Where both files line up, FER2013's label is the voters' favorite on 64% of the images
# (Cohen's kappa .56, at least .49 in any block); in rows shifted by one the kappa is 0.
_BLOCK = 500
_MIN_KAPPA = 0.25


def load_ferplus(
    votes_path: str | os.PathLike[str], fer2013: FaceDataset, labels: str = "fer2013"
) -> FaceDataset:
    """Adds the votes of `fer2013new.csv` to FER2013.

    Args:
        votes_path: The file as Microsoft publishes it: `Usage`, `Image name` (empty for images
            that were taken out), eight emotions, `unknown`, `NF`. The image names are not row
            numbers; the rows are those of `fer2013.csv`, in its order.
        fer2013: What `load_fer2013` gave, or a part of it.
        labels: `"fer2013"` keeps images, labels and classes. `"votes"` takes the class that half
            of the ten voters or more saw, see `vote_labels`; `"majority"` the paper's label, in
            eight classes, see `majority_labels`. Both leave out the images without one.

    Returns:
        The data set with the columns `VOTE_COLUMNS` in its metadata, numbers of votes.

    Raises:
        ValueError: The file breaks the format, or does not line up with the images.

    Example:
        `load_ferplus("fer2013new.csv", load_fer2013("fer2013.csv")).metadata["votes_happy"]`
    """
    kinds = {"fer2013": lambda joined: joined, "votes": vote_labels, "majority": majority_labels}
    if labels not in kinds:
        raise ValueError(f"Expected `labels` to be one of {tuple(kinds)}. Received: {labels!r}")
    path = expand_user(votes_path)
    votes = _match_rows(path, _read_votes(path), fer2013)
    _check_agreement(path, votes, fer2013)
    metadata = fer2013.metadata.drop(columns=list(VOTE_COLUMNS), errors="ignore")
    metadata = pd.concat([metadata, votes], axis=1)
    return kinds[labels](dataclasses.replace(fer2013, metadata=metadata, name="ferplus"))


# All functions below take a data set with the columns `VOTE_COLUMNS`, else they raise ValueError.


def vote_distribution(dataset: FaceDataset) -> np.ndarray:
    """Returns the share of the votes for each of `EMOTIONS_8`, `float32 (n, 8)`.

    Rows add up to 1, or to 0 where nobody saw an emotion. Votes for "unknown" and "not a face" do
    not count.
    """
    votes = _votes(dataset)[:, : len(EMOTIONS_8)].astype(np.float32)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def vote_labels(dataset: FaceDataset) -> FaceDataset:
    """Relabels a data set by its votes, in its own classes: what most people see in an image.

    Only images of which a class has `MIN_VOTES` of the ten votes are kept; of two classes with
    five each, the first counts. A class that FER+ does not know is a `ValueError`.
    """
    votes = class_votes(dataset)
    clear = votes.max(axis=1, initial=0) >= MIN_VOTES
    return dataclasses.replace(dataset[clear], labels=votes[clear].argmax(axis=1))


def class_votes(dataset: FaceDataset) -> np.ndarray:
    """Returns the numbers of votes for the data set's own classes, `int64 (n, num_classes)`.

    A class that FER+ does not know is a `ValueError`.
    """
    unknown = [name for name in dataset.class_names if name not in EMOTIONS_8]
    if unknown:
        raise ValueError(f"Expected classes of FER+, {EMOTIONS_8}. Received: {unknown[0]!r}")
    return _votes(dataset)[:, [EMOTIONS_8.index(name) for name in dataset.class_names]]


def majority_labels(dataset: FaceDataset) -> FaceDataset:
    """Relabels a data set by its votes, in `EMOTIONS_8`, as the paper's majority voting does.

    Single votes are noise and dropped; then an image's label is the emotion with more than half
    of the remaining votes. Images without such an emotion, and those that are mostly "unknown"
    or "not a face", are left out.
    """
    favorite = majority(_votes(dataset))
    kept = favorite >= 0
    return dataclasses.replace(dataset[kept], labels=favorite[kept], class_names=EMOTIONS_8)


def majority(votes: np.ndarray) -> np.ndarray:
    """Returns the emotion of each row by majority, -1 where there is none, `int64 (n,)`.

    Args:
        votes: Numbers of votes, `int (n, 10)`: eight emotions, "unknown", "not a face".
    """
    votes = np.where(votes > 1, votes, 0)
    favorite = votes.argmax(axis=1)
    wins = 2 * votes.max(axis=1, initial=0) > votes.sum(axis=1)
    return np.where(wins & (favorite < len(EMOTIONS_8)), favorite, -1)


def _votes(dataset: FaceDataset) -> np.ndarray:
    missing = [name for name in VOTE_COLUMNS if name not in dataset.metadata]
    if missing:
        raise ValueError(
            f"Expected the vote columns that load_ferplus adds. Received: {dataset.name!r} without "
            f"{', '.join(missing)}"
        )
    return dataset.metadata[list(VOTE_COLUMNS)].to_numpy(np.int64)


def _read_votes(path: Path) -> pd.DataFrame:
    """Reads `usage` and the columns `VOTE_COLUMNS`, a row for each image of FER2013."""
    names = [*dataset_info("ferplus").labels.names, "unknown", "nf"]
    table = read_table(path, ("usage", *names), str(path))
    votes = table[names].fillna("").apply(lambda column: column.str.strip())
    wrong = ~votes.apply(lambda column: column.str.isdecimal()).all(axis=1)
    if wrong.any():
        row = wrong.idxmax()
        raise ValueError(
            f"{path}, row {row}: expected numbers of votes. Received: {votes.loc[row].tolist()}"
        )
    votes.columns = VOTES_IN_FILE
    return votes[list(VOTE_COLUMNS)].astype(np.int64).assign(usage=table["usage"])


def _match_rows(path: Path, table: pd.DataFrame, fer2013: FaceDataset) -> pd.DataFrame:
    """Returns the votes of each image by its published row, or refuses."""
    usage = table.pop("usage").to_numpy(str)
    for split in dict.fromkeys(fer2013.split):
        have, images = int((usage == split).sum()), int((fer2013.split == split).sum())
        if have not in (images, sum(PUBLISHED_COUNTS.get(split, ()))):
            raise ValueError(
                f"{path}: expected as many {split} rows as images, {images}, or as published. "
                f"Received: {have} rows, which do not line up"
            )
    if "row" not in fer2013.metadata:
        raise ValueError(
            f"Expected FER2013 with its row numbers (metadata column `row`), by which {path} is "
            "joined. Received: a copy in folders whose file names do not tell; use fer2013.csv"
        )
    rows = fer2013.metadata["row"]
    chosen = table.assign(usage=usage).set_index(published_rows(usage)).reindex(rows)
    found = chosen.pop("usage").to_numpy(object)
    wrong = np.flatnonzero(found != fer2013.split)
    if len(wrong):
        raise ValueError(
            f"{path}, row {rows[wrong[0]]}: expected Usage {fer2013.split[wrong[0]]} as in FER2013."
            f" Received: {found[wrong[0]]}; the files do not line up"
        )
    return chosen.astype(np.int64).reset_index(drop=True)


def _check_agreement(path: Path, votes: pd.DataFrame, fer2013: FaceDataset) -> None:
    """Refuses votes that have nothing to do with the labels, such as those of a re-sorted copy."""
    from sklearn.metrics import cohen_kappa_score  # takes a second to import

    rows = fer2013.metadata["row"].to_numpy()
    order = np.argsort(rows, kind="stable")
    favorite = votes.to_numpy()[:, : len(EMOTIONS_8)].argmax(axis=1)
    for start in range(0, len(order) - _BLOCK + 1, _BLOCK):
        block = order[start : start + _BLOCK]
        if len(np.unique(fer2013.labels[block])) < len(EMOTIONS):
            continue  # a part chosen by class, of which nothing can be said
        kappa = cohen_kappa_score(fer2013.labels[block], favorite[block])
        if kappa < _MIN_KAPPA:
            raise ValueError(
                f"{path}: expected votes that agree with FER2013's labels (kappa about 0.5). "
                f"Received: kappa {kappa:.2f} in the {_BLOCK} rows from row {rows[order[start]]} "
                "on; one of the files is in another order than published"
            )
