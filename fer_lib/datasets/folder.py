"""Your own pictures, sorted into folders that are named after the emotions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.pictures import read_pictures
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

_SPLIT_NAMES = ("train", "training", "valid", "val", "validation", "test", "testing")


def load_folder(
    path: str | os.PathLike[str],
    detector: FaceDetector | None = None,
    *,
    class_names: Sequence[str] | None = None,
    image_size: int = 48,
    color: bool = False,
) -> FaceDataset:
    """Loads pictures of any size and colour from class-named folders.

    `path/happy/*.jpg`, `path/Sadness/*.png` and so on, also below `path/train` and `path/test`,
    which then become the splits. Subfolders are walked, too.

    Args:
        path: The folder that holds the class folders.
        detector: A `FaceDetector`: the face of each picture is found and aligned as the models
            expect it. Without one, pictures are taken to be faces already: their middle square
            is resized.
        class_names: Your own classes; by default the folder names are matched with `EMOTIONS`
            (`EMOTIONS_8`, if there is contempt), synonyms such as "anger" included.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey, `(n, size, size, 3)`; not with a detector.

    Returns:
        The pictures, with `file`, `width` and `height` in the metadata. Unreadable files and, with
        a detector, pictures without exactly one face are left out and listed in `left_out`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A folder's name is no class; the message lists all such names. Or no picture
            could be used.

    Warns:
        UserWarning: Pictures were left out.

    Example:
        `load_folder("my_faces", detector=FaceDetector())`
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of class-named folders. Received: {root}, which is no folder"
        )
    folders = _subfolders(root)
    splits = {"": root}
    if folders and all(folder.name.lower() in _SPLIT_NAMES for folder in folders):
        splits = {folder.name: folder for folder in folders}
    class_folders = [
        (split, folder) for split, parent in splits.items() for folder in _subfolders(parent)
    ]
    if not class_folders:
        raise ValueError(
            f"{root}: expected folders named after classes, such as {root / 'happy'}. "
            "Received: no folder"
        )
    names, emotion_of = _match_classes(root, [f.name for _, f in class_folders], class_names)
    listing = pd.DataFrame(
        [
            (file.relative_to(root).as_posix(), emotion_of[folder.name], split)
            for split, folder in class_folders
            for file in find_images(folder)
        ],
        columns=["file", "emotion", "split"],
    )
    stray = {
        file.relative_to(root).as_posix(): "in no class folder"
        for parent in dict.fromkeys([root, *splits.values()])
        for file in find_images(parent)
        if file.parent == parent
    }
    return read_pictures(
        listing,
        root,
        names,
        root.name,
        image_size=image_size,
        color=color,
        detector=detector,
        left_out=stray,
    )


def _subfolders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))


def _match_classes(
    root: Path, folders: list[str], class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the classes of the data set, and the class that each folder name means."""
    known = EMOTIONS_8 if class_names is None else tuple(class_names)
    emotion_of = {name: _class_of(name, known) for name in folders}
    unknown = [name for name, emotion in emotion_of.items() if emotion is None]
    if unknown:
        raise ValueError(
            f"{root}: expected folders named after {', '.join(known)}. "
            f"Received: {', '.join(unknown)}; rename them, or give your own `class_names`"
        )
    if class_names is None and "contempt" not in emotion_of.values():
        known = EMOTIONS
    return known, emotion_of


def _class_of(folder: str, known: tuple[str, ...]) -> str | None:
    for name in known:
        if folder.strip().lower() == name.lower():
            return name
    try:
        emotion = canonical_emotion(folder)
    except ValueError:
        return None
    return emotion if emotion in known else None
