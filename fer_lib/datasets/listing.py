"""From a table of image files to one array: what all loaders of image files share.

A file that cannot be used does not stop the rest; it is left out and reported.
"""

from __future__ import annotations

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

# With fewer files a progress bar disappears before it can be read.
_MIN_FILES_OF_BAR = 200


def read_listing(
    listing: pd.DataFrame,
    folder: Path,
    class_names: tuple[str, ...],
    name: str,
    left_out: dict[str, str],
    *,
    image_size: int = 48,
    color: bool = False,
    detector: FaceDetector | None = None,
) -> FaceDataset:
    """Reads listed images into a data set; options, warnings and errors are those of `load_folder`.

    `listing` has one row per image: `file` (below `folder`), `emotion` (one of `class_names`), and,
    where known, `split`, `subject` and `box` (`(x, y, width, height)` of the face in pixels, or all
    at most 1 in shares of the image), which is cut out where no detector is given. All other
    columns go into the metadata. `left_out` are files that the caller left out already, and why.
    """
    if image_size < 1:
        raise ValueError(f"Expected `image_size` of at least 1 pixel. Received: {image_size}")
    if color and detector is not None:
        raise ValueError("Expected gray images with a `detector`. Received: color=True")
    problems, used, sizes = list(left_out.items()), [], []
    images = np.empty((len(listing), image_size, image_size, 3 if color else 1), np.uint8)
    boxes = listing["box"] if "box" in listing else [None] * len(listing)
    hidden = detector is None and len(listing) < _MIN_FILES_OF_BAR
    files = tqdm(listing["file"], name, leave=False, unit="image", disable=hidden)
    for row, (file, box) in enumerate(zip(files, boxes, strict=True)):
        try:
            image = read_image(folder / file)
            crop = _crop_face(image, box, detector, image_size, color)
        except (OSError, ValueError) as error:
            problems.append((file, str(error)))
            continue
        images[len(used)] = crop.reshape(images.shape[1:])
        sizes.append((image.shape[1], image.shape[0]))
        used.append(row)
    table = pd.DataFrame(problems, columns=["file", "problem"], dtype=str)
    first = "none" if table.empty else f"{table.file[0]}: {table.problem[0]}"
    if not used:
        raise ValueError(f"{folder}: expected images of faces. Received: {first}")
    if len(table):
        hint = "; for crops of faces use no detector" if detector and len(table) > len(used) else ""
        warnings.warn(
            f"{folder}: {len(table)} of {len(used) + len(table)} files were left out, see "
            f"`left_out`; the first is {first}{hint}",
            stacklevel=3,
        )
    listing = listing.iloc[used].reset_index(drop=True)
    metadata = listing.drop(columns=["emotion", "split", "subject", "box"], errors="ignore")
    metadata[["width", "height"]] = np.array(sizes)
    return FaceDataset(
        images=images[: len(used)],
        labels=pd.Index(class_names).get_indexer(listing["emotion"]),
        class_names=class_names,
        split=listing.get("split", ""),
        subjects=listing.get("subject"),
        metadata=metadata,
        name=name,
        left_out=table,
    )


def _crop_face(
    image: np.ndarray,
    box: tuple[float, ...] | None,
    detector: FaceDetector | None,
    size: int,
    color: bool,
) -> np.ndarray:
    """Returns the crop of one image; a `ValueError` says why there is none."""
    if detector is not None and image.shape[:2] not in ((size, size), (48, 48)):
        # Imported here, since without a detector none of its libraries are needed.
        from fer_lib.alignment import crop_detected_face

        faces = detector.detect(image)
        if len(faces) != 1:
            raise ValueError(f"{len(faces) or 'no'} faces found, expected exactly one")
        return crop_detected_face(image, faces[0], size)
    image = image if box is None else _cut_box(image, *box)
    side = min(image.shape[:2])
    if not side:
        raise ValueError(f"the box {box} of the face is outside the image")
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = np.ascontiguousarray(image[top : top + side, left : left + side])
    method = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    return cv2.resize(square if color else to_gray(square), (size, size), interpolation=method)


def _cut_box(image: np.ndarray, x: float, y: float, width: float, height: float) -> np.ndarray:
    """Cuts out the square around a box, as far as it is inside the image."""
    if max(width, height) <= 1:
        rows, columns = image.shape[:2]
        x, y, width, height = x * columns, y * rows, width * columns, height * rows
    half = max(width, height) / 2
    left, top = (round(max(middle - half, 0)) for middle in (x + width / 2, y + height / 2))
    right, bottom = round(x + width / 2 + half), round(y + height / 2 + half)
    return image[top : max(bottom, 0), left : max(right, 0)]
