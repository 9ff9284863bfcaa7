"""A teacher: the probabilities that trained networks give to the training images, as one file.

With it a small network learns from an ensemble (distillation) on a machine that could not train
one. `tests/tools/write_teacher.py` writes it. Images are found by their pixels, so any part of the
data set, in any order, will do.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fer_lib import files, paths
from fer_lib.datasets import FaceDataset
from fer_lib.pretrained.image_hashes import hash_images

TEACHER_FILE = "teacher.npz"


def load_teacher(dataset: FaceDataset, folder: str | os.PathLike[str] | None = None) -> np.ndarray:
    """Returns the teacher's probabilities, soft labels, for the images of a data set.

    Args:
        dataset: Images that the teacher has seen, any part of them in any order.
        folder: The folder that holds `teacher.npz`; by default `saved_models/teacher`.

    Returns:
        `float32 (n, num_classes)`, rows sum to 1.

    Raises:
        FileNotFoundError: There is no teacher.
        ValueError: It has other classes, or does not know an image.
    """
    folders = [Path(folder)] if folder else [root / "teacher" for root in paths.models_dirs()]
    file = next((f / TEACHER_FILE for f in folders if (f / TEACHER_FILE).is_file()), None)
    if file is None:
        raise FileNotFoundError(
            f"Expected {TEACHER_FILE} in {' or '.join(map(str, folders))}. Received: no such file; "
            "take it from the repository, or train with distillation = 0"
        )
    arrays = files.read_npz(file, "a teacher")
    missing = {"keys", "probabilities", "class_names"} - set(arrays)
    if missing:
        raise ValueError(f"Expected a teacher in {file}. Received: no {', '.join(sorted(missing))}")
    keys, probabilities = arrays["keys"], arrays["probabilities"].astype(np.float32)
    class_names = tuple(arrays["class_names"].tolist())
    if class_names != dataset.class_names:
        raise ValueError(
            f"Expected the teacher's classes {class_names}. Received: {dataset.class_names}"
        )
    order = np.argsort(keys)
    wanted = hash_images(dataset.images)
    place = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    unknown = np.flatnonzero(keys[place] != wanted)
    if len(unknown):
        raise ValueError(
            f"Expected images that the teacher in {file} has seen. Received: {len(unknown)} of "
            f"{len(wanted)} that it has not, the first at index {unknown[0]}"
        )
    chosen = probabilities[place]
    return chosen / chosen.sum(axis=1, keepdims=True)
