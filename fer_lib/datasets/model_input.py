"""What a model gets of a data set: the splits it is trained and scored on, images in its shape."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.images import to_gray

_STARTS = {"training": "train", "validation": ("val", "public"), "test": ("test", "private")}


def _find_parts(dataset: FaceDataset) -> dict[str, list[str]]:
    """Returns the names of the splits for `training`, `validation` and `test`, by their starts."""
    names = sorted(set(dataset.split.tolist()))
    return {part: [n for n in names if n.lower().startswith(s)] for part, s in _STARTS.items()}


def choose_scored(dataset: FaceDataset, split: str | None = None) -> tuple[FaceDataset, str]:
    """Returns what to score a model on, and the names of its splits.

    That is the given split (a `ValueError` if no image has it); without one the splits for
    testing, where there are none those for validation, and where there are none either all images.
    """
    parts = _find_parts(dataset)
    chosen = [split] if split is not None else parts["test"] or parts["validation"]
    if chosen:
        dataset = dataset.subset(chosen)
    return dataset, " and ".join(sorted({*dataset.split.tolist()} - {""})) or "all images"


def training_images(
    dataset: FaceDataset, scored: FaceDataset, seen: np.ndarray | None = None
) -> np.ndarray | None:
    """Returns the images that a model was or may have been trained on; None if nothing is known.

    Those are the training splits of the data set but the scored ones, and the images of `scored`
    that the model has `seen`, `bool (n,)`, see `Pretrained.has_seen`.
    """
    names = sorted({*_find_parts(dataset)["training"]} - {*scored.split.tolist()})
    known = [dataset.subset(names).images] if names else []
    known += [] if seen is None else [scored.images[seen]]
    return np.concatenate(known) if known else None


def split_for_training(dataset: FaceDataset, seed: int = 0) -> tuple[FaceDataset, FaceDataset, str]:
    """Returns what to train on, what to select the epoch on, and what the latter is, in words.

    Splits for testing stay out. Without one for validation a fifth of the others is taken: of
    the subjects where two are known, else of each class.
    """
    parts = _find_parts(dataset)
    rest = sorted({*dataset.split.tolist()} - {*parts["test"], *parts["validation"]})
    if rest and parts["validation"]:
        validation = dataset.subset(parts["validation"])
        return dataset.subset(rest), validation, " and ".join(parts["validation"])
    if rest or parts["validation"]:
        dataset = dataset.subset(rest or parts["validation"])
    if dataset.subjects is not None and len(set(dataset.subjects)) > 1:
        kind = "a fifth of the subjects, none of whom is trained on"
        return *dataset.split_by_subject(0.2, seed), kind
    return *dataset.split_stratified(0.2, seed), "a fifth of the images of each class"


def resize_images(dataset: FaceDataset, shape: tuple[int, int, int]) -> FaceDataset:
    """Returns the data set with images of another `(height, width, channels)`.

    Sides in another ratio are squeezed; gray images stay gray in three channels.

    Example:
        >>> faces = FaceDataset(np.zeros((2, 48, 48), "uint8"), [0, 1])
        >>> resize_images(faces, (64, 32, 3)).images.shape
        (2, 64, 32, 3)
    """
    if dataset.images.shape[1:] == tuple(shape):
        return dataset
    images = np.empty((len(dataset), *shape), np.uint8)
    is_smaller = dataset.images.shape[1] >= shape[0]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    for target, image in zip(images, dataset.images, strict=True):
        image = to_gray(image) if shape[2] < image.shape[2] else image
        image = cv2.resize(image, shape[1::-1], interpolation=method)
        target[:] = image.reshape(*shape[:2], -1)
    return dataclasses.replace(dataset, images=images)
