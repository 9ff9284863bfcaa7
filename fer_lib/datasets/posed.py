"""Sets of posed expressions, made in a laboratory: CK+, JAFFE, KDEF.

They know who is on each picture, so split them by person (`FaceDataset.split_by_subject`, or
`splits.folds`). Access is restricted; you need your own copy.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.pictures import find_folder, read_pictures
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

# The numbers in CK+'s *_emotion.txt files.
_CKPLUS_CODES = (
    "neutral",
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happy",
    "sadness",
    "surprise",
)
_KDEF_ANGLES = {
    "FL": "full left",
    "HL": "half left",
    "S": "straight",
    "HR": "half right",
    "FR": "full right",
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
    peak frames. Sequences without an emotion file have no label and are not read.

    Args:
        path: The folder that holds one of the two.
        num_peak_frames: How many of the last frames of a sequence get its label; its first frame is
            neutral. Frames of one sequence are all but the same picture.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.
        detector: Finds and aligns the faces; the published frames show head and shoulders.

    Returns:
        The frames in the classes `EMOTIONS_8`, with `subjects` and the metadata columns
        `sequence` and `frame`. Frames that cannot be used are in `left_out`.

    Raises:
        FileNotFoundError: The folders are missing.
        ValueError: An emotion file holds no number from 0 to 7, or nothing can be read.
    """
    if num_peak_frames < 1:
        raise ValueError(f"Expected `num_peak_frames` of at least 1. Received: {num_peak_frames}")
    root = find_folder(path, "CK+", ("Emotion", "anger"), "Emotion and cohn-kanade-images")
    if (root / "Emotion").is_dir():
        frames, strange = _list_ckplus_frames(root, num_peak_frames)
    else:
        frames = [(file, canonical_emotion(file.parent.name)) for file in find_images(root)]
        strange = {}
    rows = []
    for file, emotion in frames:
        name = file.relative_to(root).as_posix()
        fields = re.fullmatch(r"(?P<subject>S\d+)_(?P<sequence>\d+)_(?P<frame>\d+)", file.stem)
        if fields is None:
            strange[name] = "the name does not say person, sequence and frame as published"
        else:
            rows.append({"file": name, "emotion": emotion, **fields.groupdict()})
    listing = pd.DataFrame(rows, columns=["file", "emotion", "subject", "sequence", "frame"])
    listing["frame"] = listing["frame"].astype(int)
    return read_pictures(
        listing,
        root,
        EMOTIONS_8,
        "ckplus",
        image_size=image_size,
        color=color,
        detector=detector,
        left_out=strange,
    )


def _list_ckplus_frames(
    root: Path, num_peak_frames: int
) -> tuple[list[tuple[Path, str]], dict[str, str]]:
    """Lists the first and the last frames of all labelled sequences, and labels without frames."""
    frames, strange = [], {}
    for label_file in sorted((root / "Emotion").glob("*/*/*_emotion.txt")):
        emotion = _read_ckplus_emotion(label_file)
        folder = root / "cohn-kanade-images" / label_file.parent.relative_to(root / "Emotion")
        sequence = find_images(folder) if folder.is_dir() else []
        if not sequence:
            strange[label_file.relative_to(root).as_posix()] = f"no pictures in {folder}"
            continue
        frames.append((sequence[0], "neutral"))
        frames += [(frame, emotion) for frame in sequence[1:][-num_peak_frames:]]
    return frames, strange


def _read_ckplus_emotion(path: Path) -> str:
    text = path.read_text().strip()
    codes = {float(code): name for code, name in enumerate(_CKPLUS_CODES)}
    try:
        return canonical_emotion(codes[float(text)])
    except (KeyError, ValueError):
        raise ValueError(
            f"{path}: expected one number from 0 to 7. Received: {text[:40]!r}"
        ) from None


def load_jaffe(
    path: str | os.PathLike[str],
    *,
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
) -> FaceDataset:
    """Loads JAFFE (Lyons et al. 1998, 10.1109/AFGR.1998.670949): ten women, seven expressions.

    Args:
        path: The folder with `KA.AN1.39.tiff` and the like: person, expression and take, number.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.
        detector: Finds and aligns the faces; the published pictures show head and shoulders.

    Returns:
        The pictures in the classes `EMOTIONS`, with `subjects` and the metadata column `take`.
        Files with other names or that cannot be used are in `left_out`.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: Nothing can be read.
    """
    root = find_folder(path, "JAFFE")
    listing, strange = _list_by_name(
        root, r"(?P<subject>[A-Z]{2})\.(?P<emotion>[A-Z]{2})(?P<take>\d+)\.\d+"
    )
    return read_pictures(
        listing,
        root,
        EMOTIONS,
        "jaffe",
        image_size=image_size,
        color=color,
        detector=detector,
        left_out=strange,
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

    Args:
        path: The folder that holds `KDEF/AF01/AF01AFS.JPG` and so on: session (A or B), sex,
            person, expression, angle.
        angles: Which angles to keep, codes separated by spaces: FL and FR are full profiles,
            HL and HR half profiles, S is straight.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.
        detector: Finds and aligns the faces; the published pictures show head and shoulders.

    Returns:
        The pictures in the classes `EMOTIONS`, with `subjects` (the same person in both sessions)
        and the metadata columns `session`, `sex` and `angle`. Files with other names (there are
        two) or that cannot be used are in `left_out`.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: An angle is unknown, or nothing can be read.
    """
    wanted = angles.split()
    if not wanted or not set(wanted) <= set(_KDEF_ANGLES):
        raise ValueError(f"Expected `angles` out of {' '.join(_KDEF_ANGLES)}. Received: {angles!r}")
    root = find_folder(path, "KDEF")
    listing, strange = _list_by_name(
        root,
        r"(?P<session>[AB])(?P<subject>(?P<sex>[FM])\d\d)(?P<emotion>[A-Z]{2})"
        r"(?P<angle>FL|HL|S|HR|FR)",
    )
    listing = listing[listing["angle"].isin(wanted)]
    listing = listing.assign(
        angle=listing["angle"].map(_KDEF_ANGLES),
        sex=listing["sex"].map({"F": "female", "M": "male"}),
    )
    return read_pictures(
        listing,
        root,
        EMOTIONS,
        "kdef",
        image_size=image_size,
        color=color,
        detector=detector,
        left_out=strange,
    )


def _list_by_name(root: Path, pattern: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Lists the pictures whose names say all about them, and those whose names do not fit."""
    rows, strange = [], {}
    for file in find_images(root):
        name = file.relative_to(root).as_posix()
        fields = re.fullmatch(pattern, file.stem.upper())
        try:
            emotion = canonical_emotion(fields["emotion"]) if fields else None
        except ValueError:
            emotion = None
        if emotion is None:
            strange[name] = "the name does not say person and expression as published"
        else:
            rows.append({**fields.groupdict(), "file": name, "emotion": emotion})
    columns = [*re.compile(pattern).groupindex, "file"]
    return pd.DataFrame(rows, columns=columns), strange
