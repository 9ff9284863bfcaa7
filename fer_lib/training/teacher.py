"""A teacher: the probabilities that trained networks give to the training pictures, as one file.

With it a small network learns from an ensemble (distillation) on a machine that could not train
one. Pictures are recognised by their pixels, so any part of the data set, in any order, will do.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_lib import paths, pretrained
from fer_lib.datasets import FaceDataset

TEACHER_FILE = "teacher.npz"
CARD_FILE = "teacher.json"


def write_teacher(
    folder: str | os.PathLike[str],
    dataset: FaceDataset,
    models: Sequence[pretrained.Pretrained],
    tta: bool = True,
) -> dict:
    """Lets models predict a data set and keeps their mean, less than a megabyte for FER2013.

    Args:
        folder: Where `teacher.npz` and `teacher.json` go.
        dataset: The training pictures.
        models: The networks; the geometric mean of their probabilities is the teacher's opinion.
        tta: See `Pretrained.predict`.

    Returns:
        What `teacher.json` holds: the models, `tta`, the data's hash, and the share of the
        pictures whose label the teacher names first, which says how well it knows the labels.

    Raises:
        ValueError: No model, or models of other classes than the data set's.
    """
    if not models or any(model.class_names != dataset.class_names for model in models):
        raise ValueError(
            f"Expected models of the classes {dataset.class_names}. "
            f"Received: {[(model.name, model.class_names) for model in models]}"
        )
    opinions = [model.predict(dataset.images, tta=tta) for model in models]
    probabilities = pretrained.mean_of_logs(opinions)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / TEACHER_FILE,
        keys=_picture_keys(dataset.images),
        probabilities=probabilities.astype(np.float16),
        class_names=np.array(dataset.class_names),
    )
    card = {
        "models": [model.name for model in models],
        "tta": tta,
        "data": {"name": dataset.name, "pictures": len(dataset), "sha256": dataset.content_hash},
        "agrees_with_label": round(float((probabilities.argmax(1) == dataset.labels).mean()), 4),
    }
    pretrained.write_text(folder / CARD_FILE, json.dumps(card, indent=2) + "\n")
    return card


def load_teacher(dataset: FaceDataset, folder: str | os.PathLike[str] | None = None) -> np.ndarray:
    """Returns the teacher's probabilities for the pictures of a data set.

    Args:
        dataset: Pictures that the teacher has seen, any part of them in any order.
        folder: What `write_teacher` wrote; by default the shipped `saved_models/teacher`.

    Returns:
        `float32 (n, num_classes)`, rows sum to 1.

    Raises:
        FileNotFoundError: There is no teacher.
        ValueError: It has other classes, or does not know a picture.
    """
    folders = [Path(folder)] if folder else [root / "teacher" for root in paths.models_dirs()]
    file = next((f / TEACHER_FILE for f in folders if (f / TEACHER_FILE).is_file()), None)
    if file is None:
        raise FileNotFoundError(
            f"Expected {TEACHER_FILE} in {' or '.join(map(str, folders))}. Received: no such file; "
            "write one by `python -m fer_lib teach`, or train with distillation = 0"
        )
    with np.load(file, allow_pickle=False) as archive:
        keys, probabilities = archive["keys"], archive["probabilities"].astype(np.float32)
        class_names = tuple(archive["class_names"].tolist())
    if class_names != dataset.class_names:
        raise ValueError(
            f"Expected the teacher's classes {class_names}. Received: {dataset.class_names}"
        )
    order = np.argsort(keys)
    wanted = _picture_keys(dataset.images)
    place = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    unknown = np.flatnonzero(keys[place] != wanted)
    if len(unknown):
        raise ValueError(
            f"Expected pictures that the teacher in {file} has seen. Received: {len(unknown)} of "
            f"{len(wanted)} that it has not, the first at index {unknown[0]}"
        )
    chosen = probabilities[place]
    return chosen / chosen.sum(axis=1, keepdims=True)


def _picture_keys(images: np.ndarray) -> np.ndarray:
    """Returns a 64-bit hash of each picture's pixels, `uint64 (n,)`."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), dtype="<u8")
