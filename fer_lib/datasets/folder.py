"""Your own images, sorted into folders that are named after the emotions."""

from __future__ import annotations

import itertools
import mimetypes
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.listing import read_listing
from fer_lib.files import expand_user
from fer_lib.images import count_suffixes, find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8, find_emotion

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

_SPLIT = r"(train(ing)?|val(id(ation)?)?|(public|private)?test(ing)?)([ _-]?(set|data|images))?"
_IMAGE_KINDS = ("image/", ".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".nef", ".arw")
_SYSTEM_FILES = ("thumbs.db", "desktop.ini")
Classes = Sequence[str] | Mapping[str, str | Sequence[str]]
"""The classes of a user: their names, or for each name its folder or folders (`"smile|grin"`)."""


def load_folder(
    path: str | os.PathLike[str],
    detector: FaceDetector | None = None,
    *,
    class_names: Classes | None = None,
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
        class_names: Your own classes: names of folders, or what is in which folder, such as
            `{"smile": "happy|laughing", "no smile": "neutral"}`; other folders are then left out.
            By default the folder names are matched with `EMOTIONS` (`EMOTIONS_8`, if there is
            contempt), synonyms such as "anger" and numbers in front ("0 angry") included.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of gray, `(n, size, size, 3)`; not with a detector.

    Returns:
        The images, with `file`, `width` and `height` in the metadata. Unreadable files, images
        without exactly one face (with a detector) and in no class folder are in `left_out`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A folder's name is not a class; the message lists all such names. Or no image
            could be used.

    Warns:
        UserWarning: Files were left out, or passed over as no images.

    Example:
        `load_folder("my_faces", detector=FaceDetector())`
    """
    root = expand_user(path)
    listing, names, stray = list_folder(root, class_names)
    options = {"image_size": image_size, "color": color, "detector": detector}
    return read_listing(listing, root, names, root.resolve().name, stray, **options)


def list_folder(
    root: Path, class_names: Classes | None = None
) -> tuple[pd.DataFrame, tuple[str, ...], dict[str, str]]:
    """Lists the images of class-named folders without opening them; errors as of `load_folder`.

    Returns what `read_listing` takes: the table with the columns `file`, `emotion`, `split` and,
    where known, `subject`; the classes; and the files that are left out, each with its problem.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of class-named folders. Received: {root}, which is no folder"
        )
    skipped: list[Path] = []
    files = [file.relative_to(root) for file in find_images(root, skipped)]
    stray = _report_skipped(root, skipped)
    known, folders = _read_folders(class_names)
    is_open = not isinstance(class_names, Mapping)  # synonyms count, other folders do not

    def class_of(name: str) -> str | None:
        whole = name.strip().lower()
        bare = re.sub(r"^\d+[\s_.-]+(?=\D)", "", whole)  # numbers in front are left away
        found = folders.get(whole) or folders.get(bare) or (find_emotion(bare) if is_open else None)
        return found if found in known else None

    index = [file.as_posix() for file in files]
    columns = itertools.zip_longest(*(file.parts[:-1] for file in files))
    levels = pd.DataFrame(dict(enumerate(columns)), index, dtype=object)
    levels = levels.reindex(columns=range(levels.shape[1] + 3))

    def names(depth: int) -> list[str]:
        return sorted(levels[depth].dropna().unique())

    def has(known_as: Callable[[str], Any], depth: int) -> bool:
        return any(map(known_as, names(depth)))

    depth, split = 0, pd.Series("", index)
    # Archives often unpack into one more folder.
    while len(names(depth)) == 1 and names(depth + 1):
        if has(class_of, depth) or has(is_split, depth):
            break
        depth += 1
    if has(is_split, depth) and not has(class_of, depth):
        split = levels[depth]
        levels = levels[split.map(is_split, na_action="ignore").eq(True)]
        depth += 1
    has_people = not has(class_of, depth) and has(class_of, depth + 1)
    depth += has_people
    class_of_folder = {name: class_of(name) for name in names(depth)}
    _check_names(root, class_of_folder, known, is_open)
    emotion = levels[depth].map(class_of_folder).dropna()
    stray |= dict.fromkeys(pd.Index(index).difference(emotion.index), "in no class folder")
    subject = levels.loc[emotion.index, depth - 1 if has_people else depth + 1]
    listing = pd.DataFrame({"emotion": emotion, "split": split[emotion.index]})
    # Folders right below the classes are people where each image is in one, of several classes.
    classes_of = emotion.groupby(subject).nunique()
    if has_people or (subject.notna().all() and classes_of.max() > 1):
        listing["subject"] = subject
    if class_names is None and "contempt" not in set(emotion):
        known = EMOTIONS
    return listing.rename_axis("file").reset_index(), known, stray


def is_split(name: str) -> bool:
    """Tells whether a folder's name is that of a split, such as `train`."""
    return re.fullmatch(_SPLIT, name.strip(), re.IGNORECASE) is not None


def _report_skipped(root: Path, skipped: list[Path]) -> dict[str, str]:
    """Returns images of a kind that cannot be read, each with its problem; warns of the others."""
    stray, others = {}, []
    for file in skipped:
        kind = mimetypes.guess_type(file.name)[0] or file.suffix.lower()
        if kind.startswith(_IMAGE_KINDS):
            stray[file.relative_to(root).as_posix()] = "an image of a kind that cannot be read here"
        elif file.name.lower() not in _SYSTEM_FILES:
            others.append(file)
    if others:
        message = f"{root}: passed over by their suffix: {count_suffixes(others)}"
        warnings.warn(message, stacklevel=4)
    return stray


def _check_names(
    root: Path, found: dict[str, str | None], known: tuple[str, ...], is_open: bool
) -> None:
    """Refuses folders that are not a class, or classes whose folder is missing."""
    missing = [] if is_open else sorted({*known} - {*found.values()})
    unknown = [name for name, emotion in found.items() if is_open and emotion is None]
    if missing and found:
        raise ValueError(
            f"{root}: expected the folders of {', '.join(missing)}, as `class_names` says. "
            f"Received: {', '.join(found)}"
        )
    if unknown or not found:
        hint = "; numbers alone say no class, unless the set is 'rafdb'"
        hint = hint if unknown and all(map(str.isdigit, unknown)) else ""
        raise ValueError(
            f"{root}: expected folders named after {', '.join(known)}. "
            f"Received: {', '.join(unknown) or 'no folder with images'}; rename them, or give your "
            f"own `class_names`{hint}"
        )


def _read_folders(class_names: Classes | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the classes, and the class of each folder by its name in lower case."""
    known = EMOTIONS_8 if class_names is None else tuple(class_names)
    lists = class_names if isinstance(class_names, Mapping) else {name: [name] for name in known}
    lists = {name: v.split("|") if isinstance(v, str) else v for name, v in lists.items()}
    return known, {f.strip().lower(): name for name, several in lists.items() for f in several}
