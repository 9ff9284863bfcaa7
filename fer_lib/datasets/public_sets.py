"""Public sets: CK+, JAFFE and KDEF from the laboratory; RAF-DB, AffectNet, ExpW from the web.

`path` is the folder of the set or the one above it; `dataset_info` says which files are read and
who made them. Options are `image_size`, `color` and `detector` of `load_folder`; where published
images are faces already, no detector is used. Images that cannot be used are in `left_out`. Missing
folders are a `FileNotFoundError`, labels that break the format and no image at all a `ValueError`.

Sets from the laboratory have `subjects`, so split them with `split_by_subject`; in those from the
web the same person may be on both sides of a split. You need your own copy; most are on request.
"""

from __future__ import annotations

import os
from typing import Any

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.layouts import load_layout

Folder = str | os.PathLike[str]


def load_ckplus(path: Folder, **options: Any) -> FaceDataset:
    """Loads CK+, in the classes `EMOTIONS_8`, or its cropped peak frames, `CK+48`.

    Of each sequence with a label the last three frames get it, and the first frame is neutral;
    they are nearly identical. The metadata have the columns `sequence` and `frame`.
    """
    return load_layout(path, "ckplus", **options)


def load_jaffe(path: Folder, **options: Any) -> FaceDataset:
    """Loads JAFFE, with the metadata column `take`."""
    return load_layout(path, "jaffe", **options)


def load_kdef(path: Folder, **options: Any) -> FaceDataset:
    """Loads the straight views of KDEF, with the metadata columns `session` and `sex` (F or M)."""
    return load_layout(path, "kdef", **options)


def load_rafdb(path: Folder, **options: Any) -> FaceDataset:
    """Loads the basic emotions of RAF-DB, splits `"Training"` and `"Test"`."""
    return load_layout(path, "rafdb", **options)


def load_affectnet(path: Folder, **options: Any) -> FaceDataset:
    """Loads AffectNet, in the classes `EMOTIONS_8`, splits `"Training"` and `"Validation"`.

    Kaggle's YOLO folders may have a `"Test"`; else the metadata have the columns `valence` and
    `arousal`, `[-1, 1]`. The annotations "none", "uncertain" and "no face" are not read.
    """
    return load_layout(path, "affectnet", **options)


def load_expw(path: Folder, **options: Any) -> FaceDataset:
    """Loads ExpW, one image per face, the square around its box; the set is not split.

    The metadata have the columns `face_id` and `confidence` (of the box).
    """
    return load_layout(path, "expw", **options)
