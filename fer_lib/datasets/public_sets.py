"""Public sets: CK+, JAFFE and KDEF from the laboratory; RAF-DB, AffectNet, ExpW from the web.

Those from the laboratory know who is on each image, so split them with `split_by_subject`; in
those from the web the same person may be on both sides of a split. Access to all but ExpW is
restricted; you need your own copy.

All functions here take `path`, the folder of the set or the one above it, `image_size`, the width
and height of the result in pixels, and `color`, whether the result is RGB instead of gray. Those of
the laboratory take a `detector`, too, which finds and aligns the faces: the published images show
head and shoulders. Images that cannot be used are in `left_out`. They raise `FileNotFoundError`
where the folders are missing, and `ValueError` where a label breaks the format or no image is left.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.layouts import NUMBER, Layout, Row, lines, names, read_layout
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

_CKPLUS_CODES = ["neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"]
_RAFDB_CODES = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]
_AFFECTNET_CODES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
_CKPLUS_NAME = r"(?P<subject>S\d+)_(?P<sequence>\d+)_(?P<frame>\d+)"
_KDEF_ANGLES = {
    "FL": "full left",
    "HL": "half left",
    "S": "straight",
    "HR": "half right",
    "FR": "full right",
}


def _codes(emotions: list[str] | tuple[str, ...], first: int = 0) -> dict[str, str]:
    return {str(code): name for code, name in enumerate(emotions, first)}


def _ckplus_frames(root: Path, layout: Layout, num_peak_frames: int) -> Iterator[Row]:
    """The first frame of each labelled sequence as neutral, and the last with its emotion."""
    for file in sorted(root.glob(layout.labels)):
        folder = root / "cohn-kanade-images" / file.parent.relative_to(root / "Emotion")
        frames = find_images(folder) if folder.is_dir() else []
        if not frames:
            frames = [folder / f"{folder.parent.name}_{folder.name}_0"]  # reported as missing
        frames = [frame.relative_to(root).as_posix() for frame in frames]
        yield str(file), f"{frames[0]} 0"
        for frame in frames[1:][-num_peak_frames:]:
            yield str(file), f"{frame} {file.read_text().strip()}"


def _affectnet_lines(root: Path, layout: Layout) -> Iterator[Row]:
    """The lines of `training.csv` and `validation.csv`, with these words in front."""
    for where, text in lines(root, layout):
        yield where, f"{Path(where.rpartition(', line')[0]).stem},{text}"


def _affectnet_numbers(root: Path, layout: Layout) -> Iterator[Row]:
    """The image and the three numbers of each `annotations/0_exp.npy` and its siblings."""
    for file in sorted(root.glob(layout.labels)):
        folder, number = file.parent.parent, file.name.removesuffix("_exp.npy")
        texts = [f"{folder.name}/images/{number}.jpg"]
        for kind in ("exp", "val", "aro"):
            try:
                array = np.load(file.with_name(f"{number}_{kind}.npy"), allow_pickle=False)
            except (ValueError, EOFError) as error:
                raise ValueError(f"{file}: expected one number. Received: {error}") from None
            texts.append(str(array))
        yield str(file), " ".join(texts)


def _expw_lines(root: Path, layout: Layout) -> Iterator[Row]:
    """The lines of `label.lst`, with the folder of the images in front."""
    folder = "image/origin" if (root / "image" / "origin").is_dir() else "origin"
    for where, text in lines(root, layout):
        yield where, f"{folder}/{text}"


_AFFECTNET = {
    "key": "affectnet",
    "title": "AffectNet",
    "codes": {**_codes(_AFFECTNET_CODES), "8": None, "9": None, "10": None},
    "class_names": EMOTIONS_8,
    "splits": {
        "train": "Training",
        "val": "Validation",
        "training": "Training",
        "validation": "Validation",
    },
}
_LAYOUTS = {
    "ckplus": Layout(
        "ckplus",
        "CK+",
        functools.partial(_ckplus_frames, num_peak_frames=3),
        rf"(?P<file>.*{_CKPLUS_NAME}\S*) (?P<emotion>[0-7])(?:\.0*(?:e\+00)?)?",
        "one number from 0 to 7 for frames named as published",
        inside=("Emotion",),
        labels="Emotion/*/*/*_emotion.txt",
        codes=_codes(_CKPLUS_CODES),
        class_names=EMOTIONS_8,
    ),
    "ck48": Layout(
        "ckplus",
        "CK+",
        names,
        rf"(?P<file>(?:.*/)?(?P<emotion>[^/]+)/{_CKPLUS_NAME}\.\w+)",
        "class-named folders and names of person, sequence and frame, as published",
        inside=("anger",),
        class_names=EMOTIONS_8,
        strict=False,
    ),
    "jaffe": Layout(
        "jaffe",
        "JAFFE",
        names,
        r"(?P<file>(?:.*/)?(?P<subject>[A-Z]{2})\.(?P<emotion>[A-Z]{2})(?P<take>\d+)\.\d+\.\w+)",
        "a name of person and expression, such as KA.AN1.39.tiff",
        strict=False,
    ),
    "kdef": Layout(
        "kdef",
        "KDEF",
        names,
        r"(?P<file>(?:.*/)?(?P<session>[AB])(?P<subject>(?P<sex>[FM])\d\d)(?P<emotion>[A-Z]{2})"
        r"(?P<angle>FL|HL|S|HR|FR)\.\w+)",
        "a name of session, person, expression and angle, such as AF01AFS.JPG",
        strict=False,
    ),
    "rafdb": Layout(
        "rafdb",
        "RAF-DB",
        lines,
        r"(?P<stem>(?P<split>train|test)_\d+)\.jpg (?P<emotion>[1-7])",
        "an image name and a label from 1 to 7, such as 'train_00001.jpg 5'",
        inside=("EmoLabel",),
        labels="EmoLabel/list_patition_label.txt",  # spelled so
        image="Image/aligned/{stem}_aligned.jpg",
        codes=_codes(_RAFDB_CODES, 1),
        splits={"train": "Training", "test": "Test"},
    ),
    "rafdb_folders": Layout(
        "rafdb",
        "RAF-DB",
        names,
        r"(?P<file>(?P<split>train|test)/(?P<emotion>[1-7])/[^/]+)",
        "an image in train/1 to train/7 or test/1 to test/7",
        inside=("train/1", "test/1"),
        codes=_codes(_RAFDB_CODES, 1),
        splits={"train": "Training", "test": "Test"},
        strict=False,
    ),
    "affectnet_lists": Layout(
        rows=_affectnet_lines,
        pattern=rf"(?P<split>training|validation),(?P<file>[^,]+),(?P<x>{NUMBER}),(?P<y>{NUMBER}),(?P<width>{NUMBER}),"
        rf"(?P<height>{NUMBER}),[^,]*,(?P<emotion>\d+),(?P<valence>{NUMBER}),(?P<arousal>{NUMBER})",
        expected="file, box of the face, landmarks, expression from 0 to 10, valence, arousal",
        inside=("Manually_Annotated_file_lists",),
        labels="Manually_Annotated_file_lists/*.csv",
        image="Manually_Annotated_Images/{file}",
        numbers=("x", "y", "width", "height", "valence", "arousal"),
        **_AFFECTNET,
    ),
    "affectnet": Layout(
        rows=_affectnet_numbers,
        pattern=rf"(?P<file>(?P<split>train|val)_set/images/\d+\.jpg) (?P<emotion>\d+) "
        rf"(?P<valence>{NUMBER}) (?P<arousal>{NUMBER})",
        expected="a number from 0 to 10, valence and arousal",
        inside=("train_set", "val_set"),
        labels="*_set/annotations/*_exp.npy",
        numbers=("valence", "arousal"),
        **_AFFECTNET,
    ),
    "expw": Layout(
        "expw",
        "ExpW",
        _expw_lines,
        rf"(?P<file>\S+)\s+(?P<face_id>\S+)\s+(?P<top>{NUMBER})\s+(?P<left>{NUMBER})\s+"
        rf"(?P<right>{NUMBER})\s+(?P<bottom>{NUMBER})\s+(?P<confidence>{NUMBER})\s+"
        r"(?P<emotion>[0-6])",
        "name, face, top, left, right, bottom, confidence and a label from 0 to 6",
        inside=("label/label.lst", "label.lst"),
        labels="**/label.lst",
        codes=_codes(EMOTIONS),
        numbers=("top", "left", "right", "bottom", "confidence"),
    ),
}


def load_ckplus(
    path: str | os.PathLike[str],
    *,
    num_peak_frames: int = 3,
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
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
    rows = functools.partial(_ckplus_frames, num_peak_frames=num_peak_frames)
    return read_layout(
        path,
        dataclasses.replace(_LAYOUTS["ckplus"], rows=rows),
        _LAYOUTS["ck48"],
        change=lambda listing: listing.astype({"frame": int}),
        image_size=image_size,
        color=color,
        detector=detector,
    )


def load_jaffe(
    path: str | os.PathLike[str],
    *,
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
) -> FaceDataset:
    """Loads JAFFE (Lyons et al. 1998, 10.1109/AFGR.1998.670949): ten women, seven expressions.

    Its files are `KA.AN1.39.tiff` and the like: subject, expression and take, number.

    Returns:
        The images in the classes `EMOTIONS`, with `subjects` and the metadata column `take`.
    """
    return read_layout(
        path, _LAYOUTS["jaffe"], image_size=image_size, color=color, detector=detector
    )


def load_kdef(
    path: str | os.PathLike[str],
    *,
    angles: str = "S",
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
) -> FaceDataset:
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

    return read_layout(
        path,
        _LAYOUTS["kdef"],
        change=change,
        image_size=image_size,
        color=color,
        detector=detector,
    )


def load_rafdb(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads the basic emotions of RAF-DB (Li et al. 2017, 10.1109/CVPR.2017.277), aligned faces.

    Understood are the published `EmoLabel/list_patition_label.txt` (spelled so) with
    `Image/aligned/train_00001_aligned.jpg` and so on, and Kaggle's `train/1` to `train/7` and
    `test/1` to `test/7`. Published are 100x100 pixels.

    Returns:
        The faces in the classes `EMOTIONS`, splits `"Training"` and `"Test"`.
    """
    layouts = _LAYOUTS["rafdb"], _LAYOUTS["rafdb_folders"]
    return read_layout(path, *layouts, image_size=image_size, color=color)


