"""Sets of faces from the web: RAF-DB, AffectNet, ExpW.

Nobody is named on them, so the same person may be on both sides of a split. Access to the first
two is restricted; you need your own copy.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.pictures import find_folder, read_pictures
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

# RAF-DB counts from 1.
_RAFDB_CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
# AffectNet's codes 8 to 10 are none, uncertain and no face.
_AFFECTNET_CODES = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
_AFFECTNET_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_EXPW_COLUMNS = ("file", "face_id", "top", "left", "right", "bottom", "confidence", "label")


def load_rafdb(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads the basic emotions of RAF-DB (Li et al. 2017, 10.1109/CVPR.2017.277), aligned faces.

    Args:
        path: The folder (or the one above it, `basic`) that holds
            `EmoLabel/list_patition_label.txt` and `Image/aligned/train_00001_aligned.jpg` and so
            on. The label file is spelt so.
        image_size: Width and height of the result in pixels; published are 100.
        color: Whether the result is RGB instead of grey.

    Returns:
        The faces in the classes `EMOTIONS`, splits `"Training"` and `"Test"`. Listed pictures that
        cannot be read are in `left_out`.

    Raises:
        FileNotFoundError: The folders are missing.
        ValueError: A line of the label file breaks the format, or nothing can be read.
    """
    root = find_folder(path, "RAF-DB", ("EmoLabel",), "EmoLabel and Image/aligned")
    label_file = root / "EmoLabel" / "list_patition_label.txt"
    rows = []
    for number, line in enumerate(label_file.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        name, _, code = line.strip().partition(" ")
        stem, split = Path(name).stem, name.partition("_")[0]
        if split not in ("train", "test") or code.strip() not in tuple("1234567"):
            raise ValueError(
                f"{label_file}, line {number}: expected a picture name and a label from 1 to 7, "
                f"such as 'train_00001.jpg 5'. Received: {line.strip()[:60]!r}"
            )
        rows.append(
            {
                "file": f"Image/aligned/{stem}_aligned.jpg",
                "emotion": canonical_emotion(_RAFDB_CODES[int(code) - 1]),
                "split": "Training" if split == "train" else "Test",
            }
        )
    listing = pd.DataFrame(rows, columns=["file", "emotion", "split"])
    return read_pictures(listing, root, EMOTIONS, "rafdb", image_size=image_size, color=color)


def load_affectnet(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads AffectNet (Mollahosseini et al. 2017, arXiv 1708.03985), its eight emotions.

    Understood are both ways in which it is given out: `train_set/` and `val_set/` with
    `images/0.jpg` and `annotations/0_exp.npy`; and `Manually_Annotated_file_lists/training.csv` and
    `validation.csv` with `Manually_Annotated_Images/`, whose faces are cut out by their boxes. The
    annotations "none", "uncertain" and "no face" are passed over.

    Args:
        path: The folder that holds one of the two.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.

    Returns:
        The faces in the classes `EMOTIONS_8`, splits `"Training"` and `"Validation"` (the test set
        is not public), with the metadata columns `valence` and `arousal`, `[-1, 1]`. Listed
        pictures that cannot be read are in `left_out`.

    Raises:
        FileNotFoundError: The folders are missing.
        ValueError: An annotation breaks the format, or nothing can be read.
    """
    lists = "Manually_Annotated_file_lists"
    root = find_folder(
        path,
        "AffectNet",
        ("train_set", "val_set", lists),
        f"train_set and val_set, or {lists} and Manually_Annotated_Images",
    )
    read = _list_affectnet_csv if (root / lists).is_dir() else _list_affectnet_npy
    listing = pd.concat(
        [read(root, split) for split in ("Training", "Validation")], ignore_index=True
    )
    return read_pictures(listing, root, EMOTIONS_8, "affectnet", image_size=image_size, color=color)


def _list_affectnet_npy(root: Path, split: str) -> pd.DataFrame:
    folder = root / ("train_set" if split == "Training" else "val_set")
    rows = []
    for label_file in sorted(folder.glob("annotations/*_exp.npy")):
        number = label_file.name.removesuffix("_exp.npy")
        code = _read_number(label_file)
        if code != int(code) or not 0 <= code <= 10:
            raise ValueError(f"{label_file}: expected a number from 0 to 10. Received: {code}")
        if code < len(_AFFECTNET_CODES):
            rows.append(
                {
                    "file": (folder.relative_to(root) / "images" / f"{number}.jpg").as_posix(),
                    "emotion": canonical_emotion(_AFFECTNET_CODES[int(code)]),
                    "split": split,
                    "valence": _read_number(label_file.with_name(f"{number}_val.npy")),
                    "arousal": _read_number(label_file.with_name(f"{number}_aro.npy")),
                }
            )
    return pd.DataFrame(rows, columns=["file", "emotion", "split", "valence", "arousal"])


def _read_number(path: Path) -> float:
    """Reads the one number of an annotation file, which may be stored as text."""
    try:
        return float(np.load(path, allow_pickle=False).item())
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected one number. Received: {error}") from None


def _list_affectnet_csv(root: Path, split: str) -> pd.DataFrame:
    name = "training.csv" if split == "Training" else "validation.csv"
    path = root / "Manually_Annotated_file_lists" / name
    if not path.is_file():
        return pd.DataFrame(columns=["file", "emotion", "split", "box", "valence", "arousal"])
    # Copies of validation.csv go about with and without the header.
    table = pd.read_csv(path, names=list(_AFFECTNET_COLUMNS), dtype=str)
    first = 1 if table["expression"].iloc[:1].eq("expression").any() else 0
    table = table.iloc[first:]
    codes = [str(code) for code in range(11)]
    wrong = np.flatnonzero(~table["expression"].isin(codes))
    if len(wrong):
        raise ValueError(
            f"{path}, row {wrong[0]}: expected `expression` from 0 to 10. "
            f"Received: {table['expression'].iloc[wrong[0]]!r}"
        )
    table = table[table["expression"].isin(codes[: len(_AFFECTNET_CODES)])]
    numbers = table[["face_x", "face_y", "face_width", "face_height", "valence", "arousal"]]
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    if numbers.isna().any(axis=None):
        row = int(numbers.isna().any(axis=1).to_numpy().argmax())
        raise ValueError(
            f"{path}: expected numbers for box, valence and arousal. "
            f"Received: {table.iloc[row].drop('facial_landmarks').tolist()}"
        )
    return pd.DataFrame(
        {
            "file": "Manually_Annotated_Images/" + table["subDirectory_filePath"],
            "emotion": [canonical_emotion(_AFFECTNET_CODES[int(c)]) for c in table["expression"]],
            "split": split,
            "box": list(map(tuple, numbers.iloc[:, :4].to_numpy())),
            "valence": numbers["valence"],
            "arousal": numbers["arousal"],
        }
    )


def load_expw(
    path: str | os.PathLike[str], *, image_size: int = 48, color: bool = False
) -> FaceDataset:
    """Loads ExpW (Zhang et al. 2016, arXiv 1609.06426): faces in photographs, given by boxes.

    Args:
        path: The folder that holds `label/label.lst` (or `label.lst`) and the unpacked pictures in
            `image/origin` (or `origin`).
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.

    Returns:
        One picture a face, the square around its box, in the classes `EMOTIONS` (ExpW has
        FER2013's order), with the metadata columns `face_id` and `confidence` (of the box). Faces
        that cannot be read are in `left_out`. The set is not split.

    Raises:
        FileNotFoundError: The label file is missing.
        ValueError: A line of it breaks the format, or nothing can be read.
    """
    root = find_folder(path, "ExpW", ("label/label.lst", "label.lst"))
    label_file = next(f for f in (root / "label/label.lst", root / "label.lst") if f.is_file())
    folder = "image/origin" if (root / "image" / "origin").is_dir() else "origin"
    rows = []
    for number, line in enumerate(label_file.read_text().splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            if len(fields) != len(_EXPW_COLUMNS):
                raise ValueError(f"{len(fields)} fields")
            top, left, right, bottom, confidence = map(float, fields[2:7])
            emotion = EMOTIONS[tuple("0123456").index(fields[7])]
        except ValueError:
            raise ValueError(
                f"{label_file}, line {number}: expected name, face, top, left, right, bottom, "
                f"confidence and a label from 0 to 6. Received: {line.strip()[:80]!r}"
            ) from None
        rows.append(
            {
                "file": f"{folder}/{fields[0]}",
                "emotion": emotion,
                "box": (left, top, right - left, bottom - top),
                "face_id": fields[1],
                "confidence": confidence,
            }
        )
    listing = pd.DataFrame(rows, columns=["file", "emotion", "box", "face_id", "confidence"])
    return read_pictures(listing, root, EMOTIONS, "expw", image_size=image_size, color=color)
