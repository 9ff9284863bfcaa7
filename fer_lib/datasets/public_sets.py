"""Public sets: CK+, JAFFE and KDEF from the laboratory; RAF-DB, AffectNet, ExpW from the web.

Those from the laboratory know who is on each image, so split them with `split_by_subject`; in
those from the web the same person may be on both sides of a split. Access to all but ExpW is
restricted; you need your own copy.

All functions here take `path`, the folder of the set or the one above it, and the options
`image_size`, the width and height of the result in pixels (48), `color`, whether the result is RGB
instead of gray (False), and `detector`, which finds and aligns the faces of photographs; where the
published images are faces already, it is not used. Images that cannot be used are in `left_out`.
They raise `FileNotFoundError` where the folders are missing, and `ValueError` where a label breaks
the format or no image is left.
"""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.layouts import load_layout

_KDEF_ANGLES = {
    "FL": "full left",
    "HL": "half left",
    "S": "straight",
    "HR": "half right",
    "FR": "full right",
}


def load_ckplus(
    path: str | os.PathLike[str], *, num_peak_frames: int = 3, **options: Any
) -> FaceDataset:
    """Loads CK+ (Lucey et al. 2010, 10.1109/CVPRW.2010.5543262): sequences from neutral to peak.

    Understood are the published folders `cohn-kanade-images/S005/001/*.png` with
    `Emotion/S005/001/*_emotion.txt`, and the widespread `CK+48` of class-named folders with cropped
    peak frames. Sequences without an emotion file have no label and are not read. The last
    `num_peak_frames` frames of a sequence get its label, its first frame is neutral; frames of one
    sequence are nearly identical.

    Returns:
        The frames in the classes `EMOTIONS_8`, with `subjects` and the metadata columns `sequence`
        and `frame`.
    """
    if num_peak_frames < 1:
        raise ValueError(f"Expected `num_peak_frames` of at least 1. Received: {num_peak_frames}")

    def change(listing: pd.DataFrame) -> pd.DataFrame:
        if "rank" in listing:
            listing = listing[listing.pop("rank").astype(int) <= num_peak_frames]
        return listing.astype({"frame": int})

    return load_layout(path, "ckplus", change, **options)


def load_jaffe(path: str | os.PathLike[str], **options: Any) -> FaceDataset:
    """Loads JAFFE (Lyons et al. 1998, 10.1109/AFGR.1998.670949): ten women, seven expressions.

    Its files are `KA.AN1.39.tiff` and the like: subject, expression and take, number.

    Returns:
        The images in the classes `EMOTIONS`, with `subjects` and the metadata column `take`.
    """
    return load_layout(path, "jaffe", **options)


def load_kdef(path: str | os.PathLike[str], *, angles: str = "S", **options: Any) -> FaceDataset:
    """Loads KDEF (Lundqvist, Flykt and Ohman 1998): 70 people, seven expressions, five angles.

    Its files are `KDEF/AF01/AF01AFS.JPG` and so on: session (A or B), sex, subject, expression,
    angle. `angles` says which angles to keep, codes separated by spaces: FL and FR are full
    profiles, HL and HR half profiles, S is straight.

    Returns:
        The images in the classes `EMOTIONS`, with `subjects` (the same person in both sessions)
        and the metadata columns `session`, `sex` and `angle`.
    """
    wanted = angles.split()
    if not wanted or not set(wanted) <= set(_KDEF_ANGLES):
        raise ValueError(f"Expected `angles` out of {' '.join(_KDEF_ANGLES)}. Received: {angles!r}")

    def change(listing: pd.DataFrame) -> pd.DataFrame:
        angle, sex = listing["angle"].str.upper(), listing["sex"].str.upper()
        words = {"angle": angle.map(_KDEF_ANGLES), "sex": sex.map({"F": "female", "M": "male"})}
        return listing.assign(**words)[angle.isin(wanted)]

    return load_layout(path, "kdef", change, **options)


def load_rafdb(path: str | os.PathLike[str], **options: Any) -> FaceDataset:
    """Loads the basic emotions of RAF-DB (Li et al. 2017, 10.1109/CVPR.2017.277), aligned faces.

    Understood are the published `EmoLabel/list_patition_label.txt` (spelled so) with
    `Image/aligned/train_00001_aligned.jpg` and so on, and Kaggle's `train/1` to `train/7` and
    `test/1` to `test/7`. Published are 100x100 pixels.

    Returns:
        The faces in the classes `EMOTIONS`, splits `"Training"` and `"Test"`.
    """
    return load_layout(path, "rafdb", **options)


def load_affectnet(path: str | os.PathLike[str], **options: Any) -> FaceDataset:
    """Loads AffectNet (Mollahosseini et al. 2017, arXiv 1708.03985), its eight emotions.

    Understood are both ways in which it is given out, `train_set/` and `val_set/` with
    `images/0.jpg` and `annotations/0_exp.npy`, and `Manually_Annotated_file_lists/training.csv` and
    `validation.csv` with `Manually_Annotated_Images/`, whose faces are cut out by their boxes; and
    Kaggle's YOLO folders, `train/images/*.jpg` with `train/labels/*.txt` and `data.yaml`. The
    annotations "none", "uncertain" and "no face" are not read.

    Returns:
        The faces in the classes `EMOTIONS_8`, splits `"Training"`, `"Validation"` and in YOLO's
        folders `"Test"`; else with the metadata columns `valence` and `arousal`, `[-1, 1]`.
    """
    return load_layout(path, "affectnet", **options)


def load_expw(path: str | os.PathLike[str], **options: Any) -> FaceDataset:
    """Loads ExpW (Zhang et al. 2016, arXiv 1609.06426): faces in photographs, given by boxes.

    Its labels are in `label/label.lst` (or `label.lst`), its photographs in `image/origin` (or
    `origin`).

    Returns:
        One image per face, the square around its box, in the classes `EMOTIONS`, with the metadata
        columns `face_id` and `confidence` (of the box). The set is not split.
    """
    return load_layout(path, "expw", **options)
