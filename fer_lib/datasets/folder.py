"""Your own images, sorted into folders that are named after the emotions."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.listing import read_listing
from fer_lib.images import count_suffixes, find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

_SPLIT_NAMES = ("train", "training", "valid", "val", "validation", "test", "testing")
_SPLIT_NAMES += ("publictest", "privatetest")


def load_folder(
    path: str | os.PathLike[str],
    detector: FaceDetector | None = None,
    *,
    class_names: Sequence[str] | Mapping[str, str] | None = None,
    image_size: int = 48,
    color: bool = False,
) -> FaceDataset:
    """Loads images of any size and color from class-named folders.

    `path/happy/*.jpg`, `path/Sadness/*.png` and so on, also below `path/train` and `path/test`,
    which then become the splits. Subfolders are walked, too. Folders of persons above the class
    folders (`path/alice/happy`), or right below each of them, become the `subjects`.

    Args:
        path: The folder that holds the class folders.
        detector: A `FaceDetector`: the face of each image is found and aligned as the models
            expect it, except in images of `image_size` by `image_size` pixels, which are taken to
            be crops already. Without one, all images are: their middle square is resized.
        class_names: Your own classes, or a mapping from each to its folder's name; by default the
            folder names are matched with `EMOTIONS` (`EMOTIONS_8`, if there is contempt), synonyms
            such as "anger" and numbers in front ("0 angry") included.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of gray, `(n, size, size, 3)`; not with a detector.

    Returns:
        The images, with `file`, `width` and `height` in the metadata. Unreadable files, images
        without exactly one face (with a detector) and in no class folder are in `left_out`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A folder's name is no class; the message lists all such names. Or no image
            could be used.

    Warns:
        UserWarning: Files were left out, or passed over as no images.

    Example:
        `load_folder("my_faces", detector=FaceDetector())`
    """
    root = Path(path).expanduser()
    listing, names, stray = list_folder(root, class_names)
    return read_listing(
        listing,
        root,
        names,
        root.resolve().name,
        image_size=image_size,
        color=color,
        detector=detector,
        left_out=stray,
    )


def list_folder(
    root: Path, class_names: Sequence[str] | Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...], dict[str, str]]:
    """Lists the images of class-named folders for `read_listing`, without opening them.

    Returns:
        The table with the columns `file`, `emotion`, `split` and, where known, `subject`; the
        classes; and the files in no class folder, each with its problem.

    Raises:
        FileNotFoundError, ValueError: As for `load_folder`.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of class-named folders. Received: {root}, which is no folder"
        )
    known = EMOTIONS_8 if class_names is None else tuple(class_names)
    folder_of = class_names if isinstance(class_names, Mapping) else {n: n for n in known}
    skipped: list[Path] = []
    paths = [file.relative_to(root).as_posix() for file in find_images(root, skipped)]
    if skipped:
        warnings.warn(
            f"{root}: passed over by their suffix: {count_suffixes(skipped)}", stacklevel=3
        )
    files = pd.DataFrame({"file": paths}, dtype=str)
    parts = files["file"].str.split("/").str[:-1]
    level = _subfolders(root)
    splits = [folder for folder in level if is_split(folder.name)]
    has_splits = bool(splits) and not _any_class(level, folder_of)
    depth = int(has_splits)
    if has_splits:
        level = [folder for split in splits for folder in _subfolders(split)]
    below = [folder for parent in level for folder in _subfolders(parent)]
    if not _any_class(level, folder_of) and _any_class(below, folder_of):
        depth, level = depth + 1, below  # folders of persons, and in each the classes
    if not level:
        raise ValueError(
            f"{root}: expected folders named after classes, such as {root / 'happy'}. "
            "Received: no folder"
        )
    emotion_of = {folder.name: _class_of(folder.name, folder_of) for folder in level}
    unknown = [name for name, emotion in emotion_of.items() if emotion is None]
    if unknown:
        raise ValueError(
            f"{root}: expected folders named after {', '.join(folder_of.values())}. "
            f"Received: {', '.join(unknown)}; rename them, or give your own `class_names`"
        )
    if class_names is None and "contempt" not in emotion_of.values():
        known = EMOTIONS
    files["emotion"] = parts.str[depth].map(emotion_of)
    files["split"] = parts.str[0] if has_splits else ""
    inside = files["emotion"].notna()
    if has_splits:
        inside &= files["split"].map(is_split, na_action="ignore").eq(True)
    stray = dict.fromkeys(files.loc[~inside, "file"], "in no class folder")
    subject = _subjects(parts[inside], depth, has_splits)
    files = files[inside].reset_index(drop=True)
    return files if subject is None else files.assign(subject=subject.to_numpy()), known, stray


def is_split(name: str) -> bool:
    """Tells whether a folder's name is that of a split, such as `train`."""
    return name.lower() in _SPLIT_NAMES


def _subjects(parts: pd.Series, depth: int, has_splits: bool) -> pd.Series | None:
    """Returns the person of each image, by the folder above its class folder or below it."""
    if depth > has_splits:
        return parts.str[depth - 1]
    person = parts.str[depth + 1]
    classes_of = parts.str[depth].groupby(person).nunique()
    return person if person.notna().all() and len(person) and classes_of.max() > 1 else None


def _subfolders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))


def _any_class(folders: list[Path], folder_of: Mapping[str, str]) -> bool:
    return any(_class_of(folder.name, folder_of) for folder in folders)


def _class_of(folder: str, folder_of: Mapping[str, str]) -> str | None:
    """Returns the class that a folder's name means, numbers in front of it left away."""
    bare = re.sub(r"^\d+[\s_.-]+(?=\D)", "", folder.strip())
    for name, wanted in folder_of.items():
        if wanted.lower() in (folder.strip().lower(), bare.lower()):
            return name
    try:
        emotion = canonical_emotion(bare)
    except ValueError:
        return None
    return emotion if emotion in folder_of else None
