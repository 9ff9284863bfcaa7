"""`FaceDataset`: what every loader returns and everything else takes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.datasets import storage
from fer_lib.files import read_npz
from fer_lib.labels import EMOTIONS

Halves = tuple["FaceDataset", "FaceDataset"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FaceDataset:
    """Images of faces with their labels and all that is known of each.

    Slices share memory with the data set they come from: copy `images` before changing pixels.

    Args:
        images: `uint8 (n, height, width, channels)`, 1 (gray) or 3 (RGB) channels; gray images
            of shape `(n, height, width)` are taken, too.
        labels: `int64 (n,)`, indices into `class_names`.
        class_names: The classes, in label order.
        split: Name of the split of each image, such as `"Training"`, `""` where there is none;
            one string stands for all.
        subjects: Who is on each image, or None where that is not known.
        metadata: One row per image, any columns.
        left_out: What a loader could not take: one row per file, `file` and `problem`.
        name: What this data set is called in reports.

    Raises:
        ValueError: An array has another shape, type or length, or a label no class.

    Example:
        >>> dataset = FaceDataset(np.zeros((2, 48, 48), "uint8"), [0, 3])
        >>> dataset.images.shape, len(dataset[dataset.labels == 3])
        ((2, 48, 48, 1), 1)
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = EMOTIONS
    split: np.ndarray | str = ""
    subjects: np.ndarray | None = None
    metadata: pd.DataFrame | None = None
    name: str = "faces"
    left_out: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        for field, value in _check_fields(self).items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        parts = [f"{name or 'no split'} {n}" for name, n in self._split_counts().items()]
        parts += [] if self.subjects is None else [f"{len(set(self.subjects))} subjects"]
        return (
            f"FaceDataset({self.name!r}: {len(self)} image{'' if len(self) == 1 else 's'} {shape}, "
            f"{len(self.class_names)} classes, {', '.join(parts or ['empty'])})"
        )

    def _repr_html_(self) -> str:
        from fer_lib.datasets.contact_sheet import to_html

        return to_html(self)

    def __getitem__(self, key: Any) -> Any:
        """Returns a `FaceDataset` for a slice, mask or list of indices; a pair for one index.

        A single integer gives `(image, label)`: `uint8 (height, width, channels)` and an int.
        """
        if isinstance(key, (int, np.integer)):
            return self.images[key], int(self.labels[key])
        if not isinstance(key, slice):  # of which the result shares memory
            key = np.arange(len(self))[key]
        names = ("images", "labels", "split", *(() if self.subjects is None else ("subjects",)))
        arrays = {name: getattr(self, name)[key] for name in names}
        return dataclasses.replace(self, **arrays, metadata=self.metadata.iloc[key])

    @functools.cached_property
    def content_hash(self) -> str:
        """The sha256 of pixels, labels and class names, in hex: the same in every layout."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images))
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8"))
        digest.update("\0".join(self.class_names).encode())
        return digest.hexdigest()

    def subset(self, split: str | Sequence[str]) -> FaceDataset:
        """Returns the images of one or several splits; an unknown one is a `ValueError`."""
        wanted, known = np.atleast_1d(split).tolist(), list(self._split_counts())
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValueError(f"Expected `split` to be one of {known}. Received: {unknown[0]!r}")
        return self[np.isin(self.split, wanted)]

    def without(self, indices: Any) -> FaceDataset:
        """Returns the data set less some images: a list of indices or a mask.

        Or what `check_dataset` found in this very data set: its report, one or several findings.
        """
        if hasattr(indices, "indices"):
            indices = indices.indices
        elif isinstance(indices, (list, tuple)) and all(hasattr(i, "indices") for i in indices):
            indices = np.concatenate([np.zeros(0, np.int64), *(i.indices for i in indices)])
        return self[np.delete(np.arange(len(self)), indices)]

    def counts(self) -> pd.DataFrame:
        """Returns how many images each class (row) has in each split (column)."""
        table = pd.DataFrame(index=pd.Index(self.class_names, name="class"))
        for name in self._split_counts():
            labels = self.labels[self.split == name]
            table[name or "all"] = np.bincount(labels, minlength=len(table))
        return table.assign(all=table.sum(axis=1)) if table.shape[1] > 1 else table

    def with_classes(self, class_names: Sequence[str] = EMOTIONS) -> FaceDataset:
        """Returns the data set in another list of classes, matched by name.

        Images of a class that is not in the list are left out: `with_classes(EMOTIONS)` makes
        the seven classes of FER2013 out of the eight of FER+.
        """
        labels = pd.Index(class_names).get_indexer(self.class_names)[self.labels]
        keep = labels >= 0
        return dataclasses.replace(self[keep], labels=labels[keep], class_names=tuple(class_names))

    def split_stratified(self, fraction: float = 0.2, seed: int = 0) -> Halves:
        """Splits into `(rest, part)`, where `part` has this fraction, `(0, 1)`, of every class.

        The fraction is rounded to whole images, and one person may be on both sides. The same seed
        gives the same sides, in the order of the data set. For cross-validation use
        `sklearn.model_selection.StratifiedGroupKFold`.
        """
        _check_fraction(fraction)
        generator = np.random.default_rng(seed)
        chosen = np.zeros(len(self), bool)
        for label in range(len(self.class_names)):
            members = generator.permutation(np.flatnonzero(self.labels == label))
            chosen[members[: round(fraction * len(members))]] = True
        return self[~chosen], self[chosen]

    def split_by_subject(self, fraction: float = 0.2, seed: int = 0) -> Halves:
        """Splits into `(rest, part)`, where `part` has this fraction, `(0, 1)`, of the subjects.

        Nobody is on both sides, and each side has at least one subject: a network recognizes
        people it has seen, so the score on the faces of strangers is the honest one.

        Raises:
            ValueError: Subjects are not known, or there are not two.
        """
        from sklearn.model_selection import GroupShuffleSplit  # takes a second to import

        _check_fraction(fraction)
        if self.subjects is None:
            raise ValueError(
                f"Expected a data set with `subjects`; {self.name!r} does not say who is on its "
                "images. `split_stratified` splits it by class."
            )
        count = len(np.unique(self.subjects))
        if count < 2:
            raise ValueError(f"Expected at least two subjects to split by. Received: {count}")
        size = min(max(round(fraction * count), 1), count - 1)
        splitter = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
        rest, part = next(splitter.split(self.labels, groups=self.subjects))
        return self[np.sort(rest)], self[np.sort(part)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything into one `.npz` file, without pickle. See `storage`."""
        storage.write_dataset(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> FaceDataset:
        """Reads a file that `save` wrote; a damaged or another file is a `ValueError`."""
        return FaceDataset(**storage.read_fields(read_npz(path, "a data set"), path))

    def _split_counts(self) -> dict[str, int]:
        """The splits in the order in which they first appear, with their sizes."""
        return pd.Series(self.split, dtype=object).value_counts(sort=False).to_dict()


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise ValueError(f"Expected `fraction` between 0 and 1. Received: {fraction}")


def _check_fields(dataset: FaceDataset) -> dict[str, Any]:
    """Returns the fields of a new data set as arrays and tables of the documented types."""
    images, labels = np.asarray(dataset.images), np.asarray(dataset.labels)
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8:
        raise ValueError(
            "Expected `images` of type uint8 and shape (n, height, width, 1 or 3). "
            f"Received: {images.dtype} {np.shape(dataset.images)}"
        )
    count, class_names = len(images), tuple(map(str, dataset.class_names))
    if len(set(class_names)) != len(class_names):
        raise ValueError(f"Expected different `class_names`. Received: {class_names}")
    if labels.shape != (count,) or (count and labels.dtype.kind not in "iu"):
        raise ValueError(
            f"Expected integer `labels` of shape ({count},), one per image. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(wrong):
        raise ValueError(
            f"Expected `labels` from 0 to {len(class_names) - 1} for the classes {class_names}. "
            f"Received: {labels[wrong[0]]} at index {wrong[0]}"
        )
    split, subjects, metadata = dataset.split, dataset.subjects, dataset.metadata
    split = np.full(count, split) if isinstance(split, str) else np.asarray(split)
    subjects = None if subjects is None else np.asarray(subjects).astype(str)
    metadata = pd.DataFrame(index=range(count)) if metadata is None else metadata
    for name, value in (("split", split), ("subjects", subjects), ("metadata", metadata.index)):
        if value is not None and value.shape != (count,):
            raise ValueError(
                f"Expected `{name}` with one entry per image, {count}. Received: {value.shape}"
            )
    left_out = pd.DataFrame({"file": [], "problem": []}, dtype=str)
    return {
        "images": images,
        "labels": labels.astype(np.int64),
        "class_names": class_names,
        "split": split.astype(str),
        "subjects": subjects,
        "metadata": metadata.reset_index(drop=True),
        "left_out": left_out if dataset.left_out is None else dataset.left_out,
    }
