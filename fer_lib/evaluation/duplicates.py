"""Pictures that are in two sets at once: a score on them is partly a score of memory.

Only pictures that are identical pixel by pixel are found. 280 of FER2013's 3,589 PublicTest
pictures are also in Training.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


def find_duplicates(images: Any, others: Any) -> np.ndarray:
    """Says which pictures are also among others, identical pixel by pixel.

    Args:
        images: `(n, height, width)` or `(n, height, width, channels)`, or a `FaceDataset`.
        others: Pictures of the same size and type, such as those that a model was trained on.

    Returns:
        `bool (n,)`, True where a picture has a twin.

    Raises:
        ValueError: The pictures differ in size or type, so none could ever be identical.

    Example:
        >>> faces = np.arange(3 * 4).reshape(3, 2, 2)
        >>> find_duplicates(faces, faces[1:2]).tolist()
        [False, True, False]
    """
    images, others = _pictures(images), _pictures(others)
    if images.shape[1:] != others.shape[1:] or images.dtype != others.dtype:
        raise ValueError(
            "Expected pictures of one size and type in both sets. "
            f"Received: {images.dtype} {images.shape[1:]} and {others.dtype} {others.shape[1:]}"
        )
    known = {_digest(image) for image in others}
    return np.array([_digest(image) in known for image in images], bool)


def _pictures(images: Any) -> np.ndarray:
    images = np.asarray(getattr(images, "images", images))
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
