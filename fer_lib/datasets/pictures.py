"""From a list of picture files to one array: what all loaders of picture folders share.

A file that cannot be used does not stop the rest; it is left out and reported.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.images import read_image, to_gray

if TYPE_CHECKING:
    from fer_lib.detection import FaceDetector

# Below this a progress bar would be gone before anybody has read it.
_BAR_FROM = 200


def read_pictures(
    listing: pd.DataFrame,
    folder: Path,
    class_names: tuple[str, ...],
    name: str,
    *,
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
    left_out: dict[str, str] | None = None,
) -> FaceDataset:
    """Reads listed pictures into a data set.

    Args:
        listing: One row a picture: `file` (relative to `folder`), `emotion` (one of
            `class_names`), and, where known, `split`, `subject` and `box` (`(x, y, width, height)`
            of the face in pixels). All other columns go into the metadata.
        folder: Where the files are.
        class_names: The classes of the data set.
        name: Its name.
        image_size: Width and height of the result in pixels.
        color: Whether the result is RGB instead of grey.
        detector: Finds the face in each picture, which is then aligned; without it the box is cut
            out, or else the middle square of the picture taken.
        left_out: Files that the caller left out already, and why.

    Returns:
        The pictures that could be read, with `width` and `height` of the files in the metadata and
        the others in `left_out`.

    Raises:
        ValueError: No picture is left, or colour was asked for aligned faces.

    Warns:
        UserWarning: Pictures were left out.
    """
    if image_size < 1:
        raise ValueError(f"Expected `image_size` of at least 1 pixel. Received: {image_size}")
    if color and detector is not None:
        raise ValueError("Expected grey pictures with a `detector`. Received: color=True")
    problems = list((left_out or {}).items())
    listing = listing.reset_index(drop=True)
    images = np.empty((len(listing), image_size, image_size, 3 if color else 1), np.uint8)
    sizes = np.zeros((len(listing), 2), np.int64)
    boxes = listing["box"] if "box" in listing else [None] * len(listing)
    used = []
    rows = enumerate(zip(listing["file"], boxes, strict=True))
    hidden = detector is None and len(listing) < _BAR_FROM
    for row, (file, box) in tqdm(
        rows, name, len(listing), leave=False, unit="picture", disable=hidden
    ):
        try:
            picture = read_image(folder / file)
        except (OSError, ValueError) as error:
            problems.append((file, str(error)))
            continue
        crop = _crop_face(picture, box, detector, image_size, color)
        if isinstance(crop, str):
            problems.append((file, crop))
            continue
        images[len(used)] = crop.reshape(images.shape[1:])
        sizes[len(used)] = picture.shape[1], picture.shape[0]
        used.append(row)
    table = pd.DataFrame(problems, columns=["file", "problem"], dtype=str)
    if not used:
        first = "" if table.empty else f"; {table.file[0]}: {table.problem[0]}"
        raise ValueError(f"{folder}: expected pictures of faces. Received: none{first}")
    if len(table):
        warnings.warn(
            f"{folder}: {len(table)} of {len(used) + len(table)} files were left out, see "
            f"`left_out`; the first is {table.file[0]}: {table.problem[0]}",
            stacklevel=3,
        )
    listing = listing.iloc[used].reset_index(drop=True)
    metadata = listing.drop(columns=["emotion", "split", "subject", "box"], errors="ignore")
    metadata[["width", "height"]] = sizes[: len(used)]
    return FaceDataset(
        images=images[: len(used)],
        labels=np.array([class_names.index(emotion) for emotion in listing["emotion"]]),
        class_names=class_names,
        split=listing["split"].to_numpy(dtype=str) if "split" in listing else "",
        subjects=listing["subject"].to_numpy(dtype=str) if "subject" in listing else None,
        metadata=metadata,
        name=name,
        left_out=table,
    )


def _crop_face(
    picture: np.ndarray,
    box: tuple[float, ...] | None,
    detector: FaceDetector | None,
    size: int,
    color: bool,
) -> np.ndarray | str:
    """Returns the crop of one picture, or why there is none."""
    if detector is not None:
        # Only here, since those who bring no detector need none of its libraries.
        from fer_lib.alignment import crop_detected_face

        faces = detector.detect(picture)
        if len(faces) != 1:
            return f"{len(faces) or 'no'} faces found, expected exactly one"
        return crop_detected_face(picture, faces[0], size)
    if box is not None:
        picture = _cut_box(picture, box)
        if not picture.size:
            return f"the box {tuple(box)} of the face is outside the picture"
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = picture[top : top + side, left : left + side]
    if not color:
        square = to_gray(square)
    method = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(square), (size, size), interpolation=method)


def _cut_box(picture: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Cuts out the square around a box, as far as it is inside the picture."""
    x, y, width, height = box
    half = max(width, height) / 2
    left, top = (round(max(middle - half, 0)) for middle in (x + width / 2, y + height / 2))
    right, bottom = round(x + width / 2 + half), round(y + height / 2 + half)
    return picture[top : max(bottom, 0), left : max(right, 0)]


def find_folder(
    path: str | os.PathLike[str], name: str, inside: tuple[str, ...] = (), expected: str = ""
) -> Path:
    """Returns the folder at `path`, or one below it, that holds one of the entries `inside`.

    Archives unpack into one more folder here and there, hence the look below.

    Raises:
        FileNotFoundError: There is no such folder; the message says what was expected.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"Expected the folder of {name}. Received: {root}, no folder")
    if not inside:
        return root
    for folder in (root, *sorted(root.iterdir())):
        if any((folder / entry).exists() for entry in inside):
            return folder
    raise FileNotFoundError(
        f"Expected the folder of {name} with {expected or ' or '.join(inside)}. Received: {root}"
    )
