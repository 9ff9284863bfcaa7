"""`FaceDataset`: what every loader returns and everything else takes.

One frozen table of pictures, labels and what is known of each picture. It slices, filters, splits
and counts; reading files, drawing contact sheets and feeding Keras are in the modules beside it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS, canonical_emotion

if TYPE_CHECKING:
    from fer_lib.datasets.face_batches import FaceBatches


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FaceDataset:
    """Pictures of faces with their labels and all that is known of each.

    Slices share memory with the data set they come from: copy `images` before changing pixels.

    Args:
        images: `uint8 (n, height, width, channels)`, 1 (grey) or 3 (RGB) channels; grey pictures
            of shape `(n, height, width)` are taken, too.
        labels: `int64 (n,)`, indices into `class_names`.
        class_names: The classes, in label order.
        split: Name of the split of each picture, such as `"Training"`, `""` where there is none;
            one string stands for all.
        subjects: Who is on each picture, or None where that is not known.
        metadata: One row a picture, any columns.
        left_out: What a loader could not take: one row a file, `file` and `problem`.
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
        images = np.asarray(self.images)
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8:
            raise ValueError(
                "Expected `images` of type uint8 and shape (n, height, width, 1 or 3). "
                f"Received: {images.dtype} {np.shape(self.images)}"
            )
        class_names = tuple(str(name) for name in self.class_names)
        if len(set(class_names)) != len(class_names):
            raise ValueError(f"Expected different `class_names`. Received: {class_names}")
        count = len(images)
        split = np.full(count, self.split) if isinstance(self.split, str) else self.split
        metadata = pd.DataFrame(index=range(count)) if self.metadata is None else self.metadata
        fields = {
            "images": images,
            "labels": _checked_labels(self.labels, count, class_names),
            "class_names": class_names,
            "split": _checked_strings("split", split, count),
            "subjects": (
                None
                if self.subjects is None
                else _checked_strings("subjects", self.subjects, count)
            ),
            "metadata": metadata.reset_index(drop=True),
            "left_out": (
                pd.DataFrame({"file": [], "problem": []}, dtype=str)
                if self.left_out is None
                else self.left_out
            ),
        }
        if len(metadata) != count:
            raise ValueError(
                f"Expected `metadata` with one row a picture, {count}. "
                f"Received: {len(metadata)} rows"
            )
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width, channels = self.images.shape[1:]
        splits = ", ".join(f"{name or 'no split'} {n}" for name, n in self._split_counts().items())
        people = "" if self.subjects is None else f", {len(set(self.subjects))} subjects"
        return (
            f"FaceDataset({self.name!r}: {len(self)} picture{'' if len(self) == 1 else 's'} "
            f"{height}x{width}x{channels}, "
            f"{len(self.class_names)} classes, {splits or 'empty'}{people})"
        )

    def _repr_html_(self) -> str:
        from fer_lib.datasets.display import to_html

        return to_html(self)

    def __getitem__(self, key: Any) -> Any:
        """Returns a `FaceDataset` for a slice, mask or list of indices; a pair for one index.

        A single integer gives `(image, label)`: `uint8 (height, width, channels)` and an int.
        """
        if isinstance(key, (int, np.integer)):
            return self.images[key], int(self.labels[key])
        if not isinstance(key, slice):
            key = _checked_key(key, len(self))
        return dataclasses.replace(
            self,
            images=self.images[key],
            labels=self.labels[key],
            split=self.split[key],
            subjects=None if self.subjects is None else self.subjects[key],
            metadata=self.metadata.iloc[key],
        )

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        return (self[index] for index in range(len(self)))

    @functools.cached_property
    def content_hash(self) -> str:
        """The sha256 of pixels, labels and class names, in hex: the same in every layout."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images))
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8"))
        digest.update("\0".join(self.class_names).encode())
        return digest.hexdigest()

    def subset(
        self,
        split: str | Sequence[str] | None = None,
        emotion: str | Sequence[str] | None = None,
    ) -> FaceDataset:
        """Returns the pictures of one or several splits and classes.

        Args:
            split: Names of splits; None takes all.
            emotion: Names of classes, synonyms are understood; None takes all.

        Raises:
            ValueError: No picture has that split, or there is no such class.
        """
        keep = np.ones(len(self), bool)
        if split is not None:
            wanted = [split] if isinstance(split, str) else list(split)
            known = list(self._split_counts())
            for name in wanted:
                if name not in known:
                    raise ValueError(f"Expected `split` to be one of {known}. Received: {name!r}")
            keep &= np.isin(self.split, wanted)
        if emotion is not None:
            wanted = [emotion] if isinstance(emotion, str) else list(emotion)
            keep &= np.isin(self.labels, [self._class_index(name) for name in wanted])
        return self[keep]

    def without(self, indices: Any) -> FaceDataset:
        """Returns the data set less some pictures.

        Args:
            indices: A list of indices or a mask; or what `check_dataset` found in this very data
                set: its report, a finding, or a list of findings.
        """
        if hasattr(indices, "indices"):
            indices = indices.indices
        elif isinstance(indices, (list, tuple)) and all(hasattr(i, "indices") for i in indices):
            indices = np.concatenate([np.zeros(0, np.int64), *(i.indices for i in indices)])
        keep = np.ones(len(self), bool)
        keep[_checked_key(indices, len(self))] = False
        return self[keep]

    def counts(self) -> pd.DataFrame:
        """Returns how many pictures each class (row) has in each split (column)."""
        table = pd.DataFrame(
            {
                name or "all": np.bincount(
                    self.labels[self.split == name], minlength=len(self.class_names)
                )
                for name in self._split_counts()
            },
            index=pd.Index(self.class_names, name="class"),
        )
        if table.shape[1] > 1:
            table["all"] = table.sum(axis=1)
        return table

    def with_classes(self, class_names: Sequence[str] = EMOTIONS) -> FaceDataset:
        """Returns the data set in another list of classes, matched by name.

        Pictures of a class that is not in the list are left out: `with_classes(EMOTIONS)` makes
        the seven classes of FER2013 out of the eight of FER+.
        """
        names = list(class_names)
        new_label = np.array([names.index(n) if n in names else -1 for n in self.class_names])
        keep = new_label[self.labels] >= 0
        return dataclasses.replace(
            self[keep], labels=new_label[self.labels[keep]], class_names=tuple(names)
        )

    def split_validation(self, fraction: float = 0.2, seed: int = 0) -> Any:
        """Splits into `(rest, part)`: by subject where two are known, else stratified."""
        known = self.subjects is not None and len(np.unique(self.subjects)) > 1
        split = self.split_by_subject if known else self.split_stratified
        return split(fraction, seed)

    def split_stratified(self, fraction: float = 0.2, seed: int = 0) -> Any:
        """Splits into `(rest, part)`; `part` has this fraction of every class. See `splits`."""
        from fer_lib.datasets.splits import split_stratified

        return split_stratified(self, fraction, seed)

    def split_by_subject(self, fraction: float = 0.2, seed: int = 0) -> Any:
        """Splits into `(rest, part)` so that nobody is on both sides. See `splits`."""
        from fer_lib.datasets.splits import split_by_subject

        return split_by_subject(self, fraction, seed)

    def batches(self, batch_size: int = 32, *, shuffle: bool = False, seed: int = 0) -> FaceBatches:
        """Returns batches that `model.fit`, `evaluate` and `predict` take, on every backend."""
        from fer_lib.datasets.face_batches import FaceBatches

        return FaceBatches(self, batch_size, shuffle=shuffle, seed=seed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything into one `.npz` file, without pickle. See `storage`."""
        from fer_lib.datasets.storage import save_dataset

        save_dataset(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> FaceDataset:
        """Reads a file that `save` wrote. See `storage`."""
        from fer_lib.datasets.storage import load_dataset

        return load_dataset(path)

    def _split_counts(self) -> dict[str, int]:
        """The splits in the order in which they first appear, with their sizes."""
        names, first, sizes = np.unique(self.split, return_index=True, return_counts=True)
        return {str(names[i]): int(sizes[i]) for i in np.argsort(first)}

    def _class_index(self, name: str) -> int:
        if name not in self.class_names:
            name = canonical_emotion(name)
        if name not in self.class_names:
            raise ValueError(f"Expected one of the classes {self.class_names}. Received: {name!r}")
        return self.class_names.index(name)


def concatenate(datasets: Sequence[FaceDataset], name: str | None = None) -> FaceDataset:
    """Puts data sets with the same classes and picture shape one after the other.

    Args:
        datasets: At least one. Subjects are kept only if all have them, prefixed by the set's
            name where names differ, since two sets may call different people alike.
        name: Name of the result; by default the names joined by `+`.

    Raises:
        ValueError: Classes or picture shapes differ (`with_classes` makes classes alike).
    """
    datasets = list(datasets)
    if not datasets:
        raise ValueError("Expected at least one data set. Received: an empty list")
    first = datasets[0]
    for other in datasets[1:]:
        if other.class_names != first.class_names:
            raise ValueError(
                "Expected the same classes everywhere; `with_classes` makes them alike. "
                f"Received: {first.class_names} and {other.class_names}"
            )
        if other.images.shape[1:] != first.images.shape[1:]:
            raise ValueError(
                "Expected pictures of one shape. "
                f"Received: {first.images.shape[1:]} and {other.images.shape[1:]}"
            )
    names = list(dict.fromkeys(dataset.name for dataset in datasets))
    subjects = None
    if all(dataset.subjects is not None for dataset in datasets):
        subjects = np.concatenate(
            [
                d.subjects if len(names) == 1 else np.char.add(f"{d.name}/", d.subjects)
                for d in datasets
            ]
        )
    return FaceDataset(
        images=np.concatenate([dataset.images for dataset in datasets]),
        labels=np.concatenate([dataset.labels for dataset in datasets]),
        class_names=first.class_names,
        split=np.concatenate([dataset.split for dataset in datasets]),
        subjects=subjects,
        metadata=pd.concat([dataset.metadata for dataset in datasets], ignore_index=True),
        name=name or "+".join(names),
        # Parts of one set carry the same list.
        left_out=pd.concat([dataset.left_out for dataset in datasets], ignore_index=True)
        .drop_duplicates()
        .reset_index(drop=True),
    )


def _checked_labels(labels: Any, count: int, class_names: tuple[str, ...]) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or (count and labels.dtype.kind not in "iu"):
        raise ValueError(
            f"Expected integer `labels` of shape ({count},), one a picture. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    labels = labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(wrong):
        raise ValueError(
            f"Expected `labels` from 0 to {len(class_names) - 1} for the classes {class_names}. "
            f"Received: {labels[wrong[0]]} at index {wrong[0]}"
        )
    return labels


def _checked_strings(field: str, values: Any, count: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (count,):
        raise ValueError(
            f"Expected `{field}` with one entry a picture, {count}. Received: shape {values.shape}"
        )
    return values if values.dtype.kind == "U" else values.astype(str)


def _checked_key(key: Any, count: int) -> np.ndarray:
    """Turns a mask or a list of indices into an array that numpy and pandas index alike."""
    key = np.asarray(key)
    if key.size == 0 and key.dtype != bool:
        return np.zeros(0, np.int64)
    if key.dtype == bool and key.shape != (count,):
        raise ValueError(f"Expected a mask of shape ({count},). Received: {key.shape}")
    if key.ndim != 1 or key.dtype.kind not in "iub":
        raise TypeError(
            "Expected a slice, a mask or a list of integer indices. "
            f"Received: {key.dtype} of shape {key.shape}"
        )
    return key