def load_affectnet(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads AffectNet (Mollahosseini et al. 2017, arXiv 1708.03985), its eight emotions.

    Understood are both ways in which it is given out: `train_set/` and `val_set/` with
    `images/0.jpg` and `annotations/0_exp.npy`; and `Manually_Annotated_file_lists/training.csv` and
    `validation.csv` with `Manually_Annotated_Images/`, whose faces are cut out by their boxes. The
    annotations "none", "uncertain" and "no face" are not read.

    Returns:
        The faces in the classes `EMOTIONS_8`, splits `"Training"` and `"Validation"` (the test set
        is not public), with the metadata columns `valence` and `arousal`, `[-1, 1]`.
    """
    layouts = _LAYOUTS["affectnet_lists"], _LAYOUTS["affectnet"]
    return read_layout(path, *layouts, image_size=image_size, color=color)


def load_expw(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads ExpW (Zhang et al. 2016, arXiv 1609.06426): faces in photographs, given by boxes.

    Its labels are in `label/label.lst` (or `label.lst`), its photographs in `image/origin` (or
    `origin`).

    Returns:
        One image per face, the square around its box, in the classes `EMOTIONS`, with the metadata
        columns `face_id` and `confidence` (of the box). The set is not split.
    """
    return read_layout(path, _LAYOUTS["expw"], image_size=image_size, color=color)
